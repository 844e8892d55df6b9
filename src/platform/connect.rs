//! The parts outside: the database, the bus, the registry; the configured ones, or the embedded default.

use crate::config::{Config, Kafka};
use anyhow::Context as _;
use maya_embedded::{Cache, PrivatePostgres};
use maya_protocol::{
    bus::{
        SharedBus, TopicSettings,
        embedded::EmbeddedBus,
        kafka::{KafkaBus, KafkaSettings},
    },
    clock::SharedClock,
    registry::{RegistryError, SharedRegistry, embedded::EmbeddedRegistry, redis::RedisRegistry},
};
use maya_store::{Store, StoreSettings};
use std::sync::Arc;

/// What the roles share.
pub struct Connected {
    /// The database.
    pub store: Store,
    /// The bus.
    pub bus: SharedBus,
    /// The registry.
    pub registry: SharedRegistry,
    postgres: Option<PrivatePostgres>,
}

/// Connects to all three.
pub async fn connect(config: &Config, clock: SharedClock) -> anyhow::Result<Connected> {
    let (database, bus) = tokio::join!(database(config, clock.clone()), bus(config, clock.clone()));
    let (store, postgres) = database?;
    let bus = bus?;
    bus.ensure_topics(config.startup.create_topics).await.context("the bus's topics")?;
    let registry: SharedRegistry = match &config.redis.url {
        Some(url) => Arc::new(redis(url.expose(), config).context("redis")?),
        None => Arc::new(EmbeddedRegistry::new(clock)),
    };
    registry.check().await.context("the registry")?;
    Ok(Connected { store, bus, registry, postgres })
}

fn redis(url: &str, config: &Config) -> Result<RedisRegistry, RegistryError> {
    match &config.redis.ca_file {
        Some(file) => RedisRegistry::connect_trusting(url, file, config.environment()),
        None => RedisRegistry::connect(url, config.environment()),
    }
}

/// The configured database, or the private one; migrated where that is wanted, and refused where row-level security
/// would not bind us.
pub async fn database(config: &Config, clock: SharedClock) -> anyhow::Result<(Store, Option<PrivatePostgres>)> {
    let (url, postgres) = match &config.database.url {
        Some(url) => (url.expose().to_owned(), None),
        None => {
            let cache = Cache::at(&config.cache_dir);
            let postgres = PrivatePostgres::start(&cache, &config.data_dir).await.context("the private PostgreSQL")?;
            (postgres.url().to_owned(), Some(postgres))
        }
    };
    let settings = StoreSettings { max_connections: config.database.max_connections, ..StoreSettings::new(url) };
    let store = Store::connect(&settings, clock).await.context("the database")?;
    if config.startup.migrate {
        store.migrate().await.context("the database's migrations")?;
    }
    store.verify().await?;
    Ok((store, postgres))
}

/// The configured bus.
pub async fn bus(config: &Config, clock: SharedClock) -> anyhow::Result<SharedBus> {
    let topics = TopicSettings { media_partitions: config.bus.media_partitions, replication: config.bus.replication };
    Ok(match &config.kafka.brokers {
        Some(brokers) => KafkaBus::connect(kafka(&config.kafka, brokers, topics)?).await.context("kafka")?,
        None => EmbeddedBus::open(&config.data_dir.join("bus"), topics, clock)
            .context("the embedded bus (one process at a time can use a data dir)")?,
    })
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
    /// Closes the database, and stops the private server if this process was its last user.
    pub async fn close(self) {
        self.store.close().await;
        if let Some(postgres) = self.postgres
            && let Err(error) = postgres.stop().await
        {
            tracing::warn!(error = %error, "the private postgres was not stopped");
        }
    }
}
