//! Joins the camera's WebM pieces into objects that play alone, one about every 30 seconds.
//!
//! A piece plays nowhere: MediaRecorder cuts in the middle of elements, and only the first piece carries the header. The
//! pieces are therefore remuxed: the stream's own header, then its blocks untouched in clusters of ours, each object from
//! a keyframe on and from time zero. An offset is committed only when the object and its row are written; the row also
//! says how to go on (`segment::Place`), so that a recorder that dies is followed by one that misses nothing.

mod keep;
mod segment;
mod stream;
mod webm;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use keep::Keeper;
use maya_protocol::{
    bus::{BusError, Delivery, GroupConsumer, Record, SharedBus},
    event::{Headers, header},
    ids::{ConnectionId, SessionId, TenantId},
    topic::{Channel, Topic},
};
use maya_store::Store;
use object_store::ObjectStore;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use stream::{Piece, Stream};
use tokio_util::sync::CancellationToken;

/// The consumer group.
const GROUP: &str = "recorder";
/// How long to wait after something failed.
const PAUSE: Duration = Duration::from_millis(500);

/// How the recorder works.
#[derive(Debug, Clone)]
pub struct RecorderSettings {
    /// After this an object ends at the next keyframe.
    pub segment: Duration,
    /// An object ends before it grows beyond this, which bounds a session's memory.
    pub max_segment_bytes: usize,
    /// A camera that is silent for this long has ended, as far as the object is concerned.
    pub idle: Duration,
}
impl Default for RecorderSettings {
    fn default() -> Self {
        Self { segment: Duration::from_secs(30), max_segment_bytes: 32 << 20, idle: Duration::from_secs(10) }
    }
}

/// A member of the recorders' group.
pub struct Recorder {
    store: Store,
    bus: SharedBus,
    keeper: Keeper,
    settings: RecorderSettings,
}

/// What one membership knows.
#[derive(Default)]
struct Membership {
    streams: HashMap<SessionId, Stream>,
    partitions: BTreeMap<u32, Progress>,
}

/// How far a partition was read, and how far it is done; both are the next offset.
#[derive(Default)]
struct Progress {
    read: u64,
    done: u64,
}

/// The facts beside a piece.
struct Envelope {
    session: SessionId,
    tenant: TenantId,
    connection: ConnectionId,
    sequence: u64,
    captured_at: DateTime<Utc>,
}

impl Envelope {
    fn of(record: &Record) -> Option<Self> {
        fn get<T: std::str::FromStr>(headers: &Headers, name: &str) -> Option<T> {
            header(headers, name)?.parse().ok()
        }
        let headers = &record.headers;
        Some(Self {
            session: record.key.parse().ok()?,
            tenant: get(headers, "tenant")?,
            connection: get(headers, "connection")?,
            sequence: get(headers, "sequence")?,
            captured_at: DateTime::from_timestamp_micros(get(headers, "captured-at")?)?,
        })
    }
}

impl Recorder {
    /// A recorder into that object store.
    pub fn new(store: Store, bus: SharedBus, blobs: Arc<dyn ObjectStore>, settings: RecorderSettings) -> Self {
        Self { keeper: Keeper::new(store.clone(), blobs), store, bus, settings }
    }

    /// Records until told to stop. What is not yet an object by then is read again by whoever comes next.
    pub async fn run(self, stop: CancellationToken) {
        let video = [Channel::Main(Topic::CandidateVideo)];
        while let Some(joined) = stop.run_until_cancelled(self.bus.join(GROUP, &video)).await {
            match joined {
                Ok(mut group) => {
                    if let Err(error) = self.record(group.as_mut(), &stop).await {
                        tracing::warn!(error = %error, "the recorder begins anew");
                    }
                }
                Err(error) => tracing::warn!(error = %error, "the recorder cannot join its group"),
            }
            stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }

    async fn record(&self, group: &mut dyn GroupConsumer, stop: &CancellationToken) -> Result<(), BusError> {
        let mut membership = Membership::default();
        let mut ticks = tokio::time::interval((self.settings.idle / 4).max(Duration::from_millis(10)));
        loop {
            tokio::select! {
                // only waiting is broken off, never a piece half written down
                () = stop.cancelled() => return Ok(()),
                delivery = group.next() => self.take(&mut membership, delivery?).await,
                _ = ticks.tick() => self.end_idle(&mut membership).await,
            }
            membership.commit(group).await?;
        }
    }

    async fn take(&self, membership: &mut Membership, delivery: Delivery) {
        let Delivery { record, offset } = delivery;
        let partition = record.partition.unwrap_or_default();
        membership.partitions.entry(partition).or_insert(Progress { read: offset, done: offset }).read = offset + 1;
        let Some(envelope) = Envelope::of(&record) else {
            metrics::counter!("maya_recorder_pieces_dropped_total", "why" => "unreadable").increment(1);
            return;
        };
        let is_new =
            membership.streams.get(&envelope.session).is_none_or(|stream| stream.connection != envelope.connection);
        if is_new {
            if let Some(mut old) = membership.streams.remove(&envelope.session) {
                self.keep(&old.end(), &old).await;
            }
            let resume = self.keeper.resume(envelope.tenant, envelope.session, envelope.connection).await;
            let ids = (envelope.session, envelope.tenant, envelope.connection);
            let stream = Stream::new(ids, partition, resume, &self.settings, self.store.clock().now());
            membership.streams.insert(envelope.session, stream);
        }
        let Some(stream) = membership.streams.get_mut(&envelope.session) else { return };
        let piece = Piece { sequence: envelope.sequence, captured_at: envelope.captured_at, offset };
        let finished = stream.push(piece, record.payload, self.store.clock().now());
        for segment in &finished {
            self.keep(std::slice::from_ref(segment), stream).await;
        }
        stream.forget_kept();
    }

    async fn end_idle(&self, membership: &mut Membership) {
        let now = self.store.clock().now();
        for stream in membership.streams.values_mut() {
            if stream.has_work() && now.saturating_duration_since(stream.last_at) >= self.settings.idle {
                let finished = stream.end();
                self.keep(&finished, stream).await;
            }
        }
        // an idle parser is kept for the rest of a long pause, then its memory is given back
        let long = self.settings.idle * 60;
        membership.streams.retain(|_, stream| now.saturating_duration_since(stream.last_at) < long);
    }

    /// Keeps objects, however long the database or the object store is away: the log waits meanwhile.
    async fn keep(&self, segments: &[segment::Segment], stream: &Stream) {
        for segment in segments {
            while let Err(error) = self.keeper.keep(stream.tenant, stream.session, stream.connection, segment).await {
                tracing::warn!(session.id = %stream.session, error = %error, "a recording waits");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Membership {
    /// Commits each partition up to the first piece that is not yet in an object.
    async fn commit(&mut self, group: &mut dyn GroupConsumer) -> Result<(), BusError> {
        for (&partition, progress) in &mut self.partitions {
            let first =
                self.streams.values().filter(|stream| stream.partition == partition).filter_map(Stream::first_needed);
            let done = first.min().unwrap_or(progress.read);
            if done > progress.done {
                let record = Record {
                    channel: Channel::Main(Topic::CandidateVideo),
                    key: String::new(),
                    partition: Some(partition),
                    headers: Headers::new(),
                    payload: Bytes::new(),
                };
                group.commit(&Delivery { record, offset: done - 1 }).await?;
                progress.done = done;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
