//! The one thread that writes.

use super::{DurableTopic, store::Store};
use crate::{
    bus::{BusError, Record, embedded::codec},
    clock::SharedClock,
    topic::{Channel, DEAD_LETTER_RETENTION},
};
use fjall::PersistMode;
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// How often retention is applied; a store that is not written to has nothing that grows.
const TRIM_EVERY: Duration = Duration::from_secs(600);
/// Messages of one batch; bounds the memory of a burst and the wait of its first publisher.
const MAX_BATCH: usize = 512;

type Answer<T> = oneshot::Sender<Result<T, BusError>>;

/// A message to be written.
pub(super) struct Write {
    pub(super) topic: Arc<DurableTopic>,
    pub(super) partition: u32,
    pub(super) record: Record,
    pub(super) receipt: Option<Answer<u64>>,
    /// Its place in the bound of waiting bytes.
    pub(super) _permit: OwnedSemaphorePermit,
}

/// What the thread is asked to do.
pub(super) enum Job {
    Write(Write),
    Commit {
        key: Vec<u8>,
        next: u64,
    },
    /// A topic to be trimmed from now on.
    Watch(Arc<DurableTopic>),
    Trim(Answer<()>),
    Check(Answer<()>),
}

pub(super) struct Writer {
    store: Store,
    clock: SharedClock,
    topics: Vec<Arc<DurableTopic>>,
    trimmed: Option<Instant>,
}

impl Writer {
    pub(super) fn new(store: Store, clock: SharedClock) -> Self {
        Self { store, clock, topics: Vec::new(), trimmed: None }
    }

    /// Runs until every sender is gone and the queue is empty.
    pub(super) fn run(mut self, mut queue: mpsc::UnboundedReceiver<Job>) {
        let mut jobs = Vec::with_capacity(MAX_BATCH);
        while queue.blocking_recv_many(&mut jobs, MAX_BATCH) > 0 {
            self.work(&mut jobs);
            let now = self.clock.now();
            if self.trimmed.is_none_or(|at| now.saturating_duration_since(at) >= TRIM_EVERY) {
                self.trimmed = Some(now);
                if let Err(error) = self.trim() {
                    tracing::error!(%error, "retention could not be applied");
                }
            }
        }
    }

    fn work(&mut self, jobs: &mut Vec<Job>) {
        let mut writes = Vec::new();
        let mut commits: HashMap<Vec<u8>, u64> = HashMap::new();
        let mut checks = Vec::new();
        let mut trims = Vec::new();
        for job in jobs.drain(..) {
            match job {
                Job::Write(write) => writes.push(write),
                Job::Commit { key, next } => {
                    commits.insert(key, next);
                }
                Job::Watch(topic) => self.topics.push(topic),
                Job::Check(answer) => checks.push(answer),
                Job::Trim(answer) => trims.push(answer),
            }
        }
        let written = self.write(writes, commits);
        for answer in checks {
            let _ = answer.send(written.clone());
        }
        for answer in trims {
            let _ = answer.send(self.trim());
        }
    }

    /// Writes a batch; offsets move only when it is on disk.
    fn write(&self, writes: Vec<Write>, commits: HashMap<Vec<u8>, u64>) -> Result<(), BusError> {
        let at = self.clock.utc().timestamp_millis();
        let mut batch = self.store.batch();
        let mut next: HashMap<(Channel, u32), u64> = HashMap::new();
        let mode = if writes.is_empty() { PersistMode::Buffer } else { PersistMode::SyncAll };
        let offsets: Vec<u64> = writes
            .iter()
            .map(|write| {
                let (channel, partition) = (write.topic.channel, write.partition);
                let next = next.entry((channel, partition)).or_insert_with(|| write.topic.bounds(partition).1);
                let offset = *next;
                *next += 1;
                batch.message(channel, partition, offset, codec::encode(at, &write.record));
                offset
            })
            .collect();
        for (key, next) in commits {
            batch.group(key, next);
        }
        let written = batch.commit(mode);
        if let Err(error) = &written {
            tracing::error!(%error, messages = writes.len(), "events could not be written");
        } else {
            for (write, offset) in writes.iter().zip(&offsets) {
                write.topic.partitions[write.partition as usize].high.store(offset + 1, Ordering::Release);
            }
            let mut woken: Option<&Arc<DurableTopic>> = None;
            for write in &writes {
                if !woken.is_some_and(|topic| Arc::ptr_eq(topic, &write.topic)) {
                    write.topic.waiters.wake();
                    woken = Some(&write.topic);
                }
            }
        }
        for (write, offset) in writes.into_iter().zip(offsets) {
            if let Some(receipt) = write.receipt {
                let _ = receipt.send(written.clone().map(|()| offset));
            }
        }
        written
    }

    /// Removes what is past its retention, partition by partition from the oldest on.
    fn trim(&self) -> Result<(), BusError> {
        let now = self.clock.utc().timestamp_millis();
        for topic in &self.topics {
            let kept_since = now - retention(topic.channel).as_millis() as i64;
            for partition in 0..topic.partitions() {
                self.trim_partition(topic, partition, kept_since)?;
            }
        }
        Ok(())
    }

    fn trim_partition(&self, topic: &DurableTopic, partition: u32, kept_since: i64) -> Result<(), BusError> {
        let channel = topic.channel;
        let (mut low, high) = topic.bounds(partition);
        loop {
            let start = low;
            let mut batch = self.store.batch();
            while low < high && low - start < MAX_BATCH as u64 {
                let stored = self.store.message(channel, partition, low)?;
                if stored.is_some_and(|stored| codec::arrived_at(&stored).is_some_and(|at| at >= kept_since)) {
                    break;
                }
                batch.remove(channel, partition, low);
                low += 1;
            }
            if low == start {
                return Ok(());
            }
            batch.low(channel, partition, low);
            // Readers must not look for what is about to go.
            topic.partitions[partition as usize].low.store(low, Ordering::Release);
            batch.commit(PersistMode::Buffer)?;
        }
    }
}

fn retention(channel: Channel) -> Duration {
    match channel {
        Channel::Main(topic) => topic.retention(),
        Channel::DeadLetter(_) => DEAD_LETTER_RETENTION,
    }
}
