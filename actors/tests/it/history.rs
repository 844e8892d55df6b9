//! What happened to actors outlives them: written in batches while the node runs, and once more when it stops.

use crate::support;
use maya_actors::observe::{Ids, Observer};
use maya_protocol::{
    clock,
    ids::{Epoch, InterviewId, NodeId, SessionId, TenantId},
    supervision::Happening,
};
use maya_store::{
    Store,
    supervision::{Wanted, read},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(30);

async fn kept(store: &Store, session: SessionId) -> Vec<(Happening, String)> {
    let mut tx = store.system().await.unwrap();
    let wanted = Wanted { session: Some(session), within: Duration::from_secs(3600), limit: 100, ..Wanted::default() };
    read(&mut tx, &wanted).await.unwrap().into_iter().map(|event| (event.what, event.reason)).collect()
}

#[tokio::test]
async fn what_happened_is_kept_when_the_actor_is_gone() {
    let ground = support::ground().await;
    let store = ground.store.clone();
    let observer = Observer::new(NodeId::fresh(), clock::system());
    let stop = CancellationToken::new();
    let writing = tokio::spawn(observer.history().clone().run(observer.clone(), store.clone(), stop.clone()));
    let session = SessionId::fresh();
    let ids = Ids { session, interview: InterviewId::fresh(), tenant: TenantId::fresh(), epoch: Epoch(1) };
    let root = observer.observe(None, "node", "n".to_owned());
    let actor = observer.session(&root, ids);
    actor.note(Happening::Started, "the candidate joined");
    actor.failed("it said \"my name is Rosalind\"");
    drop(actor);
    let two = maya_testkit::eventually(SOON, || async {
        let kept = kept(&store, session).await;
        (kept.len() == 2).then_some(kept)
    });
    assert_eq!(two.await[0], (Happening::Fell, "it said \"…\"".to_owned()));
    stop.cancel();
    writing.await.unwrap();
    // what is told while the node stops
    observer.session(&root, ids).note(Happening::Moved, "elsewhere");
    observer.history().close(&store).await;
    assert_eq!(kept(&store, session).await[0].0, Happening::Moved);
    assert_eq!(observer.history().waiting(), []);
}
