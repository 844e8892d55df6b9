//! Live: the process works. Ready: what it needs answers, and it is not draining.

use crate::AppState;
use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of health.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready))
}

/// Whether it works.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `UP` or `DOWN`.
    status: &'static str,
    /// What is not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

/// Answers while the process works.
#[utoipa::path(get, path = "/api/v1/health/live", tag = "health", responses((status = 200, body = Health)))]
async fn live() -> Json<Health> {
    Json(Health { status: "UP", missing: Vec::new() })
}

/// Answers 200 while this process takes work.
#[utoipa::path(get, path = "/api/v1/health/ready", tag = "health",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Health>) {
    let missing = (state.readiness)().await;
    match missing.is_empty() {
        true => (StatusCode::OK, Json(Health { status: "UP", missing })),
        false => (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "DOWN", missing })),
    }
}
