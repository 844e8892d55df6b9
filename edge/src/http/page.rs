//! The candidate's page and what it asks before the join. The page's files are part of the binary.

use super::problem::Problem;
use crate::{
    Shared,
    admission::{self, Refusal},
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use include_dir::{Dir, include_dir};
use maya_protocol::session::Phase;
use serde::Serialize;
use std::{collections::HashMap, sync::Arc};

static PAGE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../web/candidate");

/// `GET /join`.
pub(super) async fn join(headers: HeaderMap) -> Response {
    let mut response = file("index.html");
    let own = response.headers_mut();
    // The address carries the token: it is kept nowhere and sent nowhere.
    own.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    own.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    own.insert(header::CONTENT_SECURITY_POLICY, policy(headers.get(header::HOST)));
    own.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("microphone=(self), camera=(self), geolocation=()"),
    );
    response
}

/// `GET /assets/candidate/…`.
pub(super) async fn asset(Path(path): Path<String>) -> Response {
    file(&path)
}

/// What the page is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_minutes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    recording: bool,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    opens_at: Option<DateTime<Utc>>,
    text_version: String,
}

/// `GET /join/info`.
pub(super) async fn info(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Problem> {
    let (page, status, opens_at) = match admission::admit(&shared, &query).await {
        Ok(admitted) => {
            let ended = admitted.live.as_ref().is_some_and(|live| live.phase == Phase::Ended);
            let opens_at = admitted.opens(shared.clock.utc());
            let status = match (ended, opens_at) {
                (true, _) => "ENDED",
                (_, Some(_)) => "EARLY",
                _ => "READY",
            };
            (admitted.page, status, opens_at)
        }
        // The holder of a link that was good may be told so, but nothing else of it.
        Err(Refusal::Expired) => (Default::default(), "EXPIRED", None),
        Err(refusal) => return Err(refusal.into()),
    };
    let info = Info {
        candidate_name: page.candidate_name,
        title: page.title,
        company: page.company,
        duration_minutes: page.duration_minutes,
        language: page.language,
        recording: page.recording.unwrap_or(shared.settings.recording),
        status,
        opens_at,
        text_version: page.text_version.unwrap_or_else(|| shared.settings.consent_text_version.clone()),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(info)).into_response())
}

fn file(path: &str) -> Response {
    let Some(file) = PAGE.get_file(path) else {
        return Problem::new(StatusCode::NOT_FOUND, "not_found", "no such file").into_response();
    };
    let kind = match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        Some("wav") => "audio/wav",
        _ => "application/octet-stream",
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, file.contents()).into_response()
}

/// Own scripts only, none inline. `'self'` does not cover WebSockets in every browser, so the host is named too.
fn policy(host: Option<&HeaderValue>) -> HeaderValue {
    let plain = |host: &&str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    let sockets = match host.and_then(|host| host.to_str().ok()).filter(plain) {
        Some(host) => format!(" ws://{host} wss://{host}"),
        None => String::new(),
    };
    let policy = format!(
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; media-src 'self' blob:; connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("a host of plain characters makes a header")
}
