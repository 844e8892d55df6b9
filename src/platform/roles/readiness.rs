//! Ready: what a role needs answers, and the process is not draining.

use axum::{Router, http::StatusCode, routing::get};
use futures::future::BoxFuture;
use maya_protocol::{bus::SharedBus, registry::SharedRegistry};
use maya_store::Store;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long a dependency may take to answer before the process counts as not ready.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a process needs.
#[derive(Clone)]
pub struct Needs {
    pub store: Store,
    pub bus: SharedBus,
    pub registry: SharedRegistry,
    pub draining: Arc<AtomicBool>,
}

impl Needs {
    /// The names of what is not there.
    pub async fn missing(self) -> Vec<String> {
        let Self { store, bus, registry, draining } = self;
        let within = |check: BoxFuture<'static, bool>| async move {
            tokio::time::timeout(PATIENCE, check).await.unwrap_or(false)
        };
        let (database, bus, registry) = tokio::join!(
            within(Box::pin(async move { store.check().await.is_ok() })),
            within(Box::pin(async move { bus.check().await.is_ok() })),
            within(Box::pin(async move { registry.check().await.is_ok() })),
        );
        let serving = !draining.load(Ordering::SeqCst);
        [(database, "database"), (bus, "bus"), (registry, "registry"), (serving, "draining")]
            .into_iter()
            .filter(|(there, _)| !there)
            .map(|(_, name)| name.to_owned())
            .collect()
    }

    /// As the gateway asks for it.
    pub fn readiness(self) -> maya_gateway::Readiness {
        Arc::new(move || Box::pin(self.clone().missing()))
    }

    /// The health endpoints of a role that serves no other HTTP.
    pub fn router(self) -> Router {
        let ready = async move || {
            let missing = self.missing().await;
            let (code, status) =
                if missing.is_empty() { (StatusCode::OK, "UP") } else { (StatusCode::SERVICE_UNAVAILABLE, "DOWN") };
            (code, axum::Json(serde_json::json!({ "status": status, "missing": missing })))
        };
        let live = async || axum::Json(serde_json::json!({ "status": "UP" }));
        Router::new().route("/health/live", get(live)).route("/health/ready", get(ready))
    }
}
