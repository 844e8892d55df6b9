//! Short commands on the platform's parts.

use super::{connect, interrupt::Interrupt};
use crate::config::Config;
use anyhow::Context as _;
use maya_gateway::{
    auth::Role,
    keys::{self, CreatedKey},
    sealed::Sealing,
    tenants::{self, Created},
};
use maya_protocol::{
    bus::{Delivery, Record, SharedBus, read_range},
    clock,
    event::header,
    ids::TenantId,
    topic::{Carries, Channel, Topic},
};
use serde_json::{Value, json};

/// The REST API's description.
pub fn openapi() -> String {
    maya_gateway::openapi().to_pretty_json().expect("an OpenAPI document has string keys")
}

/// Applies the migrations.
pub async fn migrate(mut config: Config) -> anyhow::Result<()> {
    config.startup.migrate = true;
    with_store(config, async |_| Ok(())).await
}

/// Checks that all topics exist, or creates what is missing.
pub async fn ensure_topics(config: Config, create: bool) -> anyhow::Result<()> {
    let bus = connect::bus(&config, clock::system()).await?;
    bus.ensure_topics(create).await?;
    bus.close().await;
    Ok(())
}

/// Makes a tenant.
pub async fn create_tenant(config: Config, name: &str, email: Option<&str>) -> anyhow::Result<Created> {
    let sealing = Sealing::new(config.keys()?.sealing());
    with_store(config, async |store| Ok(tenants::create(store, &sealing, name, email).await?)).await
}

/// Makes a key.
pub async fn create_key(config: Config, tenant: TenantId, name: &str, role: Role) -> anyhow::Result<CreatedKey> {
    with_store(config, async |store| keys::create(store, tenant, name, role).await.context("there is no such tenant"))
        .await
}

async fn with_store<T>(
    config: Config,
    work: impl AsyncFnOnce(&maya_store::Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let interrupt = Interrupt::listen()?;
    let (store, postgres) = connect::database(&config, clock::system(), &interrupt).await?;
    let result = interrupt.or(work(&store)).await;
    connect::close(store, postgres).await;
    result
}

/// The dead letters of a topic, or of all.
pub async fn dead_letters(config: Config, topic: Option<Topic>) -> anyhow::Result<Vec<Value>> {
    let bus = connect::bus(&config, clock::system()).await?;
    let mut letters = Vec::new();
    for delivery in read_dead(&bus, topic, 0).await? {
        let Record { channel, key, headers, .. } = &delivery.record;
        letters.push(json!({
            "topic": channel.topic().name(),
            "offset": delivery.offset,
            "key": key,
            "eventId": header(headers, "ce_id"),
            "consumer": header(headers, "dlq-consumer"),
            "attempts": header(headers, "dlq-attempts"),
            "error": header(headers, "dlq-error"),
        }));
    }
    bus.close().await;
    Ok(letters)
}

/// Publishes dead letters to their topics again, as new events: an applied id would be ignored.
pub async fn replay_dead_letters(config: Config, topic: Option<Topic>, from: u64) -> anyhow::Result<usize> {
    let bus = connect::bus(&config, clock::system()).await?;
    let mut replayed = 0;
    for delivery in read_dead(&bus, topic, from).await? {
        let Record { channel, key, mut headers, payload, .. } = delivery.record;
        headers.retain(|(name, _)| !name.starts_with("dlq-"));
        for (name, value) in &mut headers {
            if name == "ce_id" {
                *value = maya_protocol::ids::EventId::fresh().to_string().into();
            }
        }
        bus.publish(Record { channel: Channel::Main(channel.topic()), key, partition: None, headers, payload }).await?;
        replayed += 1;
    }
    bus.close().await;
    Ok(replayed)
}

async fn read_dead(bus: &SharedBus, topic: Option<Topic>, from: u64) -> anyhow::Result<Vec<Delivery>> {
    let topics = Topic::ALL
        .iter()
        .copied()
        .filter(|known| known.carries() == Carries::Events && topic.is_none_or(|wanted| wanted == *known));
    let mut letters = Vec::new();
    for topic in topics {
        let channel = Channel::DeadLetter(topic);
        let bounds = bus.bounds(channel, 0).await?;
        read_range(bus.as_ref(), channel, 0, from.max(bounds.low)..bounds.high, |letter| letters.push(letter)).await?;
    }
    Ok(letters)
}
