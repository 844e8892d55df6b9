//! A session's row: minted with the approval, told by events how it goes.

use crate::{StoreError, TenantTx};
use chrono::{DateTime, Utc};
use maya_protocol::{
    ids::{InterviewId, SessionId},
    plan::Plan,
    topic::partition_of,
};
use sqlx::{FromRow, Row, postgres::PgRow, types::Json};

/// A session as it stands.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SessionRow {
    pub id: SessionId,
    pub interview_id: InterviewId,
    pub partition: u32,
    pub plan_version: i64,
    /// The sentences of the opening, once worded.
    pub opening: Option<Vec<String>>,
    pub join_generation: u32,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub outcome: Option<String>,
    pub reason: Option<String>,
}

impl<'r> FromRow<'r, PgRow> for SessionRow {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: SessionId(row.try_get("id")?),
            interview_id: InterviewId(row.try_get("interview_id")?),
            partition: row.try_get::<i32, _>("partition")? as u32,
            plan_version: row.try_get("plan_version")?,
            opening: row.try_get::<Option<Json<Vec<String>>>, _>("opening")?.map(|opening| opening.0),
            join_generation: row.try_get::<i32, _>("join_generation")? as u32,
            started_at: row.try_get("started_at")?,
            ended_at: row.try_get("ended_at")?,
            outcome: row.try_get("outcome")?,
            reason: row.try_get("reason")?,
        })
    }
}

/// Mints the one session of an interview, with its placement row.
pub async fn mint(
    tx: &mut TenantTx,
    interview: InterviewId,
    plan_version: i64,
    partitions: u32,
) -> Result<SessionRow, StoreError> {
    let id = SessionId::fresh();
    let partition = partition_of(&id.to_string(), partitions);
    let (tenant, now) = (tx.tenant(), tx.store().clock().utc());
    sqlx::query(
        "with minted as (
             insert into sessions (id, tenant_id, interview_id, partition, plan_version, created_at)
             values ($1, $2, $3, $4, $5, $6) returning id, tenant_id, interview_id, partition
         )
         insert into placements (session_id, tenant_id, interview_id, partition)
         select id, tenant_id, interview_id, partition from minted",
    )
    .bind(id.0)
    .bind(tenant.0)
    .bind(interview.0)
    .bind(partition as i32)
    .bind(plan_version)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(SessionRow {
        id,
        interview_id: interview,
        partition,
        plan_version,
        opening: None,
        join_generation: 0,
        started_at: None,
        ended_at: None,
        outcome: None,
        reason: None,
    })
}

/// The session of an interview, if it has one.
pub async fn of_interview(tx: &mut TenantTx, interview: InterviewId) -> Result<Option<SessionRow>, StoreError> {
    Ok(sqlx::query_as(
        "select id, interview_id, partition, plan_version, opening, join_generation, started_at, ended_at, outcome, reason
         from sessions where interview_id = $1",
    )
    .bind(interview.0)
    .fetch_optional(tx.conn())
    .await?)
}

/// A session by its id.
pub async fn read(tx: &mut TenantTx, session: SessionId) -> Result<SessionRow, StoreError> {
    Ok(sqlx::query_as(
        "select id, interview_id, partition, plan_version, opening, join_generation, started_at, ended_at, outcome, reason
         from sessions where id = $1",
    )
    .bind(session.0)
    .fetch_one(tx.conn())
    .await?)
}

/// Keeps the opening words; the first to be worded stay.
pub async fn keep_opening(tx: &mut TenantTx, session: SessionId, sentences: &[String]) -> Result<(), StoreError> {
    sqlx::query("update sessions set opening = $2 where id = $1 and opening is null")
        .bind(session.0)
        .bind(Json(sentences))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A plan of an interview: that version, or the newest. With its version.
pub async fn plan(tx: &mut TenantTx, interview: InterviewId, version: Option<i64>) -> Result<(i64, Plan), StoreError> {
    let row = sqlx::query(
        "select version, plan from plans where interview_id = $1 and ($2::bigint is null or version = $2)
         order by version desc limit 1",
    )
    .bind(interview.0)
    .bind(version)
    .fetch_one(tx.conn())
    .await?;
    Ok((row.try_get("version")?, row.try_get::<Json<Plan>, _>("plan")?.0))
}
