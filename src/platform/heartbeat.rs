//! This node's record in the registry: written by its heartbeat, gone two beats after the last.

use crate::config::{Config, Role};
use maya_protocol::{
    clock::SharedClock,
    ids::NodeId,
    registry::{NodeRecord, SharedRegistry},
    tree::NodeState,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

const BEAT: Duration = Duration::from_millis(500);
/// A silent loss is seen after this; partitions are read by another node within 2 s of it.
const TTL: Duration = Duration::from_millis(1500);

/// Sessions or sockets of this node.
pub type Load = Arc<dyn Fn() -> u32 + Send + Sync>;

/// The heartbeat.
#[derive(Clone)]
pub struct Heartbeat {
    record: NodeRecord,
    registry: SharedRegistry,
}

impl Heartbeat {
    /// Of this process.
    pub fn new(
        config: &Config,
        node: NodeId,
        roles: &[Role],
        peers: SocketAddr,
        registry: SharedRegistry,
        clock: SharedClock,
    ) -> Self {
        let rpc = match &config.node.advertise {
            Some(host) if host.contains(':') => host.clone(),
            Some(host) => format!("{host}:{}", peers.port()),
            None => peers.to_string(),
        };
        let record = NodeRecord {
            id: node,
            roles: roles.iter().map(Role::to_string).collect(),
            zone: config.node.zone.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: NodeState::Starting,
            rpc,
            load: 0,
            started_at: clock.utc(),
        };
        Self { record, registry }
    }

    /// One beat.
    pub async fn beat(&self, state: NodeState, load: u32) {
        let record = NodeRecord { state, load, ..self.record.clone() };
        if let Err(error) = self.registry.put_node(&record, TTL).await {
            tracing::warn!(error = %error, "the registry does not hear this node");
        }
    }

    /// Beats until stopped.
    pub async fn run(self, load: Load, draining: Arc<AtomicBool>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(BEAT) => {}
            }
            let state = if draining.load(Ordering::SeqCst) { NodeState::Draining } else { NodeState::Serving };
            self.beat(state, load()).await;
        }
    }

    /// What it tells of this node, but for state and load.
    pub fn record(&self) -> &NodeRecord {
        &self.record
    }

    /// Takes the record away.
    pub async fn leave(&self) {
        let _ = self.registry.remove_node(&self.record.id).await;
    }
}
