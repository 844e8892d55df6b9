//! What an operator may ask of a node, as it travels over [`Peers::act`](crate::rpc::Peers::act).

use crate::ids::{NodeId, SessionId};
use serde::{Deserialize, Serialize};

/// A kind of actor that can be restarted while its session is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// The conversation itself: it is rebuilt from its turns.
    Session,
    /// Its ear.
    SpeechToText,
    /// What words the reply at hand.
    LlmTurn,
    /// What gives sentences their voice.
    TtsSentence,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "operation")]
#[allow(missing_docs, reason = "the variants document the fields")]
pub enum Operation {
    /// Restart an actor of a session that lives with you, keeping the session.
    RestartActor { session: SessionId, kind: ActorKind },
    /// Open another stream to the recogniser.
    RotateStt { session: SessionId },
    /// End a session politely.
    End { session: SessionId },
    /// Give a session to another node; to any where none is named.
    Move { session: SessionId, to: Option<NodeId> },
    /// Take no new session, and give away those that live with you.
    Drain,
    /// Take no new session while paused; those that live with you go on.
    PauseAdmission { paused: bool },
}

impl Operation {
    /// Its name, as the audit log has it.
    pub const fn name(&self) -> &'static str {
        match self {
            Operation::RestartActor { .. } => "restart_actor",
            Operation::RotateStt { .. } => "rotate_stt",
            Operation::End { .. } => "end_session",
            Operation::Move { .. } => "move_session",
            Operation::Drain => "drain_node",
            Operation::PauseAdmission { paused: true } => "pause_admission",
            Operation::PauseAdmission { paused: false } => "resume_admission",
        }
    }
}
