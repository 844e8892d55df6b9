//! The platform: the roles that were asked for, started in order, stopped in order. No behaviour lives here.

mod commands;
mod connect;
mod demo;
mod front;
mod heartbeat;
mod interrupt;
mod roles;
mod senses;
mod serve;
mod telemetry;
mod up;

pub use commands::{create_key, create_tenant, dead_letters, ensure_topics, migrate, openapi, replay_dead_letters};
pub use demo::{candidate_voice, start_demo};
pub use interrupt::Interrupt;
pub use senses::{Senses, Wanted};
pub use serve::serve;
pub use up::{down, up};

use crate::config::{Config, Keys, Role};
use anyhow::Context as _;
use connect::{Connected, Shared};
use front::Front;
use heartbeat::{Heartbeat, Report, Serving};
use maya_protocol::{
    clock::{self, SharedClock},
    ids::NodeId,
    pulse::Pulse,
    rpc,
};
use maya_store::outbox::Relay;
use roles::{Running, Start};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long open sockets may take to be closed in good order.
const SOCKETS_CLOSE: Duration = Duration::from_secs(3);

/// How long sessions may take to go to other nodes: the longest reply, and a sentence.
const SESSIONS_GO: Duration = Duration::from_secs(40);

/// A running process.
pub struct Platform {
    node: NodeId,
    listens: Arc<BTreeMap<Role, SocketAddr>>,
    connected: Connected,
    senses: Arc<Senses>,
    serving: Serving,
    roles: Vec<Role>,
    running: Running,
    heartbeat: Heartbeat,
    draining: Arc<AtomicBool>,
    /// Is cancelled when this process can never get on again.
    hung: CancellationToken,
    /// Stops the consumers, then the relay, then the doors.
    stop: CancellationToken,
    stop_relay: CancellationToken,
    stop_doors: CancellationToken,
    tasks: TaskTracker,
    late_tasks: TaskTracker,
}

/// Starts the roles. When this returns all that was asked for answers, but for an interviewer whose voices are still
/// being loaded ([`Platform::loading`]). Where it fails or is told to stop, what was started is stopped.
pub async fn start(config: Config, wanted: Wanted<'_>, interrupt: &Interrupt) -> anyhow::Result<Platform> {
    let metrics = telemetry::install(&config.log);
    let clock = clock::system();
    let stop_doors = CancellationToken::new();
    let late_tasks = TaskTracker::new();

    // the doors first: a process is live before it is ready
    let mut fronts = BTreeMap::new();
    let mut listens = BTreeMap::new();
    for &role in wanted.roles {
        let asked = config.listen(role);
        let listener = TcpListener::bind(asked).await.with_context(|| format!("{role} cannot listen on {asked}"))?;
        listens.insert(role, listener.local_addr()?);
        let front = Front::new(metrics.clone());
        late_tasks.spawn(front.clone().serve(listener, stop_doors.clone()));
        fronts.insert(role, front);
    }
    let peers_listener = TcpListener::bind(config.node.listen).await.context("node.listen")?;

    let keys = config.keys().context("the keys of this process")?;
    let senses = Senses::begin(&config, wanted, clock.clone());
    let connected = match connect::connect(&config, clock.clone(), interrupt).await {
        Ok(connected) => connected,
        Err(error) => {
            senses.stop().await;
            return Err(error);
        }
    };
    let node = NodeId::fresh();
    let serving = Serving::default();
    let heartbeat = Heartbeat::new(
        &config,
        node.clone(),
        serving.clone(),
        peers_listener.local_addr()?,
        connected.shared.registry.clone(),
        clock.clone(),
    );
    let platform = Platform {
        node,
        listens: Arc::new(listens),
        connected,
        senses: Arc::new(senses),
        serving,
        roles: wanted.roles.to_vec(),
        running: Running::default(),
        heartbeat,
        draining: Arc::default(),
        hung: CancellationToken::new(),
        stop: CancellationToken::new(),
        stop_relay: CancellationToken::new(),
        stop_doors,
        tasks: TaskTracker::new(),
        late_tasks,
    };
    let start = platform.start(config, keys, clock, fronts);
    match interrupt.or(platform.play(start, peers_listener)).await {
        Ok(()) => Ok(platform),
        Err(error) => {
            platform.stop().await;
            Err(error)
        }
    }
}

impl Platform {
    fn start(&self, config: Config, keys: Keys, clock: SharedClock, fronts: BTreeMap<Role, Front>) -> Start {
        Start {
            config: Arc::new(config),
            keys: Arc::new(keys),
            node: self.node.clone(),
            pulse: Pulse::new(clock.clone()),
            clock,
            shared: self.connected.shared.clone(),
            senses: self.senses.clone(),
            listens: self.listens.clone(),
            fronts: Arc::new(fronts),
            heartbeat: self.heartbeat.clone(),
            serving: self.serving.clone(),
            draining: self.draining.clone(),
            stop: self.stop.clone(),
            tasks: self.tasks.clone(),
            running: self.running.clone(),
        }
    }

    /// Starts the roles, and what serves them all.
    async fn play(&self, start: Start, peers_listener: TcpListener) -> anyhow::Result<()> {
        // a role is told of when it serves: others leave partitions to it
        self.heartbeat.beat(Report::FRESH).await;
        self.late_tasks.spawn(self.heartbeat.clone().run(
            self.running.reports(self.draining.clone()),
            start.pulse.clone(),
            self.hung.clone(),
            self.stop_doors.clone(),
        ));
        start.all(&self.roles).await?;
        self.heartbeat.beat(Report::FRESH).await;
        let Shared { store, bus, .. } = self.connected.shared.clone();
        self.late_tasks.spawn(Relay::new(store, bus).run(self.stop_relay.clone()));
        let (handler, secret) = (self.running.peer_handler(), start.keys.node.expose().to_owned());
        let stop_peers = self.stop_doors.clone();
        self.late_tasks.spawn(async move {
            let stopped = async move { stop_peers.cancelled().await };
            if let Err(error) = rpc::serve(peers_listener, handler, &secret, stopped).await {
                tracing::error!(error = %error, "peers are not served any more");
            }
        });
        self.senses.settled();
        tracing::info!(node = %self.node, serving = ?self.serving.names(), "ready");
        Ok(())
    }

    /// Its name among the nodes.
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// Where each role listens.
    pub fn listens(&self) -> &BTreeMap<Role, SocketAddr> {
        &self.listens
    }

    /// The roles that wait for their senses: their doors answer live, and not ready.
    pub fn loading(&self) -> Vec<Role> {
        self.serving.lacks(&self.roles)
    }

    /// Waits until the process is told to stop. One that can never get on again ends here.
    pub async fn until_told(&self, interrupt: &Interrupt) {
        tokio::select! {
            () = interrupt.received() => {}
            // in good order a thread that is blocked for good would be waited for
            () = self.hung.cancelled() => std::process::exit(1),
        }
    }

    /// Stops in order: no new work, sessions to other nodes, sockets, sessions, consumers, relay, bus, doors, database.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.draining.store(true, Ordering::SeqCst);
        self.heartbeat.beat(Report { load: 0, weight: 0, draining: true }).await;
        self.running.hand_over(SESSIONS_GO).await;
        self.running.stop(SOCKETS_CLOSE, &self.stop).await;
        self.senses.stop().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.stop_relay.cancel();
        self.connected.shared.bus.close().await;
        self.heartbeat.leave().await;
        self.stop_doors.cancel();
        self.late_tasks.close();
        self.late_tasks.wait().await;
        self.connected.close().await;
        tracing::info!("stopped");
    }
}
