//! What an operator does to nodes and actors: permitted, written to the audit log with its reason, then carried to the
//! node. What cannot be written is not done; what the node refused is written too.

use super::request::{Asked, NodePath, SessionPath};
use crate::{
    AppState,
    auth::{Permission, Principal},
    body::Body,
    problem::{Error, Problem},
};
use axum::{Json, extract::State};
use maya_protocol::{
    ids::{InterviewId, NodeId, SessionId, TenantId},
    operation::Operation,
    rpc::ActError,
};
use maya_store::{
    placements::{self, PlacementState},
    workflow::{self, Actor},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// How long a node may take: a session is given away at the end of a sentence.
const PATIENCE: Duration = Duration::from_secs(25);

/// The routes of actions.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(restart))
        .routes(routes!(rotate))
        .routes(routes!(end))
        .routes(routes!(move_away))
        .routes(routes!(drain))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// The node that was asked, and took it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Taken {
    #[schema(value_type = String)]
    node: NodeId,
    action: &'static str,
}

macro_rules! action {
    ($(#[$doc:meta])* $name:ident, $path:literal, $target:ident by $asks:ident, |$id:ident, $asked:ident| $operation:expr) => {
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "operators", security(("api_key" = [])),
            params(("id" = String, Path)), request_body(content = Object, description = "`{ reason, … }`; the reason is required"),
            responses((status = 200, body = Taken), (status = 403, body = Problem), (status = 404, body = Problem),
                (status = 409, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
        async fn $name(
            State(state): State<AppState>,
            principal: Principal,
            $target($id): $target,
            Body(body): Body<Value>,
        ) -> Result<Json<Taken>, Error> {
            principal.require(Permission::NodeManage)?;
            let $asked = Asked::read(&body)?;
            let operation = $operation;
            let target = Target::$asks(&state, &principal, $id).await?;
            target.take(&state, &principal, &operation, &$asked.reason).await
        }
    };
}

action!(
    /// Restarts an actor of a session, keeping the session: `{ kind, reason }`, the kind as in the tree.
    restart, "/api/v1/actors/{id}/restart", SessionPath by owner,
    |id, asked| Operation::RestartActor { session: id, kind: asked.kind()? }
);
action!(
    /// Opens another stream to the recogniser for a session.
    rotate, "/api/v1/actors/{id}/rotate-stt", SessionPath by owner, |id, asked| Operation::RotateStt { session: id }
);
action!(
    /// Ends a session politely: Maya says goodbye.
    end, "/api/v1/actors/{id}/end", SessionPath by owner, |id, asked| Operation::End { session: id }
);
action!(
    /// Moves a session to another node: `{ to, reason }`; to any node where `to` is left out.
    move_away, "/api/v1/actors/{id}/move", SessionPath by owner,
    |id, asked| Operation::Move { session: id, to: asked.to.clone() }
);
action!(
    /// Drains a node: it takes no new session and gives away those that live there.
    drain, "/api/v1/nodes/{id}/drain", NodePath by node, |id, asked| Operation::Drain
);
action!(
    /// Pauses a node's admission: it takes no new session; those that live there go on.
    pause, "/api/v1/nodes/{id}/pause", NodePath by node, |id, asked| Operation::PauseAdmission { paused: true }
);
action!(
    /// Resumes a node's admission.
    resume, "/api/v1/nodes/{id}/resume", NodePath by node, |id, asked| Operation::PauseAdmission { paused: false }
);

/// Who is asked, and in whose audit log it is written.
struct Target {
    node: NodeId,
    address: String,
    tenant: TenantId,
    about: Option<(SessionId, InterviewId)>,
}

impl Target {
    /// The node that owns a session. Its tenant sees in the interview's audit log what was done to it.
    async fn owner(state: &AppState, _principal: &Principal, session: SessionId) -> Result<Self, Error> {
        let mut tx = state.store.system().await?;
        let placement = placements::read(&mut tx, session).await?;
        tx.commit().await?;
        let owner = placement.owner.filter(|_| placement.state == PlacementState::Live);
        let node = owner.ok_or_else(|| refused("no node owns the session now".to_owned()))?;
        let address = address(state, &node).await?;
        Ok(Self { node, address, tenant: placement.tenant, about: Some((session, placement.interview)) })
    }

    /// A node. Its actions are in the audit log of the operator's own tenant.
    async fn node(state: &AppState, principal: &Principal, node: NodeId) -> Result<Self, Error> {
        let address = address(state, &node).await.map_err(|_| Error::NotFound)?;
        Ok(Self { node, address, tenant: principal.tenant, about: None })
    }

    async fn take(
        self,
        state: &AppState,
        principal: &Principal,
        operation: &Operation,
        reason: &str,
    ) -> Result<Json<Taken>, Error> {
        self.audit(state, principal, operation, reason, None).await?;
        let action = serde_json::to_value(operation).expect("an operation is plain data");
        let answer = match state.peers.act_within(&self.address, &action, PATIENCE).await {
            Ok(Ok(_)) => return Ok(Json(Taken { node: self.node, action: operation.name() })),
            Ok(Err(ActError::Refused(why))) => refused(why),
            Ok(Err(ActError::Unknown)) => refused("this node does not do that".to_owned()),
            Err(error) => {
                tracing::warn!(node.id = %self.node, error = %error, "an operator's action did not reach its node");
                Error::Unavailable("the node")
            }
        };
        self.audit(state, principal, operation, reason, Some(&answer.to_string())).await?;
        Err(answer)
    }

    async fn audit(
        &self,
        state: &AppState,
        principal: &Principal,
        operation: &Operation,
        reason: &str,
        refused: Option<&str>,
    ) -> Result<(), Error> {
        let (session, interview) = self.about.unzip();
        let mut detail = serde_json::to_value(operation).expect("an operation is plain data");
        if let Some(fields) = detail.as_object_mut() {
            fields.insert("node".to_owned(), json!(self.node));
            fields.insert("session".to_owned(), json!(session));
            fields.insert("reason".to_owned(), json!(reason));
            fields.insert("refused".to_owned(), json!(refused));
            fields.retain(|_, value| !value.is_null());
        }
        let action = format!("operator.{}", operation.name());
        let mut tx = state.store.tenant(self.tenant).await?;
        workflow::audit(&mut tx, interview, &Actor::part(&principal.name), &action, None, detail).await?;
        Ok(tx.commit().await?)
    }
}

fn refused(detail: String) -> Error {
    Error::Conflict { detail, state: None }
}

/// Where a node answers, as far as anyone knows.
async fn address(state: &AppState, node: &NodeId) -> Result<String, Error> {
    state.watch.address(node).await.ok_or(Error::Unavailable("the node"))
}
