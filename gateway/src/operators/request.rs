//! What a request for an action says: whom it is about, why, and what more the action needs.

use crate::{
    fields::{Object, Wrong},
    problem::Error,
};
use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use maya_protocol::{
    ids::{NodeId, SessionId},
    operation::ActorKind,
};
use serde_json::Value;

/// The longest reason, in characters.
const LONGEST: usize = 500;

/// The session of a path; what is no id names nothing.
pub(super) struct SessionPath(pub(super) SessionId);
impl<S: Send + Sync> FromRequestParts<S> for SessionPath {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| Error::NotFound)?;
        id.parse().map(Self).map_err(|_| Error::NotFound)
    }
}

/// The node of a path.
pub(super) struct NodePath(pub(super) NodeId);
impl<S: Send + Sync> FromRequestParts<S> for NodePath {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| Error::NotFound)?;
        Ok(Self(NodeId(id)))
    }
}

/// The body of an action.
#[derive(Debug)]
pub(super) struct Asked {
    /// Why; it goes to the audit log.
    pub(super) reason: String,
    /// Where a session is to move.
    pub(super) to: Option<NodeId>,
    kind: Option<ActorKind>,
}

impl Asked {
    /// Reads it; there is no action without a reason.
    pub(super) fn read(body: &Value) -> Result<Self, Error> {
        let wrong = Wrong::default();
        let root = Object::root(body, &wrong);
        let asked = Self {
            reason: root.required_text("reason", LONGEST),
            to: root.text("to", 100).map(NodeId),
            kind: root.choice("kind", "session, speech_to_text, llm_turn, tts_sentence"),
        };
        wrong.unless(asked)
    }
    /// Which actor; an action that needs one is wrong without.
    pub(super) fn kind(&self) -> Result<ActorKind, Error> {
        self.kind.ok_or_else(|| Error::field("kind", "must be given"))
    }
}
