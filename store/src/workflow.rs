//! The interview's row and its moves: row, audit entry and outbox event in one transaction.

use crate::{StoreError, TenantTx};
use chrono::{DateTime, Utc};
use maya_protocol::{
    ids::InterviewId,
    interview::{InterviewBrief, MissingField},
    state::InterviewState,
};
use sqlx::{FromRow, Row, postgres::PgRow, types::Json};

/// An interview as it stands.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct InterviewRow {
    pub id: InterviewId,
    pub state: InterviewState,
    pub state_reason: Option<String>,
    pub version: i64,
    pub brief: InterviewBrief,
    pub missing: Vec<MissingField>,
    pub waived: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl<'r> FromRow<'r, PgRow> for InterviewRow {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let state: &str = row.try_get("state")?;
        Ok(Self {
            id: InterviewId(row.try_get("id")?),
            state: state.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            state_reason: row.try_get("state_reason")?,
            version: row.try_get("version")?,
            brief: row.try_get::<Json<InterviewBrief>, _>("brief")?.0,
            missing: row.try_get::<Json<Vec<MissingField>>, _>("missing")?.0,
            waived: row.try_get("waived")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}

/// Who did it and why, for the audit log.
#[derive(Debug, Clone)]
pub struct Actor<'a> {
    /// `user:…`, `key:…`, `planner`, `reconciler`, …
    pub name: &'a str,
    /// Their words.
    pub comment: Option<&'a str>,
}
impl<'a> Actor<'a> {
    /// A part of the platform.
    pub fn part(name: &'a str) -> Self {
        Self { name, comment: None }
    }
}

/// Reads an interview of the transaction's tenant.
pub async fn read(tx: &mut TenantTx, id: InterviewId) -> Result<InterviewRow, StoreError> {
    Ok(sqlx::query_as(
        "select id, state, state_reason, version, brief, missing, waived, created_at, updated_at
         from interviews where id = $1 and deleted_at is null",
    )
    .bind(id.0)
    .fetch_one(tx.conn())
    .await?)
}

/// Reads an interview and holds its row until the transaction ends, so that its moves come one after another.
pub async fn lock(tx: &mut TenantTx, id: InterviewId) -> Result<InterviewRow, StoreError> {
    Ok(sqlx::query_as(
        "select id, state, state_reason, version, brief, missing, waived, created_at, updated_at
         from interviews where id = $1 and deleted_at is null for update",
    )
    .bind(id.0)
    .fetch_one(tx.conn())
    .await?)
}

/// Moves a locked interview; refuses what the table does not allow. The event goes out by [`TenantTx::publish`]
/// in the same transaction.
pub async fn transition(
    tx: &mut TenantTx,
    interview: &mut InterviewRow,
    to: InterviewState,
    reason: Option<&str>,
    actor: &Actor<'_>,
) -> Result<(), StoreError> {
    let from = interview.state;
    if !from.may_become(to) {
        return Err(StoreError::IllegalMove { from, to });
    }
    let now = tx.store().clock().utc();
    sqlx::query(
        "update interviews set state = $2, state_reason = $3, version = version + 1, updated_at = $4 where id = $1",
    )
    .bind(interview.id.0)
    .bind(to.as_str())
    .bind(reason)
    .bind(now)
    .execute(tx.conn())
    .await?;
    audit(tx, Some(interview.id), actor, "interview.moved", Some((from, to)), serde_json::json!({ "reason": reason }))
        .await?;
    interview.state = to;
    interview.state_reason = reason.map(str::to_owned);
    interview.version += 1;
    interview.updated_at = now;
    Ok(())
}

/// Writes an entry of the audit log.
pub async fn audit(
    tx: &mut TenantTx,
    interview: Option<InterviewId>,
    actor: &Actor<'_>,
    action: &str,
    moved: Option<(InterviewState, InterviewState)>,
    mut detail: serde_json::Value,
) -> Result<(), StoreError> {
    if let (Some(comment), Some(fields)) = (actor.comment, detail.as_object_mut()) {
        fields.insert("comment".to_owned(), comment.into());
    }
    let now = tx.store().clock().utc();
    sqlx::query(
        "insert into audit_log (tenant_id, interview_id, at, actor, action, from_state, to_state, detail)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tx.tenant().0)
    .bind(interview.map(|id| id.0))
    .bind(now)
    .bind(actor.name)
    .bind(action)
    .bind(moved.map(|(from, _)| from.as_str()))
    .bind(moved.map(|(_, to)| to.as_str()))
    .bind(detail)
    .execute(tx.conn())
    .await?;
    Ok(())
}
