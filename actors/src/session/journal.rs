//! What must be durable: turns, the session's life, its end, its position; one after another, under the fence.
//!
//! While the database is away the journal waits and the session with it: no reply is heard that is not recorded.

use super::{machine::Receipt, message::JournalEvent};
use maya_protocol::{
    clock::SharedClock,
    event::{Event, InterviewCompleted, SessionChange, SessionChanged},
    ids::{Epoch, InterviewId, SessionId, TenantId},
    interview::Turn,
    session::Outcome,
    trace::{self, TraceContext},
};
use maya_store::{Store, StoreError, placements::LogPosition};
use std::time::Duration;
use tokio::sync::mpsc;

/// The first pause after the database failed; it doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

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
    /// The session is over.
    End { outcome: Outcome, reason: String, turns: u32 },
}

/// Whose journal.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Whose {
    pub tenant: TenantId,
    pub interview: InterviewId,
    pub session: SessionId,
    pub epoch: Epoch,
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
    whose: Whose,
    mut entries: mpsc::UnboundedReceiver<Noted>,
    tell: impl Fn(JournalEvent) + Send + 'static,
) {
    while let Some((trace, entry)) = entries.recv().await {
        if !trace::within(trace, keep(&store, whose, &entry)).await {
            return tell(JournalEvent::Fenced);
        }
        match entry {
            Entry::Turn { receipt, .. } => tell(JournalEvent::Recorded(receipt)),
            Entry::End { .. } => tell(JournalEvent::Completed),
            Entry::Changed { .. } | Entry::Consent { .. } | Entry::Position(_) => {}
        }
    }
}

/// Writes an entry, however long the database is away; `false` if this session must not go on.
async fn keep(store: &Store, whose: Whose, entry: &Entry) -> bool {
    let mut pause = PAUSE;
    loop {
        match write(store, whose, entry).await {
            Ok(()) => return true,
            Err(StoreError::Fenced { held }) => {
                tracing::warn!(session = %whose.session, epoch = %held, "another node owns the session");
                return false;
            }
            Err(error) if error.is_retryable() => {
                tracing::warn!(session = %whose.session, error = %error, "the journal waits for the database");
                metrics::counter!("maya_journal_retries_total").increment(1);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => {
                // a defect: going on would lose what was said
                tracing::error!(session = %whose.session, error = %error, "the journal cannot write");
                return false;
            }
        }
    }
}

async fn write(store: &Store, whose: Whose, entry: &Entry) -> Result<(), StoreError> {
    let mut tx = store.fenced(whose.tenant, whose.session, whose.epoch).await?;
    match entry {
        Entry::Turn { turn, position, .. } => {
            tx.record_turn(turn).await?;
            if let Some(position) = position {
                tx.move_position(position).await?;
            }
        }
        Entry::Changed { change, reason } => {
            let event = changed(store.clock(), whose, *change, reason.clone());
            tx.tenant_tx().publish(&event, None).await?;
        }
        Entry::Consent { recording, text_version } => tx.keep_consent(*recording, text_version).await?,
        Entry::Position(position) => tx.move_position(position).await?,
        Entry::End { outcome, reason, turns } => {
            tx.end().await?;
            let ended = changed(store.clock(), whose, SessionChange::Ended, Some(reason.clone()));
            tx.tenant_tx().publish(&ended, None).await?;
            let completed = InterviewCompleted {
                interview_id: whose.interview,
                session_id: whose.session,
                outcome: *outcome,
                reason: reason.clone(),
                turns: *turns,
                ended_at: store.clock().utc(),
            };
            let event = Event::new(whose.tenant, store.clock().utc(), completed);
            tx.tenant_tx().publish(&event, None).await?;
        }
    }
    tx.commit().await
}

fn changed(clock: &SharedClock, whose: Whose, change: SessionChange, reason: Option<String>) -> Event {
    let changed = SessionChanged {
        session_id: whose.session,
        interview_id: whose.interview,
        change,
        reason,
        at: clock.utc(),
        epoch: whose.epoch,
    };
    Event::new(whose.tenant, clock.utc(), changed)
}
