//! A role's door: open before the role is, so that a process is live at once and ready when it is.

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
    serve::ListenerExt as _,
};
use metrics_exporter_prometheus::PrometheusHandle;
use parking_lot::RwLock;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// The door of one role.
#[derive(Clone)]
pub struct Front {
    behind: Arc<RwLock<Router>>,
    metrics: PrometheusHandle,
}

impl Front {
    /// Answers that the process is live, and nothing else yet.
    pub fn new(metrics: PrometheusHandle) -> Self {
        let live = || get(async || "live");
        let starting = async || (StatusCode::SERVICE_UNAVAILABLE, "starting");
        let behind = Router::new()
            .route("/health", live())
            .route("/health/live", live())
            .route("/api/v1/health/live", live())
            .fallback(starting);
        Self { behind: Arc::new(RwLock::new(with_metrics(behind, metrics.clone()))), metrics }
    }

    /// From now on this answers, beside `/metrics`.
    pub fn open(&self, router: Router) {
        *self.behind.write() = with_metrics(router, self.metrics.clone());
    }

    /// Serves until stopped; requests in progress are finished.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        // a sentence right behind a STATE must not wait for the client's delayed acknowledgement (40 ms)
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        let app = Router::new().fallback(async move |request: Request| -> Response {
            let router = self.behind.read().clone();
            router.oneshot(request).await.into_response()
        });
        let served = axum::serve(listener, app).with_graceful_shutdown(async move { stop.cancelled().await }).await;
        if let Err(error) = served {
            tracing::error!(error = %error, "a door fell shut");
        }
    }
}

fn with_metrics(router: Router, metrics: PrometheusHandle) -> Router {
    router.route("/metrics", get(async move || metrics.render()))
}
