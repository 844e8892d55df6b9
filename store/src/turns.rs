//! Turns: what was said, in order, written under the fence.

use crate::{StoreError, TenantTx};
use maya_protocol::{
    ids::{InterviewId, TurnId},
    interview::{Speaker, Turn, TurnContext},
};
use sqlx::{Row, types::Json};

/// The turns of an interview, in order.
pub async fn of_interview(tx: &mut TenantTx, interview: InterviewId) -> Result<Vec<Turn>, StoreError> {
    let rows = sqlx::query(
        "select turn, speaker, text, started_at, ended_at, context from turns where interview_id = $1 order by turn",
    )
    .bind(interview.0)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Turn {
                turn_id: TurnId(row.try_get::<i32, _>("turn")? as u32),
                speaker: if row.try_get::<&str, _>("speaker")? == "MAYA" { Speaker::Maya } else { Speaker::Candidate },
                text: row.try_get("text")?,
                started_at: row.try_get("started_at")?,
                ended_at: row.try_get("ended_at")?,
                context: row.try_get::<Json<TurnContext>, _>("context")?.0,
            })
        })
        .collect()
}

/// How many turns an interview has.
pub async fn count(tx: &mut TenantTx, interview: InterviewId) -> Result<u32, StoreError> {
    let count: i64 = sqlx::query_scalar("select count(*) from turns where interview_id = $1")
        .bind(interview.0)
        .fetch_one(tx.conn())
        .await?;
    Ok(count as u32)
}
