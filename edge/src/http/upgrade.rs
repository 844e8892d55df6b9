//! `GET /ws`: the token first, then a place, then the upgrade.

use super::problem::Problem;
use crate::{
    Shared,
    admission::{self, Refusal},
    metric, socket,
};
use axum::{
    body::Body,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use fastwebsockets::upgrade::IncomingUpgrade;
use maya_protocol::trace::{self, TraceContext};
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

pub(super) async fn upgrade(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
    incoming: Result<IncomingUpgrade, StatusCode>,
) -> Response {
    answer(shared, query, incoming).await.unwrap_or_else(|problem| {
        metrics::counter!(metric::REFUSED, "reason" => problem.code).increment(1);
        problem.into_response()
    })
}

async fn answer(
    shared: Arc<Shared>,
    query: HashMap<String, String>,
    incoming: Result<IncomingUpgrade, StatusCode>,
) -> Result<Response, Problem> {
    let admitted = admission::admit(&shared, &query).await?;
    if admitted.opens(shared.clock.utc()).is_some() {
        return Err(Refusal::Early.into());
    }
    let incoming = incoming
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "upgrade_required", "this address speaks WebSocket only"))?;
    let overloaded = |detail: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail);
    if shared.draining.load(Ordering::Relaxed) {
        return Err(overloaded("this edge is going away"));
    }
    let place = shared.places.clone().try_acquire_owned().map_err(|_| overloaded("all places are taken"))?;
    let (response, upgraded) = incoming
        .upgrade()
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "upgrade_required", "the upgrade is not valid"))?;
    // one trace a connection, and never a candidate's own
    tokio::spawn(trace::within(TraceContext::fresh(), async move {
        match upgraded.await {
            Ok(socket) => socket::run(shared, admitted, socket).await,
            Err(error) => tracing::debug!(%error, "an upgrade was not finished"),
        }
        drop(place);
    }));
    Ok(response.map(|_| Body::empty()))
}
