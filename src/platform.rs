//! The platform: the roles that were asked for, started in order, stopped in order. No behaviour lives here.

mod commands;
mod connect;
mod demo;
mod front;
mod heartbeat;
mod roles;
mod senses;
mod telemetry;
mod up;

pub use commands::{create_key, create_tenant, dead_letters, ensure_topics, migrate, openapi, replay_dead_letters};
pub use demo::{candidate_voice, start_demo};
pub use up::{down, up};

use crate::config::{Config, Role};
use anyhow::Context as _;
use connect::Connected;
use front::Front;
use heartbeat::{Heartbeat, Report};
use maya_protocol::{bus::assignment::FULL_WEIGHT, clock, ids::NodeId, rpc};
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

pub use senses::Senses;

/// How long open sockets may take to be closed in good order.
const SOCKETS_CLOSE: Duration = Duration::from_secs(3);

/// How long sessions may take to go to other nodes: the longest reply, and a sentence.
const SESSIONS_GO: Duration = Duration::from_secs(40);

/// A running process.
pub struct Platform {
    node: NodeId,
    listens: BTreeMap<Role, SocketAddr>,
    connected: Connected,
    senses: Arc<Senses>,
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

/// Starts the roles; when this returns, everything that was asked for answers.
pub async fn start(config: Config, roles: Vec<Role>) -> anyhow::Result<Platform> {
    let metrics = telemetry::install(&config.log);
    let clock = clock::system();
    let node = NodeId::fresh();
    let (stop, stop_relay, stop_doors) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let (tasks, late_tasks) = (TaskTracker::new(), TaskTracker::new());

    // the doors first: a process is live before it is ready
    let mut fronts = BTreeMap::new();
    let mut listens = BTreeMap::new();
    for &role in &roles {
        let wanted = config.listen(role);
        let listener = TcpListener::bind(wanted).await.with_context(|| format!("{role} cannot listen on {wanted}"))?;
        listens.insert(role, listener.local_addr()?);
        let front = Front::new(metrics.clone());
        late_tasks.spawn(front.clone().serve(listener, stop_doors.clone()));
        fronts.insert(role, front);
    }
    let peers_listener = TcpListener::bind(config.node.listen).await.context("node.listen")?;

    let keys = config.keys().context("the keys of this process")?;
    let (senses, connected) =
        tokio::join!(Senses::load(&config, &roles, clock.clone()), connect::connect(&config, clock.clone()));
    let (senses, connected) = (Arc::new(senses), connected?);

    let draining = Arc::new(AtomicBool::new(false));
    let heartbeat = Heartbeat::new(
        &config,
        node.clone(),
        &roles,
        peers_listener.local_addr()?,
        connected.registry.clone(),
        clock.clone(),
    );
    heartbeat.beat(Report { load: 0, weight: FULL_WEIGHT, draining: false }).await;

    let start = Start {
        config: &config,
        keys: &keys,
        node: node.clone(),
        own: heartbeat.record().clone(),
        clock: clock.clone(),
        connected: &connected,
        senses: &senses,
        listens: &listens,
        draining: draining.clone(),
        stop: stop.clone(),
        tasks: &tasks,
    };
    let running = start.all(&roles, &fronts).await?;
    let relay = maya_store::outbox::Relay::new(connected.store.clone(), connected.bus.clone());
    late_tasks.spawn(relay.run(stop_relay.clone()));
    let (handler, secret) = (running.peer_handler(), keys.node.expose().to_owned());
    let stop_peers = stop_doors.clone();
    late_tasks.spawn(async move {
        let served = rpc::serve(peers_listener, handler, &secret, async move { stop_peers.cancelled().await }).await;
        if let Err(error) = served {
            tracing::error!(error = %error, "peers are not served any more");
        }
    });
    let hung = CancellationToken::new();
    late_tasks.spawn(heartbeat.clone().run(
        running.reports(draining.clone()),
        running.pulse(),
        hung.clone(),
        stop_doors.clone(),
    ));
    tracing::info!(node = %node, roles = ?roles, "ready");
    Ok(Platform {
        node,
        listens,
        connected,
        senses,
        running,
        heartbeat,
        draining,
        hung,
        stop,
        stop_relay,
        stop_doors,
        tasks,
        late_tasks,
    })
}

impl Platform {
    /// Its name among the nodes.
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// Where each role listens.
    pub fn listens(&self) -> BTreeMap<Role, SocketAddr> {
        self.listens.clone()
    }

    /// Runs until the process is told to stop (SIGTERM, SIGINT), then stops.
    pub async fn wait(self) -> anyhow::Result<()> {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
            // in good order a thread that is blocked for good would be waited for
            () = self.hung.cancelled() => std::process::exit(1),
        }
        self.stop().await;
        Ok(())
    }

    /// Stops in order: no new work, sessions to other nodes, sockets, sessions, consumers, relay, bus, doors, database.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.draining.store(true, Ordering::SeqCst);
        self.heartbeat.beat(Report { load: 0, weight: 0, draining: true }).await;
        self.running.hand_over(SESSIONS_GO).await;
        self.running.stop(SOCKETS_CLOSE, &self.stop).await;
        self.tasks.close();
        self.tasks.wait().await;
        self.stop_relay.cancel();
        self.connected.bus.close().await;
        self.heartbeat.leave().await;
        self.stop_doors.cancel();
        self.late_tasks.close();
        self.late_tasks.wait().await;
        self.connected.close().await;
        tracing::info!("stopped");
    }
}
