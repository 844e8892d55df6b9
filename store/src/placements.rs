//! Who owns a session: the fence. PostgreSQL decides; a node's partition only nominates it, the registry only tells.
//! What the owner may write is in [`crate::fenced`].

use crate::{StoreError, SystemTx};
use maya_protocol::ids::{Epoch, InterviewId, NodeId, SessionId, TenantId, TurnId};
use sqlx::{FromRow, Row, postgres::PgRow};

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
    pub said: Option<Said>,
}

/// How much of Maya's last turn was let go to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Which turn.
    pub turn: TurnId,
    /// Its sentences before this one need not be said again.
    pub sentences: u32,
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
            said: row
                .try_get::<Option<i32>, _>("said_turn")?
                .zip(row.try_get::<Option<i32>, _>("said_sentences")?)
                .map(|(turn, sentences)| Said { turn: TurnId(turn as u32), sentences: sentences as u32 }),
        })
    }
}

/// Reads a session's placement.
pub async fn read(tx: &mut SystemTx, session: SessionId) -> Result<Placement, StoreError> {
    Ok(sqlx::query_as(
        "select session_id, tenant_id, interview_id, partition, owner, epoch, state, position, incarnation,
             said_turn, said_sentences from placements where session_id = $1",
    )
    .bind(session.0)
    .fetch_one(tx.conn())
    .await?)
}

/// The live sessions of some partitions.
pub async fn live(tx: &mut SystemTx, partitions: &[u32]) -> Result<Vec<Placement>, StoreError> {
    let partitions: Vec<i32> = partitions.iter().map(|&partition| partition as i32).collect();
    Ok(sqlx::query_as(
        "select session_id, tenant_id, interview_id, partition, owner, epoch, state, position, incarnation,
             said_turn, said_sentences from placements where state = 'LIVE' and partition = any($1)",
    )
    .bind(partitions)
    .fetch_all(tx.conn())
    .await?)
}

/// Makes `node` the owner if the epoch still is the one seen; `None` if someone else was first or the session is over.
/// The claim counts only once the transaction has committed: read the turns after that. What is returned is as the last
/// owner left it, its last write included: positions read before a claim may be older than the turns read after it.
pub async fn claim(
    tx: &mut SystemTx,
    session: SessionId,
    seen: Epoch,
    node: &NodeId,
) -> Result<Option<Placement>, StoreError> {
    Ok(sqlx::query_as(
        "update placements set epoch = epoch + 1, owner = $3, state = 'LIVE', updated_at = now()
         where session_id = $1 and epoch = $2 and state <> 'ENDED'
         returning session_id, tenant_id, interview_id, partition, owner, epoch, state, position, incarnation,
             said_turn, said_sentences",
    )
    .bind(session.0)
    .bind(seen.0 as i64)
    .bind(&node.0)
    .fetch_optional(tx.conn())
    .await?)
}
