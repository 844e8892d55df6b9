//! The event bus: the seam, and what both engines share.
//!
//! Kafka serves more than one machine, [`embedded`] serves one process; one contract suite
//! (`protocol/tests/it/bus.rs`) runs against both, and no code outside this folder may tell which one it has.

mod asked;
pub mod assignment;
pub mod embedded;
pub mod kafka;
#[cfg(feature = "other-release")]
pub(crate) mod other_release;
mod range;

pub use asked::Asked;
pub use range::read_range;

use crate::{
    event::Headers,
    topic::{Carries, Channel, Topic},
};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;

/// A message to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Where to.
    pub channel: Channel,
    /// Orders messages: one key is always in one partition.
    pub key: String,
    /// The partition, where the key's row names one; otherwise murmur2 of the key.
    pub partition: Option<u32>,
    /// Facts beside the payload.
    pub headers: Headers,
    /// The content.
    pub payload: Bytes,
}

/// A message that was read. Its record's `partition` is always set.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// What was published.
    pub record: Record,
    /// Where in its partition it stands.
    pub offset: u64,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The partition.
    pub partition: u32,
    /// The message's place in it.
    pub offset: u64,
}

/// Where to begin reading a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// The oldest message that is kept.
    Earliest,
    /// After the newest message there is now.
    Latest,
    /// That message; the oldest kept where there is no such place (retention has passed it, or the log is a new one).
    Offset(u64),
}

impl StartAt {
    /// The offset it means in a partition that keeps `low..high`.
    pub fn resolve(self, low: u64, high: u64) -> u64 {
        match self {
            StartAt::Earliest => low,
            StartAt::Latest => high,
            StartAt::Offset(offset) if (low..=high).contains(&offset) => offset,
            StartAt::Offset(_) => low,
        }
    }
}

/// What a partition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Offset of the oldest message kept.
    pub low: u64,
    /// Offset that the next message will have.
    pub high: u64,
    /// Names this life of the log; a recreated topic has another, and old positions mean nothing in it.
    pub incarnation: String,
}

/// What can go wrong with the bus.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BusError {
    /// The local send queue is full; drop (media) or wait (events).
    #[error("the bus has too much in flight")]
    Backlog,
    /// Over the size limit; never retry.
    #[error("message of {0} bytes is over the limit")]
    TooLarge(usize),
    /// The topic is not there (or creating it is not allowed).
    #[error("topic {0} does not exist")]
    NoTopic(String),
    /// Wrong credentials; an operator must act.
    #[error("the bus refused our credentials: {0}")]
    Auth(String),
    /// The settings make no sense; an operator must act.
    #[error("the bus cannot be used as configured: {0}")]
    Invalid(String),
    /// The bus is closed or was closed by us.
    #[error("the bus is closed")]
    Closed,
    /// Anything that may pass: broker away, time-out, leader election.
    #[error("the bus is not available: {0}")]
    Unavailable(String),
}

impl BusError {
    /// Whether trying again later may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, BusError::Backlog | BusError::Unavailable(_))
    }
}

/// The event bus.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Publishes and waits until the message is as durable as its topic asks (domain events: on disk, acks=all).
    /// Of calls that run at the same time, the order is theirs. An error does not mean that it was not published:
    /// who tries again may publish twice, which consumers bear.
    async fn publish(&self, record: Record) -> Result<Position, BusError>;
    /// Hands media to the bus without waiting for it; order within a key is kept. [`BusError::Backlog`] over the bound.
    fn send(&self, record: Record) -> Result<(), BusError>;
    /// Joins a consumer group: the members share the partitions; reading begins at the committed offsets,
    /// at the oldest message where there is none.
    async fn join(&self, group: &str, channels: &[Channel]) -> Result<Box<dyn GroupConsumer>, BusError>;
    /// Reads named partitions of one channel, outside any group.
    async fn reader(&self, channel: Channel) -> Result<Box<dyn PartitionReader>, BusError>;
    /// How many partitions a channel has.
    async fn partitions(&self, channel: Channel) -> Result<u32, BusError>;
    /// What a partition holds.
    async fn bounds(&self, channel: Channel, partition: u32) -> Result<Bounds, BusError>;
    /// Creates what is missing of `Channel::all()`; without `create`, fails naming what is missing.
    /// A bus on an empty cluster or data dir has no topics, and every use of one is [`BusError::NoTopic`].
    async fn ensure_topics(&self, create: bool) -> Result<(), BusError>;
    /// Whether the bus answers now.
    async fn check(&self) -> Result<(), BusError>;
    /// Waits until everything sent has left, then closes: members leave their groups, and whoever waits in `next`
    /// gets [`BusError::Closed`].
    async fn close(&self);
}

/// The bus as it is shared.
pub type SharedBus = Arc<dyn Bus>;

/// A member of a consumer group.
#[async_trait]
pub trait GroupConsumer: Send {
    /// The next message; waits for one. Cancel-safe. Retryable errors are retried within.
    async fn next(&mut self) -> Result<Delivery, BusError>;
    /// Marks all up to and including this message of its partition as done, durably enough that a restart
    /// may repeat some, but skip none. No error where the partition has gone to another member meanwhile.
    async fn commit(&mut self, delivery: &Delivery) -> Result<(), BusError>;
}

/// A reader of named partitions.
#[async_trait]
pub trait PartitionReader: Send {
    /// Begins (or begins again) to read a partition; the start is fixed when this returns.
    async fn assign(&mut self, partition: u32, start: StartAt) -> Result<(), BusError>;
    /// The same from a place within [`Bounds`] that [`Bus::bounds`] has just given: asks nobody, so that it does not
    /// hold up the reading of the other partitions.
    async fn assign_at(&mut self, partition: u32, offset: u64) -> Result<(), BusError>;
    /// Stops reading a partition; nothing of it is returned after this.
    async fn unassign(&mut self, partition: u32) -> Result<(), BusError>;
    /// The next message of any assigned partition; waits for one, also when none is assigned. Cancel-safe.
    async fn next(&mut self) -> Result<Delivery, BusError>;
}

/// The partition a record goes to.
pub fn partition_for(record: &Record, partitions: u32) -> u32 {
    match record.channel {
        Channel::DeadLetter(_) => 0,
        Channel::Main(_) => record.partition.unwrap_or_else(|| crate::topic::partition_of(&record.key, partitions)),
    }
}

/// The largest payload of a media message, in bytes; edges cut theirs to fit.
pub const MAX_MEDIA_PAYLOAD: usize = 256 * 1024;
/// The largest payload of a domain event or dead letter, in bytes.
pub const MAX_EVENT_PAYLOAD: usize = 1024 * 1024;
/// The most that a message's key and headers may have together, in bytes.
pub const MAX_ENVELOPE: usize = 32 * 1024;

/// Refuses a record that is over the limits.
pub fn check_size(record: &Record) -> Result<(), BusError> {
    let limit = match record.channel.topic().carries() {
        Carries::Media => MAX_MEDIA_PAYLOAD,
        Carries::Events => MAX_EVENT_PAYLOAD,
    };
    let envelope = envelope_size(record);
    if record.payload.len() > limit || envelope > MAX_ENVELOPE {
        return Err(BusError::TooLarge(record.payload.len() + envelope));
    }
    Ok(())
}

/// Bytes of a record's key and headers.
fn envelope_size(record: &Record) -> usize {
    record.key.len() + record.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
}

/// Partitions and replication, where the table's defaults are not wanted.
#[derive(Debug, Clone)]
pub struct TopicSettings {
    /// Partitions of the session-keyed media and turn topics.
    pub media_partitions: u32,
    /// Replicas of every topic (Kafka only).
    pub replication: i32,
}
impl Default for TopicSettings {
    fn default() -> Self {
        Self { media_partitions: 100, replication: 1 }
    }
}
impl TopicSettings {
    /// Partitions of a channel to be created.
    pub fn partitions(&self, channel: Channel) -> u32 {
        match channel {
            Channel::DeadLetter(_) => 1,
            Channel::Main(topic) if topic.default_partitions() == 100 => self.media_partitions,
            Channel::Main(topic) => topic.default_partitions(),
        }
    }
    /// Whether the settings and the table agree on a topic; for tests with few partitions.
    pub fn is_default(&self, topic: Topic) -> bool {
        self.partitions(topic.into()) == topic.default_partitions()
    }
}
