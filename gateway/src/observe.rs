//! What is measured of each request: metric names, units and labels in one place.

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use maya_protocol::clock::SharedClock;

const REQUESTS: &str = "maya_http_requests_total";
const DURATION: &str = "maya_http_request_duration_seconds";

/// Describes the metrics of this crate's HTTP side.
pub fn describe() {
    metrics::describe_counter!(REQUESTS, "Requests by method, route (never a path with ids) and status");
    metrics::describe_histogram!(DURATION, metrics::Unit::Seconds, "Time until the answer's head, by method and route");
}

/// Counts and times a request.
pub(crate) async fn measure(State(clock): State<SharedClock>, request: Request, next: Next) -> Response {
    let method = request.method().as_str().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or("none".to_owned(), |path| path.as_str().to_owned());
    let began = clock.now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    let took = clock.now().saturating_duration_since(began).as_secs_f64();
    metrics::counter!(REQUESTS, "method" => method.clone(), "route" => route.clone(), "status" => status).increment(1);
    metrics::histogram!(DURATION, "method" => method, "route" => route).record(took);
    response
}
