//! A node's tree of actors as an operator sees it: no transcript, no audio, no name, no secret.

use crate::ids::{Epoch, InterviewId, NodeId, SessionId, TenantId};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

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
    /// The id of its supervisor, where the actors of a node are listed side by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
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
    /// Messages handled in a second, of late.
    #[serde(default)]
    pub rate: f32,
    /// Times it was restarted.
    pub restarts: u32,
    /// Why, the last time.
    pub last_failure: Option<Failure>,
    /// Whether it makes progress.
    pub busy: Busy,
    /// Whom it waits for: an actor's kind, `candidate`, `database`, `recogniser`, `model`, `voice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// How its provider's stream stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderView>,
    /// Of a session's actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionView>,
    /// What it supervises.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ActorView>,
}

/// How an actor's stream to its provider stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderView {
    /// The actor's word for it: `opening`, `open`, `finishing`, `asked`, `streaming`, `failed`.
    pub state: String,
    /// For how long, milliseconds.
    pub for_ms: u64,
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
    /// The edge that holds the candidate's socket, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<NodeId>,
    /// How far the ear is behind the audio that came, by the one clock that stamped both ends.
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

/// What a reader of a node's tree has of it already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Which life of the node's tree.
    pub run: String,
    /// Up to which change.
    pub version: u64,
}

/// A node's tree, or what changed of it, its actors side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeChanges {
    /// The node, without its tree.
    pub node: NodeView,
    /// What the reader has now.
    pub known: Known,
    /// Whether this is all there is: what the reader had before is to be forgotten.
    pub whole: bool,
    /// Actors that are new or changed, by number: an [`ActorView`] with its `parent`, as JSON.
    pub rows: Vec<(u64, Bytes)>,
    /// Numbers of actors that are no more.
    pub removed: Vec<u64>,
}

impl TreeChanges {
    /// Of a node without actors.
    pub fn bare(node: NodeView) -> Self {
        Self { node, known: Known::default(), whole: true, rows: Vec::new(), removed: Vec::new() }
    }
}

/// Makes the tree of actors that stand side by side; `None` where there is no root.
pub fn nest(actors: Vec<ActorView>) -> Option<ActorView> {
    let mut below: HashMap<Option<String>, Vec<ActorView>> = HashMap::new();
    for mut actor in actors {
        below.entry(actor.parent.take()).or_default().push(actor);
    }
    fn fill(actor: &mut ActorView, below: &mut HashMap<Option<String>, Vec<ActorView>>) {
        actor.children = below.remove(&Some(actor.id.clone())).unwrap_or_default();
        for child in &mut actor.children {
            fill(child, below);
        }
    }
    let mut root = below.remove(&None)?.into_iter().next()?;
    fill(&mut root, &mut below);
    Some(root)
}
