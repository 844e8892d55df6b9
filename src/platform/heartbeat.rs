//! This node's record in the registry: written by its heartbeat, gone two beats after the last.
//!
//! The heartbeat runs on the runtime that does the work, and only while that work gets on: a node that hangs loses its
//! record and its leases, and one that cannot get on again ends, so that whatever runs it starts it anew.

use crate::config::{Config, Role};
use maya_protocol::{
    bus::assignment::FULL_WEIGHT,
    clock::SharedClock,
    ids::NodeId,
    pulse::Pulse,
    registry::{NodeRecord, SharedRegistry},
    release,
    tree::NodeState,
};
use parking_lot::RwLock;
use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const BEAT: Duration = Duration::from_millis(500);
/// A silent loss is seen after this; partitions are read by another node within 2 s of it.
const TTL: Duration = Duration::from_millis(1500);

/// What a node tells of itself at each beat.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Sessions or sockets.
    pub load: u32,
    /// How much of the audio it wants to read.
    pub weight: u8,
    /// Whether it goes away.
    pub draining: bool,
}

impl Report {
    /// Of one that serves, and has nothing to do yet.
    pub const FRESH: Self = Self { load: 0, weight: FULL_WEIGHT, draining: false };
}

/// Makes the report of this node.
pub type Reports = Arc<dyn Fn() -> Report + Send + Sync>;

/// The roles of this process that serve by now.
#[derive(Debug, Clone, Default)]
pub struct Serving(Arc<RwLock<BTreeSet<Role>>>);

impl Serving {
    /// From now on it does.
    pub fn add(&self, role: Role) {
        self.0.write().insert(role);
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.0.read().iter().map(Role::to_string).collect()
    }

    /// Those of `wanted` that do not serve yet.
    pub fn lacks(&self, wanted: &[Role]) -> Vec<Role> {
        wanted.iter().copied().filter(|role| !self.0.read().contains(role)).collect()
    }
}

/// The heartbeat.
#[derive(Clone)]
pub struct Heartbeat {
    record: NodeRecord,
    serving: Serving,
    registry: SharedRegistry,
}

impl Heartbeat {
    /// Of this process.
    pub fn new(
        config: &Config,
        node: NodeId,
        serving: Serving,
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
            roles: Vec::new(),
            zone: config.node.zone.clone(),
            version: release::version(),
            state: NodeState::Starting,
            rpc,
            load: 0,
            weight: FULL_WEIGHT,
            started_at: clock.utc(),
        };
        Self { record, serving, registry }
    }

    /// One beat. It names the roles that serve: partitions go to no interviewer that cannot hear yet.
    pub async fn beat(&self, Report { load, weight, draining }: Report) {
        let roles = self.serving.names();
        let state = match draining {
            true => NodeState::Draining,
            false if roles.is_empty() => NodeState::Starting,
            false => NodeState::Serving,
        };
        let record = NodeRecord { state, load, weight, roles, ..self.record.clone() };
        if let Err(error) = self.registry.put_node(&record, TTL).await {
            tracing::warn!(error = %error, "the registry does not hear this node");
        }
    }

    /// Beats until stopped, as long as `pulse` does; cancels `hung` when it never will again.
    pub async fn run(self, reports: Reports, pulse: Pulse, hung: CancellationToken, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(BEAT) => {}
            }
            if let Some(why) = pulse.lost() {
                tracing::error!(error = %why, "this node hangs and gives up its lease");
                return hung.cancel();
            }
            if let Some(why) = pulse.stopped() {
                tracing::error!(error = %why, "no heartbeat while this node does not get on");
                continue;
            }
            self.beat(reports()).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::{clock, registry::embedded::EmbeddedRegistry};
    use maya_testkit::eventually;
    use std::sync::mpsc;
    use tokio::runtime::{Builder, Runtime};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A node with a heartbeat, on a runtime of its own, in a registry that others see.
    struct Node {
        runtime: Runtime,
        registry: SharedRegistry,
        pulse: Pulse,
        hung: CancellationToken,
    }

    fn node() -> Node {
        let clock = clock::system();
        let registry: SharedRegistry = Arc::new(EmbeddedRegistry::new(clock.clone()));
        let record = NodeRecord {
            id: NodeId::fresh(),
            roles: vec!["interviewer".to_owned()],
            zone: None,
            version: String::new(),
            state: NodeState::Starting,
            rpc: String::new(),
            load: 0,
            weight: FULL_WEIGHT,
            started_at: clock.utc(),
        };
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (pulse, hung) = (Pulse::new(clock), CancellationToken::new());
        let beating = pulse.mark("root supervisor", Duration::from_secs(3));
        runtime.spawn(async move {
            loop {
                beating.beat();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let heartbeat = Heartbeat { record, serving: Serving::default(), registry: registry.clone() };
        let (reports, stop) = (Arc::new(|| Report::FRESH), CancellationToken::new());
        runtime.spawn(heartbeat.run(reports, pulse.clone(), hung.clone(), stop));
        Node { runtime, registry, pulse, hung }
    }

    impl Node {
        /// Waits until others see it, or do not.
        async fn is_seen(&self, seen: bool) {
            eventually(PATIENCE, || async {
                let nodes = self.registry.nodes().await.unwrap();
                (nodes.is_empty() != seen).then_some(())
            })
            .await;
        }
    }

    #[test]
    fn a_runtime_whose_threads_are_blocked_loses_its_record_until_it_works_again() {
        let node = node();
        let here = Builder::new_current_thread().enable_all().build().unwrap();
        here.block_on(node.is_seen(true));
        let threads: Vec<mpsc::Sender<()>> = (0..2)
            .map(|_| {
                let (release, blocked) = mpsc::channel();
                node.runtime.spawn(async move { blocked.recv() });
                release
            })
            .collect();
        here.block_on(node.is_seen(false));
        assert!(!node.hung.is_cancelled(), "it may come back");
        drop(threads);
        here.block_on(node.is_seen(true));
    }

    #[test]
    fn a_node_that_cannot_be_whole_again_gives_up_its_record_and_says_so() {
        let node = node();
        let here = Builder::new_current_thread().enable_all().build().unwrap();
        here.block_on(node.is_seen(true));
        node.pulse.lose("a thread is held for good".to_owned());
        here.block_on(node.is_seen(false));
        here.block_on(async { tokio::time::timeout(PATIENCE, node.hung.cancelled()).await.expect("it is told") });
    }
}
