//! What happened to a node's actors, as an operator reads it an hour later: ids and reasons, nothing of a person.

mod reason;

pub use reason::plain;

use crate::ids::{Epoch, InterviewId, NodeId, SessionId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

macro_rules! happenings {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Happening { $($(#[$doc])* #[serde(rename = $name)] $variant,)* }
        impl Happening {
            /// Every one.
            pub const ALL: &'static [Happening] = &[$(Happening::$variant,)*];
            /// As it is written.
            pub const fn as_str(self) -> &'static str { match self { $(Happening::$variant => $name,)* } }
        }
    };
}
happenings! {
    /// A session began here.
    Started = "STARTED";
    /// An actor failed.
    Fell = "FELL";
    /// It was started again.
    Restarted = "RESTARTED";
    /// It failed too often.
    GivenUp = "GIVEN_UP";
    /// This node took the session of a node that was lost.
    TakenOver = "TAKEN_OVER";
    /// A higher epoch refused this node.
    Fenced = "FENCED";
    /// Work waited and no progress was made.
    Stuck = "STUCK";
    /// The node takes no new session.
    Drained = "DRAINED";
    /// The session was given to another node.
    Moved = "MOVED";
    /// The session is over.
    Ended = "ENDED";
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct SupervisionEvent {
    pub at: DateTime<Utc>,
    pub node: NodeId,
    pub session: Option<SessionId>,
    pub interview: Option<InterviewId>,
    pub epoch: Option<Epoch>,
    /// The actor's kind, as in the tree.
    pub actor: String,
    pub what: Happening,
    /// As [`plain`] leaves it.
    pub reason: String,
}
