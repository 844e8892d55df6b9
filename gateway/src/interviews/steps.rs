//! Steps that several moves share; each within the caller's transaction.

use maya_protocol::{
    event::{Event, InfoNeeded, InterviewCompleted, SkillValidationRequested},
    session::Outcome,
};
use maya_store::{StoreError, TenantTx, sessions, turns, workflow::InterviewRow};
use uuid::Uuid;

/// Opens a human task, unless one of its kind is open.
pub(crate) async fn open_task(tx: &mut TenantTx, interview: &InterviewRow, kind: &str) -> Result<(), StoreError> {
    let (tenant, now) = (tx.tenant(), tx.store().clock().utc());
    sqlx::query(
        "insert into tasks (id, tenant_id, interview_id, kind, created_at) values ($1, $2, $3, $4, $5)
         on conflict (interview_id, kind) where state = 'OPEN' do nothing",
    )
    .bind(Uuid::now_v7())
    .bind(tenant.0)
    .bind(interview.id.0)
    .bind(kind)
    .bind(now)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Closes an interview's open tasks: someone did them, or nobody need any more.
pub(crate) async fn close_tasks(tx: &mut TenantTx, interview: &InterviewRow, by: &str) -> Result<(), StoreError> {
    let now = tx.store().clock().utc();
    sqlx::query(
        "update tasks set state = 'DONE', done_at = $2, done_by = $3 where interview_id = $1 and state = 'OPEN'",
    )
    .bind(interview.id.0)
    .bind(now)
    .bind(by)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Asks the planner for a plan of the interview as it stands now.
pub(crate) fn validation_requested(interview: &InterviewRow, feedback: Option<String>) -> SkillValidationRequested {
    SkillValidationRequested {
        interview_id: interview.id,
        interview_version: interview.version,
        brief: interview.brief.clone(),
        feedback,
    }
}

/// Tells that a person must complete the interview.
pub(crate) fn info_needed(interview: &InterviewRow) -> InfoNeeded {
    InfoNeeded {
        interview_id: interview.id,
        external_id: interview.brief.external_id.clone(),
        missing: interview.missing.clone(),
    }
}

/// The session's end, told once more so that the assessor judges it anew.
pub(crate) async fn completed_again(tx: &mut TenantTx, interview: &InterviewRow) -> Result<(), StoreError> {
    let now = tx.store().clock().utc();
    let session = sessions::of_interview(tx, interview.id).await?.ok_or(StoreError::NotFound)?;
    let abandoned = session.outcome.as_deref() == Some("ABANDONED");
    let completed = InterviewCompleted {
        interview_id: interview.id,
        session_id: session.id,
        outcome: if abandoned { Outcome::Abandoned } else { Outcome::Completed },
        reason: session.reason.unwrap_or_else(|| "asked_again".to_owned()),
        turns: turns::count(tx, interview.id).await?,
        ended_at: session.ended_at.unwrap_or(now),
    };
    let event = Event::new(tx.tenant(), now, completed);
    tx.publish(&event, None).await
}
