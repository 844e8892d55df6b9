//! The bus of one process: no broker, the same semantics as Kafka.
//!
//! Domain topics lie in a `fjall` store, so that they outlive `kill -9` (`durable`); PostgreSQL would serve as well,
//! but would put each published event on the same connection pool that the outbox relay reads from, and its wake-ups
//! on a second channel. Media topics lie in bounded memory (`media`): after a crash there is no one left to hear them.
//! Readers are woken by the publisher, nothing polls.

mod codec;
mod durable;
mod group;
mod media;
mod reader;
mod share;
mod topics;

use super::{
    Bounds, Bus, BusError, GroupConsumer, PartitionReader, Position, Record, TopicSettings, check_size, partition_for,
};
use crate::{
    clock::SharedClock,
    topic::{Carries, Channel},
};
use async_trait::async_trait;
use durable::Durable;
use group::Groups;
use std::{path::Path, sync::Arc};
use tokio_util::sync::CancellationToken;
use topics::{Log, Topics};

/// The bus of one process.
pub struct EmbeddedBus {
    shared: Arc<Shared>,
}

/// What the bus, its readers and its group members share.
struct Shared {
    settings: TopicSettings,
    clock: SharedClock,
    durable: Durable,
    topics: Topics,
    groups: Groups,
    closed: CancellationToken,
}

impl EmbeddedBus {
    /// Opens the bus whose store is in `dir` (made if it is not there). One process at a time: a second one gets
    /// [`BusError::Invalid`]. Topics must be created once by [`Bus::ensure_topics`].
    pub fn open(dir: &Path, settings: TopicSettings, clock: SharedClock) -> Result<Arc<Self>, BusError> {
        let topics = Topics::default();
        let durable = Durable::open(dir, clock.clone())?;
        for known in durable.known_topics()? {
            topics
                .insert(known.channel, open_log(&durable, known.channel, known.partitions, known.incarnation, &clock)?);
        }
        let shared =
            Shared { settings, clock, durable, topics, groups: Groups::default(), closed: CancellationToken::new() };
        Ok(Arc::new(Self { shared: Arc::new(shared) }))
    }

    /// Removes events that are past their retention now. It happens by itself now and then; tests and operators
    /// need not wait for it.
    pub async fn trim(&self) -> Result<(), BusError> {
        self.shared.durable.trim().await
    }
}

impl Drop for EmbeddedBus {
    /// Ends whoever still waits in `next`; they hold the store open.
    fn drop(&mut self) {
        self.shared.closed.cancel();
    }
}

fn open_log(
    durable: &Durable,
    channel: Channel,
    partitions: u32,
    incarnation: String,
    clock: &SharedClock,
) -> Result<Log, BusError> {
    Ok(match channel.topic().carries() {
        Carries::Events => Log::durable(durable.topic(channel, partitions)?, incarnation),
        Carries::Media => Log::media(media::MediaTopic::new(channel, partitions, clock.clone())),
    })
}

impl Shared {
    fn check_open(&self) -> Result<(), BusError> {
        if self.closed.is_cancelled() { Err(BusError::Closed) } else { Ok(()) }
    }

    /// Checks a record and finds the log it goes to; names its partition.
    fn route(&self, record: &mut Record) -> Result<(Arc<Log>, u32), BusError> {
        self.check_open()?;
        check_size(record)?;
        let log = self.topics.get(record.channel)?;
        let partition = partition_for(record, log.partitions());
        log.check_partition(partition)?;
        record.partition = Some(partition);
        Ok((log, partition))
    }
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn publish(&self, mut record: Record) -> Result<Position, BusError> {
        let (log, partition) = self.shared.route(&mut record)?;
        let offset = match log.as_ref() {
            Log::Durable(topic) => self.shared.durable.publish(topic.topic.clone(), partition, record).await?,
            Log::Media(topic) => topic.append(partition, record),
        };
        Ok(Position { partition, offset })
    }

    fn send(&self, mut record: Record) -> Result<(), BusError> {
        let (log, partition) = self.shared.route(&mut record)?;
        match log.as_ref() {
            Log::Durable(topic) => self.shared.durable.send(topic.topic.clone(), partition, record),
            Log::Media(topic) => {
                topic.append(partition, record);
                Ok(())
            }
        }
    }

    async fn join(&self, group: &str, channels: &[Channel]) -> Result<Box<dyn GroupConsumer>, BusError> {
        self.shared.check_open()?;
        Ok(Box::new(group::Member::join(self.shared.clone(), group, channels)?))
    }

    async fn reader(&self, channel: Channel) -> Result<Box<dyn PartitionReader>, BusError> {
        self.shared.check_open()?;
        let log = self.shared.topics.get(channel)?;
        Ok(Box::new(reader::Reader::new(log, self.shared.closed.clone())))
    }

    async fn partitions(&self, channel: Channel) -> Result<u32, BusError> {
        self.shared.check_open()?;
        Ok(self.shared.topics.get(channel)?.partitions())
    }

    async fn bounds(&self, channel: Channel, partition: u32) -> Result<Bounds, BusError> {
        self.shared.check_open()?;
        let log = self.shared.topics.get(channel)?;
        log.check_partition(partition)?;
        let (low, high) = log.bounds(partition);
        Ok(Bounds { low, high, incarnation: log.incarnation().to_owned() })
    }

    async fn ensure_topics(&self, create: bool) -> Result<(), BusError> {
        self.shared.check_open()?;
        let missing: Vec<Channel> =
            Channel::all().filter(|channel| self.shared.topics.get(*channel).is_err()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if !create {
            return Err(BusError::NoTopic(missing.iter().map(|channel| channel.name()).collect::<Vec<_>>().join(", ")));
        }
        let shared = &self.shared;
        for channel in missing {
            shared.topics.ensure(channel, || {
                let known = shared.durable.create_topic(channel, shared.settings.partitions(channel))?;
                open_log(&shared.durable, channel, known.partitions, known.incarnation, &shared.clock)
            })?;
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), BusError> {
        self.shared.check_open()?;
        self.shared.durable.check().await
    }

    async fn close(&self) {
        self.shared.closed.cancel();
        self.shared.durable.close().await;
    }
}
