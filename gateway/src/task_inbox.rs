//! `/tasks`: what waits for a person.

use crate::{
    AppState,
    auth::{Permission, Principal},
    http::{cursor, page, read_cursor},
    problem::{Error, FieldError, Problem},
    query::Query,
};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use maya_store::StoreError;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// The routes of tasks.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Something that waits for a person, or waited.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Task {
    pub id: Uuid,
    /// `INFO_NEEDED`, `PLAN_REVIEW` or `ASSESSMENT_REVIEW`.
    pub kind: String,
    /// `OPEN` or `DONE`.
    pub state: String,
    pub interview_id: Uuid,
    /// The recruiter system's id of the interview.
    pub external_id: Option<String>,
    /// Where the interview stands.
    pub interview_state: String,
    pub candidate_name: Option<String>,
    pub position_title: Option<String>,
    pub created_at: DateTime<Utc>,
    pub done_at: Option<DateTime<Utc>>,
    pub done_by: Option<String>,
}

/// A page of tasks, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskPage {
    items: Vec<Task>,
    next_cursor: Option<String>,
}

/// Which tasks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct Filter {
    /// `OPEN` or `DONE`; both where absent.
    state: Option<String>,
    /// `INFO_NEEDED`, `PLAN_REVIEW` or `ASSESSMENT_REVIEW`.
    kind: Option<String>,
    /// Of one interview.
    interview_id: Option<String>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Entries of a page, 1 to 200; 50 where absent.
    limit: Option<u32>,
}

/// Lists the human tasks. A task is done by what it asks for: completing, approving, rejecting.
#[utoipa::path(get, path = "/api/v1/tasks", tag = "tasks", security(("api_key" = []), ("bearer" = [])), params(Filter),
    responses((status = 200, body = TaskPage), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Query(filter): Query<Filter>,
) -> Result<Json<TaskPage>, Error> {
    principal.require(Permission::InterviewRead)?;
    let mut errors = Vec::new();
    let wanted = one_of("state", filter.state, &["OPEN", "DONE"], &mut errors);
    let kind = one_of("kind", filter.kind, &["INFO_NEEDED", "PLAN_REVIEW", "ASSESSMENT_REVIEW"], &mut errors);
    let interview: Option<Uuid> = filter.interview_id.and_then(|id| {
        id.parse().map_err(|_| errors.push(FieldError::new("interviewId", "is not an interview's id"))).ok()
    });
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let limit = page(filter.limit)?;
    let after = read_cursor::<Uuid>(filter.cursor.as_deref())?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let mut items: Vec<Task> = sqlx::query_as(
        "select t.id, t.kind, t.state, t.interview_id, i.external_id, i.state as interview_state,
                i.brief #>> '{candidate,name}' as candidate_name, i.brief #>> '{position,title}' as position_title,
                t.created_at, t.done_at, t.done_by
         from tasks t join interviews i on i.id = t.interview_id
         where t.tenant_id = $1 and i.deleted_at is null and ($2::text is null or t.state = $2)
           and ($3::text is null or t.kind = $3) and ($4::uuid is null or t.interview_id = $4)
           and ($5::uuid is null or t.id < $5)
         order by t.id desc limit $6",
    )
    .bind(principal.tenant.0)
    .bind(wanted)
    .bind(kind)
    .bind(interview)
    .bind(after)
    .bind(limit + 1)
    .fetch_all(tx.conn())
    .await
    .map_err(StoreError::from)?;
    tx.commit().await?;
    let has_more = items.len() as i64 > limit;
    items.truncate(limit as usize);
    let next_cursor = items.last().filter(|_| has_more).map(|task| cursor(task.id));
    Ok(Json(TaskPage { items, next_cursor }))
}

fn one_of(name: &str, value: Option<String>, known: &[&str], errors: &mut Vec<FieldError>) -> Option<String> {
    let value = value.filter(|value| !value.is_empty())?.to_uppercase();
    if !known.contains(&value.as_str()) {
        errors.push(FieldError::new(name, format!("must be one of {}", known.join(", "))));
    }
    Some(value)
}
