//! The store's keys: which bytes lie where.

use crate::{bus::BusError, topic::Channel};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Slice};
use std::path::Path;
use uuid::Uuid;

const MIB: u64 = 1024 * 1024;

/// The store; a clone is the same store.
#[derive(Clone)]
pub(super) struct Store {
    db: Database,
    /// `topic 0 partition offset` -> message.
    messages: Keyspace,
    /// `topic 0 partition` -> the oldest offset kept; only where something was trimmed.
    low: Keyspace,
    /// `group 0 topic 0 partition` -> the offset at which the group goes on.
    groups: Keyspace,
    /// `topic` -> its partitions and the name of its life.
    topics: Keyspace,
}

/// A topic that exists.
pub(in crate::bus::embedded) struct KnownTopic {
    pub(in crate::bus::embedded) channel: Channel,
    pub(in crate::bus::embedded) partitions: u32,
    pub(in crate::bus::embedded) incarnation: String,
}

/// A batch of changes that happen together or not at all.
pub(super) struct Batch<'a> {
    store: &'a Store,
    batch: fjall::OwnedWriteBatch,
}

impl Store {
    pub(super) fn open(dir: &Path) -> Result<Self, BusError> {
        // Small on purpose: events are few, and the process around it is the point.
        let db = Database::builder(dir)
            .worker_threads(1)
            .cache_size(4 * MIB)
            .max_journaling_size(64 * MIB)
            .open()
            .map_err(|error| match error {
                fjall::Error::Locked => BusError::Invalid(format!("{} is in use by another process", dir.display())),
                other => unavailable(other),
            })?;
        let keyspace = |name: &str, memtable: u64| {
            db.keyspace(name, || KeyspaceCreateOptions::default().max_memtable_size(memtable)).map_err(unavailable)
        };
        Ok(Self {
            messages: keyspace("messages", 8 * MIB)?,
            low: keyspace("low", MIB)?,
            groups: keyspace("groups", MIB)?,
            topics: keyspace("topics", MIB)?,
            db,
        })
    }

    pub(super) fn known_topics(&self) -> Result<Vec<KnownTopic>, BusError> {
        let mut known = Vec::new();
        for channel in Channel::all() {
            known.extend(self.known_topic(channel)?);
        }
        Ok(known)
    }

    fn known_topic(&self, channel: Channel) -> Result<Option<KnownTopic>, BusError> {
        let Some(stored) = self.topics.get(channel.name()).map_err(unavailable)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&stored);
        let (partitions, incarnation) = text.split_once(' ').ok_or_else(damaged)?;
        let partitions = partitions.parse().map_err(|_| damaged())?;
        Ok(Some(KnownTopic { channel, partitions, incarnation: incarnation.to_owned() }))
    }

    pub(super) fn create_topic(&self, channel: Channel, partitions: u32) -> Result<KnownTopic, BusError> {
        if let Some(known) = self.known_topic(channel)? {
            return Ok(known);
        }
        let incarnation = Uuid::new_v4().to_string();
        let mut batch = self.batch();
        batch.batch.insert(&self.topics, channel.name(), format!("{partitions} {incarnation}"));
        batch.commit(PersistMode::SyncAll)?;
        Ok(KnownTopic { channel, partitions, incarnation })
    }

    /// What a partition holds: the offset of its oldest message, and the one after its newest.
    pub(super) fn bounds(&self, channel: Channel, partition: u32) -> Result<(u64, u64), BusError> {
        let low = self.low.get(partition_key(channel, partition)).map_err(unavailable)?;
        let low = low.map(|stored| number(&stored)).transpose()?.unwrap_or(0);
        let last = self.messages.prefix(partition_key(channel, partition)).next_back();
        let high = match last {
            Some(guard) => offset_of(&guard.key().map_err(unavailable)?)? + 1,
            None => low,
        };
        Ok((low, high))
    }

    pub(super) fn message(&self, channel: Channel, partition: u32, offset: u64) -> Result<Option<Slice>, BusError> {
        self.messages.get(message_key(channel, partition, offset)).map_err(unavailable)
    }

    pub(super) fn committed(&self, group: &str, channel: Channel, partition: u32) -> Result<Option<u64>, BusError> {
        let stored = self.groups.get(group_key(group, channel, partition)).map_err(unavailable)?;
        stored.map(|stored| number(&stored)).transpose()
    }

    pub(super) fn batch(&self) -> Batch<'_> {
        Batch { store: self, batch: self.db.batch() }
    }
}

impl Batch<'_> {
    pub(super) fn message(&mut self, channel: Channel, partition: u32, offset: u64, stored: Vec<u8>) {
        self.batch.insert(&self.store.messages, message_key(channel, partition, offset), stored);
    }
    pub(super) fn remove(&mut self, channel: Channel, partition: u32, offset: u64) {
        self.batch.remove(&self.store.messages, message_key(channel, partition, offset));
    }
    pub(super) fn low(&mut self, channel: Channel, partition: u32, low: u64) {
        self.batch.insert(&self.store.low, partition_key(channel, partition), low.to_be_bytes());
    }
    pub(super) fn group(&mut self, key: Vec<u8>, next: u64) {
        self.batch.insert(&self.store.groups, key, next.to_be_bytes());
    }
    /// Writes the batch; it outlives a kill in every mode, a power cut with `SyncAll`.
    pub(super) fn commit(self, mode: PersistMode) -> Result<(), BusError> {
        self.batch.durability(Some(mode)).commit().map_err(unavailable)
    }
}

fn partition_key(channel: Channel, partition: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(48);
    key.extend_from_slice(channel.name().as_bytes());
    key.push(0);
    key.extend_from_slice(&partition.to_be_bytes());
    key
}

fn message_key(channel: Channel, partition: u32, offset: u64) -> Vec<u8> {
    let mut key = partition_key(channel, partition);
    key.extend_from_slice(&offset.to_be_bytes());
    key
}

/// Where a group's offset of a partition lies.
pub(super) fn group_key(group: &str, channel: Channel, partition: u32) -> Vec<u8> {
    let mut key = group.as_bytes().to_vec();
    key.push(0);
    key.extend(partition_key(channel, partition));
    key
}

fn offset_of(key: &[u8]) -> Result<u64, BusError> {
    number(key.get(key.len().saturating_sub(8)..).unwrap_or_default())
}

fn number(stored: &[u8]) -> Result<u64, BusError> {
    Ok(u64::from_be_bytes(stored.try_into().map_err(|_| damaged())?))
}

fn damaged() -> BusError {
    BusError::Invalid("the event store is damaged".into())
}

fn unavailable(error: fjall::Error) -> BusError {
    BusError::Unavailable(error.to_string())
}
