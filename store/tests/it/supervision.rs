//! The history of supervision events: what was written is read, by session and by node, until it is too old.

use crate::fixture;
use maya_protocol::{
    ids::{Epoch, InterviewId, NodeId, SessionId},
    supervision::{Happening, SupervisionEvent},
};
use maya_store::supervision::{Wanted, append, prune, read};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn event(node: &str, session: Option<SessionId>, what: Happening) -> SupervisionEvent {
    SupervisionEvent {
        at: fixture::now(),
        node: NodeId(node.to_owned()),
        session,
        interview: session.map(|_| InterviewId::fresh()),
        epoch: session.map(|_| Epoch(3)),
        actor: "session".to_owned(),
        what,
        reason: "a reason".to_owned(),
    }
}

#[tokio::test]
async fn what_happened_is_read_by_session_and_by_node_the_newest_first() {
    let store = fixture::store().await;
    let session = SessionId::fresh();
    let mut events: Vec<_> = Happening::ALL.iter().map(|&what| event("node-a", Some(session), what)).collect();
    events.push(event("node-b", None, Happening::Drained));
    let mut tx = store.system().await.unwrap();
    append(&mut tx, &events).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.system().await.unwrap();
    let all = Wanted { within: HOUR, limit: 100, ..Wanted::default() };
    let mut newest_first = events.clone();
    newest_first.reverse();
    assert_eq!(read(&mut tx, &all).await.unwrap(), newest_first);
    let of_session = Wanted { session: Some(session), limit: 3, ..all.clone() };
    assert_eq!(read(&mut tx, &of_session).await.unwrap(), newest_first[1..4]);
    let of_node = Wanted { node: Some(NodeId("node-b".to_owned())), ..all };
    assert_eq!(read(&mut tx, &of_node).await.unwrap(), newest_first[..1]);
}

#[tokio::test]
async fn what_is_too_old_is_pruned_and_nothing_else() {
    let store = fixture::store().await;
    let mut tx = store.system().await.unwrap();
    append(&mut tx, &[event("node-a", None, Happening::Drained)]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.system().await.unwrap();
    append(&mut tx, &[]).await.unwrap();
    assert_eq!(prune(&mut tx, HOUR).await.unwrap(), 0);
    assert_eq!(prune(&mut tx, Duration::ZERO).await.unwrap(), 1);
    let all = Wanted { within: HOUR, limit: 9, ..Wanted::default() };
    assert_eq!(read(&mut tx, &all).await.unwrap(), []);
}
