//! The nodes there are, as they were last seen.

use crate::Shared;
use maya_protocol::{
    bus::assignment::Share,
    clock::SharedClock,
    ids::NodeId,
    registry::{NodeRecord, Roster},
    rpc::Peers,
    tree::NodeState,
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// For how long a node that is not in the list any more is still sent to: it may be frozen, or only late with its beat,
/// and hold its sockets all the while.
const MISSED: Duration = Duration::from_secs(60);

/// A node that has been out of the list for so long is not only late with its beat.
const NOT_LATE: Duration = Duration::from_millis(500);

/// The last list; none where the registry never answered.
pub(crate) struct Nodes {
    list: watch::Sender<Option<Arc<Vec<NodeRecord>>>>,
    /// Every node of the last minute: where it listens, and when it was in the list.
    lately: Mutex<HashMap<NodeId, (String, Instant)>>,
}

impl Nodes {
    pub(crate) fn new() -> Self {
        Self { list: watch::Sender::new(None), lately: Mutex::default() }
    }

    /// Looks which nodes there are.
    pub(crate) async fn look(&self, roster: &mut Roster, clock: &SharedClock) {
        if let Some(nodes) = roster.look().await {
            self.remember(&nodes, clock.now());
            self.list.send_replace(Some(Arc::new(nodes)));
        }
    }

    fn remember(&self, nodes: &[NodeRecord], now: Instant) {
        let mut lately = self.lately.lock();
        lately.extend(nodes.iter().map(|record| (record.id.clone(), (record.rpc.clone(), now))));
        lately.retain(|_, (_, at)| now.saturating_duration_since(*at) < MISSED);
    }

    /// Where a node listens that is in the list, or was a moment ago.
    pub(crate) fn lately(&self, node: &NodeId) -> Option<String> {
        self.lately.lock().get(node).map(|(rpc, _)| rpc.clone())
    }

    /// Whether a node is in the list.
    pub(crate) fn lists(&self, node: &NodeId) -> bool {
        self.list.borrow().as_ref().is_some_and(|list| list.iter().any(|record| record.id == *node))
    }

    /// Whether a node was in the list, and has been missing from it for longer than a late beat explains.
    pub(crate) fn misses(&self, node: &NodeId, now: Instant) -> bool {
        let seen = self.lately.lock().get(node).map(|(_, at)| *at);
        !self.lists(node) && seen.is_some_and(|at| now.saturating_duration_since(at) >= NOT_LATE)
    }

    /// Wakes at each reading of the list.
    pub(crate) fn changes(&self) -> watch::Receiver<Option<Arc<Vec<NodeRecord>>>> {
        self.list.subscribe()
    }

    /// All edges but `me`, with their addresses.
    pub(crate) fn other_edges(&self, me: &NodeId) -> Vec<(NodeId, String)> {
        let list = self.list.borrow().clone().unwrap_or_default();
        let others = list.iter().filter(|record| is_edge(record) && record.id != *me);
        others.map(|record| (record.id.clone(), record.rpc.clone())).collect()
    }

    /// The edges that share the partitions, with `me` whether its record is there or not; none where unknown.
    pub(crate) fn edges(&self, me: &NodeId) -> Option<Vec<Share>> {
        let list = self.list.borrow().clone()?;
        // one that goes away reads on until it is gone: its partitions are read twice for a moment, not by nobody
        let stays = |record: &&NodeRecord| is_edge(record) && record.id != *me && record.state != NodeState::Draining;
        let others = list.iter().filter(stays).map(|record| record.id.clone());
        Some(others.chain([me.clone()]).map(Share::full).collect())
    }
}

fn is_edge(record: &NodeRecord) -> bool {
    record.roles.iter().any(|role| role == "edge")
}

/// Looks again and again.
pub(crate) async fn follow(shared: Arc<Shared>, mut roster: Roster) {
    let mut every = tokio::time::interval(shared.settings.nodes_every);
    loop {
        every.tick().await;
        shared.nodes.look(&mut roster, &shared.clock).await;
        forget_lost(&shared.peers, &shared.nodes);
    }
}

fn forget_lost(peers: &Peers, nodes: &Nodes) {
    let lately = nodes.lately.lock();
    peers.retain(|address| lately.values().any(|(rpc, _)| rpc == address));
}
