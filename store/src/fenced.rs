//! What the owner of a session writes: several things as one, only while it owns the session, and once.
//!
//! A batch is three round trips whatever is in it: begin, one statement, commit. The statement moves the placement row
//! under the epoch, so that a later owner waits for the commit and a stale one writes nothing. A commit whose answer is
//! lost may have happened: the row keeps the batch's number, and whoever tries again asks for it first.

use crate::{
    Store, StoreError, TenantTx,
    outbox::headers_to_json,
    placements::{LogPosition, Said},
    planted,
};
use chrono::{DateTime, Utc};
use maya_protocol::{
    event::{Event, TurnRecorded},
    ids::{Epoch, InterviewId, SessionId, TenantId},
    interview::{Speaker, Turn},
};
use sqlx::{Row, types::Json};
use uuid::Uuid;

const WRITE: &str = include_str!("fenced/write.sql");

/// Who writes: a session's owner under an epoch.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Owner {
    pub tenant: TenantId,
    pub interview: InterviewId,
    pub session: SessionId,
    pub epoch: Epoch,
}

/// The number of a batch; the same for every attempt at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchId(Uuid);

impl BatchId {
    /// One that no other batch has.
    pub fn fresh() -> Self {
        Self(Uuid::now_v7())
    }
}

/// What is to be written, in order.
#[derive(Debug, Clone)]
pub struct Writes {
    owner: Owner,
    turns: Vec<Turn>,
    /// Each with whether it goes into the session's partition.
    events: Vec<(Event, bool)>,
    position: Option<LogPosition>,
    consent: Option<serde_json::Value>,
    said: Option<Said>,
    releases: bool,
    ends: bool,
}

impl Writes {
    /// Nothing yet.
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            turns: Vec::new(),
            events: Vec::new(),
            position: None,
            consent: None,
            said: None,
            releases: false,
            ends: false,
        }
    }

    /// Records a turn, and tells of it. A turn of Maya's grows sentence by sentence; an utterance is written once, and
    /// the same one again changes nothing.
    pub fn turn(&mut self, turn: &Turn, at: DateTime<Utc>) -> &mut Self {
        let Owner { tenant, interview, session, epoch } = self.owner;
        let recorded = TurnRecorded { session_id: session, interview_id: interview, epoch, turn: turn.clone() };
        self.events.push((Event::new(tenant, at, recorded), true));
        // a statement takes a row once: what a turn has grown to stands for what it was
        match self.turns.iter_mut().find(|earlier| earlier.turn_id == turn.turn_id) {
            Some(earlier) => *earlier = turn.clone(),
            None => self.turns.push(turn.clone()),
        }
        self
    }

    /// Moves the session's position: all before it is recorded or judged silence.
    pub fn position(&mut self, position: &LogPosition) -> &mut Self {
        self.position = Some(LogPosition { offset: position.offset + planted::ahead(), ..position.clone() });
        self
    }

    /// Keeps what the candidate agreed to.
    pub fn consent(&mut self, recording: bool, text_version: &str, at: DateTime<Utc>) -> &mut Self {
        self.consent = Some(serde_json::json!({ "recording": recording, "textVersion": text_version, "at": at }));
        self
    }

    /// Tells everyone.
    pub fn event(&mut self, event: Event) -> &mut Self {
        self.events.push((event, false));
        self
    }

    /// Keeps how much of Maya's last turn was let go to its end.
    pub fn said(&mut self, said: Said) -> &mut Self {
        self.said = Some(said);
        self
    }

    /// Gives the session up: whoever claims it next waits for no lease. The epoch stays until then.
    pub fn release(&mut self) -> &mut Self {
        self.releases = true;
        self
    }

    /// Ends the session: nobody can own it after this, and it needs no place in the log.
    pub fn end(&mut self) -> &mut Self {
        self.ends = true;
        self
    }
}

/// A transaction that only the owner of an epoch can make.
pub struct FencedTx {
    tx: TenantTx,
    owner: Owner,
    batch: BatchId,
}

impl Store {
    /// Opens a transaction for an attempt at a batch.
    pub async fn fenced(&self, owner: Owner, batch: BatchId) -> Result<FencedTx, StoreError> {
        Ok(FencedTx { tx: self.tenant(owner.tenant).await?, owner, batch })
    }
}

impl FencedTx {
    /// Whether an earlier attempt was committed, though its answer was lost. Waits for one that is still under way.
    pub async fn is_committed(&mut self) -> Result<bool, StoreError> {
        let Owner { session, epoch, .. } = self.owner;
        let last: Option<Option<Uuid>> =
            sqlx::query_scalar("select batch from placements where session_id = $1 and epoch = $2 for update")
                .bind(session.0)
                .bind(epoch.0 as i64)
                .fetch_optional(self.tx.conn())
                .await?;
        Ok(last.ok_or(StoreError::Fenced { held: epoch })? == Some(self.batch.0))
    }

    /// Writes; more may follow in the same transaction. [`StoreError::Fenced`] where the epoch is not the session's any
    /// more or the session is over.
    pub async fn write(&mut self, writes: &Writes) -> Result<(), StoreError> {
        let Owner { session, epoch, .. } = self.owner;
        let (turns, events) = (&writes.turns, &writes.events);
        let speaker = |turn: &Turn| if turn.speaker == Speaker::Maya { "MAYA" } else { "CANDIDATE" };
        let position = writes.position.as_ref();
        let row = sqlx::query(planted::fence(WRITE))
            .bind(session.0)
            .bind(epoch.0 as i64)
            .bind(self.batch.0)
            .bind(position.map(|position| position.offset as i64))
            .bind(position.map(|position| position.incarnation.as_str()))
            .bind(writes.ends)
            .bind(writes.consent.as_ref())
            .bind(turns.iter().map(|turn| turn.turn_id.0 as i32).collect::<Vec<_>>())
            .bind(turns.iter().map(speaker).collect::<Vec<_>>())
            .bind(turns.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>())
            .bind(turns.iter().map(|turn| turn.started_at).collect::<Vec<_>>())
            .bind(turns.iter().map(|turn| turn.ended_at).collect::<Vec<_>>())
            .bind(turns.iter().map(|turn| Json(&turn.context)).collect::<Vec<_>>())
            .bind(events.iter().map(|(event, _)| event.id.0).collect::<Vec<_>>())
            .bind(events.iter().map(|(event, _)| event.topic().name()).collect::<Vec<_>>())
            .bind(events.iter().map(|(event, _)| event.key()).collect::<Vec<_>>())
            .bind(events.iter().map(|(_, in_partition)| *in_partition).collect::<Vec<_>>())
            .bind(events.iter().map(|(event, _)| headers_to_json(&event.headers())).collect::<Vec<_>>())
            .bind(events.iter().map(|(event, _)| event.json().to_vec()).collect::<Vec<_>>())
            .bind(writes.said.map(|said| said.turn.0 as i32))
            .bind(writes.said.map(|said| said.sentences as i32))
            .bind(writes.releases)
            .fetch_one(self.tx.conn())
            .await?;
        if row.try_get::<i64, _>("owned")? == 0 {
            return Err(StoreError::Fenced { held: epoch });
        }
        if row.try_get::<i64, _>("recorded")? < turns.len() as i64 {
            return Err(StoreError::Data(format!("a turn of session {session} was recorded with other words")));
        }
        if !events.is_empty() {
            self.tx.wakes_relay();
        }
        Ok(())
    }

    /// Makes it so.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }
}
