//! `/webhooks`: endpoints, their secrets, what was delivered and what was not.

mod deliveries;

use super::{
    WebhookType,
    address::{self, Reach},
    enqueue_test,
    signature::Secret,
};
use crate::{
    AppState,
    auth::{Permission, Principal},
    body::{Body, OptionalBody, id},
    problem::{Error, Problem},
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use chrono::{DateTime, TimeDelta, Utc};
use maya_store::{
    StoreError, TenantTx,
    workflow::{self, Actor},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Endpoints that a tenant may have.
const MOST_ENDPOINTS: i64 = 50;
/// How long a replaced secret signs too, and the longest that may be asked for.
const OVERLAP_SECONDS: i64 = 24 * 3600;
const LONGEST_OVERLAP_SECONDS: i64 = 7 * 24 * 3600;

/// The routes of webhooks.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::replay))
        .routes(routes!(read, change, remove))
        .routes(routes!(rotate))
        .routes(routes!(test))
}

/// Where webhooks go.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    id: Uuid,
    url: String,
    /// Empty: all types.
    types: Vec<String>,
    enabled: bool,
    /// Why it was disabled, where it was not by hand.
    disabled_reason: Option<String>,
    created_at: DateTime<Utc>,
}

/// A new endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedEndpoint {
    #[serde(flatten)]
    endpoint: Endpoint,
    /// `whsec_…`, shown this once.
    secret: String,
}

/// All endpoints.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    items: Vec<Endpoint>,
    next_cursor: Option<String>,
}

/// What a new endpoint is made from.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewEndpoint {
    url: String,
    /// Empty or absent: all types.
    #[serde(default)]
    #[schema(value_type = Vec<WebhookType>)]
    types: Vec<String>,
}

/// What of an endpoint changes.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EndpointChange {
    url: Option<String>,
    #[schema(value_type = Option<Vec<WebhookType>>)]
    types: Option<Vec<String>>,
    enabled: Option<bool>,
}

/// How a secret is replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rotation {
    /// How long the old secret signs too: a day where absent, a week at most.
    overlap_seconds: Option<i64>,
}

/// A replaced secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotatedSecret {
    /// `whsec_…`, shown this once.
    secret: String,
    /// Until then the old one signs too.
    previous_until: DateTime<Utc>,
}

/// A test on its way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestSent {
    delivery_id: Uuid,
}

/// Adds an endpoint.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", security(("api_key" = [])), request_body = NewEndpoint,
    responses((status = 201, body = CreatedEndpoint), (status = 422, body = Problem)))]
async fn create(
    State(state): State<AppState>,
    principal: Principal,
    new: Result<Body<NewEndpoint>, Error>,
) -> Result<(StatusCode, Json<CreatedEndpoint>), Error> {
    principal.require(Permission::WebhookManage)?;
    let Body(new) = new?;
    check(&state, Some(&new.url), Some(&new.types))?;
    let secret = Secret::fresh();
    let mut tx = state.store.tenant(principal.tenant).await?;
    let count: i64 = sqlx::query_scalar("select count(*) from webhook_endpoints")
        .fetch_one(tx.conn())
        .await
        .map_err(StoreError::from)?;
    if count >= MOST_ENDPOINTS {
        return Err(Error::Conflict { detail: format!("there are {MOST_ENDPOINTS} endpoints already"), state: None });
    }
    let endpoint: Endpoint = sqlx::query_as(
        "insert into webhook_endpoints (id, tenant_id, url, secret, types, created_at) values ($1, $2, $3, $4, $5, $6)
         returning id, url, types, enabled, disabled_reason, created_at",
    )
    .bind(Uuid::now_v7())
    .bind(principal.tenant.0)
    .bind(&new.url)
    .bind(state.sealing.seal(secret.as_bytes()))
    .bind(&new.types)
    .bind(state.clock.utc())
    .fetch_one(tx.conn())
    .await
    .map_err(StoreError::from)?;
    audit(&mut tx, &principal, "webhook.created", endpoint.id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(CreatedEndpoint { endpoint, secret: secret.reveal() })))
}

/// Lists the endpoints.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", security(("api_key" = [])),
    responses((status = 200, body = Endpoints)))]
async fn list(State(state): State<AppState>, principal: Principal) -> Result<Json<Endpoints>, Error> {
    principal.require(Permission::WebhookManage)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let items = sqlx::query_as(
        "select id, url, types, enabled, disabled_reason, created_at from webhook_endpoints order by id",
    )
    .fetch_all(tx.conn())
    .await
    .map_err(StoreError::from)?;
    Ok(Json(Endpoints { items, next_cursor: None }))
}

/// Reads an endpoint.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "webhooks", security(("api_key" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Endpoint), (status = 404, body = Problem)))]
async fn read(
    State(state): State<AppState>,
    principal: Principal,
    Path(endpoint): Path<String>,
) -> Result<Json<Endpoint>, Error> {
    principal.require(Permission::WebhookManage)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let endpoint = sqlx::query_as(
        "select id, url, types, enabled, disabled_reason, created_at from webhook_endpoints where id = $1",
    )
    .bind(id(&endpoint)?)
    .fetch_one(tx.conn())
    .await
    .map_err(StoreError::from)?;
    Ok(Json(endpoint))
}

/// Changes an endpoint; enabling it also forgets why it was disabled.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", security(("api_key" = [])), params(("id" = String, Path)),
    request_body = EndpointChange, responses((status = 200, body = Endpoint), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn change(
    State(state): State<AppState>,
    principal: Principal,
    Path(endpoint): Path<String>,
    change: Result<Body<EndpointChange>, Error>,
) -> Result<Json<Endpoint>, Error> {
    principal.require(Permission::WebhookManage)?;
    let Body(change) = change?;
    check(&state, change.url.as_deref(), change.types.as_deref())?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let endpoint: Endpoint = sqlx::query_as(
        "update webhook_endpoints
         set url = coalesce($2, url), types = coalesce($3, types), enabled = coalesce($4, enabled),
             disabled_reason = case when $4 then null else disabled_reason end
         where id = $1 returning id, url, types, enabled, disabled_reason, created_at",
    )
    .bind(id(&endpoint)?)
    .bind(change.url)
    .bind(change.types)
    .bind(change.enabled)
    .fetch_one(tx.conn())
    .await
    .map_err(StoreError::from)?;
    audit(&mut tx, &principal, "webhook.changed", endpoint.id).await?;
    tx.commit().await?;
    Ok(Json(endpoint))
}

/// Removes an endpoint with its deliveries.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", security(("api_key" = [])), params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
async fn remove(
    State(state): State<AppState>,
    principal: Principal,
    Path(endpoint): Path<String>,
) -> Result<StatusCode, Error> {
    principal.require(Permission::WebhookManage)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let removed: Uuid = sqlx::query_scalar("delete from webhook_endpoints where id = $1 returning id")
        .bind(id(&endpoint)?)
        .fetch_one(tx.conn())
        .await
        .map_err(StoreError::from)?;
    audit(&mut tx, &principal, "webhook.removed", removed).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces an endpoint's secret; for a while the old one signs too.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/secret/rotate", tag = "webhooks", security(("api_key" = [])),
    params(("id" = String, Path)), request_body = Option<Rotation>,
    responses((status = 200, body = RotatedSecret), (status = 404, body = Problem)))]
async fn rotate(
    State(state): State<AppState>,
    principal: Principal,
    Path(endpoint): Path<String>,
    OptionalBody(rotation): OptionalBody<Rotation>,
) -> Result<Json<RotatedSecret>, Error> {
    principal.require(Permission::WebhookManage)?;
    let overlap = rotation.overlap_seconds.unwrap_or(OVERLAP_SECONDS);
    if !(0..=LONGEST_OVERLAP_SECONDS).contains(&overlap) {
        return Err(Error::field("overlapSeconds", format!("must be from 0 to {LONGEST_OVERLAP_SECONDS}")));
    }
    let (secret, previous_until) = (Secret::fresh(), state.clock.utc() + TimeDelta::seconds(overlap));
    let mut tx = state.store.tenant(principal.tenant).await?;
    let rotated: Uuid = sqlx::query_scalar(
        "update webhook_endpoints set previous_secret = secret, previous_secret_until = $3, secret = $2
         where id = $1 returning id",
    )
    .bind(id(&endpoint)?)
    .bind(state.sealing.seal(secret.as_bytes()))
    .bind(previous_until)
    .fetch_one(tx.conn())
    .await
    .map_err(StoreError::from)?;
    audit(&mut tx, &principal, "webhook.secret_rotated", rotated).await?;
    tx.commit().await?;
    Ok(Json(RotatedSecret { secret: secret.reveal(), previous_until }))
}

/// Sends a `webhook.test` to an endpoint.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "webhooks", security(("api_key" = [])), params(("id" = String, Path)),
    responses((status = 202, body = TestSent), (status = 404, body = Problem)))]
async fn test(
    State(state): State<AppState>,
    principal: Principal,
    Path(endpoint): Path<String>,
) -> Result<(StatusCode, Json<TestSent>), Error> {
    principal.require(Permission::WebhookManage)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let delivery_id = enqueue_test(&mut tx, id(&endpoint)?).await?;
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(TestSent { delivery_id })))
}

/// All that is wrong with a URL and types.
fn check(state: &AppState, url: Option<&str>, types: Option<&[String]>) -> Result<(), Error> {
    let reach = if state.settings.development { Reach::Loopback } else { Reach::Public };
    let mut wrong = Vec::new();
    if let Some(Err(error)) = url.map(|url| address::receiver(url, reach)) {
        wrong.push(crate::problem::FieldError::new("url", error.to_string()));
    }
    for (at, kind) in types.unwrap_or_default().iter().enumerate() {
        if let Err(error) = kind.parse::<WebhookType>() {
            wrong.push(crate::problem::FieldError::new(format!("types[{at}]"), error.to_string()));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
}

async fn audit(tx: &mut TenantTx, principal: &Principal, action: &str, endpoint: Uuid) -> Result<(), StoreError> {
    workflow::audit(tx, None, &Actor::part(&principal.name), action, None, json!({ "endpoint": endpoint })).await
}
