//! The API's one error and how it is told: RFC 9457 `application/problem+json`.

use crate::auth::Permission;
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maya_protocol::state::InterviewState;
use maya_store::StoreError;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// A field of the request that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path in the body, e.g. `skills[1].name`, or the name of a query parameter.
    pub field: String,
    /// What is wrong with it, for a person.
    pub message: String,
}
impl FieldError {
    /// A wrong field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Why a request was not served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// The request cannot be understood.
    #[error("{0}")]
    BadRequest(String),
    /// No credential, or one that is not good.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The credential does not carry that permission.
    #[error("this needs the permission {0}")]
    Forbidden(Permission),
    /// There is no such thing, or it is another tenant's.
    #[error("there is no such resource")]
    NotFound,
    /// The resource is there, the method is not.
    #[error("the resource does not have this method")]
    MethodNotAllowed,
    /// Not in this state.
    #[error("{detail}")]
    Conflict {
        /// Why not.
        detail: String,
        /// Where the interview stands.
        state: Option<InterviewState>,
    },
    /// `If-Match` names another version.
    #[error("the current version is {current}")]
    PreconditionFailed {
        /// Where it stands.
        current: i64,
    },
    /// The body is too large.
    #[error("the body is too large")]
    TooLarge,
    /// The body is not declared as JSON.
    #[error("the body must be application/json")]
    UnsupportedMediaType,
    /// Well-formed, but with wrong fields: all of them.
    #[error("{} of the request's fields cannot be accepted", .0.len())]
    Invalid(Vec<FieldError>),
    /// The key was used with another request.
    #[error("this Idempotency-Key was used with another request")]
    IdempotencyReused,
    /// Over the limit.
    #[error("too many requests; try again in {} s", .retry_after.as_secs().max(1))]
    TooManyRequests {
        /// Until the window is new.
        retry_after: Duration,
    },
    /// Something that we need is away.
    #[error("{0} is not available; try again")]
    Unavailable(&'static str),
    /// A defect of ours; told to the log only.
    #[error("the request failed")]
    Internal(String),
}

impl Error {
    /// An illegal move, with where the interview stands.
    pub fn in_state(state: InterviewState, what: &str) -> Self {
        Error::Conflict { detail: format!("{what}: the interview is {state}"), state: Some(state) }
    }
    /// One wrong field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Invalid(vec![FieldError::new(field, message)])
    }
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Error::NotJson(_) | Error::BadRequest(_) => StatusCode::BAD_REQUEST,
            Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Error::Forbidden(_) => StatusCode::FORBIDDEN,
            Error::NotFound => StatusCode::NOT_FOUND,
            Error::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Error::Conflict { .. } => StatusCode::CONFLICT,
            Error::PreconditionFailed { .. } => StatusCode::PRECONDITION_FAILED,
            Error::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Error::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Error::Invalid(_) | Error::IdempotencyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Error::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
    fn title(&self) -> &'static str {
        match self {
            Error::NotJson(_) => "Not JSON",
            Error::BadRequest(_) => "Bad request",
            Error::Unauthenticated(_) => "Not authenticated",
            Error::Forbidden(_) => "Not permitted",
            Error::NotFound => "Not found",
            Error::MethodNotAllowed => "Method not allowed",
            Error::Conflict { .. } => "Not in this state",
            Error::PreconditionFailed { .. } => "Changed since it was read",
            Error::TooLarge => "Too large",
            Error::UnsupportedMediaType => "Unsupported media type",
            Error::Invalid(_) => "Wrong fields",
            Error::IdempotencyReused => "Idempotency-Key was used before",
            Error::TooManyRequests { .. } => "Too many requests",
            Error::Unavailable(_) => "Not available",
            Error::Internal(_) => "Internal error",
        }
    }
    fn slug(&self) -> &'static str {
        match self {
            Error::NotJson(_) => "not-json",
            Error::BadRequest(_) => "bad-request",
            Error::Unauthenticated(_) => "unauthenticated",
            Error::Forbidden(_) => "forbidden",
            Error::NotFound => "not-found",
            Error::MethodNotAllowed => "method-not-allowed",
            Error::Conflict { .. } => "conflict",
            Error::PreconditionFailed { .. } => "precondition-failed",
            Error::TooLarge => "too-large",
            Error::UnsupportedMediaType => "unsupported-media-type",
            Error::Invalid(_) => "invalid",
            Error::IdempotencyReused => "idempotency-key-reused",
            Error::TooManyRequests { .. } => "too-many-requests",
            Error::Unavailable(_) => "unavailable",
            Error::Internal(_) => "internal",
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Error::Unavailable("the database"),
            StoreError::Conflict(_) => Error::Unavailable("the row, held by another request,"),
            StoreError::NotFound => Error::NotFound,
            StoreError::Stale { seen } => {
                Error::Conflict { detail: format!("it was changed since version {seen}"), state: None }
            }
            StoreError::IllegalMove { from, to } => {
                Error::Conflict { detail: format!("an interview that is {from} cannot become {to}"), state: Some(from) }
            }
            StoreError::Fenced { .. } | StoreError::Unsafe(_) | StoreError::Migration(_) => {
                Error::Internal(error.to_string())
            }
            StoreError::Data(_) | StoreError::Statement(_) => Error::Internal(error.to_string()),
        }
    }
}

/// The body of every error answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem.
    #[schema(example = "urn:maya:problem:invalid")]
    pub r#type: String,
    /// The kind of problem, for a person.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This problem, for a person.
    pub detail: String,
    /// Every wrong field (422).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
    /// Where the interview stands (409).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub state: Option<InterviewState>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        if let Error::Internal(why) = &self {
            tracing::error!(error = %why, "request failed");
        }
        let problem = Problem {
            r#type: format!("urn:maya:problem:{}", self.slug()),
            title: self.title().to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            state: if let Error::Conflict { state, .. } = &self { *state } else { None },
            errors: if let Error::Invalid(errors) = &self { errors.clone() } else { Vec::new() },
        };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match &self {
            Error::Unauthenticated(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Error::TooManyRequests { retry_after } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
            }
            Error::Unavailable(_) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_where_the_interview_stands_and_what_is_wrong() {
        let conflict = Error::in_state(InterviewState::Pending, "nothing to complete").into_response();
        assert_eq!(conflict.status(), StatusCode::CONFLICT);
        assert_eq!(conflict.headers()[header::CONTENT_TYPE], "application/problem+json");
        let from = Error::from(StoreError::IllegalMove { from: InterviewState::Failed, to: InterviewState::Approved });
        assert!(matches!(from, Error::Conflict { state: Some(InterviewState::Failed), .. }));
        assert_eq!(Error::from(StoreError::NotFound).status(), StatusCode::NOT_FOUND);
    }
}
