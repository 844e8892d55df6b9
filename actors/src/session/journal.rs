//! What must be durable: turns, the session's life, its end, its position; in order, under the fence.
//!
//! All that is queued goes into one transaction, also what is queued while the transaction is under way: a reply whose
//! first sentence is worded at once is recorded together with the utterance that it answers. Receipts are told after
//! the commit. A batch that fails is tried again as it is, and written once even if a commit's answer was lost.
//!
//! While the database is away the journal waits and the session with it: no reply is heard that is not recorded.

use super::{machine::Receipt, message::JournalEvent};
use chrono::{DateTime, Utc};
use maya_protocol::{
    event::{Event, InterviewCompleted, SessionChange, SessionChanged},
    interview::Turn,
    session::Outcome,
    trace::{self, TraceContext},
};
use maya_store::{
    Store, StoreError,
    fenced::{BatchId, Owner, Writes},
    placements::{LogPosition, Said},
};
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};

/// The first pause after the database failed; it doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long an attempt may take: a database that does not answer is tried again on another connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// Entries of one batch; bounds what is tried again.
const MOST: usize = 64;

/// What is to be written.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the variants document the fields")]
pub enum Entry {
    /// A turn, or more of it; with the place in the log up to which all is recorded.
    Turn { turn: Box<Turn>, receipt: Receipt, position: Option<LogPosition> },
    /// The session's life changed.
    Changed { change: SessionChange, reason: Option<String> },
    /// What the candidate agreed to.
    Consent { recording: bool, text_version: String },
    /// All before this place is recorded or silence.
    Position(LogPosition),
    /// So much of Maya's turn need not be said again.
    Said(Said),
    /// The session is given up.
    Release,
    /// The session is over.
    End { outcome: Outcome, reason: String, turns: u32 },
}

/// Where a session writes down what must be durable.
#[derive(Clone)]
pub struct Pen(mpsc::UnboundedSender<Noted>);

/// An entry, and the trace within which it was made.
type Noted = (Option<TraceContext>, Entry);

/// A journal that nobody has written in, for [`run`] to keep.
pub fn open() -> (Pen, mpsc::UnboundedReceiver<Noted>) {
    let (pen, entries) = mpsc::unbounded_channel();
    (Pen(pen), entries)
}

impl Pen {
    /// Hands over an entry. A journal that has stopped has told why.
    pub fn write(&self, entry: Entry) {
        let _ = self.0.send((trace::current(), entry));
    }
}

/// Writes entries in order and tells what was written, until the sender is gone or the session is another node's.
pub async fn run(
    store: Store,
    owner: Owner,
    mut entries: mpsc::UnboundedReceiver<Noted>,
    tell: impl Fn(JournalEvent) + Send + 'static,
) {
    while let Some(first) = entries.recv().await {
        let trace = first.0;
        let mut batch = Batch { owner, id: BatchId::fresh(), entries: vec![first], tried: false };
        if !trace::within(trace, batch.keep(&store, &mut entries)).await {
            return tell(JournalEvent::Fenced);
        }
        for (_, entry) in batch.entries {
            match entry {
                Entry::Turn { receipt, .. } => tell(JournalEvent::Recorded(receipt)),
                Entry::End { .. } => tell(JournalEvent::Completed),
                Entry::Release => tell(JournalEvent::Released),
                Entry::Changed { .. } | Entry::Consent { .. } | Entry::Position(_) | Entry::Said(_) => {}
            }
        }
    }
}

/// Entries that are written together.
struct Batch {
    owner: Owner,
    id: BatchId,
    entries: Vec<Noted>,
    tried: bool,
}

impl Batch {
    /// Writes the batch, however long the database is away; `false` if this session must not go on.
    async fn keep(&mut self, store: &Store, queue: &mut mpsc::UnboundedReceiver<Noted>) -> bool {
        let (session, mut pause) = (self.owner.session, PAUSE);
        loop {
            match timeout(PATIENCE, self.write(store, queue)).await {
                Ok(Ok(())) => return true,
                Ok(Err(StoreError::Fenced { held })) => {
                    tracing::warn!(session = %session, epoch = %held, "another node owns the session");
                    return false;
                }
                Ok(Err(error)) if !error.is_retryable() => {
                    // a defect: going on would lose what was said
                    tracing::error!(session = %session, error = %error, "the journal cannot write");
                    return false;
                }
                Ok(Err(error)) => {
                    tracing::warn!(session = %session, error = %error, "the journal waits for the database");
                }
                Err(_) => tracing::warn!(session = %session, "the journal waits for an answer of the database"),
            }
            metrics::counter!("maya_journal_retries_total").increment(1);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One attempt: all entries, and those that are queued before the commit.
    async fn write(&mut self, store: &Store, queue: &mut mpsc::UnboundedReceiver<Noted>) -> Result<(), StoreError> {
        let mut tx = store.fenced(self.owner, self.id).await?;
        if std::mem::replace(&mut self.tried, true) && tx.is_committed().await? {
            return Ok(());
        }
        let mut written = 0;
        self.take(queue);
        while written < self.entries.len() {
            tx.write(&writes(self.owner, &self.entries[written..], store.clock().utc())).await?;
            written = self.entries.len();
            self.take(queue);
        }
        tx.commit().await
    }

    /// Takes what is queued; nothing after an end.
    fn take(&mut self, queue: &mut mpsc::UnboundedReceiver<Noted>) {
        while self.entries.len() < MOST
            && !matches!(self.entries.last(), Some((_, Entry::End { .. } | Entry::Release)))
            && let Ok(entry) = queue.try_recv()
        {
            self.entries.push(entry);
        }
    }
}

fn writes(owner: Owner, entries: &[Noted], now: DateTime<Utc>) -> Writes {
    let mut writes = Writes::new(owner);
    for (trace, entry) in entries {
        // what is told names the trace that made the entry
        trace::during(*trace, || write(&mut writes, owner, entry, now));
    }
    writes
}

fn write(writes: &mut Writes, owner: Owner, entry: &Entry, now: DateTime<Utc>) {
    match entry {
        Entry::Turn { turn, position, .. } => {
            writes.turn(turn, now);
            if let Some(position) = position {
                writes.position(position);
            }
        }
        Entry::Changed { change, reason } => {
            writes.event(changed(owner, *change, reason.clone(), now));
        }
        Entry::Consent { recording, text_version } => {
            writes.consent(*recording, text_version, now);
        }
        Entry::Position(position) => {
            writes.position(position);
        }
        Entry::Said(said) => {
            writes.said(*said);
        }
        Entry::Release => {
            writes.release();
        }
        Entry::End { outcome, reason, turns } => {
            let completed = InterviewCompleted {
                interview_id: owner.interview,
                session_id: owner.session,
                outcome: *outcome,
                reason: reason.clone(),
                turns: *turns,
                ended_at: now,
            };
            writes.end().event(changed(owner, SessionChange::Ended, Some(reason.clone()), now)).event(Event::new(
                owner.tenant,
                now,
                completed,
            ));
        }
    }
}

fn changed(owner: Owner, change: SessionChange, reason: Option<String>, at: DateTime<Utc>) -> Event {
    let changed = SessionChanged {
        session_id: owner.session,
        interview_id: owner.interview,
        change,
        reason,
        at,
        epoch: owner.epoch,
    };
    Event::new(owner.tenant, at, changed)
}
