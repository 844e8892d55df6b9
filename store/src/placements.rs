//! Who owns a session: the fence. PostgreSQL decides; a node's partition only nominates it, the registry only tells.

use crate::{Store, StoreError, SystemTx, TenantTx, outbox};
use maya_protocol::{
    event::{Event, TurnRecorded},
    ids::{Epoch, InterviewId, NodeId, SessionId, TenantId},
    interview::{Speaker, Turn},
};
use sqlx::{FromRow, Row, postgres::PgRow, types::Json};

/// Whether a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacementState {
    /// Approved, the candidate has never joined.
    Ready,
    /// Joined; someone must own it.
    Live,
    /// Over; nobody owns it.
    Ended,
}

/// A place in the log of a session's partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    /// Which life of the log.
    pub incarnation: String,
    /// All before it is recorded or judged silence.
    pub offset: u64,
}

/// A session's placement.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Placement {
    pub session: SessionId,
    pub tenant: TenantId,
    pub interview: InterviewId,
    pub partition: u32,
    pub owner: Option<NodeId>,
    pub epoch: Epoch,
    pub state: PlacementState,
    pub position: Option<LogPosition>,
}

impl<'r> FromRow<'r, PgRow> for Placement {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let (offset, incarnation): (Option<i64>, Option<String>) =
            (row.try_get("position")?, row.try_get("incarnation")?);
        Ok(Self {
            session: SessionId(row.try_get("session_id")?),
            tenant: TenantId(row.try_get("tenant_id")?),
            interview: InterviewId(row.try_get("interview_id")?),
            partition: row.try_get::<i32, _>("partition")? as u32,
            owner: row.try_get::<Option<String>, _>("owner")?.map(NodeId),
            epoch: Epoch(row.try_get::<i64, _>("epoch")? as u64),
            state: match row.try_get::<&str, _>("state")? {
                "READY" => PlacementState::Ready,
                "LIVE" => PlacementState::Live,
                _ => PlacementState::Ended,
            },
            position: offset
                .zip(incarnation)
                .map(|(offset, incarnation)| LogPosition { incarnation, offset: offset as u64 }),
        })
    }
}

/// Reads a session's placement.
pub async fn read(tx: &mut SystemTx, session: SessionId) -> Result<Placement, StoreError> {
    Ok(sqlx::query_as(
        "select session_id, tenant_id, interview_id, partition, owner, epoch, state, position, incarnation
         from placements where session_id = $1",
    )
    .bind(session.0)
    .fetch_one(tx.conn())
    .await?)
}

/// The live sessions of some partitions.
pub async fn live(tx: &mut SystemTx, partitions: &[u32]) -> Result<Vec<Placement>, StoreError> {
    let partitions: Vec<i32> = partitions.iter().map(|&partition| partition as i32).collect();
    Ok(sqlx::query_as(
        "select session_id, tenant_id, interview_id, partition, owner, epoch, state, position, incarnation
         from placements where state = 'LIVE' and partition = any($1)",
    )
    .bind(partitions)
    .fetch_all(tx.conn())
    .await?)
}

/// Makes `node` the owner if the epoch still is the one seen; `None` if someone else was first or the session is over.
/// The claim counts only once the transaction has committed: read the turns after that.
pub async fn claim(
    tx: &mut SystemTx,
    session: SessionId,
    seen: Epoch,
    node: &NodeId,
) -> Result<Option<Epoch>, StoreError> {
    let epoch: Option<i64> = sqlx::query_scalar(
        "update placements set epoch = epoch + 1, owner = $3, state = 'LIVE', updated_at = now()
         where session_id = $1 and epoch = $2 and state <> 'ENDED' returning epoch",
    )
    .bind(session.0)
    .bind(seen.0 as i64)
    .bind(&node.0)
    .fetch_optional(tx.conn())
    .await?;
    Ok(epoch.map(|epoch| Epoch(epoch as u64)))
}

/// A transaction that only the owner of an epoch can make: it holds the placement row, and a later owner waits for it.
pub struct FencedTx {
    tx: TenantTx,
    session: SessionId,
    interview: InterviewId,
    partition: u32,
    epoch: Epoch,
}

impl Store {
    /// Opens a fenced transaction; [`StoreError::Fenced`] where the epoch is not the session's any more.
    pub async fn fenced(&self, tenant: TenantId, session: SessionId, epoch: Epoch) -> Result<FencedTx, StoreError> {
        let mut tx = self.tenant(tenant).await?;
        let row = sqlx::query(
            "select interview_id, partition from placements where session_id = $1 and epoch = $2 and state = 'LIVE' for update",
        )
        .bind(session.0)
        .bind(epoch.0 as i64)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(StoreError::Fenced { held: epoch })?;
        Ok(FencedTx {
            session,
            epoch,
            interview: InterviewId(row.try_get("interview_id")?),
            partition: row.try_get::<i32, _>("partition")? as u32,
            tx,
        })
    }
}

impl FencedTx {
    /// The tenant's door behind the fence.
    pub fn tenant_tx(&mut self) -> &mut TenantTx {
        &mut self.tx
    }
    /// The session's partition.
    pub fn partition(&self) -> u32 {
        self.partition
    }

    /// Records a turn and its outbox event. A turn of Maya's grows sentence by sentence; an utterance is written once,
    /// and writing the same one again (after a commit whose answer was lost) changes nothing.
    pub async fn record_turn(&mut self, turn: &Turn) -> Result<(), StoreError> {
        let tenant = self.tx.tenant();
        let speaker = if turn.speaker == Speaker::Maya { "MAYA" } else { "CANDIDATE" };
        let written = sqlx::query(
            "insert into turns (tenant_id, session_id, interview_id, turn, speaker, text, started_at, ended_at, context, epoch)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             on conflict (session_id, turn) do update
             set text = excluded.text, ended_at = excluded.ended_at, context = excluded.context, epoch = excluded.epoch
             where turns.speaker = excluded.speaker and (turns.speaker = 'MAYA' or turns.text = excluded.text)",
        )
        .bind(tenant.0)
        .bind(self.session.0)
        .bind(self.interview.0)
        .bind(turn.turn_id.0 as i32)
        .bind(speaker)
        .bind(&turn.text)
        .bind(turn.started_at)
        .bind(turn.ended_at)
        .bind(Json(&turn.context))
        .bind(self.epoch.0 as i64)
        .execute(self.tx.conn())
        .await?;
        if written.rows_affected() == 0 {
            return Err(StoreError::Data(format!("turn {} was recorded with other words", turn.turn_id)));
        }
        let recorded = TurnRecorded {
            session_id: self.session,
            interview_id: self.interview,
            epoch: self.epoch,
            turn: turn.clone(),
        };
        let event = Event::new(tenant, self.tx.store().clock().utc(), recorded);
        outbox::push(self.tx.conn(), &event, Some(self.partition)).await?;
        self.tx.wakes_relay();
        Ok(())
    }

    /// Keeps what the candidate agreed to.
    pub async fn keep_consent(&mut self, recording: bool, text_version: &str) -> Result<(), StoreError> {
        let at = self.tx.store().clock().utc();
        sqlx::query("update sessions set consent = $2 where id = $1")
            .bind(self.session.0)
            .bind(serde_json::json!({ "recording": recording, "textVersion": text_version, "at": at }))
            .execute(self.tx.conn())
            .await?;
        Ok(())
    }

    /// Moves the session's position: all before it is recorded or judged silence.
    pub async fn move_position(&mut self, position: &LogPosition) -> Result<(), StoreError> {
        sqlx::query("update placements set position = $2, incarnation = $3, updated_at = now() where session_id = $1")
            .bind(self.session.0)
            .bind(position.offset as i64)
            .bind(&position.incarnation)
            .execute(self.tx.conn())
            .await?;
        Ok(())
    }

    /// Ends the session: nobody can own it after this.
    pub async fn end(&mut self) -> Result<(), StoreError> {
        sqlx::query("update placements set state = 'ENDED', owner = null, updated_at = now() where session_id = $1")
            .bind(self.session.0)
            .execute(self.tx.conn())
            .await?;
        Ok(())
    }

    /// Makes it so.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }
}
