//! Errors as `application/problem+json` (RFC 9457).

use crate::admission::Refusal;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An error's answer.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// For programs.
    pub(super) code: &'static str,
    /// For people.
    detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let refused = |code, detail: &str| Self::new(StatusCode::UNAUTHORIZED, code, detail);
        match refusal {
            Refusal::Missing(name) => {
                Self::new(StatusCode::BAD_REQUEST, "missing_parameter", format!("query parameter `{name}` is missing"))
            }
            Refusal::Invalid => refused("join_token_invalid", "the join link is not valid"),
            Refusal::Revoked => refused("join_token_revoked", "the join link was withdrawn"),
            Refusal::Early => Self::new(
                StatusCode::FORBIDDEN,
                "join_too_early",
                "the interview is not open yet; /join/info says when",
            ),
            Refusal::Expired => refused("join_token_expired", "the join link has expired"),
            Refusal::Unknown => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "the join link cannot be checked now")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
