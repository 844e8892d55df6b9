use super::*;
use maya_protocol::{
    clock::{Clock, ManualClock},
    ids::{Epoch, InterviewId, SessionId, TenantId},
    tree::{Known, NodeState, NodeView, TreeChanges},
};
use std::time::Duration;

fn ids() -> Ids {
    Ids { session: SessionId::fresh(), interview: InterviewId::fresh(), tenant: TenantId::fresh(), epoch: Epoch(2) }
}

fn observer() -> (ManualClock, Observer) {
    let clock = ManualClock::at(chrono::DateTime::UNIX_EPOCH);
    let observer = Observer::new(NodeId("n".into()), Arc::new(clock.clone()));
    (clock, observer)
}

fn look(observer: &Observer, known: &Known) -> TreeChanges {
    let node = NodeView {
        id: NodeId("n".into()),
        roles: Vec::new(),
        zone: None,
        version: "1".into(),
        state: NodeState::Serving,
        started_at: chrono::DateTime::UNIX_EPOCH,
        sessions: 0,
        tree: None,
    };
    observer.changes(known, node)
}

#[test]
fn the_tree_shows_who_lives_and_who_waits() {
    let (clock, observer) = observer();
    let root = observer.observe(None, "node", "n".into());
    let session = observer.session(&root, ids());
    session.sent();
    clock.advance(Duration::from_secs(6));
    let tree = observer.tree().unwrap();
    assert_eq!((tree.children[0].mailbox, tree.children[0].busy), (1, Busy::Stuck));
    session.handled();
    assert_eq!(observer.tree().unwrap().children[0].busy, Busy::Idle);
    drop(session);
    assert!(observer.tree().unwrap().children.is_empty());
}

#[test]
fn who_is_stuck_is_told_once_and_again_after_progress() {
    let (clock, observer) = observer();
    let root = observer.observe(None, "node", "n".into());
    let whose = ids();
    let session = observer.session(&root, whose);
    let ear = observer.observe(Some(&session), "speech_to_text", "ear".into());
    ear.sent();
    ear.sent();
    for _ in 0..2 {
        clock.advance(Duration::from_secs(6));
        observer.tell_stuck();
        observer.tell_stuck();
        ear.progress();
    }
    let told = observer.history().waiting();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|event| event.what == Happening::Stuck
        && event.session == Some(whose.session)
        && event.actor == "speech_to_text"));
}

#[test]
fn a_failure_is_kept_without_what_it_quotes() {
    let (_, observer) = observer();
    let root = observer.observe(None, "node", "n".into());
    let session = observer.session(&root, ids());
    session.restarted("byte index 1 is not a char boundary of `I am Rosalind`");
    let tree = observer.tree().unwrap();
    let failure = tree.children[0].last_failure.clone().unwrap();
    assert_eq!(failure.reason, "byte index 1 is not a char boundary of `…`");
    assert_eq!(tree.children[0].restarts, 1);
    assert_eq!(observer.history().waiting()[0].reason, failure.reason);
}

#[test]
fn audio_lag_is_counted_by_the_clock_that_stamped_it() {
    let (clock, observer) = observer();
    let root = observer.observe(None, "node", "n".into());
    let session = observer.session(&root, ids());
    let ear = observer.observe(Some(&session), "speech_to_text", "ear".into());
    let lag = || observer.tree().unwrap().children[0].session.clone().unwrap().audio_lag_ms;
    // the edge's clock is a day ahead: it does not matter
    let at = |ms: i64| clock.utc() + chrono::TimeDelta::days(1) + chrono::TimeDelta::milliseconds(ms);
    session.audio_came(at(0), true);
    session.audio_came(at(900), false);
    assert_eq!(lag(), 900);
    ear.audio_heard(at(600));
    assert_eq!(lag(), 300);
    // another edge, whose clock is behind
    session.audio_came(clock.utc(), true);
    assert_eq!(lag(), 0);
}

#[test]
fn a_reader_is_told_what_changed_and_who_left_and_nothing_else() {
    let (clock, observer) = observer();
    let root = observer.observe(None, "node", "n".into());
    let sessions: Vec<Observed> = (0..50).map(|_| observer.session(&root, ids())).collect();
    let first = look(&observer, &Known::default());
    assert!(first.whole && first.rows.len() == 51);
    let mut known = first.known;
    // ages and counters move all the time
    for session in &sessions {
        session.sent();
        session.handled();
    }
    clock.advance(Duration::from_secs(1));
    let quiet = look(&observer, &known);
    assert_eq!((quiet.whole, quiet.rows.len(), quiet.removed.len()), (false, 0, 0));
    known = quiet.known;
    sessions[7].phase("thinking");
    let left = sessions[8].id();
    let mut sessions = sessions;
    drop(sessions.remove(8));
    clock.advance(Duration::from_secs(1));
    let next = look(&observer, &known);
    assert_eq!((next.rows.len(), next.removed), (1, vec![left]));
    assert!(std::str::from_utf8(&next.rows[0].1).unwrap().contains(r#""phase":"thinking""#));
    // another life of the node, or a reader that knows too little, begins anew
    assert!(look(&observer, &Known { run: "other".into(), ..next.known }).whole);
}

#[test]
fn work_without_progress_is_found() {
    let (clock, observer) = observer();
    let root = observer.observe(None, "node", "n".into());
    let mind = observer.observe(Some(&root), "llm_turn", "m".into());
    let limit = Duration::from_secs(10);
    let at = mind.work();
    clock.advance(Duration::from_secs(9));
    mind.progress();
    clock.advance(Duration::from_secs(9));
    assert_eq!(observer.frozen(limit), []);
    assert_eq!(observer.tree().unwrap().children[0].busy, Busy::Stuck, "shown before it is acted on");
    clock.advance(Duration::from_secs(1));
    let frozen = Frozen { id: mind.id(), parent: Some(root.id()), kind: "llm_turn", name: "m".into() };
    assert_eq!(observer.frozen(limit), [frozen]);
    drop(at);
    mind.progress();
    clock.advance(limit);
    assert_eq!(observer.frozen(limit), [], "one that is idle is not frozen");
}
