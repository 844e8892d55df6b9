//! The WebSocket edge: where a candidate's browser meets the platform.
//!
//! Audio and signals go up through the bus, Maya's voice and words come back through it, from whichever edge reads
//! the session's partition to whichever holds the socket. An edge keeps nothing that a lost one would take with it:
//! who owns a session, and what was said, is known elsewhere.

mod admission;
mod connection;
mod downlink;
mod gate;
mod http;
mod hub;
pub mod metric;
mod nodes;
mod publisher;
mod settings;
mod socket;
mod trouble;
mod uplink;
pub mod webm;

pub use settings::EdgeSettings;

use async_trait::async_trait;
use downlink::Forwarder;
use futures::future::join_all;
use hub::Hub;
use maya_protocol::{
    audio::AgentMessage,
    bus::{BusError, SharedBus},
    clock::SharedClock,
    ids::{NodeId, SessionId},
    join::JoinKey,
    operation::Operation,
    pulse::Pulse,
    registry::{Roster, SharedRegistry},
    rpc::{ActError, Delivered, PeerHandler, Peers},
};
use nodes::Nodes;
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, task::JoinHandle};

/// What an edge is made of.
pub struct EdgeParts {
    /// This node's id, as its registry record has it.
    pub node: NodeId,
    /// The event bus.
    pub bus: SharedBus,
    /// The registry.
    pub registry: SharedRegistry,
    /// Checks join tokens.
    pub join_key: JoinKey,
    /// The time.
    pub clock: SharedClock,
    /// The other nodes.
    pub peers: Peers,
    /// Is told that the edge reads its partitions.
    pub pulse: Pulse,
    /// Limits and rhythms.
    pub settings: EdgeSettings,
}

/// An edge could not be started.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The bus does not answer; whether a retry helps, it says.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// What the edge's tasks share.
pub(crate) struct Shared {
    pub(crate) node: NodeId,
    pub(crate) bus: SharedBus,
    pub(crate) registry: SharedRegistry,
    pub(crate) join_key: JoinKey,
    pub(crate) clock: SharedClock,
    pub(crate) peers: Peers,
    pub(crate) pulse: Pulse,
    pub(crate) settings: EdgeSettings,
    pub(crate) hub: Hub,
    pub(crate) nodes: Nodes,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) draining: AtomicBool,
    pub(crate) bus_is_away: AtomicBool,
    pub(crate) partitions_held: AtomicUsize,
}

/// A running edge.
pub struct Edge {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Edge {
    /// Starts one: when this returns, what is published to its candidates reaches them.
    pub async fn start(parts: EdgeParts) -> Result<Self, EdgeError> {
        metric::describe();
        let EdgeParts { node, bus, registry, join_key, clock, peers, pulse, settings } = parts;
        let places = Arc::new(Semaphore::new(settings.max_sockets));
        let shared = Arc::new(Shared {
            node,
            bus,
            registry,
            join_key,
            clock,
            peers,
            pulse,
            settings,
            hub: Hub::default(),
            nodes: Nodes::new(),
            places,
            draining: AtomicBool::new(false),
            bus_is_away: AtomicBool::new(false),
            partitions_held: AtomicUsize::new(0),
        });
        let Shared { node, registry, peers, clock, .. } = &*shared;
        let mut roster = Roster::new(node.clone(), registry.clone(), peers.clone(), clock.clone());
        shared.nodes.look(&mut roster, clock).await;
        let (forwarder, forwarding) = Forwarder::start(shared.clone());
        let mut tasks = downlink::start(&shared, forwarder).await?;
        tasks.push(forwarding);
        tasks.push(tokio::spawn(nodes::follow(shared.clone(), roster)));
        tasks.push(tokio::spawn(trouble::watch_bus(shared.clone())));
        Ok(Self { shared, tasks })
    }

    /// Its HTTP: `/ws`, `/join`, `/join/info`, `/assets/candidate/*`, `/health`. Serve it with upgrades
    /// (`axum::serve` does).
    pub fn router(&self) -> axum::Router {
        http::router(self.shared.clone())
    }

    /// What it answers to its peers: deliveries and replaced sockets.
    pub fn peer_handler(&self) -> Arc<dyn PeerHandler> {
        Arc::new(Peer(self.shared.clone()))
    }

    /// Open sockets; the load of the node's record.
    pub fn sockets(&self) -> usize {
        self.shared.hub.len()
    }

    /// Partitions of each topic that it reads now.
    pub fn partitions_held(&self) -> usize {
        self.shared.partitions_held.load(Ordering::Relaxed)
    }

    /// Whether it has heard of a node within the last minute.
    pub fn knows(&self, node: &NodeId) -> bool {
        self.shared.nodes.lately(node).is_some()
    }

    /// Whether it takes no new sockets.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Relaxed)
    }

    /// Takes no new sockets from now on; those that are open go on.
    pub fn drain(&self) {
        self.shared.draining.store(true, Ordering::Relaxed);
    }

    /// Closes every socket with 1001 ("going away": clients come back elsewhere), signs them off, and stops. Where there
    /// is an elsewhere, each is closed in a moment in which nobody speaks, within `calm_within`. What has not ended by the
    /// deadline after that is cut.
    pub async fn shutdown(&self, deadline: Duration) {
        self.drain();
        let shared = &*self.shared;
        tokio::select! {
            () = shared.say_goodbye() => {}
            () = shared.until(|shared| shared.hub.len() == 0) => {}
        }
        let signed_off = |shared: &Shared| shared.places.available_permits() == shared.settings.max_sockets;
        let gone = shared.until(|shared| shared.hub.len() == 0 && signed_off(shared));
        if tokio::time::timeout(deadline, gone).await.is_err() {
            shared.hub.all().iter().for_each(|connection| connection.kill.cancel());
        }
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    /// Closes every socket that is open now, in a moment in which nobody speaks where there is another edge to go to.
    async fn say_goodbye(&self) {
        let elsewhere = !self.nodes.other_edges(&self.node).is_empty();
        let calm_within = if elsewhere { self.settings.calm_within } else { Duration::ZERO };
        let connections = self.hub.all();
        join_all(connections.iter().map(async |connection| {
            let _ = tokio::time::timeout(calm_within, connection.calm()).await;
            connection.outbox.close(1001, "going away");
        }))
        .await;
    }

    /// Waits until something is so.
    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The edge as its peers see it.
struct Peer(Arc<Shared>);

#[async_trait]
impl PeerHandler for Peer {
    async fn deliver(&self, message: AgentMessage, offset: u64) -> Delivered {
        match self.0.hub.deliver(message, offset, self.0.clock.now()) {
            None => Delivered::Here,
            Some(_) => Delivered::NotHere,
        }
    }
    async fn replaced(&self, session: SessionId, generation: u64) {
        self.0.hub.replaced(session, generation);
    }
    async fn act(&self, action: Value) -> Result<Value, ActError> {
        match serde_json::from_value(action) {
            Ok(Operation::Drain) if self.0.nodes.other_edges(&self.0.node).is_empty() => {
                Err(ActError::Refused("there is no other edge for its candidates to go to".to_owned()))
            }
            Ok(Operation::Drain) => {
                self.0.draining.store(true, Ordering::Relaxed);
                let shared = self.0.clone();
                tokio::spawn(async move { shared.say_goodbye().await });
                Ok(Value::Null)
            }
            _ => Err(ActError::Unknown),
        }
    }
}
