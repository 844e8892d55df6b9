//! `/api-keys`: made, shown once, replaced and revoked by the tenant's own administrators.

use crate::{
    AppState,
    auth::{NewKey, Permission, Principal, Role},
    body::{Body, OptionalBody, id},
    problem::{Error, FieldError, Problem},
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

/// How long a replaced key works on, and the longest that may be asked for.
const OVERLAP_SECONDS: i64 = 24 * 3600;
const LONGEST_OVERLAP_SECONDS: i64 = 30 * 24 * 3600;

/// The routes of API keys.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(revoke)).routes(routes!(rotate))
}

/// An API key, without what only its owner knows.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    id: Uuid,
    name: String,
    /// The key begins with `maya_<prefix>_`.
    prefix: String,
    /// `ADMIN`, `RECRUITER`, `VIEWER` or `OPERATOR`.
    role: String,
    /// The permissions that it is narrowed to; empty: all of its role.
    scopes: Vec<String>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// A new key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedApiKey {
    #[serde(flatten)]
    about: ApiKey,
    /// The whole key, shown this once.
    api_key: String,
}

/// All keys.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeys {
    items: Vec<ApiKey>,
    next_cursor: Option<String>,
}

/// What a new key is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewApiKey {
    #[serde(default)]
    name: String,
    /// `ADMIN`, `RECRUITER` or `VIEWER`; an operator's key sees the whole platform and is made on the command line.
    role: String,
    /// Permissions to narrow it to, e.g. `interview:read`.
    #[serde(default)]
    scopes: Vec<String>,
    expires_at: Option<DateTime<Utc>>,
}

/// How a key is replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyRotation {
    /// How long the old key works on: a day where absent, 30 days at most.
    overlap_seconds: Option<i64>,
}

/// Makes a key.
#[utoipa::path(post, path = "/api/v1/api-keys", tag = "api-keys", security(("api_key" = [])), request_body = NewApiKey,
    responses((status = 201, body = CreatedApiKey), (status = 403, body = Problem), (status = 422, body = Problem)))]
async fn create(
    State(state): State<AppState>,
    principal: Principal,
    new: Result<Body<NewApiKey>, Error>,
) -> Result<(StatusCode, Json<CreatedApiKey>), Error> {
    principal.require(Permission::KeyManage)?;
    let Body(new) = new?;
    let role = check(&new, &principal, state.clock.utc())?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let created = insert(&mut tx, &new.name, role.as_str(), &new.scopes, new.expires_at).await?;
    audit(&mut tx, &principal, "api_key.created", created.about.id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Lists the keys, the revoked and expired ones too.
#[utoipa::path(get, path = "/api/v1/api-keys", tag = "api-keys", security(("api_key" = [])),
    responses((status = 200, body = ApiKeys), (status = 403, body = Problem)))]
async fn list(State(state): State<AppState>, principal: Principal) -> Result<Json<ApiKeys>, Error> {
    principal.require(Permission::KeyManage)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let items = sqlx::query_as(
        "select id, name, prefix, role, scopes, expires_at, revoked_at, created_at from api_keys order by id",
    )
    .fetch_all(tx.conn())
    .await
    .map_err(StoreError::from)?;
    Ok(Json(ApiKeys { items, next_cursor: None }))
}

/// Replaces a key by a new one of the same role and scopes; for a while both work.
#[utoipa::path(post, path = "/api/v1/api-keys/{id}/rotate", tag = "api-keys", security(("api_key" = [])),
    params(("id" = String, Path)), request_body = Option<KeyRotation>,
    responses((status = 201, body = CreatedApiKey), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn rotate(
    State(state): State<AppState>,
    principal: Principal,
    Path(key): Path<String>,
    OptionalBody(rotation): OptionalBody<KeyRotation>,
) -> Result<(StatusCode, Json<CreatedApiKey>), Error> {
    principal.require(Permission::KeyManage)?;
    let overlap = rotation.overlap_seconds.unwrap_or(OVERLAP_SECONDS);
    if !(0..=LONGEST_OVERLAP_SECONDS).contains(&overlap) {
        return Err(Error::field("overlapSeconds", format!("must be from 0 to {LONGEST_OVERLAP_SECONDS}")));
    }
    let now = state.clock.utc();
    let mut tx = state.store.tenant(principal.tenant).await?;
    let old: ApiKey = sqlx::query_as(
        "select id, name, prefix, role, scopes, expires_at, revoked_at, created_at from api_keys where id = $1 for update",
    )
    .bind(id(&key)?)
    .fetch_one(tx.conn())
    .await
    .map_err(StoreError::from)?;
    if old.revoked_at.is_some() || old.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::Conflict { detail: "the key does not work any more".to_owned(), state: None });
    }
    if role(&old.role).is_some_and(|role| !may_grant(&principal, role, &old.scopes)) {
        return Err(Error::Forbidden(Permission::KeyManage));
    }
    let created = insert(&mut tx, &old.name, &old.role, &old.scopes, old.expires_at).await?;
    sqlx::query("update api_keys set expires_at = least(expires_at, $2) where id = $1")
        .bind(old.id)
        .bind(now + TimeDelta::seconds(overlap))
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    audit(&mut tx, &principal, "api_key.rotated", old.id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revokes a key; within seconds it works nowhere.
#[utoipa::path(delete, path = "/api/v1/api-keys/{id}", tag = "api-keys", security(("api_key" = [])),
    params(("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
async fn revoke(
    State(state): State<AppState>,
    principal: Principal,
    Path(key): Path<String>,
) -> Result<StatusCode, Error> {
    principal.require(Permission::KeyManage)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let revoked: Uuid =
        sqlx::query_scalar("update api_keys set revoked_at = coalesce(revoked_at, $2) where id = $1 returning id")
            .bind(id(&key)?)
            .bind(state.clock.utc())
            .fetch_one(tx.conn())
            .await
            .map_err(StoreError::from)?;
    audit(&mut tx, &principal, "api_key.revoked", revoked).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn role(name: &str) -> Option<Role> {
    name.parse().ok()
}

/// All that is wrong with a new key; its role if nothing is.
fn check(new: &NewApiKey, principal: &Principal, now: DateTime<Utc>) -> Result<Role, Error> {
    let mut wrong = Vec::new();
    let role = role(&new.role).filter(|role| *role != Role::Operator);
    if role.is_none() {
        wrong.push(FieldError::new("role", "must be one of ADMIN, RECRUITER, VIEWER"));
    }
    if new.name.chars().count() > 100 {
        wrong.push(FieldError::new("name", "must have at most 100 characters"));
    }
    for (at, scope) in new.scopes.iter().enumerate() {
        if !Permission::ALL.iter().any(|permission| permission.as_str() == scope) {
            wrong.push(FieldError::new(format!("scopes[{at}]"), "is not a permission"));
        }
    }
    if new.expires_at.is_some_and(|at| at <= now) {
        wrong.push(FieldError::new("expiresAt", "must lie in the future"));
    }
    match role {
        Some(role) if wrong.is_empty() && may_grant(principal, role, &new.scopes) => Ok(role),
        Some(_) if wrong.is_empty() => Err(Error::field("scopes", "must not carry more than the key that makes it")),
        _ => Err(Error::Invalid(wrong)),
    }
}

/// Whether a principal has all that it would hand out.
fn may_grant(principal: &Principal, role: Role, scopes: &[String]) -> bool {
    Permission::ALL
        .iter()
        .filter(|permission| permission.roles().contains(&role))
        .filter(|permission| scopes.is_empty() || scopes.iter().any(|scope| scope == permission.as_str()))
        .all(|permission| principal.may(*permission))
}

async fn insert(
    tx: &mut TenantTx,
    name: &str,
    role: &str,
    scopes: &[String],
    expires_at: Option<DateTime<Utc>>,
) -> Result<CreatedApiKey, StoreError> {
    let (key, tenant, now) = (NewKey::generate(), tx.tenant(), tx.store().clock().utc());
    let about = sqlx::query_as(
        "insert into api_keys (id, tenant_id, name, prefix, hash, role, scopes, expires_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         returning id, name, prefix, role, scopes, expires_at, revoked_at, created_at",
    )
    .bind(Uuid::now_v7())
    .bind(tenant.0)
    .bind(name)
    .bind(&key.prefix)
    .bind(&key.hash[..])
    .bind(role)
    .bind(scopes)
    .bind(expires_at)
    .bind(now)
    .fetch_one(tx.conn())
    .await?;
    Ok(CreatedApiKey { about, api_key: key.key })
}

async fn audit(tx: &mut TenantTx, principal: &Principal, action: &str, key: Uuid) -> Result<(), StoreError> {
    workflow::audit(tx, None, &Actor::part(&principal.name), action, None, json!({ "key": key })).await
}
