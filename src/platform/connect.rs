//! The parts outside: the database, the bus, the registry; the configured ones, or the embedded default.

use super::interrupt::Interrupt;
use crate::config::{Config, Kafka};
use anyhow::Context as _;
use maya_embedded::{Cache, Part, PrivatePostgres};
use maya_protocol::{
    bus::{
        SharedBus, TopicSettings,
        embedded::EmbeddedBus,
        kafka::{KafkaBus, KafkaSettings},
    },
    clock::SharedClock,
    registry::{RegistryError, SharedRegistry, embedded::EmbeddedRegistry, redis::RedisRegistry},
    release,
};
use maya_store::{Store, StoreSettings};
use std::sync::Arc;

/// What the roles share.
#[derive(Clone)]
pub struct Shared {
    /// The database.
    pub store: Store,
    /// The bus.
    pub bus: SharedBus,
    /// The registry.
    pub registry: SharedRegistry,
}

/// The same, and the private server that stands behind it.
pub struct Connected {
    /// What the roles share.
    pub shared: Shared,
    postgres: Option<PrivatePostgres>,
}

/// Connects to all three; what was started is stopped again where one of them cannot be had.
pub async fn connect(config: &Config, clock: SharedClock, interrupt: &Interrupt) -> anyhow::Result<Connected> {
    let rest = interrupt.or(bus_and_registry(config, clock.clone()));
    let (database, rest) = tokio::join!(database(config, clock, interrupt), rest);
    let (store, postgres) = database?;
    match rest {
        Ok((bus, registry)) => Ok(Connected { shared: Shared { store, bus, registry }, postgres }),
        Err(error) => {
            close(store, postgres).await;
            Err(error)
        }
    }
}

async fn bus_and_registry(config: &Config, clock: SharedClock) -> anyhow::Result<(SharedBus, SharedRegistry)> {
    let bus = bus(config, clock.clone()).await?;
    bus.ensure_topics(config.startup.create_topics).await.context("the bus's topics")?;
    let registry: SharedRegistry = match &config.redis.url {
        Some(url) => Arc::new(redis(url.expose(), config).context("redis")?),
        None => Arc::new(EmbeddedRegistry::new(clock)),
    };
    registry.check().await.context("the registry")?;
    Ok((bus, registry))
}

fn redis(url: &str, config: &Config) -> Result<RedisRegistry, RegistryError> {
    match &config.redis.ca_file {
        Some(file) => RedisRegistry::connect_trusting(url, file, config.environment()),
        None => RedisRegistry::connect(url, config.environment()),
    }
}

/// The configured database, or the private one; migrated where that is wanted, and refused where row-level security
/// would not bind us.
pub async fn database(
    config: &Config,
    clock: SharedClock,
    interrupt: &Interrupt,
) -> anyhow::Result<(Store, Option<PrivatePostgres>)> {
    let (url, postgres) = match &config.database.url {
        Some(url) => (url.expose().to_owned(), None),
        None => {
            let cache = Cache::at(&config.cache_dir);
            // a download may take minutes and can be broken off; a server that is being started is waited for, so that
            // there is no moment at which one runs that nobody would stop
            interrupt.or(async { Ok(cache.ensure(Part::Postgres).await?) }).await.context(PRIVATE)?;
            let postgres = PrivatePostgres::start(&cache, &config.data_dir).await.context(PRIVATE)?;
            (postgres.url().to_owned(), Some(postgres))
        }
    };
    match interrupt.or(open(config, url, clock)).await {
        Ok(store) => Ok((store, postgres)),
        Err(error) => {
            stop(postgres).await;
            Err(error)
        }
    }
}

const PRIVATE: &str = "the private PostgreSQL";

async fn open(config: &Config, url: String, clock: SharedClock) -> anyhow::Result<Store> {
    let settings = StoreSettings { max_connections: config.database.max_connections, ..StoreSettings::new(url) };
    let store = Store::connect(&settings, clock).await.context("the database")?;
    if config.startup.migrate {
        store.migrate().await.context("the database's migrations")?;
    }
    store.verify().await?;
    Ok(store)
}

/// Closes the database, and stops the private server if this process was its last user.
pub async fn close(store: Store, postgres: Option<PrivatePostgres>) {
    store.close().await;
    stop(postgres).await;
}

async fn stop(postgres: Option<PrivatePostgres>) {
    if let Some(postgres) = postgres
        && let Err(error) = postgres.stop().await
    {
        tracing::warn!(error = %error, "the private postgres was not stopped");
    }
}

/// The configured bus.
pub async fn bus(config: &Config, clock: SharedClock) -> anyhow::Result<SharedBus> {
    let topics = TopicSettings { media_partitions: config.bus.media_partitions, replication: config.bus.replication };
    let bus: SharedBus = match &config.kafka.brokers {
        Some(brokers) => KafkaBus::connect(kafka(&config.kafka, brokers, topics)?).await.context("kafka")?,
        None => EmbeddedBus::open(&config.data_dir.join("bus"), topics, clock)
            .context("the embedded bus (one process at a time can use a data dir)")?,
    };
    Ok(release::on(bus))
}

fn kafka(config: &Kafka, brokers: &str, topics: TopicSettings) -> anyhow::Result<KafkaSettings> {
    let settings = KafkaSettings {
        brokers: brokers.to_owned(),
        topics,
        security_protocol: config.protocol().as_str().parse()?,
        sasl_mechanism: config.sasl_mechanism.map(|mechanism| mechanism.as_str().parse()).transpose()?,
        username: config.sasl_username.clone(),
        password: config.sasl_password.as_ref().map(|password| password.expose().to_owned()),
        ca_file: config.ca_file.clone(),
        ..KafkaSettings::default()
    };
    Ok(settings)
}

impl Connected {
    /// Closes the database; see [`close`].
    pub async fn close(self) {
        close(self.shared.store, self.postgres).await;
    }
}
