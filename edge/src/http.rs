//! The edge's HTTP: the socket, the candidate's page, health.

mod page;
mod problem;
mod upgrade;

use crate::Shared;
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::{Arc, atomic::Ordering};

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/ws", get(upgrade::upgrade))
        .route("/join", get(page::join))
        .route("/join/info", get(page::info))
        .route("/assets/candidate/{*path}", get(page::asset))
        .route("/health", get(health))
        .with_state(shared)
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let draining = shared.draining.load(Ordering::Relaxed);
    let (status, word) = if draining { (StatusCode::SERVICE_UNAVAILABLE, "draining") } else { (StatusCode::OK, "ok") };
    (status, Json(serde_json::json!({ "status": word, "sockets": shared.hub.len() }))).into_response()
}
