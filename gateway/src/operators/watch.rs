//! One poller for all who look, running only while someone does.

use futures::{StreamExt, stream};
use maya_protocol::{
    ids::NodeId,
    registry::{NodeRecord, SharedRegistry},
    rpc::Peers,
    tree::{NodeState, NodeView},
};
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::sync::broadcast;

/// Nodes asked at a time.
const PARALLEL: usize = 64;
/// Deltas that a slow viewer may be behind before it begins anew.
const BEHIND: usize = 8;

/// How often it looks and how long it waits.
#[derive(Debug, Clone)]
pub struct WatchSettings {
    /// Between two looks.
    pub every: Duration,
    /// How long a node may take to answer.
    pub patience: Duration,
}
impl Default for WatchSettings {
    fn default() -> Self {
        Self { every: Duration::from_secs(1), patience: Duration::from_millis(700) }
    }
}

/// What changed between two looks, as it is sent.
#[derive(Debug, Serialize)]
pub struct Delta {
    /// Nodes that are new or changed.
    pub nodes: Vec<Arc<NodeView>>,
    /// Nodes that are no more.
    pub gone: Vec<NodeId>,
}

type Nodes = BTreeMap<NodeId, Arc<NodeView>>;

/// The shared view of all nodes.
#[derive(Clone)]
pub struct Watch(Arc<Inner>);

struct Inner {
    registry: SharedRegistry,
    peers: Peers,
    settings: WatchSettings,
    known: Mutex<Known>,
    /// One look at a time; who waits for it is served by it.
    look: tokio::sync::Mutex<()>,
    deltas: broadcast::Sender<Arc<str>>,
}

#[derive(Default)]
struct Known {
    records: Vec<NodeRecord>,
    nodes: Nodes,
    looks: u64,
    polling: bool,
}

impl Watch {
    /// Looks at nothing until someone asks.
    pub fn new(registry: SharedRegistry, peers: Peers, settings: WatchSettings) -> Self {
        let (deltas, _) = broadcast::channel(BEHIND);
        Self(Arc::new(Inner { registry, peers, settings, known: Mutex::default(), look: Default::default(), deltas }))
    }

    /// All nodes as they are now (as of the last look, while someone follows).
    pub async fn now(&self) -> Vec<Arc<NodeView>> {
        let (polling, looks) = {
            let known = self.0.known.lock();
            (known.polling && known.looks > 0, known.looks)
        };
        if !polling {
            let _one = self.0.look.lock().await;
            if self.0.known.lock().looks == looks {
                self.0.look().await;
            }
        }
        self.0.known.lock().nodes.values().cloned().collect()
    }

    /// Follows the changes; the first follower starts the poller, which ends soon after the last one has left.
    pub fn join(&self) -> broadcast::Receiver<Arc<str>> {
        let mut known = self.0.known.lock();
        let receiver = self.0.deltas.subscribe();
        if !known.polling {
            known.polling = true;
            known.looks = 0;
            tokio::spawn(poll(Arc::downgrade(&self.0), self.0.settings.every));
        }
        receiver
    }

    /// Whether the poller runs.
    pub fn is_polling(&self) -> bool {
        self.0.known.lock().polling
    }
}

async fn poll(inner: Weak<Inner>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        {
            let mut known = inner.known.lock();
            if inner.deltas.receiver_count() == 0 {
                known.polling = false;
                return;
            }
        }
        let _one = inner.look.lock().await;
        let delta = inner.look().await;
        if !(delta.nodes.is_empty() && delta.gone.is_empty()) {
            let json = serde_json::to_string(&delta).expect("a node's view has string keys");
            let _ = inner.deltas.send(json.into());
        }
    }
}

impl Inner {
    /// Looks once: the registry's nodes (the last known ones while it is away), each asked for its tree.
    async fn look(&self) -> Delta {
        let records = match self.registry.nodes().await {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!(error = %error, "the registry is away; showing the last known nodes");
                self.known.lock().records.clone()
            }
        };
        // futures first, then the stream: a closure over borrowed records would not be `Send` for every lifetime
        let asks: Vec<_> =
            records.iter().map(|record| async { (record.id.clone(), Arc::new(self.ask(record).await)) }).collect();
        let nodes: Nodes = stream::iter(asks).buffer_unordered(PARALLEL).collect().await;
        let mut known = self.known.lock();
        let delta = Delta {
            nodes: nodes
                .iter()
                .filter(|(id, node)| known.nodes.get(*id) != Some(node))
                .map(|(_, n)| n.clone())
                .collect(),
            gone: known.nodes.keys().filter(|id| !nodes.contains_key(*id)).cloned().collect(),
        };
        known.records = records;
        known.nodes = nodes;
        known.looks += 1;
        delta
    }

    async fn ask(&self, record: &NodeRecord) -> NodeView {
        let from_registry = |state| NodeView {
            id: record.id.clone(),
            roles: record.roles.clone(),
            zone: record.zone.clone(),
            version: record.version.clone(),
            state,
            started_at: record.started_at,
            sessions: record.load,
            tree: None,
        };
        match tokio::time::timeout(self.settings.patience, self.peers.tree(&record.rpc)).await {
            Ok(Ok(Some(view))) if view.id == record.id => view,
            // another node took its address: it is gone, and its record ages out
            Ok(Ok(Some(_))) => from_registry(NodeState::Unreachable),
            Ok(Ok(None)) => from_registry(record.state),
            Ok(Err(error)) => {
                tracing::debug!(node.id = %record.id, error = %error, "a node does not answer");
                from_registry(NodeState::Unreachable)
            }
            Err(_) => from_registry(NodeState::Unreachable),
        }
    }
}
