//! What an operator sees: nodes, their actors, and how many interviews stand where. Never a name, never a word said.

mod actions;
mod board;
mod history;
mod request;
mod watch;

pub use watch::{Watch, WatchSettings};

use crate::{
    AppState,
    auth::{Permission, Principal},
    problem::{Error, Problem},
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use maya_protocol::{state::InterviewState, tree::NodeView};
use maya_store::StoreError;
use serde::Serialize;
use sqlx::Row;
use std::{collections::BTreeMap, convert::Infallible};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of operators.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(nodes))
        .routes(routes!(actors))
        .routes(routes!(actors_stream))
        .routes(routes!(history::history))
        .routes(routes!(states))
        .merge(actions::router())
}

/// Nodes with their actors.
#[derive(Debug, Serialize, ToSchema)]
pub struct Nodes {
    /// By id.
    #[schema(value_type = Vec<Object>)]
    nodes: Vec<NodeView>,
}

/// Nodes without their actors.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Heads {
    /// By id.
    #[schema(value_type = Vec<Object>)]
    nodes: Vec<NodeView>,
    /// Whether this key may act on them.
    may_act: bool,
}

/// How many interviews stand where.
#[derive(Debug, Serialize, ToSchema)]
pub struct States {
    /// Only states in which there is one.
    #[schema(value_type = BTreeMap<String, i64>)]
    states: BTreeMap<InterviewState, i64>,
}

/// Lists the nodes: roles, state, load; no actors.
#[utoipa::path(get, path = "/api/v1/nodes", tag = "operators", security(("api_key" = [])),
    responses((status = 200, body = Heads), (status = 403, body = Problem)))]
async fn nodes(State(state): State<AppState>, principal: Principal) -> Result<Json<Heads>, Error> {
    principal.require(Permission::NodeRead)?;
    Ok(Json(Heads { nodes: state.watch.heads().await, may_act: principal.may(Permission::NodeManage) }))
}

/// Shows the nodes with their actors.
#[utoipa::path(get, path = "/api/v1/actors", tag = "operators", security(("api_key" = [])),
    responses((status = 200, body = Nodes), (status = 403, body = Problem)))]
async fn actors(State(state): State<AppState>, principal: Principal) -> Result<Json<Nodes>, Error> {
    principal.require(Permission::NodeRead)?;
    Ok(Json(Nodes { nodes: state.watch.now().await }))
}

/// Follows the nodes and their actors: a `snapshot`, then a `delta` of what changed, about every second. Each node comes
/// as `{ node, whole, actors, removed }`: actors side by side, each with its `parent`; `removed` are the numbers at the
/// end of their ids. `gone` are nodes that are no more.
#[utoipa::path(get, path = "/api/v1/actors/stream", tag = "operators", security(("api_key" = [])),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 403, body = Problem)))]
async fn actors_stream(State(state): State<AppState>, principal: Principal) -> Result<Response, Error> {
    principal.require(Permission::NodeRead)?;
    let events = state.watch.follow().await.map(Ok::<_, Infallible>);
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, Body::from_stream(events)).into_response())
}

/// Counts the interviews of all tenants by state.
#[utoipa::path(get, path = "/api/v1/interviews/states", tag = "operators", security(("api_key" = [])),
    responses((status = 200, body = States), (status = 403, body = Problem)))]
async fn states(State(state): State<AppState>, principal: Principal) -> Result<Json<States>, Error> {
    principal.require(Permission::NodeRead)?;
    let mut tx = state.store.system().await?;
    let rows = sqlx::query("select state, count(*) from interviews group by state")
        .fetch_all(tx.conn())
        .await
        .map_err(StoreError::from)?;
    tx.commit().await?;
    let mut states = BTreeMap::new();
    for row in rows {
        let read = || Ok::<_, sqlx::Error>((row.try_get::<String, _>(0)?, row.try_get::<i64, _>(1)?));
        let (name, count) = read().map_err(StoreError::from)?;
        // a state of a later release is not ours to show
        if let Ok(known) = name.parse() {
            states.insert(known, count);
        }
    }
    Ok(Json(States { states }))
}
