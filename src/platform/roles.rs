//! What each role is made of. A role is wired here and lives in its own crate.

use super::{
    Senses,
    connect::Connected,
    front::Front,
    heartbeat::{Report, Reports},
};
use crate::config::{Config, Keys, Mail, Role};
use anyhow::Context as _;
use axum::{Router, http::StatusCode, routing::get};
use futures::future::BoxFuture;
use maya_actors::{
    assessor::agent::AssessorAgent,
    interviewer::{ApprovedHandler, CommandHandler, InterviewerPeer},
    notifier::{Mailer, Notifier, NotifierSettings, SmtpSettings},
    observe::Observer,
    parts::{InterviewSettings, Parts},
    placement::Placement,
    planner::{Catalogue, agent::PlannerAgent, index},
    pulse::Pulse,
    recorder::{Recorder, RecorderSettings},
    session::asides::Asides,
};
use maya_edge::{Edge, EdgeParts, EdgeSettings};
use maya_gateway::{AppState, GatewaySettings, auth::JwtSettings, sealed::Sealing};
use maya_protocol::{
    bus::assignment::FULL_WEIGHT,
    clock::SharedClock,
    ids::NodeId,
    join::JoinKey,
    registry::NodeRecord,
    rpc::{PeerHandler, Peers, Roles},
    tree::{Known, NodeState, NodeView, TreeChanges},
};
use maya_providers::blobs::{self, SharedBlobs};
use maya_store::inbox::{self, Handler};
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

/// How long a dependency may take to answer before the process counts as not ready.
const READY_PATIENCE: Duration = Duration::from_secs(1);

/// What the roles are started from.
pub struct Start<'a> {
    pub config: &'a Config,
    pub keys: &'a Keys,
    pub node: NodeId,
    /// This node as its heartbeat tells it.
    pub own: NodeRecord,
    pub clock: SharedClock,
    pub connected: &'a Connected,
    pub senses: &'a Senses,
    pub listens: &'a BTreeMap<Role, SocketAddr>,
    pub draining: Arc<AtomicBool>,
    pub stop: CancellationToken,
    pub tasks: &'a TaskTracker,
}

/// What runs.
pub struct Running {
    placement: Option<Placement>,
    pulse: Option<Pulse>,
    edge: Option<Arc<Edge>>,
    peers: Vec<Arc<dyn PeerHandler>>,
}

impl Start<'_> {
    /// Starts the roles and opens their doors.
    pub async fn all(self, roles: &[Role], fronts: &BTreeMap<Role, Front>) -> anyhow::Result<Running> {
        let mut running = Running { placement: None, pulse: None, edge: None, peers: Vec::new() };
        for &role in roles {
            let router = match role {
                Role::Gateway => self.gateway()?,
                Role::Edge => self.edge(&mut running).await?,
                other => {
                    match other {
                        Role::Planner => self.planner().await?,
                        Role::Interviewer => self.interviewer(&mut running, roles).await?,
                        Role::Assessor => {
                            let judges = self.senses.judges.clone();
                            self.consume(AssessorAgent::new(self.connected.store.clone(), judges));
                        }
                        Role::Recorder => {
                            let Connected { store, bus, .. } = self.connected;
                            let recorder =
                                Recorder::new(store.clone(), bus.clone(), self.blobs()?, RecorderSettings::default());
                            self.tasks.spawn(recorder.run(self.stop.clone()));
                        }
                        Role::Notifier => self.notifier()?,
                        Role::Gateway | Role::Edge => {}
                    }
                    self.health()
                }
            };
            if let Some(front) = fronts.get(&role) {
                front.open(router);
            }
        }
        if running.placement.is_none() {
            running.peers.push(Arc::new(PlainNode {
                node: self.node.clone(),
                roles: roles.iter().map(Role::to_string).collect(),
                started_at: self.clock.utc(),
                draining: self.draining.clone(),
                zone: self.config.node.zone.clone(),
            }));
        }
        Ok(running)
    }

    fn consume(&self, handler: impl Handler) {
        let Connected { store, bus, .. } = self.connected;
        self.tasks.spawn(inbox::run(store.clone(), bus.clone(), Arc::new(handler), self.stop.clone()));
    }

    fn peers(&self) -> anyhow::Result<Peers> {
        Peers::new(self.keys.node.expose()).context("node.secret")
    }

    fn join_key(&self) -> JoinKey {
        JoinKey::new(self.keys.join.expose().as_bytes())
    }

    fn gateway(&self) -> anyhow::Result<Router> {
        let config = self.config;
        let edge = self.listens.get(&Role::Edge).copied().unwrap_or_else(|| config.listen(Role::Edge));
        let public = match &config.edge.public_url {
            Some(url) => url.clone(),
            None => Url::parse(&format!("http://{edge}/"))?,
        };
        let settings = GatewaySettings {
            partitions_media: config.bus.media_partitions,
            development: config.is_development(),
            jwt: JwtSettings {
                hs256_secret: config.auth.jwt_secret.as_ref().map(|secret| secret.expose().to_owned()),
                jwks_url: config.auth.jwks_url.clone(),
                issuer: config.auth.issuer.clone(),
                audience: config.auth.audience.clone(),
            },
            rate_limit: config.limits.requests_per_minute,
            max_body_bytes: config.limits.max_body_bytes,
            ..GatewaySettings::new(public)
        };
        let Connected { store, bus, registry, .. } = self.connected;
        let state = AppState::new(maya_gateway::Parts {
            store: store.clone(),
            bus: bus.clone(),
            registry: registry.clone(),
            clock: self.clock.clone(),
            settings,
            join_key: self.join_key(),
            sealing: Sealing::new(self.keys.sealing()),
            peers: self.peers()?,
            own: Some(self.own.clone()),
            embedder: self.senses.embedder.clone(),
            blobs: Some(self.blobs()?),
            readiness: self.readiness(),
        });
        for handler in maya_gateway::handlers(state.clone()) {
            self.tasks.spawn(inbox::run(store.clone(), bus.clone(), handler, self.stop.clone()));
        }
        let (tasks, stop) = (state.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            if let Err(error) = maya_gateway::tasks(tasks, stop).await {
                tracing::error!(error = %error, "webhooks are not delivered");
            }
        });
        Ok(maya_gateway::router(state))
    }

    async fn planner(&self) -> anyhow::Result<()> {
        let store = &self.connected.store;
        let Some(embedder) = self.senses.embedder.clone() else {
            // interviews wait in VALIDATING_SKILLS and the reconciler says why; nothing is lost
            tracing::error!("the planner cannot match skills without its embedder; it waits");
            return Ok(());
        };
        let seeded = index::seed(store, Catalogue::seeded(), embedder.as_ref()).await.context("the skill catalogue")?;
        tracing::info!(seeded, "skill catalogue");
        self.consume(PlannerAgent::new(store.clone(), embedder, self.senses.plans.clone()));
        Ok(())
    }

    async fn interviewer(&self, running: &mut Running, roles: &[Role]) -> anyhow::Result<()> {
        let Connected { store, bus, registry, .. } = self.connected;
        let interview = &self.config.interview;
        let pulse = Pulse::new(self.clock.clone());
        let parts = Parts {
            node: self.node.clone(),
            store: store.clone(),
            bus: bus.clone(),
            registry: registry.clone(),
            clock: self.clock.clone(),
            observer: Observer::new(self.node.clone(), self.clock.clone()),
            rng: Arc::new(Mutex::new(StdRng::from_os_rng())),
            pulse: pulse.clone(),
            asides: Asides::default(),
            senses: self.senses.interview.clone(),
            settings: InterviewSettings {
                silence: Duration::from_secs(interview.silence_seconds),
                grace: Duration::from_secs(interview.grace_seconds),
                max_silence: Duration::from_millis(interview.max_silence_ms),
                batch_debounce: Duration::from_millis(interview.batch_debounce_ms),
                ..InterviewSettings::default()
            },
        };
        let placement = Placement::start(parts.clone(), self.peers()?, self.stop.clone())
            .await
            .context("the interviewer's reading")?;
        let draining = self.draining.clone();
        let state = Arc::new(move || node_state(&draining));
        let roles = roles.iter().map(Role::to_string).collect();
        running.peers.push(Arc::new(InterviewerPeer::new(
            parts.clone(),
            placement.clone(),
            roles,
            self.config.node.zone.clone(),
            state,
        )));
        self.consume(ApprovedHandler::new(parts.clone()));
        self.consume(CommandHandler::new(parts, placement.clone(), Arc::new(self.peers()?)));
        running.placement = Some(placement);
        running.pulse = Some(pulse);
        Ok(())
    }

    async fn edge(&self, running: &mut Running) -> anyhow::Result<Router> {
        let Connected { bus, registry, .. } = self.connected;
        let limits = &self.config.limits;
        let edge = Edge::start(EdgeParts {
            node: self.node.clone(),
            bus: bus.clone(),
            registry: registry.clone(),
            join_key: self.join_key(),
            clock: self.clock.clone(),
            peers: self.peers()?,
            settings: EdgeSettings {
                max_sockets: limits.max_sockets,
                max_frame_bytes: limits.max_frame_bytes,
                max_large_frame_bytes: limits.max_large_frame_bytes,
                ..EdgeSettings::default()
            },
        })
        .await
        .context("the edge's reading")?;
        running.peers.push(edge.peer_handler());
        let router = edge.router();
        running.edge = Some(Arc::new(edge));
        Ok(router)
    }

    fn notifier(&self) -> anyhow::Result<()> {
        let mail: &Mail = &self.config.mail;
        let mailer = match &mail.smtp_url {
            None => Mailer::Folder(self.config.data_dir.join("mail")),
            Some(url) => Mailer::smtp(&smtp(url.expose())?)?,
        };
        let gateway = self.listens.get(&Role::Gateway).copied().unwrap_or_else(|| self.config.listen(Role::Gateway));
        let settings = NotifierSettings {
            from: mail.from.parse().context("mail.from")?,
            console: Url::parse(&format!("http://{gateway}/"))?,
        };
        self.consume(Notifier::new(self.connected.store.clone(), mailer, settings));
        Ok(())
    }

    fn blobs(&self) -> anyhow::Result<SharedBlobs> {
        let opened = match &self.config.blobs.url {
            None => blobs::folder(&self.config.data_dir.join("blobs")),
            Some(url) => blobs::open(url),
        };
        opened.context("blobs.url")
    }

    fn readiness(&self) -> maya_gateway::Readiness {
        let Connected { store, bus, registry, .. } = self.connected;
        let (store, bus, registry, draining) = (store.clone(), bus.clone(), registry.clone(), self.draining.clone());
        Arc::new(move || -> BoxFuture<'static, Vec<String>> {
            let (store, bus, registry, draining) = (store.clone(), bus.clone(), registry.clone(), draining.clone());
            Box::pin(async move {
                let within = |check: BoxFuture<'static, bool>| async move {
                    tokio::time::timeout(READY_PATIENCE, check).await.unwrap_or(false)
                };
                let (database, bus, registry) = tokio::join!(
                    within(Box::pin(async move { store.check().await.is_ok() })),
                    within(Box::pin(async move { bus.check().await.is_ok() })),
                    within(Box::pin(async move { registry.check().await.is_ok() })),
                );
                let serving = !draining.load(Ordering::SeqCst);
                [(database, "database"), (bus, "bus"), (registry, "registry"), (serving, "draining")]
                    .into_iter()
                    .filter(|(there, _)| !there)
                    .map(|(_, name)| name.to_owned())
                    .collect()
            })
        })
    }

    /// The health endpoints of a role that serves no other HTTP.
    fn health(&self) -> Router {
        let readiness = self.readiness();
        let ready = async move || {
            let missing = readiness().await;
            let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (
                status,
                axum::Json(
                    serde_json::json!({ "status": if missing.is_empty() { "UP" } else { "DOWN" }, "missing": missing }),
                ),
            )
        };
        let live = async || axum::Json(serde_json::json!({ "status": "UP" }));
        Router::new().route("/health/live", get(live)).route("/health/ready", get(ready))
    }
}

fn smtp(url: &str) -> anyhow::Result<SmtpSettings> {
    let url = Url::parse(url).context("mail.smtp_url")?;
    let host = url.host_str().context("mail.smtp_url names no host")?.to_owned();
    let credentials = url.password().map(|password| (url.username().to_owned(), password.to_owned()));
    Ok(SmtpSettings { plain: url.scheme() == "smtp" && credentials.is_none(), host, port: url.port(), credentials })
}

fn node_state(draining: &AtomicBool) -> NodeState {
    if draining.load(Ordering::SeqCst) { NodeState::Draining } else { NodeState::Serving }
}

/// What a node without sessions shows of itself.
struct PlainNode {
    node: NodeId,
    roles: Vec<String>,
    zone: Option<String>,
    started_at: chrono::DateTime<chrono::Utc>,
    draining: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl PeerHandler for PlainNode {
    async fn tree(&self, _known: &Known) -> Option<TreeChanges> {
        Some(TreeChanges::bare(NodeView {
            id: self.node.clone(),
            roles: self.roles.clone(),
            zone: self.zone.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: node_state(&self.draining),
            started_at: self.started_at,
            sessions: 0,
            tree: None,
        }))
    }
}

impl Running {
    /// What this process answers to its peers.
    pub fn peer_handler(&self) -> Arc<dyn PeerHandler> {
        Arc::new(Roles(self.peers.clone()))
    }

    /// Sessions of an interviewer, sockets of an edge, and whether they want more.
    pub fn reports(&self, draining: Arc<AtomicBool>) -> Reports {
        let (placement, edge) = (self.placement.clone(), self.edge.clone());
        Arc::new(move || {
            let draining = draining.load(Ordering::SeqCst) || placement.as_ref().is_some_and(Placement::is_draining);
            match (&placement, &edge) {
                (Some(placement), _) => Report { load: placement.sessions(), weight: placement.weight(), draining },
                (None, edge) => {
                    let load = edge.as_ref().map_or(0, |edge| edge.sockets() as u32);
                    Report { load, weight: FULL_WEIGHT, draining }
                }
            }
        })
    }

    /// Whether the sessions of this process get on, where it has any.
    pub fn pulse(&self) -> Option<Pulse> {
        self.pulse.clone()
    }

    /// Sessions go to other nodes, where there are any, before anything else stops.
    pub async fn hand_over(&self, patience: Duration) {
        if let Some(placement) = &self.placement {
            placement.drain();
            placement.drained(patience).await;
        }
    }

    /// No new work; sockets are closed, sessions stopped, consumers told to stop.
    pub async fn stop(self, patience: Duration, stop: &CancellationToken) {
        if let Some(edge) = &self.edge {
            edge.drain();
            edge.shutdown(patience).await;
        }
        stop.cancel();
        if let Some(placement) = &self.placement {
            placement.stop().await;
        }
    }
}
