//! Kafka through librdkafka: the bus of more than one machine.
//!
//! Partitions are computed here ([`super::partition_for`]), because librdkafka's default hash is not the Java clients'.
//! Two producers: one for domain events (a little linger, so that batches form), one for media (next to none).
//! Both are idempotent with `acks=all`: without it a retry may reorder a voice.

mod admin;
mod context;
mod error;
mod group;
mod membership;
mod producer;
mod reader;
mod settings;
mod token;
mod topic_id;

pub use settings::{KafkaSettings, SaslMechanism, SecurityProtocol};
pub use token::{BearerToken, GoogleTokens, TokenSource};

use super::{Bounds, Bus, BusError, GroupConsumer, PartitionReader, Position, Record, check_size, partition_for};
use crate::topic::{Carries, Channel};
use async_trait::async_trait;
use context::Context;
use error::bus_error;
use parking_lot::RwLock;
use producer::{Producer, Receipt};
use rdkafka::producer::Producer as _;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long `close` waits for what is in flight, and then for the members to leave.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);
/// How long `publish` waits before it looks again for room in a full queue.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(5);
/// How long a partition without a leader is left alone.
const LEADER_PAUSE: Duration = Duration::from_millis(50);

/// The bus over Kafka.
pub struct KafkaBus {
    shared: Arc<Shared>,
}

/// What the bus, its readers and its group members share.
struct Shared {
    settings: KafkaSettings,
    context: Context,
    events: Producer,
    media: Producer,
    /// Partition counts, as of the last look; a changed count is picked up by `partitions` and `ensure_topics`.
    counts: RwLock<HashMap<Channel, u32>>,
    closed: CancellationToken,
    /// Consumers on their way out of their groups.
    leaving: TaskTracker,
}

impl KafkaBus {
    /// Connects. Fails within the request time-out: [`BusError::Invalid`] for settings that make no sense,
    /// [`BusError::Auth`] for refused credentials, [`BusError::Unavailable`] for a cluster that does not answer.
    pub async fn connect(settings: KafkaSettings) -> Result<Arc<Self>, BusError> {
        settings.validate()?;
        let closed = CancellationToken::new();
        let tokens = match settings.sasl_mechanism {
            Some(SaslMechanism::OAuthBearer) => Some(token::keep_fresh(&settings, closed.clone()).await?),
            _ => None,
        };
        let context = Context::new(tokens);
        let shared = Shared {
            events: producer::create(settings.events_producer(), context.clone())?,
            media: producer::create(settings.media_producer(), context.clone())?,
            context,
            settings,
            counts: RwLock::default(),
            closed,
            leaving: TaskTracker::new(),
        };
        let bus = Self { shared: Arc::new(shared) };
        bus.shared.refresh_counts().await?;
        Ok(Arc::new(bus))
    }
}

impl Drop for KafkaBus {
    fn drop(&mut self) {
        self.shared.closed.cancel();
    }
}

impl Shared {
    fn check_open(&self) -> Result<(), BusError> {
        if self.closed.is_cancelled() { Err(BusError::Closed) } else { Ok(()) }
    }

    /// Runs a blocking call of librdkafka off the runtime; refused credentials end the wait at once.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        call: impl FnOnce(&Shared) -> Result<T, BusError> + Send + 'static,
    ) -> Result<T, BusError> {
        let shared = self.clone();
        let call = async move {
            match tokio::task::spawn_blocking(move || call(&shared)).await {
                Ok(answer) => answer,
                Err(error) => Err(BusError::Unavailable(error.to_string())),
            }
        };
        self.context.watch_auth(call).await
    }

    /// Asks the cluster which topics there are. Always for all of them: a producer that asks for one by name makes
    /// a broker with automatic creation create it.
    async fn refresh_counts(self: &Arc<Self>) -> Result<(), BusError> {
        let counts = self
            .blocking(|shared| {
                let metadata = shared
                    .media
                    .client()
                    .fetch_metadata(None, shared.settings.request_timeout)
                    .map_err(|error| bus_error(&error, "the cluster"))?;
                let known: HashMap<&str, u32> =
                    metadata.topics().iter().map(|topic| (topic.name(), topic.partitions().len() as u32)).collect();
                let count = |channel: Channel| known.get(channel.name()).filter(|count| **count > 0).copied();
                Ok(Channel::all().filter_map(|channel| Some((channel, count(channel)?))).collect())
            })
            .await?;
        *self.counts.write() = counts;
        Ok(())
    }

    fn count(&self, channel: Channel) -> Result<u32, BusError> {
        self.counts.read().get(&channel).copied().ok_or_else(|| BusError::NoTopic(channel.name().to_owned()))
    }

    fn check_partition(&self, channel: Channel, partition: u32) -> Result<(), BusError> {
        if partition < self.count(channel)? {
            return Ok(());
        }
        Err(BusError::NoTopic(format!("{}[{partition}]", channel.name())))
    }

    /// A partition that was made a moment ago, or whose leader moves, has none for a while: it is asked again.
    async fn watermarks(self: &Arc<Self>, channel: Channel, partition: u32) -> Result<(u64, u64), BusError> {
        self.check_partition(channel, partition)?;
        let ask = async move || {
            self.blocking(move |shared| {
                let timeout = shared.settings.request_timeout;
                match shared.media.client().fetch_watermarks(channel.name(), partition as i32, timeout) {
                    Ok((low, high)) => Ok(Some((low.max(0) as u64, high.max(0) as u64))),
                    Err(error) if error.rdkafka_error_code().is_some_and(error::is_leaderless) => Ok(None),
                    Err(error) => Err(bus_error(&error, channel.name())),
                }
            })
            .await
        };
        let asked = tokio::time::timeout(self.settings.request_timeout, async {
            loop {
                if let Some(bounds) = ask().await? {
                    return Ok(bounds);
                }
                tokio::time::sleep(LEADER_PAUSE).await;
            }
        });
        let name = channel.name();
        asked.await.unwrap_or_else(|_| Err(BusError::Unavailable(format!("{name}[{partition}] has no leader"))))
    }

    /// Hands a record to its producer.
    fn enqueue(&self, record: &Record, receipt: Receipt) -> Result<(), (BusError, Receipt)> {
        let partition = match self.route(record) {
            Ok(partition) => partition,
            Err(error) => return Err((error, receipt)),
        };
        let producer = match record.channel.topic().carries() {
            Carries::Events => &self.events,
            Carries::Media => &self.media,
        };
        producer::enqueue(producer, record, partition, receipt)
    }

    fn route(&self, record: &Record) -> Result<u32, BusError> {
        self.check_open()?;
        check_size(record)?;
        let partition = partition_for(record, self.count(record.channel)?);
        self.check_partition(record.channel, partition)?;
        Ok(partition)
    }
}

#[async_trait]
impl Bus for KafkaBus {
    async fn publish(&self, record: Record) -> Result<Position, BusError> {
        let (receipt, delivered) = oneshot::channel();
        let mut receipt = Receipt(Some(receipt));
        while let Err((error, back)) = self.shared.enqueue(&record, receipt) {
            if !matches!(error, BusError::Backlog) {
                return Err(error);
            }
            receipt = back;
            tokio::time::sleep(FULL_QUEUE_PAUSE).await;
        }
        let delivered = async { delivered.await.map_err(|_| BusError::Closed)? };
        self.shared.context.watch_auth(delivered).await
    }

    fn send(&self, record: Record) -> Result<(), BusError> {
        self.shared.enqueue(&record, Receipt(None)).map_err(|(error, _)| error)
    }

    async fn join(&self, group: &str, channels: &[Channel]) -> Result<Box<dyn GroupConsumer>, BusError> {
        self.shared.check_open()?;
        Ok(Box::new(group::Member::join(self.shared.clone(), group, channels)?))
    }

    async fn reader(&self, channel: Channel) -> Result<Box<dyn PartitionReader>, BusError> {
        self.shared.check_open()?;
        Ok(Box::new(reader::Reader::new(self.shared.clone(), channel)?))
    }

    async fn partitions(&self, channel: Channel) -> Result<u32, BusError> {
        self.shared.check_open()?;
        self.shared.refresh_counts().await?;
        self.shared.count(channel)
    }

    async fn bounds(&self, channel: Channel, partition: u32) -> Result<Bounds, BusError> {
        self.shared.check_open()?;
        let incarnation = self.shared.blocking(move |shared| topic_id::topic_id(shared, channel)).await?;
        let (low, high) = self.shared.watermarks(channel, partition).await?;
        Ok(Bounds { low, high, incarnation })
    }

    async fn ensure_topics(&self, create: bool) -> Result<(), BusError> {
        self.shared.check_open()?;
        admin::ensure_topics(&self.shared, create).await
    }

    async fn check(&self) -> Result<(), BusError> {
        self.shared.check_open()?;
        for producer in [&self.shared.events, &self.shared.media] {
            // An idempotent producer that lost its place for good; only a new process has a new one.
            if let Some((code, reason)) = producer.client().fatal_error() {
                return Err(BusError::Invalid(format!("the producer cannot go on: {code}: {reason}")));
            }
        }
        self.shared.refresh_counts().await
    }

    async fn close(&self) {
        self.shared.closed.cancel();
        let shared = self.shared.clone();
        let flushed = tokio::task::spawn_blocking(move || {
            shared.media.flush(CLOSE_PATIENCE).and(shared.events.flush(CLOSE_PATIENCE))
        });
        if let Ok(Err(error)) = flushed.await {
            tracing::warn!(%error, "closed with messages in flight");
        }
        self.shared.leaving.close();
        if tokio::time::timeout(CLOSE_PATIENCE, self.shared.leaving.wait()).await.is_err() {
            tracing::warn!("closed before every group was left");
        }
    }
}
