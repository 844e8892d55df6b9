//! The nodes there are: as the registry says, and while it cannot be believed, as they answer themselves.

use super::{NodeRecord, SharedRegistry};
use crate::{clock::SharedClock, ids::NodeId, rpc::Peers};
use futures::future::join_all;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// A node's record lives 1.5 s; a registry that is younger than this may not have heard of it yet.
pub const YOUNG: Duration = Duration::from_secs(3);
/// How long the registry may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a node may take to answer whether it is there, where a session waits for the answer.
pub const ANSWERS: Duration = Duration::from_millis(400);
/// The same where nothing but the list waits: a busy node is not a lost one.
const CALL: Duration = Duration::from_millis(800);
/// So long a node may not answer before it is left out: as long as its record would have lived.
const SILENT: Duration = Duration::from_millis(1_500);

/// A list of nodes that is followed by looking at it again and again.
pub struct Roster {
    me: NodeId,
    registry: SharedRegistry,
    peers: Peers,
    clock: SharedClock,
    /// The last list of a registry that could be believed, and who came since.
    last: Option<Vec<NodeRecord>>,
    /// Since when a node of it does not answer.
    silent: HashMap<NodeId, Instant>,
}

impl Roster {
    /// Of the nodes beside `me`, which needs no call.
    pub fn new(me: NodeId, registry: SharedRegistry, peers: Peers, clock: SharedClock) -> Self {
        Self { me, registry, peers, clock, last: None, silent: HashMap::new() }
    }

    /// The nodes there are now; `None` where the registry has never answered. A look takes up to 1.8 s.
    ///
    /// A registry that was emptied hears of the nodes one by one. Until all have beaten again, and while it is away,
    /// a node of the last list stays on it for as long as it answers.
    pub async fn look(&mut self) -> Option<Vec<NodeRecord>> {
        let asked = timeout(PATIENCE, async { tokio::try_join!(self.registry.nodes(), self.registry.age()) }).await;
        let listed = match asked {
            Ok(Ok((nodes, age))) if age >= YOUNG || self.last.is_none() => {
                self.silent.clear();
                self.last = Some(nodes.clone());
                return Some(nodes);
            }
            Ok(Ok((nodes, _))) => nodes,
            Ok(Err(error)) => {
                tracing::debug!(%error, "could not read the nodes");
                Vec::new()
            }
            Err(_) => {
                tracing::debug!("could not read the nodes in time");
                Vec::new()
            }
        };
        let last = self.last.take()?;
        let unlisted: Vec<NodeRecord> =
            last.into_iter().filter(|known| listed.iter().all(|node| node.id != known.id)).collect();
        let mut nodes = listed.clone();
        nodes.extend(self.there(&unlisted).await);
        self.last = Some(listed.into_iter().chain(unlisted).collect());
        Some(nodes)
    }

    /// Those that answer, or did a moment ago.
    async fn there(&mut self, nodes: &[NodeRecord]) -> Vec<NodeRecord> {
        let answers =
            join_all(nodes.iter().map(async |node| node.id == self.me || self.peers.answers(&node.rpc, CALL).await))
                .await;
        let now = self.clock.now();
        let mut there = Vec::new();
        for (node, answers) in nodes.iter().zip(answers) {
            let since = if answers { now } else { *self.silent.entry(node.id.clone()).or_insert(now) };
            if answers {
                self.silent.remove(&node.id);
            }
            if now.saturating_duration_since(since) < SILENT {
                there.push(node.clone());
            }
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::ManualClock,
        registry::{Registry, embedded::EmbeddedRegistry},
        rpc::{self, PeerHandler},
        tree::NodeState,
    };
    use std::sync::Arc;
    use tokio_util::sync::CancellationToken;

    struct There;
    impl PeerHandler for There {}

    /// A node that answers until the token says otherwise, and its record.
    async fn node(id: &str, gone: CancellationToken) -> NodeRecord {
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
        tokio::spawn(async move {
            let _ = rpc::serve(listener, Arc::new(There), "s3cret", gone.cancelled_owned()).await;
        });
        record
    }

    fn ids(nodes: Option<Vec<NodeRecord>>) -> Vec<String> {
        let mut ids: Vec<String> = nodes.expect("a list").into_iter().map(|node| node.id.0).collect();
        ids.sort();
        ids
    }

    const TTL: Duration = Duration::from_millis(1_500);

    #[tokio::test]
    async fn while_the_registry_is_young_who_answers_is_there_and_who_does_not_is_soon_left_out() {
        let clock = ManualClock::at(chrono::DateTime::UNIX_EPOCH);
        let registry = Arc::new(EmbeddedRegistry::new(Arc::new(clock.clone())));
        let gone = CancellationToken::new();
        let (a, b) = (node("a", CancellationToken::new()).await, node("b", gone.clone()).await);
        for record in [&a, &b] {
            registry.put_node(record, TTL).await.unwrap();
        }
        clock.advance(YOUNG);
        for record in [&a, &b] {
            registry.put_node(record, TTL).await.unwrap();
        }
        let peers = Peers::new("s3cret").unwrap();
        let mut roster = Roster::new(NodeId("me".into()), registry.clone(), peers, Arc::new(clock.clone()));
        assert_eq!(ids(roster.look().await), ["a", "b"]);

        registry.lose_everything();
        assert_eq!(ids(roster.look().await), ["a", "b"], "both answer");
        let c = node("c", CancellationToken::new()).await;
        registry.put_node(&c, TTL).await.unwrap();
        assert_eq!(ids(roster.look().await), ["a", "b", "c"]);
        gone.cancel();
        // its open connection ends with it
        while ids(roster.look().await).len() == 3 {
            clock.advance(SILENT / 3);
            assert!(registry.age().await.unwrap() < YOUNG, "it is left out before the registry is believed");
        }
        assert_eq!(ids(roster.look().await), ["a", "c"]);
        clock.advance(YOUNG);
        registry.put_node(&b, TTL).await.unwrap();
        assert_eq!(ids(roster.look().await), ["b"], "the registry is believed");
    }
}
