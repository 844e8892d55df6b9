//! Domain topics on disk: a `fjall` store behind one writer thread.
//!
//! The thread takes all that is waiting, gives it offsets, writes it as one batch with one fsync, and only then
//! acknowledges: a hundred publishers at once cost one fsync, one alone waits for nobody. Readers see a message only
//! after its fsync. Keys are `topic 0x00 partition offset` in big endian, so that a partition is one run of the store.

mod store;
mod writer;

use super::{codec, topics::Waiters};
use crate::{
    bus::{BusError, Delivery, Record, envelope_size},
    clock::SharedClock,
    topic::Channel,
};
use parking_lot::Mutex;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};
pub(super) use store::KnownTopic;
use store::Store;
use tokio::sync::{Semaphore, mpsc, oneshot};
use writer::{Job, Write, Writer};

/// Bytes that may wait for the writer; more is [`BusError::Backlog`] to `send`, a wait to `publish`.
const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// What a waiting message costs beside its content.
const OVERHEAD: usize = 256;

/// A domain topic.
pub(super) struct DurableTopic {
    channel: Channel,
    partitions: Vec<Bound>,
    store: Store,
    waiters: Waiters,
}

/// What a partition holds; written by the writer thread alone.
struct Bound {
    low: AtomicU64,
    high: AtomicU64,
}

impl DurableTopic {
    pub(super) fn channel(&self) -> Channel {
        self.channel
    }
    pub(super) fn partitions(&self) -> u32 {
        self.partitions.len() as u32
    }
    pub(super) fn waiters(&self) -> &Waiters {
        &self.waiters
    }
    pub(super) fn bounds(&self, partition: u32) -> (u64, u64) {
        let bound = &self.partitions[partition as usize];
        (bound.low.load(Ordering::Acquire), bound.high.load(Ordering::Acquire))
    }

    /// The first message at or after `from`. Reads the store in place: the tail is in its memory, older blocks are in
    /// the page cache or one small read away, so this costs a live runtime microseconds.
    pub(super) fn read(&self, partition: u32, from: u64) -> Result<Option<Delivery>, BusError> {
        let (low, high) = self.bounds(partition);
        let mut offset = from.max(low);
        while offset < high {
            let Some(stored) = self.store.message(self.channel, partition, offset)? else {
                // Trimmed between the two reads.
                offset = offset.max(self.bounds(partition).0).max(offset + 1);
                continue;
            };
            match codec::decode(&stored, self.channel, partition) {
                Some(record) => return Ok(Some(Delivery { record, offset })),
                None => {
                    tracing::error!(
                        topic = self.channel.name(),
                        partition,
                        offset,
                        "stored message is damaged; passed over"
                    );
                    offset += 1;
                }
            }
        }
        Ok(None)
    }
}

/// All domain topics.
pub(super) struct Durable {
    store: Store,
    jobs: Mutex<Option<mpsc::UnboundedSender<Job>>>,
    waiting: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Durable {
    pub(super) fn open(dir: &Path, clock: SharedClock) -> Result<Self, BusError> {
        let store = Store::open(dir)?;
        let (jobs, queue) = mpsc::unbounded_channel();
        let writer = Writer::new(store.clone(), clock);
        let thread = std::thread::Builder::new()
            .name("maya-bus-writer".into())
            .spawn(move || writer.run(queue))
            .map_err(|error| BusError::Unavailable(error.to_string()))?;
        Ok(Self {
            store,
            jobs: Mutex::new(Some(jobs)),
            waiting: Arc::new(Semaphore::new(MAX_WAITING_BYTES)),
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) fn known_topics(&self) -> Result<Vec<KnownTopic>, BusError> {
        self.store.known_topics()
    }

    /// Records that a topic exists; a topic that does keeps what it has.
    pub(super) fn create_topic(&self, channel: Channel, partitions: u32) -> Result<KnownTopic, BusError> {
        self.store.create_topic(channel, partitions)
    }

    /// Opens a topic's partitions and lets the writer trim it.
    pub(super) fn topic(&self, channel: Channel, partitions: u32) -> Result<Arc<DurableTopic>, BusError> {
        let partitions = (0..partitions)
            .map(|partition| {
                let (low, high) = self.store.bounds(channel, partition)?;
                Ok(Bound { low: AtomicU64::new(low), high: AtomicU64::new(high) })
            })
            .collect::<Result<_, BusError>>()?;
        let topic =
            Arc::new(DurableTopic { channel, partitions, store: self.store.clone(), waiters: Waiters::default() });
        self.submit(Job::Watch(topic.clone()))?;
        Ok(topic)
    }

    pub(super) async fn publish(
        &self,
        topic: Arc<DurableTopic>,
        partition: u32,
        record: Record,
    ) -> Result<u64, BusError> {
        let permit = self.waiting.clone().acquire_many_owned(cost(&record)).await.map_err(|_| BusError::Closed)?;
        let (receipt, written) = oneshot::channel();
        self.submit(Job::Write(Write { topic, partition, record, receipt: Some(receipt), _permit: permit }))?;
        written.await.map_err(|_| BusError::Closed)?
    }

    pub(super) fn send(&self, topic: Arc<DurableTopic>, partition: u32, record: Record) -> Result<(), BusError> {
        let permit = self.waiting.clone().try_acquire_many_owned(cost(&record)).map_err(|_| BusError::Backlog)?;
        self.submit(Job::Write(Write { topic, partition, record, receipt: None, _permit: permit }))
    }

    /// The offset at which a group goes on.
    pub(super) fn committed(&self, group: &str, channel: Channel, partition: u32) -> Result<Option<u64>, BusError> {
        self.store.committed(group, channel, partition)
    }

    /// Records where a group goes on. Not awaited: it outlives a kill as soon as the thread has written it, and what
    /// is lost before that is a repetition.
    pub(super) fn commit(&self, group: &str, channel: Channel, partition: u32, next: u64) -> Result<(), BusError> {
        self.submit(Job::Commit { key: store::group_key(group, channel, partition), next })
    }

    /// Removes what is past its retention.
    pub(super) async fn trim(&self) -> Result<(), BusError> {
        let (done, wait) = oneshot::channel();
        self.submit(Job::Trim(done))?;
        wait.await.map_err(|_| BusError::Closed)?
    }

    /// Whether the writer writes: waits for its turn in the queue.
    pub(super) async fn check(&self) -> Result<(), BusError> {
        let (done, wait) = oneshot::channel();
        self.submit(Job::Check(done))?;
        match tokio::time::timeout(std::time::Duration::from_secs(2), wait).await {
            Ok(answer) => answer.map_err(|_| BusError::Closed)?,
            Err(_) => Err(BusError::Unavailable("the writer is stuck".into())),
        }
    }

    /// Lets the writer finish what is waiting, and ends it.
    pub(super) async fn close(&self) {
        self.jobs.lock().take();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // A panic in there has been printed by its hook.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn submit(&self, job: Job) -> Result<(), BusError> {
        match self.jobs.lock().as_ref() {
            Some(jobs) => jobs.send(job).map_err(|_| BusError::Closed),
            None => Err(BusError::Closed),
        }
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        self.jobs.lock().take();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

fn cost(record: &Record) -> u32 {
    (record.payload.len() + envelope_size(record) + OVERHEAD) as u32
}
