//! A node's tree of actors as an operator sees it: no transcript, no audio, no name, no secret.

use crate::ids::{Epoch, InterviewId, NodeId, SessionId, TenantId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One process and all that lives in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct NodeView {
    pub id: NodeId,
    pub roles: Vec<String>,
    pub zone: Option<String>,
    pub version: String,
    pub state: NodeState,
    pub started_at: DateTime<Utc>,
    pub sessions: u32,
    pub tree: Option<ActorView>,
}

/// Whether a node takes work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum NodeState {
    Starting,
    Serving,
    Draining,
    /// In the registry, but it did not answer whoever asked; no node says this of itself.
    Unreachable,
}

/// One actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorView {
    /// Unique in its node.
    pub id: String,
    /// `node`, `session`, `speech_to_text`, `llm_turn`, `tts_sentence`.
    pub kind: String,
    /// For people; carries ids only.
    pub name: String,
    /// The actor's own word for what it does.
    pub phase: String,
    /// Milliseconds since it was started.
    pub age_ms: u64,
    /// Messages waiting.
    pub mailbox: u64,
    /// Milliseconds the oldest waiting message has waited.
    pub oldest_ms: u64,
    /// Messages handled so far.
    pub handled: u64,
    /// Times it was restarted.
    pub restarts: u32,
    /// Why, the last time.
    pub last_failure: Option<Failure>,
    /// Whether it makes progress.
    pub busy: Busy,
    /// Of a session's actor.
    pub session: Option<SessionView>,
    /// What it supervises.
    pub children: Vec<ActorView>,
}

/// Why an actor was restarted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Failure {
    pub at: DateTime<Utc>,
    pub reason: String,
}

/// Whether an actor makes progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Busy {
    /// Nothing waits.
    Idle,
    /// It works.
    Busy,
    /// Work waits and no progress is made.
    Stuck,
}

/// What is particular to a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct SessionView {
    pub session_id: SessionId,
    pub interview_id: InterviewId,
    pub tenant_id: TenantId,
    pub epoch: Epoch,
    pub audio_lag_ms: u64,
    pub turns: u32,
    pub latency_ms: StageLatency,
}

/// The last turn's time from the candidate's last word to Maya's first audio, split by stage; milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct StageLatency {
    pub endpoint: u64,
    pub stt: u64,
    pub llm: u64,
    pub tts: u64,
    pub total: u64,
}
