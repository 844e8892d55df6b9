//! The nodes there are, as the registry last said.

use crate::Shared;
use maya_protocol::{bus::assignment::Share, ids::NodeId, registry::NodeRecord, rpc::Peers};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// The last list that the registry gave; none where it never answered.
pub(crate) struct Nodes {
    list: watch::Sender<Option<Arc<Vec<NodeRecord>>>>,
}

impl Nodes {
    pub(crate) fn new() -> Self {
        Self { list: watch::Sender::new(None) }
    }

    /// Reads the list; an unreachable registry leaves the last one standing.
    pub(crate) async fn read(&self, shared: &Shared) {
        match tokio::time::timeout(Duration::from_secs(1), shared.registry.nodes()).await {
            Ok(Ok(nodes)) => drop(self.list.send_replace(Some(Arc::new(nodes)))),
            Ok(Err(error)) => tracing::debug!(%error, "could not read the nodes"),
            Err(_) => tracing::debug!("could not read the nodes in time"),
        }
    }

    /// Wakes at each reading of the list.
    pub(crate) fn changes(&self) -> watch::Receiver<Option<Arc<Vec<NodeRecord>>>> {
        self.list.subscribe()
    }

    /// Where a node's service listens.
    pub(crate) fn address(&self, node: &NodeId) -> Option<String> {
        let list = self.list.borrow().clone()?;
        list.iter().find(|record| record.id == *node).map(|record| record.rpc.clone())
    }

    /// All edges but `me`, with their addresses.
    pub(crate) fn other_edges(&self, me: &NodeId) -> Vec<(NodeId, String)> {
        let list = self.list.borrow().clone().unwrap_or_default();
        let others = list.iter().filter(|record| is_edge(record) && record.id != *me);
        others.map(|record| (record.id.clone(), record.rpc.clone())).collect()
    }

    /// The edges that share the partitions, with `me` whether its record is there or not; none where unknown.
    pub(crate) fn edges(&self, me: &NodeId) -> Option<Vec<Share>> {
        self.list.borrow().as_ref()?;
        let others = self.other_edges(me).into_iter().map(|(id, _)| id);
        Some(others.chain([me.clone()]).map(Share::full).collect())
    }
}

fn is_edge(record: &NodeRecord) -> bool {
    record.roles.iter().any(|role| role == "edge")
}

/// Reads the list again and again.
pub(crate) async fn follow(shared: Arc<Shared>) {
    let mut every = tokio::time::interval(shared.settings.nodes_every);
    loop {
        every.tick().await;
        shared.nodes.read(&shared).await;
        forget_lost(&shared.peers, &shared.nodes);
    }
}

fn forget_lost(peers: &Peers, nodes: &Nodes) {
    if let Some(list) = nodes.list.borrow().clone() {
        peers.retain(|address| list.iter().any(|record| record.rpc == address));
    }
}
