//! `GET …/{id}/events`: the audit log, as pages or as a stream.

use crate::{
    AppState,
    auth::{Permission, Principal},
    http::{InterviewPath, cursor, page, read_cursor},
    problem::{Error, Problem},
    query::Query,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{
        IntoResponse, Response,
        sse::{Event as SseEvent, KeepAlive, Sse},
    },
};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use maya_protocol::ids::{InterviewId, TenantId};
use maya_store::StoreError;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use std::{convert::Infallible, time::Duration};
use utoipa::{IntoParams, ToSchema};

/// How often a stream looks for new entries.
const LOOK: Duration = Duration::from_millis(500);
/// Entries of one look.
const BATCH: i64 = 200;

/// One entry of the audit log.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct AuditEntry {
    /// Grows within an interview.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String)]
    pub id: i64,
    pub at: DateTime<Utc>,
    /// `key:…`, `user:…`, or a part of the platform.
    pub actor: String,
    /// `interview.created`, `interview.moved`, `plan.edited`, …
    pub action: String,
    pub from_state: Option<String>,
    pub to_state: Option<String>,
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

fn as_text<S: serde::Serializer>(id: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// A page of the audit log, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditPage {
    items: Vec<AuditEntry>,
    next_cursor: Option<String>,
}

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Start {
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// Entries of a page, 1 to 200; 50 where absent.
    limit: Option<u32>,
}

/// Lists what happened and who did it; with `Accept: text/event-stream`, follows it (`Last-Event-ID` resumes).
#[utoipa::path(get, path = "/api/v1/integration/interviews/{id}/events", tag = "interviews",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = String, Path), Start, ("Last-Event-ID" = Option<String>, Header)),
    responses((status = 200, content((AuditPage = "application/json"), (String = "text/event-stream"))),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
    Query(from): Query<Start>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewRead)?;
    let limit = page(from.limit)?;
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let after: i64 = read_cursor(from.cursor.as_deref())?.or(resumed).unwrap_or(0);
    let wants_stream = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"));
    let first = entries(&state, principal.tenant, id, after, limit + 1).await?;
    if wants_stream {
        return Ok(follow(state, principal.tenant, id, after).into_response());
    }
    let has_more = first.len() as i64 > limit;
    let mut items = first;
    items.truncate(limit as usize);
    let next_cursor = items.last().filter(|_| has_more).map(|entry| cursor(entry.id));
    Ok(Json(AuditPage { items, next_cursor }).into_response())
}

/// The entries after one. A removed interview's log can still be read: it holds nothing of the person.
async fn entries(
    state: &AppState,
    tenant: TenantId,
    id: InterviewId,
    after: i64,
    limit: i64,
) -> Result<Vec<AuditEntry>, Error> {
    let mut tx = state.store.tenant(tenant).await?;
    sqlx::query_scalar::<_, i32>("select 1 from interviews where id = $1")
        .bind(id.0)
        .fetch_one(tx.conn())
        .await
        .map_err(StoreError::from)?;
    let entries = sqlx::query_as(
        "select id, at, actor, action, from_state, to_state, detail from audit_log
         where tenant_id = $1 and interview_id = $2 and id > $3 order by id limit $4",
    )
    .bind(tenant.0)
    .bind(id.0)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
    .map_err(StoreError::from)?;
    tx.commit().await?;
    Ok(entries)
}

fn follow(state: AppState, tenant: TenantId, id: InterviewId, after: i64) -> impl IntoResponse {
    let batches = stream::unfold((state, after, false), move |(state, after, waits)| async move {
        if waits {
            tokio::time::sleep(LOOK).await;
        }
        // a database that is away for a moment is asked again; the client sees keep-alives
        let found = entries(&state, tenant, id, after, BATCH).await.unwrap_or_default();
        let last = found.last().map_or(after, |entry| entry.id);
        let waits = (found.len() as i64) < BATCH;
        let events: Vec<Result<SseEvent, Infallible>> = found.iter().filter_map(told).map(Ok).collect();
        Some((stream::iter(events), (state, last, waits)))
    });
    Sse::new(batches.flatten()).keep_alive(KeepAlive::new().interval(Duration::from_secs(10)))
}

fn told(entry: &AuditEntry) -> Option<SseEvent> {
    SseEvent::default().id(entry.id.to_string()).event("audit").json_data(entry).ok()
}
