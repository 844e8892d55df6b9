//! `GET /actors/history`: what happened to actors in the last hour, also of sessions and nodes that are gone.

use crate::{
    AppState,
    auth::{Permission, Principal},
    problem::{Error, Problem},
    query::Query,
};
use axum::{Json, extract::State};
use maya_protocol::{
    ids::{NodeId, SessionId},
    supervision::SupervisionEvent,
};
use maya_store::supervision::{Wanted, read};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// How far back an operator sees.
const WITHIN: Duration = Duration::from_secs(3600);
/// Events of an answer, where not said otherwise, and at most.
const SOME: u32 = 200;
const MOST: u32 = 1000;

/// Whose history.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Whose {
    /// Of that session only.
    session: Option<String>,
    /// Of that node only.
    node: Option<String>,
    /// Events at most, 1 to 1000; 200 where absent.
    limit: Option<u32>,
}

/// The newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// `{ at, node, session, interview, epoch, actor, what, reason }`
    #[schema(value_type = Vec<Object>)]
    events: Vec<SupervisionEvent>,
}

/// Lists the supervision events of the last hour: started, fell, restarted, given up, taken over, fenced, stuck, …
#[utoipa::path(get, path = "/api/v1/actors/history", tag = "operators", security(("api_key" = [])), params(Whose),
    responses((status = 200, body = History), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn history(
    State(state): State<AppState>,
    principal: Principal,
    Query(whose): Query<Whose>,
) -> Result<Json<History>, Error> {
    principal.require(Permission::NodeRead)?;
    let session: Option<SessionId> = match whose.session.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Some(text.parse().map_err(|_| Error::field("session", "must be a session's id"))?),
        None => None,
    };
    let limit = whose.limit.unwrap_or(SOME);
    if !(1..=MOST).contains(&limit) {
        return Err(Error::field("limit", format!("must be from 1 to {MOST}")));
    }
    let node = whose.node.filter(|text| !text.is_empty()).map(NodeId);
    let mut tx = state.store.system().await?;
    let events = read(&mut tx, &Wanted { session, node, within: WITHIN, limit }).await?;
    Ok(Json(History { events }))
}
