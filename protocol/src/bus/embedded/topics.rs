//! The topics there are, and the one face that durable and media logs show to their readers.

use super::{durable::DurableTopic, media::MediaTopic};
use crate::{
    bus::{BusError, Delivery, StartAt},
    topic::Channel,
};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Weak},
};
use tokio::sync::Notify;

/// Whoever waits for a topic's next message. A notification given while nobody waits is kept, so none is missed.
#[derive(Default)]
pub(super) struct Waiters {
    list: Mutex<Vec<Weak<Notify>>>,
}

impl Waiters {
    /// Adds one; it leaves by being dropped.
    pub(super) fn add(&self, waiter: &Arc<Notify>) {
        let mut list = self.list.lock();
        list.retain(|old| old.strong_count() > 0);
        list.push(Arc::downgrade(waiter));
    }
    /// Wakes all.
    pub(super) fn wake(&self) {
        for waiter in self.list.lock().iter().filter_map(Weak::upgrade) {
            waiter.notify_one();
        }
    }
}

/// A durable topic and the name of its life.
pub(super) struct DurableLog {
    pub(super) topic: Arc<DurableTopic>,
    incarnation: String,
}

/// A topic's messages.
pub(super) enum Log {
    /// On disk.
    Durable(DurableLog),
    /// In memory.
    Media(MediaTopic),
}

impl Log {
    pub(super) fn durable(topic: Arc<DurableTopic>, incarnation: String) -> Self {
        Log::Durable(DurableLog { topic, incarnation })
    }
    pub(super) fn media(topic: MediaTopic) -> Self {
        Log::Media(topic)
    }
    pub(super) fn channel(&self) -> Channel {
        match self {
            Log::Durable(log) => log.topic.channel(),
            Log::Media(topic) => topic.channel(),
        }
    }
    pub(super) fn partitions(&self) -> u32 {
        match self {
            Log::Durable(log) => log.topic.partitions(),
            Log::Media(topic) => topic.partitions(),
        }
    }
    pub(super) fn incarnation(&self) -> &str {
        match self {
            Log::Durable(log) => &log.incarnation,
            Log::Media(topic) => topic.incarnation(),
        }
    }
    /// Oldest offset kept and the next one to be given.
    pub(super) fn bounds(&self, partition: u32) -> (u64, u64) {
        match self {
            Log::Durable(log) => log.topic.bounds(partition),
            Log::Media(topic) => topic.bounds(partition),
        }
    }
    /// The first message at or after `from`.
    pub(super) fn read(&self, partition: u32, from: u64) -> Result<Option<Delivery>, BusError> {
        match self {
            Log::Durable(log) => log.topic.read(partition, from),
            Log::Media(topic) => Ok(topic.read(partition, from)),
        }
    }
    pub(super) fn waiters(&self) -> &Waiters {
        match self {
            Log::Durable(log) => log.topic.waiters(),
            Log::Media(topic) => topic.waiters(),
        }
    }
    pub(super) fn check_partition(&self, partition: u32) -> Result<(), BusError> {
        if partition < self.partitions() {
            return Ok(());
        }
        Err(BusError::NoTopic(format!("{}[{partition}]", self.channel().name())))
    }
    /// The offset that a start means now.
    pub(super) fn resolve(&self, partition: u32, start: StartAt) -> u64 {
        let (low, high) = self.bounds(partition);
        start.resolve(low, high)
    }
}

/// The topics by name.
#[derive(Default)]
pub(super) struct Topics {
    logs: RwLock<HashMap<Channel, Arc<Log>>>,
}

impl Topics {
    pub(super) fn insert(&self, channel: Channel, log: Log) {
        self.logs.write().insert(channel, Arc::new(log));
    }
    pub(super) fn get(&self, channel: Channel) -> Result<Arc<Log>, BusError> {
        self.logs.read().get(&channel).cloned().ok_or_else(|| BusError::NoTopic(channel.name().to_owned()))
    }
    pub(super) fn ensure(
        &self,
        channel: Channel,
        create: impl FnOnce() -> Result<Log, BusError>,
    ) -> Result<(), BusError> {
        if let Entry::Vacant(vacant) = self.logs.write().entry(channel) {
            vacant.insert(Arc::new(create()?));
        }
        Ok(())
    }
}
