//! The history of supervision events: written in batches by interviewer nodes, read by operators, pruned by age.

use crate::{StoreError, SystemTx};
use maya_protocol::{
    ids::{Epoch, InterviewId, NodeId, SessionId},
    supervision::{Happening, SupervisionEvent},
};
use sqlx::{FromRow, Row, postgres::PgRow};
use std::time::Duration;
use uuid::Uuid;

/// Which events.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Wanted {
    pub session: Option<SessionId>,
    pub node: Option<NodeId>,
    /// Not older than this.
    pub within: Duration,
    /// At most so many, the newest.
    pub limit: u32,
}

struct Kept(SupervisionEvent);

impl<'r> FromRow<'r, PgRow> for Kept {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let what: &str = row.try_get("what")?;
        let known = Happening::ALL.iter().copied().find(|happening| happening.as_str() == what);
        Ok(Self(SupervisionEvent {
            at: row.try_get("at")?,
            node: NodeId(row.try_get("node")?),
            session: row.try_get::<Option<Uuid>, _>("session_id")?.map(SessionId),
            interview: row.try_get::<Option<Uuid>, _>("interview_id")?.map(InterviewId),
            epoch: row.try_get::<Option<i64>, _>("epoch")?.map(|epoch| Epoch(epoch as u64)),
            actor: row.try_get("actor")?,
            what: known.ok_or_else(|| sqlx::Error::Decode(format!("unknown happening {what}").into()))?,
            reason: row.try_get("reason")?,
        }))
    }
}

/// Writes a batch in one statement.
pub async fn append(tx: &mut SystemTx, events: &[SupervisionEvent]) -> Result<(), StoreError> {
    let column = |of: fn(&SupervisionEvent) -> String| events.iter().map(of).collect::<Vec<_>>();
    sqlx::query(
        "insert into supervision_events (at, node, session_id, interview_id, epoch, actor, what, reason)
         select * from unnest($1::timestamptz[], $2::text[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::text[])",
    )
    .bind(events.iter().map(|event| event.at).collect::<Vec<_>>())
    .bind(column(|event| event.node.0.clone()))
    .bind(events.iter().map(|event| event.session.map(|id| id.0)).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.interview.map(|id| id.0)).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.epoch.map(|epoch| epoch.0 as i64)).collect::<Vec<_>>())
    .bind(column(|event| event.actor.clone()))
    .bind(column(|event| event.what.as_str().to_owned()))
    .bind(column(|event| event.reason.replace('\0', "")))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The newest events that are wanted, the newest first.
pub async fn read(tx: &mut SystemTx, wanted: &Wanted) -> Result<Vec<SupervisionEvent>, StoreError> {
    let rows: Vec<Kept> = sqlx::query_as(
        "select at, node, session_id, interview_id, epoch, actor, what, reason from supervision_events
         where written_at >= now() - make_interval(secs => $1) and ($2::uuid is null or session_id = $2) and ($3::text is null or node = $3)
         order by id desc limit $4",
    )
    .bind(wanted.within.as_secs_f64())
    .bind(wanted.session.map(|id| id.0))
    .bind(wanted.node.as_ref().map(|node| node.0.clone()))
    .bind(i64::from(wanted.limit))
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|Kept(event)| event).collect())
}

/// Removes what is older, a bounded number at a time; returns how many were.
pub async fn prune(tx: &mut SystemTx, age: Duration) -> Result<u64, StoreError> {
    let gone = sqlx::query(
        "delete from supervision_events where id in
         (select id from supervision_events where written_at < now() - make_interval(secs => $1)
         order by written_at limit 10000)",
    )
    .bind(age.as_secs_f64())
    .execute(tx.conn())
    .await?;
    Ok(gone.rows_affected())
}
