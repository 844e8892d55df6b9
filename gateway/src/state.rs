//! What every handler may reach, and how the gateway is set up.

use crate::{
    auth::{Credentials, JwtSettings, JwtVerifier},
    operators::{Watch, WatchSettings},
    sealed::Sealing,
};
use futures::future::BoxFuture;
use maya_protocol::{
    bus::SharedBus,
    clock::SharedClock,
    join::JoinKey,
    registry::{NodeRecord, SharedRegistry},
    rpc::Peers,
};
use maya_providers::embed::Embedder;
use maya_store::Store;
use object_store::ObjectStore;
use std::{ops::Deref, sync::Arc, time::Duration};
use url::Url;

/// Answers whether this process takes work: empty, or what is not there (`database`, `draining`, …).
pub type Readiness = Arc<dyn Fn() -> BoxFuture<'static, Vec<String>> + Send + Sync>;

/// How the gateway is set up.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Base of join links, e.g. `http://127.0.0.1:8080`.
    pub public_edge_url: Url,
    /// Partitions of the session-keyed media topics; a session's own is fixed when it is minted.
    pub partitions_media: u32,
    /// Whether http and loopback callback URLs are allowed.
    pub development: bool,
    /// The languages that the configured voices speak (BCP 47); a language alone takes every region, and the first is
    /// assumed where a request names none.
    pub languages: Vec<String>,
    /// Bearer tokens.
    pub jwt: JwtSettings,
    /// How long a credential is remembered: a revoked one works no longer than that.
    pub credential_cache: Duration,
    /// Calls of one credential per window, where the tenant's settings do not say otherwise.
    pub rate_limit: u32,
    /// The window of the rate limit.
    pub rate_window: Duration,
    /// The largest request body.
    pub max_body_bytes: usize,
    /// After how long work that nobody answered counts as stuck and is asked for again.
    pub stuck_after: Duration,
    /// How long the answer to an `Idempotency-Key` is kept.
    pub idempotency_kept: Duration,
}

impl GatewaySettings {
    /// The defaults, for join links that begin with that URL.
    pub fn new(public_edge_url: Url) -> Self {
        Self {
            public_edge_url,
            partitions_media: 100,
            development: true,
            languages: ["en-US", "en-GB", "en"].map(str::to_owned).into(),
            jwt: JwtSettings::default(),
            credential_cache: Duration::from_secs(3),
            rate_limit: 300_000,
            rate_window: Duration::from_secs(60),
            max_body_bytes: 1 << 20,
            stuck_after: Duration::from_secs(120),
            idempotency_kept: Duration::from_secs(24 * 3600),
        }
    }

    /// What is spoken where nothing is said.
    pub(crate) fn language(&self) -> Option<String> {
        self.languages.first().cloned()
    }
}

/// What the process gives the gateway.
pub struct Parts {
    /// PostgreSQL.
    pub store: Store,
    /// The bus.
    pub bus: SharedBus,
    /// The registry.
    pub registry: SharedRegistry,
    /// The process's clock.
    pub clock: SharedClock,
    /// How it is set up.
    pub settings: GatewaySettings,
    /// Signs join links.
    pub join_key: JoinKey,
    /// Seals secrets that the database keeps.
    pub sealing: Sealing,
    /// Asks other nodes (operators' views and actions).
    pub peers: Peers,
    /// This process as a node: operators see it also while the registry is away.
    pub own: Option<NodeRecord>,
    /// Places a tenant's own skills beside the catalogue's; `None` where that sense is missing.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// Where recordings lie; `None` where nothing is recorded.
    pub blobs: Option<Arc<dyn ObjectStore>>,
    /// Whether this process takes work.
    pub readiness: Readiness,
}

/// Behind [`AppState`].
#[allow(missing_docs, reason = "as in Parts")]
pub struct Shared {
    pub store: Store,
    pub bus: SharedBus,
    pub registry: SharedRegistry,
    pub clock: SharedClock,
    pub settings: GatewaySettings,
    pub join_key: JoinKey,
    pub sealing: Sealing,
    pub peers: Peers,
    pub embedder: Option<Arc<dyn Embedder>>,
    pub blobs: Option<Arc<dyn ObjectStore>>,
    pub readiness: Readiness,
    /// The view of all nodes that operators share.
    pub watch: Watch,
    /// Turns credentials into principals.
    pub credentials: Credentials,
}

/// What every handler may reach; a clone is one reference more.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

impl AppState {
    /// From what the process gives.
    pub fn new(parts: Parts) -> Self {
        let Parts { store, bus, registry, clock, settings, join_key, sealing, peers, own, embedder, blobs, readiness } =
            parts;
        let jwt = JwtVerifier::new(settings.jwt.clone(), clock.clone());
        let credentials = Credentials::new(store.clone(), clock.clone(), jwt, settings.credential_cache);
        let watch = Watch::new(registry.clone(), peers.clone(), clock.clone(), own, WatchSettings::default());
        Self(Arc::new(Shared {
            store,
            bus,
            registry,
            clock,
            settings,
            join_key,
            sealing,
            peers,
            embedder,
            blobs,
            readiness,
            watch,
            credentials,
        }))
    }
}
impl Deref for AppState {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}
