//! The live conversation from outside: the join link, the live state, the transcript.

use crate::{
    AppState,
    auth::{Permission, Principal},
    http::InterviewPath,
    problem::{Error, Problem},
    query::Query,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use maya_protocol::{
    ids::{InterviewId, SessionId, TenantId, TurnId},
    interview::Speaker,
    join::{JoinClaims, JoinPage},
    session::{LiveState, Phase},
    state::InterviewState,
};
use maya_store::{StoreError, sessions, turns, workflow};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// How long a link is good where the interview has no `expiresAt`, counted from its creation or its `opensAt`.
const LINK_DAYS: i64 = 30;
/// The longest that a long poll waits.
const LONGEST_WAIT: u64 = 60;
/// How often a long poll looks into the registry, and after how many looks into the database.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS_A_READ: u32 = 5;
/// The low bits of a version are the live state's, the high ones the interview's: below 2^53 together.
const LIVE_BITS: u32 = 24;

/// A way in for the candidate.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinLink {
    #[schema(value_type = String)]
    session_id: SessionId,
    /// For the candidate's browser.
    join_url: String,
    /// Good until `expiresAt` and, once joined, until the session ends.
    token: String,
    expires_at: DateTime<Utc>,
}

/// Hands out the join link: the same session each time.
#[utoipa::path(post, path = "/api/v1/integration/interviews/{id}/session", tag = "sessions",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path)),
    responses((status = 200, body = JoinLink), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "Before the approval, or after the end")))]
pub async fn join(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
) -> Result<Response, Error> {
    principal.require(Permission::InterviewUpdate)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    let row = workflow::read(&mut tx, id).await?;
    if !matches!(row.state, InterviewState::Approved | InterviewState::InProgress) {
        return Err(Error::in_state(row.state, "there is a session to join only while APPROVED or IN_PROGRESS"));
    }
    let session = sessions::of_interview(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let company = sqlx::query_scalar("select name from tenants where tenant_id = $1")
        .bind(principal.tenant.0)
        .fetch_optional(tx.conn())
        .await
        .map_err(StoreError::from)?;
    tx.commit().await?;
    let opens_at = row.brief.opens_at;
    let begins = opens_at.map_or(row.created_at, |opens| opens.max(row.created_at));
    let expires_at = row.brief.expires_at.unwrap_or(begins + TimeDelta::days(LINK_DAYS));
    let claims = JoinClaims {
        session: session.id,
        tenant: principal.tenant,
        interview: id,
        partition: session.partition,
        exp: expires_at.timestamp(),
        generation: session.join_generation,
    };
    // the name that Maya greets with is enough: the token is readable, and lies in an address
    let page = JoinPage {
        candidate_name: row
            .brief
            .candidate
            .name
            .as_deref()
            .and_then(|name| name.split_whitespace().next())
            .map(str::to_owned),
        title: row.brief.position.title,
        company,
        duration_minutes: row.brief.duration_minutes,
        language: row.brief.language,
        opens: opens_at.map(|opens| opens.timestamp()),
        ..JoinPage::default()
    };
    let token = state.join_key.sign_with_page(&claims, &page);
    let link = JoinLink {
        session_id: session.id,
        join_url: join_url(&state.settings.public_edge_url, session.id, principal.tenant, &token),
        token,
        expires_at,
    };
    let mut response = Json(link).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn join_url(edge: &url::Url, session: SessionId, tenant: TenantId, token: &str) -> String {
    let mut url = edge.clone();
    url.set_path(&format!("{}/join", edge.path().trim_end_matches('/')));
    url.query_pairs_mut()
        .clear()
        .append_pair("sessionId", &session.to_string())
        .append_pair("tenantId", &tenant.to_string())
        .append_pair("token", token);
    url.into()
}

/// How the conversation goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveView {
    #[schema(value_type = String)]
    session_id: SessionId,
    /// The interview's.
    #[schema(value_type = String, example = "IN_PROGRESS")]
    state: InterviewState,
    /// What Maya does, as the candidate's socket is told; null before the join, and where it is not known.
    #[schema(value_type = Option<String>, example = "LISTENING")]
    phase: Option<Phase>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    /// Turns recorded.
    turns: u32,
    last_activity_at: Option<DateTime<Utc>>,
    remaining_seconds: u64,
    /// Changes with every change; name it in a long poll.
    version: i64,
}

/// How to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// Seconds to wait for a change, at most 60.
    wait: Option<u64>,
    /// The version that is known; the current one where absent.
    version: Option<i64>,
}

/// Shows the live state; with `wait`, as soon as its version is another one.
#[utoipa::path(get, path = "/api/v1/integration/interviews/{id}/session", tag = "sessions",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path), Wait),
    responses((status = 200, body = LiveView), (status = 403, body = Problem),
        (status = 404, body = Problem, description = "Unknown, or not approved yet"), (status = 422, body = Problem)))]
pub async fn read(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
    Query(query): Query<Wait>,
) -> Result<Json<LiveView>, Error> {
    principal.require(Permission::InterviewRead)?;
    let wait = query.wait.unwrap_or(0);
    if wait > LONGEST_WAIT {
        return Err(Error::field("wait", format!("must be at most {LONGEST_WAIT} seconds")));
    }
    let mut rows = rows(&state, principal.tenant, id).await?;
    let mut view = rows.with(live(&state, rows.session).await);
    let known = query.version.unwrap_or(view.version);
    if wait == 0 || view.version != known {
        return Ok(Json(view));
    }
    let changed = async {
        for look in 1u32.. {
            tokio::time::sleep(LOOK).await;
            if look.is_multiple_of(LOOKS_A_READ) {
                rows = self::rows(&state, principal.tenant, id).await?;
            }
            view = rows.with(live(&state, rows.session).await);
            if view.version != known {
                break;
            }
        }
        Ok::<(), Error>(())
    };
    match tokio::time::timeout(Duration::from_secs(wait), changed).await {
        Ok(result) => result?,
        Err(_) => tracing::trace!("nothing changed"),
    }
    Ok(Json(view))
}

/// What the rows say of a session.
struct Rows {
    session: SessionId,
    state: InterviewState,
    version: i64,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    turns: u32,
    last_turn_at: Option<DateTime<Utc>>,
    remaining_seconds: u64,
}

async fn rows(state: &AppState, tenant: TenantId, id: InterviewId) -> Result<Rows, Error> {
    let mut tx = state.store.tenant(tenant).await?;
    let row = sqlx::query(
        "select i.state, i.version, (i.brief ->> 'durationMinutes')::bigint as minutes, s.id, s.started_at, s.ended_at,
                (select sum((section ->> 'minutes')::bigint)::bigint
                 from plans p, jsonb_array_elements(p.plan -> 'sections') as section
                 where p.interview_id = i.id and p.version = s.plan_version) as planned,
                t.turns, t.last_at, t.used_ms
         from interviews i join sessions s on s.interview_id = i.id
         cross join lateral (
             select count(*) as turns, max(ended_at) as last_at, max((context ->> 'usedMs')::bigint) as used_ms
             from turns where interview_id = i.id
         ) t
         where i.id = $1 and i.deleted_at is null",
    )
    .bind(id.0)
    .fetch_one(tx.conn())
    .await
    .map_err(StoreError::from)?;
    tx.commit().await?;
    let read = || {
        let minutes = row.try_get::<Option<i64>, _>("minutes")?.or(row.try_get("planned")?).unwrap_or(0);
        let used_ms = row.try_get::<Option<i64>, _>("used_ms")?.unwrap_or(0);
        let state: &str = row.try_get("state")?;
        Ok(Rows {
            session: SessionId(row.try_get("id")?),
            state: state.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            version: row.try_get("version")?,
            started_at: row.try_get("started_at")?,
            ended_at: row.try_get("ended_at")?,
            turns: row.try_get::<i64, _>("turns")? as u32,
            last_turn_at: row.try_get("last_at")?,
            remaining_seconds: (minutes * 60 - used_ms / 1_000).max(0) as u64,
        })
    };
    read().map_err(|error: sqlx::Error| StoreError::from(error).into())
}

/// The owner's word, where the registry knows it.
async fn live(state: &AppState, session: SessionId) -> Option<LiveState> {
    match state.registry.live(session).await {
        Ok(live) => live,
        Err(error) => {
            tracing::debug!(error = %error, "the live state is not known");
            None
        }
    }
}

impl Rows {
    fn with(&self, live: Option<LiveState>) -> LiveView {
        // there is a session, so the interview was approved: it lives, or it is past
        let is_over = self.ended_at.is_some() || !is_live(self.state);
        let phase = if is_over { Some(Phase::Ended) } else { live.as_ref().map(|live| live.phase) };
        let live_version = live.as_ref().map_or(0, |live| live.version) & ((1 << LIVE_BITS) - 1);
        LiveView {
            session_id: self.session,
            state: self.state,
            phase,
            started_at: self.started_at,
            ended_at: self.ended_at,
            turns: live.as_ref().map_or(self.turns, |live| live.turns.max(self.turns)),
            last_activity_at: live.as_ref().map(|live| live.last_activity_at).max(self.last_turn_at),
            remaining_seconds: match &live {
                _ if is_over => 0,
                Some(live) => live.remaining_seconds,
                None => self.remaining_seconds,
            },
            version: (self.version << LIVE_BITS) + live_version as i64,
        }
    }
}

fn is_live(state: InterviewState) -> bool {
    matches!(state, InterviewState::Approved | InterviewState::InProgress)
}

/// What was said.
#[derive(Debug, Serialize, ToSchema)]
pub struct Transcript {
    turns: Vec<TranscriptTurn>,
}

/// One utterance or reply.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptTurn {
    #[schema(value_type = String, example = "t7")]
    turn_id: TurnId,
    /// `CANDIDATE` or `MAYA`.
    #[schema(value_type = String, example = "CANDIDATE")]
    speaker: Speaker,
    text: String,
    started_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
}

/// Shows what was said so far.
#[utoipa::path(get, path = "/api/v1/integration/interviews/{id}/transcript", tag = "sessions",
    security(("api_key" = []), ("bearer" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Transcript), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn transcript(
    State(state): State<AppState>,
    principal: Principal,
    InterviewPath(id): InterviewPath,
) -> Result<Json<Transcript>, Error> {
    principal.require(Permission::InterviewRead)?;
    let mut tx = state.store.tenant(principal.tenant).await?;
    workflow::read(&mut tx, id).await?;
    let turns = turns::of_interview(&mut tx, id).await?;
    tx.commit().await?;
    let shown = turns.into_iter().map(|turn| TranscriptTurn {
        turn_id: turn.turn_id,
        speaker: turn.speaker,
        text: turn.text,
        started_at: turn.started_at,
        ended_at: turn.ended_at,
    });
    Ok(Json(Transcript { turns: shown.collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_link_keeps_the_edges_path() {
        let (session, tenant) = (SessionId::fresh(), TenantId::fresh());
        for (edge, begins) in [("http://e:1", "http://e:1/join?"), ("https://e/maya/", "https://e/maya/join?")] {
            let url = join_url(&edge.parse().unwrap(), session, tenant, "a.b");
            assert!(url.starts_with(begins), "{url}");
            assert!(url.ends_with(&format!("sessionId={session}&tenantId={tenant}&token=a.b")), "{url}");
        }
    }
}
