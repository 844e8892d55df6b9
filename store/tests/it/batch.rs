//! What an owner writes at once: all of it or nothing, and once, whatever becomes of the connection.

use crate::fixture;
use maya_protocol::{
    event::{Event, SessionChange, SessionChanged},
    ids::{Epoch, NodeId, SessionId, TurnId},
    interview::{Speaker, Turn, TurnContext},
};
use maya_store::{
    Store, StoreError,
    fenced::{BatchId, Owner, Writes},
    placements::{self, LogPosition, PlacementState},
    turns,
};

async fn owner(store: &Store) -> Owner {
    let tenant = fixture::tenant(store).await;
    let (interview, session) = fixture::session(store, tenant).await;
    let mut tx = store.system().await.unwrap();
    let epoch = placements::claim(&mut tx, session, Epoch(0), &NodeId::fresh()).await.unwrap().unwrap().epoch;
    tx.commit().await.unwrap();
    Owner { tenant, interview, session, epoch }
}

fn turn(n: u32, speaker: Speaker, text: &str) -> Turn {
    Turn {
        turn_id: TurnId(n),
        speaker,
        text: text.into(),
        started_at: fixture::now(),
        ended_at: fixture::now(),
        context: TurnContext::default(),
    }
}

/// An utterance, the reply to it in two sentences, a position, an event.
fn exchange(owner: Owner) -> Writes {
    let mut writes = Writes::new(owner);
    let changed = SessionChanged {
        session_id: owner.session,
        interview_id: owner.interview,
        change: SessionChange::Resumed,
        reason: None,
        at: fixture::now(),
        epoch: owner.epoch,
    };
    writes
        .turn(&turn(1, Speaker::Candidate, "I used a queue."), fixture::now())
        .turn(&turn(2, Speaker::Maya, "I see."), fixture::now())
        .turn(&turn(2, Speaker::Maya, "I see. Why?"), fixture::now())
        .position(&LogPosition { incarnation: "a".into(), offset: 9 })
        .event(Event::new(owner.tenant, fixture::now(), changed));
    writes
}

/// Texts of the turns, topics in the outbox in order, and the position.
async fn written(store: &Store, owner: Owner) -> (Vec<String>, Vec<String>, Option<u64>) {
    let mut tx = store.tenant(owner.tenant).await.unwrap();
    let texts = turns::of_interview(&mut tx, owner.interview).await.unwrap();
    drop(tx);
    let mut tx = store.system().await.unwrap();
    let topics = sqlx::query_scalar("select topic from outbox where key in ($1, $2) order by seq")
        .bind(owner.session.to_string())
        .bind(owner.interview.to_string())
        .fetch_all(tx.conn())
        .await
        .unwrap();
    let position = placement(store, owner.session).await.position.map(|position| position.offset);
    (texts.into_iter().map(|turn| turn.text).collect(), topics, position)
}

async fn placement(store: &Store, session: SessionId) -> placements::Placement {
    placements::read(&mut store.system().await.unwrap(), session).await.unwrap()
}

fn nothing() -> (Vec<String>, Vec<String>, Option<u64>) {
    Default::default()
}

fn all() -> (Vec<String>, Vec<String>, Option<u64>) {
    let topics = ["interview.turn.recorded"; 3].into_iter().chain(["interview.session.changed"]);
    (vec!["I used a queue.".into(), "I see. Why?".into()], topics.map(str::to_owned).collect(), Some(9))
}

#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    let store = fixture::store().await;
    let owner = owner(&store).await;
    let mut tx = store.fenced(owner, BatchId::fresh()).await.unwrap();
    tx.write(&exchange(owner)).await.unwrap();
    drop(tx);
    assert_eq!(written(&store, owner).await, nothing(), "never committed");

    let mut tx = store.fenced(owner, BatchId::fresh()).await.unwrap();
    tx.write(&exchange(owner)).await.unwrap();
    let mut other_words = Writes::new(owner);
    other_words.turn(&turn(1, Speaker::Candidate, "I used a stack."), fixture::now());
    assert!(matches!(tx.write(&other_words).await, Err(StoreError::Data(_))));
    drop(tx);
    assert_eq!(written(&store, owner).await, nothing(), "its second half was refused");

    let mut tx = store.fenced(owner, BatchId::fresh()).await.unwrap();
    tx.write(&exchange(owner)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(written(&store, owner).await, all());
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_known_to_be_written() {
    let postgres = maya_testkit::postgres().await;
    let url = postgres.fresh_database().await;
    let (link, linked) = postgres.linked(&url).await;
    let (store, far) = (fixture::connect(&url).await, fixture::connect(&linked).await);
    let owner = owner(&store).await;
    let batch = BatchId::fresh();

    // it never reached its commit
    let mut tx = far.fenced(owner, batch).await.unwrap();
    tx.write(&exchange(owner)).await.unwrap();
    drop(tx);
    let mut tx = far.fenced(owner, batch).await.unwrap();
    assert!(!tx.is_committed().await.unwrap());

    // it did, and nobody was told; it ended the session
    let mut writes = exchange(owner);
    tx.write(writes.end()).await.unwrap();
    link.lose_the_answer_to(b"COMMIT");
    let error = tx.commit().await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(link.lost(), 1);
    let mut tx = far.fenced(owner, batch).await.unwrap();
    assert!(tx.is_committed().await.unwrap());
    assert!(matches!(tx.write(&writes).await, Err(StoreError::Fenced { .. })), "over");
    drop(tx);
    let (turns, events, _) = all();
    assert_eq!(written(&store, owner).await, (turns, events, None), "what is over has no place in the log");
    assert_eq!(placement(&store, owner.session).await.state, PlacementState::Ended);
    // another batch's number does not answer for it
    assert!(!far.fenced(owner, BatchId::fresh()).await.unwrap().is_committed().await.unwrap());
}

#[tokio::test]
async fn a_new_owner_ends_what_an_old_one_tries_again() {
    let store = fixture::store().await;
    let owner = owner(&store).await;
    let batch = BatchId::fresh();
    let mut tx = store.fenced(owner, batch).await.unwrap();
    tx.write(&exchange(owner)).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.system().await.unwrap();
    placements::claim(&mut tx, owner.session, owner.epoch, &NodeId::fresh()).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.fenced(owner, batch).await.unwrap();
    assert!(matches!(tx.is_committed().await, Err(StoreError::Fenced { .. })));
}
