//! Whether the recorded owner of a session lives.
//!
//! A node's record, which its heartbeat keeps, is the lease of all its sessions. It counts as run out only where the
//! registry answers and has been there for longer than a record lives; then, and while the registry is away, the node
//! is called directly: one that answers lives. One that hangs has lost: the epoch makes that safe.

use maya_protocol::{
    ids::NodeId,
    registry::{ANSWERS, NodeRecord, SharedRegistry, YOUNG},
    rpc::Peers,
};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// Who owns a session, as far as can be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody that lives.
    Nobody,
    /// That node, which answers here.
    Node { node: NodeId, rpc: String },
    /// It cannot be told now; nobody takes over what it cannot tell.
    Unknown,
}

/// What is known of the nodes.
pub(super) struct Owners {
    me: NodeId,
    registry: SharedRegistry,
    peers: Peers,
    /// Where each node that was ever seen answers.
    addresses: Arc<Mutex<HashMap<NodeId, String>>>,
}

impl Owners {
    pub(super) fn new(me: NodeId, registry: SharedRegistry, peers: Peers) -> Self {
        Self { me, registry, peers, addresses: Arc::default() }
    }

    /// Remembers where the nodes answer, for when the registry does not.
    pub(super) fn saw(&self, nodes: &[NodeRecord]) {
        let mut addresses = self.addresses.lock();
        for node in nodes {
            addresses.insert(node.id.clone(), node.rpc.clone());
        }
        // nodes come with fresh ids for ever
        if addresses.len() > 4096 {
            addresses.retain(|id, _| nodes.iter().any(|node| node.id == *id));
        }
    }

    /// Where a node answers, if it was ever seen.
    pub(super) fn address(&self, node: &NodeId) -> Option<String> {
        self.addresses.lock().get(node).cloned()
    }

    /// Whether the owner that a placement names lives.
    pub(super) async fn owner(&self, named: Option<&NodeId>) -> Owner {
        // a session of this node's that does not live here fell
        let Some(named) = named.filter(|named| **named != self.me) else { return Owner::Nobody };
        let listed = match self.registry.nodes().await {
            Ok(nodes) => {
                self.saw(&nodes);
                nodes.into_iter().find(|node| node.id == *named)
            }
            Err(_) => None,
        };
        if let Some(node) = listed {
            return Owner::Node { node: node.id, rpc: node.rpc };
        }
        let known = self.address(named);
        if let Some(rpc) = known.clone()
            && self.peers.answers(&rpc, ANSWERS).await
        {
            return Owner::Node { node: named.clone(), rpc };
        }
        match self.registry.age().await {
            Ok(age) if age >= YOUNG => Owner::Nobody,
            // it may not have told the registry yet, and nobody here knows where to call it
            Ok(_) if known.is_none() => Owner::Unknown,
            Err(_) if known.is_none() => Owner::Unknown,
            Ok(_) | Err(_) => Owner::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::{
        clock::ManualClock,
        registry::{Registry, embedded::EmbeddedRegistry},
        rpc::{self, PeerHandler},
        tree::NodeState,
    };
    use std::time::Duration;

    struct There;
    impl PeerHandler for There {}

    struct Ground {
        owners: Owners,
        registry: Arc<EmbeddedRegistry>,
        clock: ManualClock,
    }

    fn ground() -> Ground {
        let clock = ManualClock::at(chrono::DateTime::UNIX_EPOCH);
        let registry = Arc::new(EmbeddedRegistry::new(Arc::new(clock.clone())));
        let owners = Owners::new(NodeId("me".into()), registry.clone(), Peers::new("s3cret").unwrap());
        Ground { owners, registry, clock }
    }

    /// A node that answers, and its record.
    async fn node(id: &str) -> (NodeRecord, tokio::task::JoinHandle<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let record = NodeRecord {
            id: NodeId(id.into()),
            roles: vec!["interviewer".into()],
            zone: None,
            version: "1".into(),
            state: NodeState::Serving,
            rpc: listener.local_addr().unwrap().to_string(),
            load: 0,
            weight: 8,
            started_at: chrono::DateTime::UNIX_EPOCH,
        };
        let served = tokio::spawn(async move {
            let _ = rpc::serve(listener, Arc::new(There), "s3cret", std::future::pending()).await;
        });
        (record, served)
    }

    const TTL: Duration = Duration::from_millis(1500);

    #[tokio::test]
    async fn a_record_is_the_lease() {
        let Ground { owners, registry, clock } = ground();
        let (record, served) = node("a").await;
        registry.put_node(&record, TTL).await.unwrap();
        assert!(matches!(owners.owner(Some(&record.id)).await, Owner::Node { .. }));
        served.abort();
        let _ = served.await;
        clock.advance(YOUNG);
        assert_eq!(owners.owner(Some(&record.id)).await, Owner::Nobody);
        assert_eq!(owners.owner(None).await, Owner::Nobody);
        assert_eq!(owners.owner(Some(&NodeId("me".into()))).await, Owner::Nobody, "a session that fell here");
    }

    #[tokio::test]
    async fn one_that_answers_lives_whatever_the_registry_lost() {
        let Ground { owners, registry, clock } = ground();
        let (record, _served) = node("a").await;
        registry.put_node(&record, TTL).await.unwrap();
        owners.owner(Some(&record.id)).await;
        registry.lose_everything();
        assert!(matches!(owners.owner(Some(&record.id)).await, Owner::Node { .. }));
        clock.advance(YOUNG);
        assert!(matches!(owners.owner(Some(&record.id)).await, Owner::Node { .. }), "its heartbeat alone is lost");
    }

    #[tokio::test]
    async fn an_emptied_registry_condemns_nobody_at_once() {
        let Ground { owners, registry, clock } = ground();
        registry.lose_everything();
        let unheard = NodeId("never seen".into());
        assert_eq!(owners.owner(Some(&unheard)).await, Owner::Unknown);
        clock.advance(YOUNG);
        assert_eq!(owners.owner(Some(&unheard)).await, Owner::Nobody);
    }
}
