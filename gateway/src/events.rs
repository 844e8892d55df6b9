//! What the other parts tell the gateway: each event moves its interview, once, and waits while its move is not legal yet.

use crate::{
    AppState,
    interviews::{close_tasks, keep_assessment, keep_plan, open_task},
    webhooks::{self, WebhookType},
};
use async_trait::async_trait;
use maya_protocol::{
    event::{
        AssessmentOutcome, AssessmentReady, Event, InterviewCompleted, Payload, PlanCreated, PlanOutcome,
        SessionChange, SessionChanged,
    },
    ids::InterviewId,
    session::Outcome,
    state::InterviewState,
    topic::Topic,
};
use maya_store::{
    StoreError, TenantTx,
    inbox::{Done, HandleError, Handler},
    workflow::{self, Actor, InterviewRow},
};

/// The gateway's part of the inbox.
pub struct GatewayHandler {
    state: AppState,
}
impl GatewayHandler {
    /// A handler.
    pub fn new(state: AppState) -> Self {
        Self { state }
    }
}

#[async_trait]
impl Handler for GatewayHandler {
    fn consumer(&self) -> &'static str {
        "gateway"
    }
    fn topics(&self) -> &'static [Topic] {
        &[
            Topic::PlanCreated,
            Topic::SessionChanged,
            Topic::InterviewCompleted,
            Topic::AssessmentReady,
            Topic::AssessmentCompleted,
        ]
    }
    async fn handle(&self, event: &Event, done: Done) -> Result<(), HandleError> {
        let mut tx = self.state.store.tenant(event.tenant).await?;
        if !done.mark(&mut tx).await? {
            return Ok(());
        }
        let Some(id) = interview_of(&event.payload) else {
            return Err(HandleError::Never("not an event for the gateway".to_owned()));
        };
        let mut row = match workflow::lock(&mut tx, id).await {
            // removed meanwhile: nothing is left to be moved
            Err(StoreError::NotFound) => return Ok(tx.commit().await?),
            found => found?,
        };
        match &event.payload {
            Payload::PlanCreated(created) => plan_created(&mut tx, &mut row, created).await?,
            Payload::SessionChanged(changed) => session_changed(&mut tx, &mut row, changed).await?,
            Payload::InterviewCompleted(completed) => session_ended(&mut tx, &mut row, completed).await?,
            Payload::AssessmentReady(ready) => assessment_ready(&mut tx, &mut row, ready).await?,
            // our own: its move and its webhook were one transaction with it
            _ => {}
        }
        tx.commit().await?;
        Ok(())
    }
}

fn interview_of(payload: &Payload) -> Option<InterviewId> {
    match payload {
        Payload::PlanCreated(event) => Some(event.interview_id),
        Payload::SessionChanged(event) => Some(event.interview_id),
        Payload::InterviewCompleted(event) => Some(event.interview_id),
        Payload::AssessmentReady(event) => Some(event.interview_id),
        Payload::AssessmentCompleted(event) => Some(event.interview_id),
        _ => None,
    }
}

/// Whether the interview came to an end that nothing follows.
fn is_over(state: InterviewState) -> bool {
    state.next().is_empty()
}

async fn fail(tx: &mut TenantTx, row: &mut InterviewRow, reason: &str, by: &str) -> Result<(), StoreError> {
    workflow::transition(tx, row, InterviewState::Failed, Some(reason), &Actor::part(by)).await?;
    close_tasks(tx, row, by).await
}

async fn plan_created(tx: &mut TenantTx, row: &mut InterviewRow, event: &PlanCreated) -> Result<(), StoreError> {
    const PLANNER: &str = "planner";
    // an answer to an older asking, or to one that was called off
    if event.interview_version < row.version || is_over(row.state) {
        return Ok(());
    }
    match &event.outcome {
        PlanOutcome::Planned { plan } => {
            workflow::transition(tx, row, InterviewState::Pending, None, &Actor::part(PLANNER)).await?;
            keep_plan(tx, row, plan).await?;
            open_task(tx, row, "PLAN_REVIEW").await?;
            webhooks::enqueue(tx, row, WebhookType::PlanGenerated).await
        }
        PlanOutcome::Refused { reason } => fail(tx, row, reason, PLANNER).await,
    }
}

async fn session_changed(tx: &mut TenantTx, row: &mut InterviewRow, event: &SessionChanged) -> Result<(), StoreError> {
    if event.change != SessionChange::Started {
        return Ok(());
    }
    // unless it is known already, or was overtaken by an end
    if row.state != InterviewState::InProgress && row.state.may_ever_become(InterviewState::InProgress) {
        workflow::transition(tx, row, InterviewState::InProgress, None, &Actor::part("interviewer")).await?;
        webhooks::enqueue(tx, row, WebhookType::Started).await?;
    }
    sqlx::query("update sessions set started_at = coalesce(started_at, $2) where id = $1")
        .bind(event.session_id.0)
        .bind(event.at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn session_ended(
    tx: &mut TenantTx,
    row: &mut InterviewRow,
    event: &InterviewCompleted,
) -> Result<(), StoreError> {
    let actor = Actor::part("interviewer");
    let reason = Some(event.reason.as_str());
    let ended = match event.outcome {
        Outcome::Completed => InterviewState::Completed,
        Outcome::Abandoned => InterviewState::Abandoned,
        Outcome::Cancelled => InterviewState::Cancelled,
        Outcome::Expired => InterviewState::Expired,
        Outcome::Failed => InterviewState::Failed,
    };
    // the end is known already (told again for another assessment), or was decided here before it was heard of
    if !row.state.may_ever_become(ended) || row.state == ended {
        return end_session(tx, event).await;
    }
    workflow::transition(tx, row, ended, reason, &actor).await?;
    end_session(tx, event).await?;
    if matches!(ended, InterviewState::Completed | InterviewState::Abandoned) {
        webhooks::enqueue(tx, row, WebhookType::Completed).await?;
        workflow::transition(tx, row, InterviewState::Assessing, reason, &actor).await
    } else {
        close_tasks(tx, row, actor.name).await
    }
}

async fn end_session(tx: &mut TenantTx, event: &InterviewCompleted) -> Result<(), StoreError> {
    let outcome = serde_json::to_value(event.outcome)?;
    sqlx::query("update sessions set ended_at = $2, outcome = $3, reason = $4 where id = $1 and ended_at is null")
        .bind(event.session_id.0)
        .bind(event.ended_at)
        .bind(outcome.as_str())
        .bind(&event.reason)
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn assessment_ready(
    tx: &mut TenantTx,
    row: &mut InterviewRow,
    event: &AssessmentReady,
) -> Result<(), StoreError> {
    const ASSESSOR: &str = "assessor";
    // a second answer to one asking, or one that came after the interview was given up
    let is_late = matches!(row.state, InterviewState::AssessmentReady | InterviewState::AssessmentRejected);
    if is_late || is_over(row.state) {
        return Ok(());
    }
    match &event.outcome {
        AssessmentOutcome::Generated { assessment } => {
            workflow::transition(tx, row, InterviewState::AssessmentReady, None, &Actor::part(ASSESSOR)).await?;
            keep_assessment(tx, row, assessment).await?;
            open_task(tx, row, "ASSESSMENT_REVIEW").await?;
            webhooks::enqueue(tx, row, WebhookType::AssessmentReady).await
        }
        AssessmentOutcome::Refused { reason } if row.state == InterviewState::Assessing => {
            fail(tx, row, reason, ASSESSOR).await
        }
        // not before the conversation is over here too
        AssessmentOutcome::Refused { .. } => {
            Err(StoreError::IllegalMove { from: row.state, to: InterviewState::AssessmentReady })
        }
    }
}
