//! What was delivered, what was not, and once more.

use crate::{
    AppState,
    auth::{Permission, Principal},
    body::id,
    problem::{Error, Problem},
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use maya_store::StoreError;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, types::Json as Jsonb};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Deliveries on a page, and the most that may be asked for.
const PAGE: i64 = 50;
const LARGEST_PAGE: i64 = 200;

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    endpoint_id: Option<Uuid>,
    interview_id: Option<Uuid>,
    /// `PENDING`, `DELIVERED` or `FAILED`.
    state: Option<String>,
    cursor: Option<String>,
    limit: Option<i64>,
}

/// A message's way to one receiver.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    id: Uuid,
    /// The `webhook-id`.
    message_id: Uuid,
    /// Null: the interview's `callbackUrl`.
    endpoint_id: Option<Uuid>,
    interview_id: Option<Uuid>,
    r#type: String,
    url: String,
    /// `PENDING`, `DELIVERED` or `FAILED`.
    state: String,
    created_at: DateTime<Utc>,
    delivered_at: Option<DateTime<Utc>>,
    /// Of a pending one.
    next_attempt_at: Option<DateTime<Utc>>,
    #[schema(value_type = Vec<Tried>)]
    attempts: Jsonb<Vec<Tried>>,
}

/// One attempt.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    at: DateTime<Utc>,
    /// What the receiver answered, if it did.
    status: Option<u16>,
    /// Why it did not count.
    error: Option<String>,
    duration_ms: i64,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deliveries {
    items: Vec<Delivery>,
    next_cursor: Option<String>,
}

/// Lists deliveries with their attempts, the newest message first.
#[utoipa::path(get, path = "/api/v1/webhooks/deliveries", tag = "webhooks", security(("api_key" = [])), params(Wanted),
    responses((status = 200, body = Deliveries), (status = 400, body = Problem)))]
pub(super) async fn list(
    State(state): State<AppState>,
    principal: Principal,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Deliveries>, Error> {
    principal.require(Permission::WebhookManage)?;
    let Query(wanted) = wanted.map_err(|error| Error::BadRequest(error.body_text()))?;
    let limit = wanted.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let after = wanted.cursor.as_deref().map(read_cursor).transpose()?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let mut items: Vec<Delivery> = sqlx::query_as(
        "select d.id, d.message_id, d.endpoint_id, m.interview_id, m.type, d.url, d.state, d.created_at, d.delivered_at,
                case when d.state = 'PENDING' then d.next_attempt_at end as next_attempt_at,
                coalesce((
                    select jsonb_agg(jsonb_build_object('at', a.at, 'status', a.status, 'error', a.error,
                                                        'durationMs', a.duration_ms) order by a.id)
                    from webhook_attempts a where a.delivery_id = d.id
                ), '[]') as attempts
         from webhook_deliveries d join webhook_messages m on m.id = d.message_id
         where ($1::uuid is null or d.endpoint_id = $1) and ($2::uuid is null or m.interview_id = $2)
           and ($3::text is null or d.state = $3)
           and ($4::uuid is null or (d.message_id, d.id) < ($4, $5))
         order by d.message_id desc, d.id desc limit $6",
    )
    .bind(wanted.endpoint_id)
    .bind(wanted.interview_id)
    .bind(&wanted.state)
    .bind(after.map(|(message, _)| message))
    .bind(after.map(|(_, delivery)| delivery))
    .bind(limit + 1)
    .fetch_all(tx.conn())
    .await
    .map_err(StoreError::from)?;
    let more = items.len() as i64 > limit;
    items.truncate(limit as usize);
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|last| format!("{}_{}", last.message_id.simple(), last.id.simple()));
    Ok(Json(Deliveries { items, next_cursor }))
}

fn read_cursor(text: &str) -> Result<(Uuid, Uuid), Error> {
    text.split_once('_')
        .and_then(|(message, delivery)| Some((message.parse().ok()?, delivery.parse().ok()?)))
        .ok_or_else(|| Error::BadRequest("the cursor is not one of ours".to_owned()))
}

/// Delivers once more, whatever came of it: the same message with the same `webhook-id`.
#[utoipa::path(post, path = "/api/v1/webhooks/deliveries/{id}/replay", tag = "webhooks", security(("api_key" = [])),
    params(("id" = String, Path)), responses((status = 202), (status = 404, body = Problem)))]
pub(super) async fn replay(
    State(state): State<AppState>,
    principal: Principal,
    Path(delivery): Path<String>,
) -> Result<StatusCode, Error> {
    principal.require(Permission::WebhookManage)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    sqlx::query_scalar::<_, Uuid>(
        "update webhook_deliveries set state = 'PENDING', attempts = 0, next_attempt_at = now(), delivered_at = null
         where id = $1 returning id",
    )
    .bind(id(&delivery)?)
    .fetch_one(tx.conn())
    .await
    .map_err(StoreError::from)?;
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED)
}
