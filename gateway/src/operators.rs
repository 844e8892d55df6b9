//! What an operator sees: nodes, their actors, and how many interviews stand where. Never a name, never a word said.

mod history;
mod watch;

pub use watch::{Delta, Watch, WatchSettings};

use crate::{
    AppState,
    auth::{Permission, Principal},
    problem::{Error, Problem},
};
use axum::{
    Json,
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use maya_protocol::{state::InterviewState, tree::NodeView};
use maya_store::StoreError;
use serde::Serialize;
use sqlx::Row;
use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The page counts a stream that is silent for 45 s as lost.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The routes of operators.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(nodes))
        .routes(routes!(actors))
        .routes(routes!(actors_stream))
        .routes(routes!(history::history))
        .routes(routes!(states))
}

/// Nodes, with or without their actors.
#[derive(Debug, Serialize, ToSchema)]
pub struct Nodes {
    /// By id.
    #[schema(value_type = Vec<Object>)]
    nodes: Vec<Arc<NodeView>>,
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
    responses((status = 200, body = Nodes), (status = 403, body = Problem)))]
async fn nodes(State(state): State<AppState>, principal: Principal) -> Result<Json<Nodes>, Error> {
    principal.require(Permission::NodeRead)?;
    let nodes = state.watch.now().await;
    let without_tree = |node: &Arc<NodeView>| Arc::new(NodeView { tree: None, ..NodeView::clone(node) });
    Ok(Json(Nodes { nodes: nodes.iter().map(without_tree).collect() }))
}

/// Shows the nodes with their actors.
#[utoipa::path(get, path = "/api/v1/actors", tag = "operators", security(("api_key" = [])),
    responses((status = 200, body = Nodes), (status = 403, body = Problem)))]
async fn actors(State(state): State<AppState>, principal: Principal) -> Result<Json<Nodes>, Error> {
    principal.require(Permission::NodeRead)?;
    Ok(Json(Nodes { nodes: state.watch.now().await }))
}

/// Follows the nodes and their actors: a `snapshot`, then a `delta` of the nodes that changed, about every second.
#[utoipa::path(get, path = "/api/v1/actors/stream", tag = "operators", security(("api_key" = [])),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 403, body = Problem)))]
async fn actors_stream(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Error> {
    principal.require(Permission::NodeRead)?;
    let watch = state.watch.clone();
    // joins before it looks, so that nothing falls between the snapshot and the deltas
    let deltas = watch.join();
    let first = snapshot(&watch).await;
    let rest = stream::unfold((watch, deltas), |(watch, mut deltas)| async move {
        let event = match deltas.recv().await {
            Ok(delta) => Event::default().event("delta").data(&*delta),
            // this viewer was too slow: it begins anew
            Err(RecvError::Lagged(_)) => snapshot(&watch).await,
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), (watch, deltas)))
    });
    let events = futures::StreamExt::chain(stream::once(async { Ok(first) }), rest);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

async fn snapshot(watch: &Watch) -> Event {
    let json = serde_json::to_string(&Nodes { nodes: watch.now().await }).expect("a node's view has string keys");
    Event::default().event("snapshot").data(json)
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
