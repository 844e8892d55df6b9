//! What each role is made of. A role is wired here and lives in its own crate.

mod interviewer;
mod node;
mod readiness;

use super::{
    Senses,
    connect::Shared,
    front::Front,
    heartbeat::{Heartbeat, Report, Reports, Serving},
    senses::Embedding,
};
use crate::config::{Agent, Config, Keys, Mail, Role};
use anyhow::Context as _;
use axum::Router;
use maya_actors::{
    assessor::agent::AssessorAgent,
    notifier::{Encryption, Mailer, Notifier, NotifierSettings, SmtpSettings},
    placement::Placement,
    planner::{Catalogue, agent::PlannerAgent, index},
    recorder::{Recorder, RecorderSettings},
};
use maya_edge::{Edge, EdgeParts, EdgeSettings};
use maya_gateway::{AppState, GatewaySettings, auth::JwtSettings, sealed::Sealing};
use maya_protocol::{
    bus::assignment::FULL_WEIGHT,
    clock::SharedClock,
    ids::NodeId,
    join::JoinKey,
    pulse::Pulse,
    registry::NodeRecord,
    rpc::{PeerHandler, Peers},
};
use maya_providers::blobs::{self, SharedBlobs};
use maya_store::inbox::{self, Handler};
use node::{Answering, PlainNode};
use readiness::Needs;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

/// What the roles are started from.
#[derive(Clone)]
pub struct Start {
    pub config: Arc<Config>,
    pub keys: Arc<Keys>,
    pub node: NodeId,
    pub clock: SharedClock,
    pub shared: Shared,
    pub senses: Arc<Senses>,
    pub listens: Arc<BTreeMap<Role, SocketAddr>>,
    pub fronts: Arc<BTreeMap<Role, Front>>,
    pub heartbeat: Heartbeat,
    pub pulse: Pulse,
    pub serving: Serving,
    pub draining: Arc<AtomicBool>,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
    pub running: Running,
}

/// What runs: roles join it one by one, the interviewer last.
#[derive(Clone, Default)]
pub struct Running {
    placement: Arc<OnceLock<Placement>>,
    edge: Arc<OnceLock<Edge>>,
    answering: Answering,
}

impl Start {
    /// Starts the roles and opens their doors. The interviewer's opens when it can hear and speak, which may be later.
    pub async fn all(&self, roles: &[Role]) -> anyhow::Result<()> {
        self.running.answering.add_first(Arc::new(PlainNode {
            node: self.node.clone(),
            serving: self.serving.clone(),
            started_at: self.clock.utc(),
            draining: self.draining.clone(),
            zone: self.config.node.zone.clone(),
        }));
        let embedding = self.senses.embedding.clone().await;
        for &role in roles {
            let router = match role {
                Role::Interviewer => {
                    self.interviewer().await;
                    continue;
                }
                Role::Gateway => self.gateway(&embedding)?,
                Role::Edge => self.edge().await?,
                other => {
                    match other {
                        Role::Planner => self.planner(&embedding).await?,
                        Role::Assessor => {
                            let judges = self.senses.models.clone().await.of(Agent::Assessor);
                            self.consume(AssessorAgent::new(self.shared.store.clone(), judges));
                        }
                        Role::Recorder => {
                            let Shared { store, bus, .. } = self.shared.clone();
                            let recorder = Recorder::new(store, bus, self.blobs()?, RecorderSettings::default());
                            self.tasks.spawn(recorder.run(self.stop.clone()));
                        }
                        Role::Notifier => self.notifier()?,
                        Role::Gateway | Role::Edge | Role::Interviewer => {}
                    }
                    self.needs().router()
                }
            };
            self.open(role, router);
        }
        Ok(())
    }

    fn open(&self, role: Role, router: Router) {
        self.serving.add(role);
        if let Some(front) = self.fronts.get(&role) {
            front.open(router);
        }
    }

    /// This node as its heartbeat tells it, with all its roles.
    fn own(&self) -> NodeRecord {
        NodeRecord { roles: self.listens.keys().map(Role::to_string).collect(), ..self.heartbeat.record().clone() }
    }

    fn needs(&self) -> Needs {
        let Shared { store, bus, registry } = self.shared.clone();
        Needs { store, bus, registry, draining: self.draining.clone() }
    }

    fn consume(&self, handler: impl Handler) {
        let Shared { store, bus, .. } = self.shared.clone();
        self.tasks.spawn(inbox::run(store, bus, Arc::new(handler), self.stop.clone()));
    }

    fn peers(&self) -> anyhow::Result<Peers> {
        Peers::new(self.keys.node.expose()).context("node.secret")
    }

    /// Where others reach a role: as it is set, else where it listens.
    fn public_url(&self, role: Role, set: Option<&Url>) -> anyhow::Result<Url> {
        let listen = self.listens.get(&role).copied().unwrap_or_else(|| self.config.listen(role));
        Ok(set.cloned().map_or_else(|| Url::parse(&format!("http://{listen}/")), Ok)?)
    }

    fn join_key(&self) -> JoinKey {
        JoinKey::new(self.keys.join.expose().as_bytes())
    }

    fn gateway(&self, embedding: &Embedding) -> anyhow::Result<Router> {
        let config = &self.config;
        let public = self.public_url(Role::Edge, config.edge.public_url.as_ref())?;
        let settings = GatewaySettings {
            partitions_media: config.bus.media_partitions,
            development: config.is_development(),
            languages: config.voices.languages.clone(),
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
        let Shared { store, bus, registry } = self.shared.clone();
        let state = AppState::new(maya_gateway::Parts {
            store: store.clone(),
            bus: bus.clone(),
            registry: registry.clone(),
            clock: self.clock.clone(),
            settings,
            join_key: self.join_key(),
            sealing: Sealing::new(self.keys.sealing()),
            peers: self.peers()?,
            own: Some(self.own()),
            embedder: embedding.embedder.clone(),
            blobs: Some(self.blobs()?),
            readiness: self.needs().readiness(),
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

    async fn planner(&self, embedding: &Embedding) -> anyhow::Result<()> {
        let store = &self.shared.store;
        match &embedding.embedder {
            Some(embedder) => {
                let seeded = index::seed(store, Catalogue::seeded(), embedder.as_ref()).await;
                let seeded = seeded.context("the skill catalogue")?;
                tracing::info!(seeded, "skill catalogue");
            }
            None => tracing::warn!(
                missing = embedding.report.join("; "),
                "the planner matches skills by name only: the embedding model is missing; `maya fetch` brings it"
            ),
        }
        let plans = self.senses.models.clone().await.of(Agent::Planner);
        self.consume(PlannerAgent::new(store.clone(), embedding.embedder.clone(), plans));
        Ok(())
    }

    async fn edge(&self) -> anyhow::Result<Router> {
        let Shared { bus, registry, .. } = self.shared.clone();
        let limits = &self.config.limits;
        let edge = Edge::start(EdgeParts {
            node: self.node.clone(),
            bus,
            registry,
            join_key: self.join_key(),
            clock: self.clock.clone(),
            peers: self.peers()?,
            pulse: self.pulse.clone(),
            settings: EdgeSettings {
                max_sockets: limits.max_sockets,
                max_frame_bytes: limits.max_frame_bytes,
                max_large_frame_bytes: limits.max_large_frame_bytes,
                ..EdgeSettings::default()
            },
        })
        .await
        .context("the edge's reading")?;
        self.running.answering.add_first(edge.peer_handler());
        let router = edge.router();
        let _ = self.running.edge.set(edge);
        Ok(router)
    }

    fn notifier(&self) -> anyhow::Result<()> {
        let mail: &Mail = &self.config.mail;
        let mailer = match &mail.smtp_url {
            None => Mailer::Folder(self.config.data_dir.join("mail")),
            Some(url) => Mailer::smtp(&smtp(url.expose())?)?,
        };
        let gateway = self.public_url(Role::Gateway, self.config.gateway.public_url.as_ref())?;
        let settings = NotifierSettings { from: mail.from.parse().context("mail.from")?, gateway };
        self.consume(Notifier::new(self.shared.store.clone(), mailer, settings));
        Ok(())
    }

    fn blobs(&self) -> anyhow::Result<SharedBlobs> {
        let opened = match &self.config.blobs.url {
            None => blobs::folder(&self.config.data_dir.join("blobs")),
            Some(url) => blobs::open(url),
        };
        opened.context("blobs.url")
    }
}

/// What a mail may take; well under the inbox's patience, after which it would be sent again.
const MAIL_TIMEOUT: Duration = Duration::from_secs(20);

fn smtp(url: &str) -> anyhow::Result<SmtpSettings> {
    let url = Url::parse(url).context("mail.smtp_url")?;
    let host = url.host_str().context("mail.smtp_url names no host")?.to_owned();
    let credentials = url.password().map(|password| (url.username().to_owned(), password.to_owned()));
    let encryption = match (url.scheme(), &credentials) {
        ("smtps", _) => Encryption::Tls,
        (_, Some(_)) => Encryption::StartTls,
        (_, None) => Encryption::Plain,
    };
    Ok(SmtpSettings { host, port: url.port(), credentials, encryption, timeout: MAIL_TIMEOUT })
}

impl Running {
    /// What this process answers to its peers.
    pub fn peer_handler(&self) -> Arc<dyn PeerHandler> {
        Arc::new(self.answering.clone())
    }

    /// Sessions of an interviewer, sockets of an edge, and whether they want more.
    pub fn reports(&self, draining: Arc<AtomicBool>) -> Reports {
        let (placement, edge) = (self.placement.clone(), self.edge.clone());
        Arc::new(move || {
            let draining = draining.load(Ordering::SeqCst) || placement.get().is_some_and(Placement::is_draining);
            let draining = draining || edge.get().is_some_and(Edge::is_draining);
            match (placement.get(), edge.get()) {
                (Some(placement), _) => Report { load: placement.sessions(), weight: placement.weight(), draining },
                (None, edge) => {
                    let load = edge.map_or(0, |edge| edge.sockets() as u32);
                    Report { load, weight: FULL_WEIGHT, draining }
                }
            }
        })
    }

    /// Sessions go to other nodes, where there are any, before anything else stops.
    pub async fn hand_over(&self, patience: Duration) {
        if let Some(placement) = self.placement.get() {
            placement.drain();
            placement.drained(patience).await;
        }
    }

    /// No new work; sockets are closed, sessions stopped, consumers told to stop.
    pub async fn stop(&self, patience: Duration, stop: &CancellationToken) {
        if let Some(edge) = self.edge.get() {
            edge.drain();
            edge.shutdown(patience).await;
        }
        stop.cancel();
        self.stop_sessions().await;
    }

    async fn stop_sessions(&self) {
        if let Some(placement) = self.placement.get() {
            placement.stop().await;
        }
    }
}
