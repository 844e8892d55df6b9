//! The plan and the human gate before the conversation.

use super::{
    plan_body,
    steps::{close_tasks, validation_requested},
    view::{InterviewView, schema},
};
use crate::{
    AppState,
    auth::{Permission, Principal},
    decision::Decision,
    http::{InterviewPath, JsonBody, OptionalJson, check_match, tagged},
    problem::{Error, Problem},
    webhooks::{self, WebhookType},
};
use axum::{extract::State, http::HeaderMap, response::Response};
use chrono::{DateTime, Utc};
use maya_protocol::{
    event::{Event, InterviewApproved},
    plan::Plan,
    state::InterviewState,
};
use maya_store::{
    StoreError, TenantTx, sessions,
    workflow::{self, Actor, InterviewRow},
};
use serde::Serialize;
use serde_json::json;
use sqlx::{Row, types::Json as Jsonb};
use utoipa::ToSchema;

/// A plan.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// Version of the interview in which it became its plan.
    version: i64,
    #[serde(flatten)]
    #[schema(value_type = schema::PlanBody)]
    plan: Plan,
    approved_at: Option<DateTime<Utc>>,
    approved_by: Option<String>,
    created_at: DateTime<Utc>,
}

/// Shows the newest plan.
#[utoipa::path(get, path = "/api/v1/integration/interviews/{id}/plan", tag = "plans",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path)),
    responses((status = 200, body = PlanView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn read(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewRead)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let row = workflow::read(&mut tx, id).await?;
    let view = newest(&mut tx, &row).await?;
    tx.commit().await?;
    Ok(tagged(view.version, &view))
}

/// Replaces the plan while it awaits a decision.
#[utoipa::path(put, path = "/api/v1/integration/interviews/{id}/plan", tag = "plans",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = schema::PlanBody,
    responses((status = 200, body = PlanView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem)))]
pub async fn write(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewApprove)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let mut row = workflow::lock(&mut tx, id).await?;
    check_match(&headers, row.version)?;
    if row.state != InterviewState::Pending {
        return Err(Error::in_state(row.state, "a plan can be edited only while PENDING"));
    }
    let current = newest(&mut tx, &row).await?;
    let planned: u32 = current.plan.sections.iter().map(|section| section.minutes).sum();
    let minutes = row.brief.duration_minutes.unwrap_or(planned);
    let plan = plan_body::read(&body.0, &current.plan, minutes, &principal.name)?;
    touch(&mut tx, &mut row).await?;
    keep(&mut tx, &row, &plan).await?;
    let actor = Actor::part(&principal.name);
    workflow::audit(&mut tx, Some(id), &actor, "plan.edited", None, json!({ "version": row.version })).await?;
    let view = newest(&mut tx, &row).await?;
    tx.commit().await?;
    Ok(tagged(view.version, &view))
}

/// Approves the plan: the interview's session exists from here on.
#[utoipa::path(post, path = "/api/v1/integration/interviews/{id}/plan/approve", tag = "plans",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = Option<schema::ApproveBody>,
    responses((status = 200, body = InterviewView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem)))]
pub async fn approve(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewApprove)?;
    let decision = Decision::read(&body)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let mut row = workflow::lock(&mut tx, id).await?;
    check_match(&headers, row.version)?;
    let actor = Actor { name: &principal.name, comment: decision.comment.as_deref() };
    workflow::transition(&mut tx, &mut row, InterviewState::Approved, None, &actor).await?;
    let now = row.updated_at;
    let version: i64 = sqlx::query_scalar(
        "update plans set approved_at = $2, approved_by = $3
         where interview_id = $1 and version = (select max(version) from plans where interview_id = $1) returning version",
    )
    .bind(id.0)
    .bind(now)
    .bind(&principal.name)
    .fetch_one(tx.conn())
    .await
    .map_err(StoreError::from)?;
    let session = sessions::mint(&mut tx, id, version, state.settings.partitions_media).await?;
    close_tasks(&mut tx, &row, &principal.name).await?;
    let approved = InterviewApproved {
        interview_id: id,
        session_id: session.id,
        partition: session.partition,
        plan_version: version,
    };
    tx.publish(&Event::new(principal.tenant, now, approved), None).await?;
    webhooks::enqueue(&mut tx, &row, WebhookType::Approved).await?;
    tx.commit().await?;
    Ok(tagged(row.version, &InterviewView::from(row)))
}

/// Rejects the plan: for good, or so that the planner writes another one with the reason in mind.
#[utoipa::path(post, path = "/api/v1/integration/interviews/{id}/plan/reject", tag = "plans",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = Option<schema::RejectBody>,
    responses((status = 200, body = InterviewView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem), (status = 422, body = Problem)))]
pub async fn reject(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewApprove)?;
    let decision = Decision::read(&body)?;
    let reason = decision.reason.as_deref();
    let mut tx = state.store.tenant(principal.tenant).await?;
    let mut row = workflow::lock(&mut tx, id).await?;
    check_match(&headers, row.version)?;
    let actor = Actor { name: &principal.name, comment: decision.comment.as_deref() };
    workflow::transition(&mut tx, &mut row, InterviewState::Rejected, reason, &actor).await?;
    close_tasks(&mut tx, &row, &principal.name).await?;
    if decision.regenerate {
        // the reason stays with the state, so that the planner can be asked again
        workflow::transition(&mut tx, &mut row, InterviewState::ValidatingSkills, reason, &actor).await?;
        let requested = validation_requested(&row, decision.reason.clone());
        tx.publish(&Event::new(principal.tenant, row.updated_at, requested), None).await?;
    }
    tx.commit().await?;
    Ok(tagged(row.version, &InterviewView::from(row)))
}

async fn newest(tx: &mut TenantTx, row: &InterviewRow) -> Result<PlanView, StoreError> {
    let found = sqlx::query(
        "select version, plan, approved_at, approved_by, created_at from plans where interview_id = $1
         order by version desc limit 1",
    )
    .bind(row.id.0)
    .fetch_one(tx.conn())
    .await?;
    Ok(PlanView {
        version: found.try_get("version")?,
        plan: found.try_get::<Jsonb<Plan>, _>("plan")?.0,
        approved_at: found.try_get("approved_at")?,
        approved_by: found.try_get("approved_by")?,
        created_at: found.try_get("created_at")?,
    })
}

/// Raises the version of an interview that stays in its state.
pub(super) async fn touch(tx: &mut TenantTx, row: &mut InterviewRow) -> Result<(), StoreError> {
    let now = tx.store().clock().utc();
    sqlx::query("update interviews set version = version + 1, updated_at = $2 where id = $1")
        .bind(row.id.0)
        .bind(now)
        .execute(tx.conn())
        .await?;
    row.version += 1;
    row.updated_at = now;
    Ok(())
}

/// Keeps a plan under the interview's current version, so that one number guards both.
pub(crate) async fn keep(tx: &mut TenantTx, row: &InterviewRow, plan: &Plan) -> Result<(), StoreError> {
    let tenant = tx.tenant();
    sqlx::query("insert into plans (tenant_id, interview_id, version, plan, created_at) values ($1, $2, $3, $4, $5)")
        .bind(tenant.0)
        .bind(row.id.0)
        .bind(row.version)
        .bind(Jsonb(plan))
        .bind(row.updated_at)
        .execute(tx.conn())
        .await?;
    Ok(())
}
