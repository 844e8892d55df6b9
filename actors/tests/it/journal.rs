//! The journal on a real PostgreSQL that is reached by a bad link.

use crate::support::{Ground, PATIENCE};
use maya_actors::session::{
    journal::{self, Entry, Pen},
    machine::Receipt,
    message::JournalEvent,
};
use maya_protocol::{
    clock,
    event::SessionChange,
    ids::{Epoch, NodeId, TurnId},
    interview::{Speaker, Turn, TurnContext},
    session::Outcome,
};
use maya_store::{Store, StoreSettings, fenced::Owner, placements, turns};
use maya_testkit::Link;
use tokio::sync::mpsc;

/// A session that this node owns, and its journal's way to the database.
struct Desk {
    ground: Ground,
    owner: Owner,
    link: Link,
    far: Store,
}

impl Desk {
    async fn new() -> Self {
        let postgres = maya_testkit::postgres().await;
        let url = postgres.fresh_database().await;
        let ground = Ground::on(&url).await;
        let tenant = ground.tenant(None).await;
        let (session, _) = ground.session(tenant, None).await;
        let mut tx = ground.store.system().await.unwrap();
        let interview = placements::read(&mut tx, session).await.unwrap().interview;
        let claimed = placements::claim(&mut tx, session, Epoch(0), &NodeId::fresh()).await.unwrap();
        let epoch = claimed.expect("nobody else claims").epoch;
        tx.commit().await.unwrap();
        let (link, linked) = postgres.linked(&url).await;
        let far = Store::connect(&StoreSettings::new(linked), clock::system()).await.unwrap();
        Self { ground, owner: Owner { tenant, interview, session, epoch }, link, far }
    }

    fn start(&self) -> (Pen, mpsc::UnboundedReceiver<JournalEvent>) {
        let (entries, queue) = journal::open();
        let (told, events) = mpsc::unbounded_channel();
        let tell = move |event| {
            let _ = told.send(event);
        };
        tokio::spawn(journal::run(self.far.clone(), self.owner, queue, tell));
        (entries, events)
    }

    async fn texts(&self) -> Vec<String> {
        let mut tx = self.ground.store.tenant(self.owner.tenant).await.unwrap();
        let turns = turns::of_interview(&mut tx, self.owner.interview).await.unwrap();
        turns.into_iter().map(|turn| turn.text).collect()
    }

    /// A number that the database tells.
    async fn count(&self, what: &str) -> i64 {
        let mut tx = self.ground.store.tenant(self.owner.tenant).await.unwrap();
        sqlx::query("reset role").execute(tx.conn()).await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(what.to_owned())).fetch_one(tx.conn()).await.unwrap()
    }
}

fn utterance(n: u32) -> Entry {
    let receipt = Receipt::Utterance(TurnId(n));
    Entry::Turn { turn: Box::new(turn(n, Speaker::Candidate, format!("answer {n}"))), receipt, position: None }
}

/// Maya's turn as it stands with that sentence.
fn sentence(n: u32, number: usize) -> Entry {
    let text = (0..=number).map(|number| format!("sentence {number}")).collect::<Vec<_>>().join(" ");
    let receipt = Receipt::Sentence(TurnId(n), number);
    Entry::Turn { turn: Box::new(turn(n, Speaker::Maya, text)), receipt, position: None }
}

fn turn(n: u32, speaker: Speaker, text: String) -> Turn {
    let now = clock::system().utc();
    Turn { turn_id: TurnId(n), speaker, text, started_at: now, ended_at: now, context: TurnContext::default() }
}

fn end(turns: u32) -> Entry {
    Entry::End { outcome: Outcome::Completed, reason: "all_questions_asked".into(), turns }
}

async fn next(events: &mut mpsc::UnboundedReceiver<JournalEvent>) -> JournalEvent {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("the journal tells").expect("the journal lives")
}

#[tokio::test]
async fn what_is_queued_is_one_transaction_and_is_told_in_order() {
    let desk = Desk::new().await;
    let (entries, mut events) = desk.start();
    // nothing is taken up before the queue is full: the test's runtime has one thread
    let queued = [utterance(1), sentence(2, 0), sentence(2, 1), utterance(3), end(4), utterance(4)];
    queued.into_iter().for_each(|entry| entries.write(entry));
    let receipts = [
        JournalEvent::Recorded(Receipt::Utterance(TurnId(1))),
        JournalEvent::Recorded(Receipt::Sentence(TurnId(2), 0)),
        JournalEvent::Recorded(Receipt::Sentence(TurnId(2), 1)),
        JournalEvent::Recorded(Receipt::Utterance(TurnId(3))),
        JournalEvent::Completed,
        // the end ended the batch, and the session
        JournalEvent::Fenced,
    ];
    for receipt in receipts {
        assert_eq!(next(&mut events).await, receipt);
    }
    assert_eq!(desk.texts().await, ["answer 1", "sentence 0 sentence 1", "answer 3"]);
    assert_eq!(desk.count("select count(distinct xmin::text) from turns").await, 1);
    assert_eq!(desk.count("select count(*) from outbox where topic = 'interview.turn.recorded'").await, 4);
}

#[tokio::test]
async fn a_lost_answer_writes_nothing_twice() {
    let desk = Desk::new().await;
    let (entries, mut events) = desk.start();
    for n in 0..6 {
        // every other commit is made, and nobody is told
        if n % 2 == 0 {
            desk.link.lose_the_answer_to(b"COMMIT");
        }
        entries.write(utterance(2 * n));
        entries.write(Entry::Changed { change: SessionChange::Resumed, reason: None });
        entries.write(sentence(2 * n + 1, 0));
        assert_eq!(next(&mut events).await, JournalEvent::Recorded(Receipt::Utterance(TurnId(2 * n))));
        assert_eq!(next(&mut events).await, JournalEvent::Recorded(Receipt::Sentence(TurnId(2 * n + 1), 0)));
    }
    desk.link.lose_the_answer_to(b"COMMIT");
    entries.write(end(12));
    assert_eq!(next(&mut events).await, JournalEvent::Completed);
    assert_eq!(desk.link.lost(), 4);
    assert_eq!(desk.texts().await.len(), 12);
    assert_eq!(desk.count("select count(*) from outbox where topic = 'interview.turn.recorded'").await, 12);
    assert_eq!(desk.count("select count(*) from outbox where topic = 'interview.session.changed'").await, 7);
    assert_eq!(desk.count("select count(*) from outbox where topic = 'interview.completed'").await, 1);
}

#[tokio::test]
async fn a_database_that_hangs_is_waited_for_and_tried_again() {
    let desk = Desk::new().await;
    let (entries, mut events) = desk.start();
    entries.write(utterance(0));
    next(&mut events).await;
    desk.link.stall();
    let before = desk.link.connections();
    entries.write(utterance(1));
    // an attempt is given up, and another is made on a new connection; the first may have needed one too
    maya_testkit::eventually(PATIENCE, || async { (desk.link.connections() >= before + 2).then_some(()) }).await;
    entries.write(sentence(2, 0));
    assert!(events.try_recv().is_err(), "nothing is told that is not written");
    assert_eq!(desk.texts().await, ["answer 0"]);
    desk.link.flow();
    assert_eq!(next(&mut events).await, JournalEvent::Recorded(Receipt::Utterance(TurnId(1))));
    assert_eq!(next(&mut events).await, JournalEvent::Recorded(Receipt::Sentence(TurnId(2), 0)));
    assert_eq!(desk.texts().await, ["answer 0", "answer 1", "sentence 0"]);
    assert_eq!(desk.count("select count(*) from outbox where topic = 'interview.turn.recorded'").await, 3);
}
