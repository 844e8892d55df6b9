//! The gateway: the REST Integration API, and the human gates of an interview's workflow.
//!
//! [`router`] serves HTTP, [`handlers`] read the bus (by `maya_store::inbox::run`), [`tasks`] run beside both: the
//! delivery of webhooks and the reconciler.

pub mod auth;
mod body;
pub mod dashboard;
mod decision;
pub mod events;
mod fields;
pub mod health;
mod http;
pub mod interviews;
pub mod keys;
pub mod keys_api;
pub mod languages;
pub mod observe;
pub mod openapi;
pub mod operators;
pub mod problem;
mod query;
pub mod reconciler;
pub mod recordings;
pub mod sealed;
pub mod skills;
pub mod state;
pub mod task_inbox;
pub mod tenants;
mod trace;
pub mod webhooks;

pub use state::{AppState, GatewaySettings, Parts, Readiness};

use axum::{
    Router,
    body::Bytes,
    extract::DefaultBodyLimit,
    http::{HeaderValue, header},
    middleware::{from_fn, from_fn_with_state},
    response::IntoResponse,
    routing::get,
};
use maya_store::inbox::Handler;
use problem::Error;
use std::{any::Any, sync::Arc};
use tokio_util::sync::CancellationToken;
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};
use utoipa::{OpenApi, openapi::OpenApi as Document};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::ApiDoc::openapi())
        .merge(interviews::router())
        .merge(task_inbox::router())
        .merge(recordings::router())
        .merge(skills::router())
        .merge(webhooks::router())
        .merge(keys_api::router())
        .merge(operators::router())
        .merge(dashboard::router())
        .merge(health::router())
}

/// The OpenAPI document of [`router`].
pub fn openapi() -> Document {
    let mut document = routes().into_openapi();
    openapi::name_operations(&mut document);
    openapi::name_problems(&mut document);
    document
}

/// Serves the API, its documentation and the dashboard.
pub fn router(state: AppState) -> Router {
    let (router, _) = routes().split_for_parts();
    let json = Bytes::from(openapi().to_json().expect("an OpenAPI document has string keys"));
    router
        .route("/api/v1/openapi.json", get(move || async move { ([(header::CONTENT_TYPE, "application/json")], json) }))
        // the page of the viewer; the document itself is the route above
        .merge(SwaggerUi::new("/api/v1/docs").config(utoipa_swagger_ui::Config::from("/api/v1/openapi.json")))
        .fallback(async || Error::NotFound)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .layer(from_fn_with_state(state.clone(), auth::authenticate))
        .layer(DefaultBodyLimit::max(state.settings.max_body_bytes))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clock.clone(), observe::measure))
        .layer(from_fn(trace::follow))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .with_state(state)
}

/// One request's defect is that request's alone.
fn panicked(_panic: Box<dyn Any + Send + 'static>) -> axum::response::Response {
    Error::Internal("a handler panicked".to_owned()).into_response()
}

/// The gateway's consumers of the bus; run each by `maya_store::inbox::run`.
pub fn handlers(state: AppState) -> Vec<Arc<dyn Handler>> {
    vec![Arc::new(events::GatewayHandler::new(state))]
}

/// Delivers webhooks and reconciles until told to stop.
pub async fn tasks(state: AppState, stop: CancellationToken) -> Result<(), reqwest::Error> {
    let settings = match state.settings.development {
        true => webhooks::WorkerSettings::development(),
        false => webhooks::WorkerSettings::production(),
    };
    let worker = webhooks::Worker::new(state.store.clone(), state.sealing.clone(), settings)?;
    let reconciler = reconciler::Reconciler::new(state.store.clone(), (&state.settings).into());
    tokio::join!(worker.run(stop.clone()), reconciler.run(stop));
    Ok(())
}
