//! `POST /integration/interviews`: the hot path. One statement writes the interview, its audit, its event, its task and
//! the answer to its `Idempotency-Key`, so that a creation is three round trips, `begin` and `commit` included.

use super::{
    completeness::{missing, needs_a_person},
    steps, validate,
    view::{BASE, Links},
};
use crate::{
    AppState,
    auth::{Permission, Principal},
    http::{JsonBody, tag},
    problem::{Error, Problem},
    webhooks::{self, WebhookType},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use maya_protocol::{
    event::Event,
    ids::InterviewId,
    interview::{InterviewBrief, MissingField},
    state::InterviewState,
};
use maya_store::{StoreError, TenantTx, outbox::headers_to_json, workflow::InterviewRow};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{Row, types::Json as Jsonb};
use utoipa::ToSchema;
use uuid::Uuid;

/// Characters of an `Idempotency-Key`.
const LONGEST_KEY: usize = 255;

/// A created interview. Holds nothing of the person, because it is kept as the answer to its `Idempotency-Key`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedInterview {
    #[schema(value_type = String)]
    id: InterviewId,
    #[schema(value_type = String, example = "VALIDATING_SKILLS")]
    state: InterviewState,
    /// What was not sent, the gravest first.
    #[schema(value_type = Vec<Object>)]
    missing: Vec<MissingField>,
    version: i64,
    created_at: DateTime<Utc>,
    links: Links,
}

/// Creates an interview. Any field may be absent: what is missing decides whether a person must complete it first.
#[utoipa::path(post, path = "/api/v1/integration/interviews", tag = "interviews",
    security(("api_key" = []), ("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body answers as the first time")),
    request_body = super::view::schema::InterviewBody,
    responses(
        (status = 201, body = CreatedInterview),
        (status = 400, body = Problem, description = "Not JSON"),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem, description = "Wrong fields, all of them; or the Idempotency-Key was used with another body"),
        (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewCreate)?;
    let now = state.clock.utc();
    let mut brief = validate::brief(&body.0, &state.settings, now)?;
    let claim = Claim::read(&headers, &body)?;

    let missing = missing(&brief, &[], &principal.settings);
    if brief.language.is_none() {
        brief.language = state.settings.language();
    }
    let needs = needs_a_person(&missing);
    let interview = InterviewRow {
        id: InterviewId::fresh(),
        state: if needs { InterviewState::InfoNeeded } else { InterviewState::ValidatingSkills },
        state_reason: None,
        version: 1,
        brief,
        missing,
        waived: Vec::new(),
        created_at: now,
        updated_at: now,
    };
    let event = if needs {
        Event::new(principal.tenant, now, steps::info_needed(&interview))
    } else {
        Event::new(principal.tenant, now, steps::validation_requested(&interview, None))
    };
    let answer = CreatedInterview {
        id: interview.id,
        state: interview.state,
        missing: interview.missing.clone(),
        version: interview.version,
        created_at: now,
        links: Links::of(interview.id),
    };
    let answer = serde_json::to_value(&answer).map_err(StoreError::from)?;

    let mut tx = state.store.tenant(principal.tenant).await?;
    if !insert(&mut tx, &interview, &principal.name, &event, claim.as_ref(), &answer).await? {
        let claim = claim.ok_or_else(|| Error::Internal("nothing was inserted".to_owned()))?;
        return claim.replay(&mut tx).await;
    }
    if needs {
        webhooks::enqueue(&mut tx, &interview, WebhookType::InfoNeeded).await?;
    }
    tx.wakes_relay();
    tx.commit().await?;
    Ok(respond(answer))
}

fn respond(answer: Value) -> Response {
    let location = format!("{BASE}/{}", answer["id"].as_str().unwrap_or_default());
    let version = answer["version"].as_i64().unwrap_or_default();
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    tag(&mut response, version);
    response
}

/// The right of one request to an `Idempotency-Key`.
struct Claim {
    key: String,
    hash: [u8; 32],
}

impl Claim {
    fn read(headers: &HeaderMap, body: &JsonBody) -> Result<Option<Self>, Error> {
        let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
        let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= LONGEST_KEY);
        let Some(key) = key else {
            return Err(Error::BadRequest(format!("Idempotency-Key must be 1 to {LONGEST_KEY} visible characters")));
        };
        // the hash of what was meant: a client may word the same JSON in another way
        let hash = Sha256::new().chain_update("POST interviews\0").chain_update(body.0.to_string()).finalize();
        Ok(Some(Self { key: key.to_owned(), hash: hash.into() }))
    }

    /// Answers as the first request with this key was answered.
    async fn replay(&self, tx: &mut TenantTx) -> Result<Response, Error> {
        let row = sqlx::query("select request_hash, response from idempotency_keys where key = $1")
            .bind(&self.key)
            .fetch_one(tx.conn())
            .await
            .map_err(StoreError::from)?;
        let hash: Vec<u8> = row.try_get("request_hash").map_err(StoreError::from)?;
        if hash != self.hash {
            return Err(Error::IdempotencyReused);
        }
        let mut response = respond(row.try_get("response").map_err(StoreError::from)?);
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
        Ok(response)
    }
}

/// Writes all of a creation; `false`, and nothing written, where the key was used before. A concurrent request with
/// the same key waits here until the first has committed.
async fn insert(
    tx: &mut TenantTx,
    interview: &InterviewRow,
    actor: &str,
    event: &Event,
    claim: Option<&Claim>,
    answer: &Value,
) -> Result<bool, StoreError> {
    let tenant = tx.tenant();
    let made: i64 = sqlx::query_scalar(
        "with claimed as (
             insert into idempotency_keys (tenant_id, key, request_hash, status, response, created_at)
             select $2, $12, $13, 201, $14, $8 where $12::text is not null
             on conflict do nothing returning key
         ), may as (
             select 1 where $12::text is null or exists (select from claimed)
         ), made as (
             insert into interviews (id, tenant_id, state, brief, missing, external_id, candidate, expires_at, created_at, updated_at)
             select $1, $2, $3, $4, $5, $6, $7, $9, $8, $8 from may returning id
         ), noted as (
             insert into audit_log (tenant_id, interview_id, at, actor, action, from_state, to_state)
             select $2, $1, $8, $10, entry.action, entry.was, entry.becomes
             from may, (values (1, 'interview.created', null, 'RECEIVED'), (2, 'interview.moved', 'RECEIVED', $3)) as entry (n, action, was, becomes)
             order by entry.n
         ), asked as (
             insert into tasks (id, tenant_id, interview_id, kind, created_at)
             select $11, $2, $1, 'INFO_NEEDED', $8 from may where $3 = 'INFO_NEEDED'
         ), told as (
             insert into outbox (tenant_id, event_id, topic, key, headers, payload)
             select $2, $15, $16, $17, $18, $19 from may
         )
         select count(*) from made",
    )
    .bind(interview.id.0)
    .bind(tenant.0)
    .bind(interview.state.as_str())
    .bind(Jsonb(&interview.brief))
    .bind(Jsonb(&interview.missing))
    .bind(interview.brief.external_id.as_deref())
    .bind(search_text(&interview.brief))
    .bind(interview.created_at)
    .bind(interview.brief.expires_at)
    .bind(actor)
    .bind(Uuid::now_v7())
    .bind(claim.map(|claim| claim.key.as_str()))
    .bind(claim.map(|claim| &claim.hash[..]))
    .bind(answer)
    .bind(event.id.0)
    .bind(event.topic().name())
    .bind(event.key())
    .bind(headers_to_json(&event.headers()))
    .bind(event.json().as_ref())
    .fetch_one(tx.conn())
    .await?;
    Ok(made == 1)
}

/// What `?candidate=` looks into.
pub(super) fn search_text(brief: &InterviewBrief) -> Option<String> {
    let (name, email) = (brief.candidate.name.as_deref(), brief.candidate.email.as_deref());
    let text = [name, email].into_iter().flatten().collect::<Vec<_>>().join(" ").to_lowercase();
    (!text.is_empty()).then_some(text)
}
