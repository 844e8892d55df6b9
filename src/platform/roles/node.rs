//! What this process answers to its peers: the interviewer joins the answering when it can hear.

use crate::platform::heartbeat::Serving;
use maya_protocol::{
    audio::AgentMessage,
    ids::{NodeId, SessionId},
    operation::Operation,
    release,
    rpc::{ActError, Delivered, PeerHandler, Roles},
    tree::{Known, NodeState, NodeView, TreeChanges},
};
use parking_lot::RwLock;
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The roles that answer by now, asked in order.
#[derive(Clone, Default)]
pub struct Answering(Arc<RwLock<Vec<Arc<dyn PeerHandler>>>>);

impl Answering {
    /// Asked before those that are there.
    pub fn add_first(&self, role: Arc<dyn PeerHandler>) {
        self.0.write().insert(0, role);
    }

    fn now(&self) -> Roles {
        Roles(self.0.read().clone())
    }
}

#[async_trait::async_trait]
impl PeerHandler for Answering {
    async fn deliver(&self, message: AgentMessage, offset: u64) -> Delivered {
        self.now().deliver(message, offset).await
    }
    async fn replaced(&self, session: SessionId, generation: u64) {
        self.now().replaced(session, generation).await;
    }
    async fn tree(&self, known: &Known) -> Option<TreeChanges> {
        self.now().tree(known).await
    }
    async fn act(&self, action: Value) -> Result<Value, ActError> {
        let roles = self.now();
        if serde_json::from_value(action.clone()).ok() != Some(Operation::Drain) {
            return roles.act(action).await;
        }
        // each role that can gives its work away; who has none is not asked for more
        let mut answer = Err(ActError::Unknown);
        for role in &roles.0 {
            match role.act(action.clone()).await {
                Ok(done) => answer = Ok(done),
                Err(ActError::Unknown) => {}
                Err(refused) => answer = answer.or(Err(refused)),
            }
        }
        answer
    }
}

/// What a node shows of itself while it has no sessions.
pub struct PlainNode {
    pub node: NodeId,
    pub serving: Serving,
    pub zone: Option<String>,
    pub started_at: chrono::DateTime<chrono::Utc>,
    pub draining: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl PeerHandler for PlainNode {
    async fn tree(&self, _known: &Known) -> Option<TreeChanges> {
        Some(TreeChanges::bare(NodeView {
            id: self.node.clone(),
            roles: self.serving.names(),
            zone: self.zone.clone(),
            version: release::version(),
            state: node_state(&self.draining),
            started_at: self.started_at,
            sessions: 0,
            tree: None,
        }))
    }
}

/// Of a node that is up.
pub fn node_state(draining: &AtomicBool) -> NodeState {
    if draining.load(Ordering::SeqCst) { NodeState::Draining } else { NodeState::Serving }
}
