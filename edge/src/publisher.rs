//! A socket's messages on their way to the bus: numbered, and bounded in bytes.
//!
//! Media is handed over without waiting. Each time a bound's worth of bytes has gone, the next message waits for the
//! bus's acknowledgement, and the socket is not read meanwhile: so one socket never has more than that on its way.

use crate::{metric, settings::EdgeSettings};
use bytes::Bytes;
use maya_protocol::{
    audio::{CandidateBody, CandidateMessage},
    bus::{BusError, Record, SharedBus},
    clock::SharedClock,
    ids::{ConnectionId, SessionId, TenantId},
    topic::{Channel, Topic},
    trace::{self, TraceContext},
};
use parking_lot::Mutex;
use std::{
    ops::Range,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// A client that has sent nothing of a stream for so long has stopped; after a while it was said often enough.
const QUIET: Range<Duration> = Duration::from_secs(1)..Duration::from_secs(30);
/// Most bytes of video in a message; leaves room for the envelope under the bus's limit.
const MAX_VIDEO_PIECE: usize = 240 * 1024;

/// The bus was behind for longer than a socket waits; the message was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behind;

/// A socket's way to the bus. One caller publishes at a time, so that numbers and order agree; what is told beside it
/// may stand out of order.
pub(crate) struct Publisher {
    bus: SharedBus,
    clock: SharedClock,
    session: SessionId,
    tenant: TenantId,
    partition: u32,
    connection: ConnectionId,
    /// The connection's generation.
    stream: u64,
    /// The connection's.
    trace: Option<TraceContext>,
    bound: usize,
    patience: Duration,
    sequence: AtomicU64,
    video_sequence: AtomicU64,
    in_flight: AtomicUsize,
    /// When the last piece of an open stream came.
    last_audio: Mutex<Option<Instant>>,
    /// Since when a message waits for the bus.
    waits_since: Mutex<Option<Instant>>,
}

impl Publisher {
    /// For the trace that the running task works for.
    pub(crate) fn new(
        bus: SharedBus,
        clock: SharedClock,
        settings: &EdgeSettings,
        (session, tenant, partition): (SessionId, TenantId, u32),
        (connection, stream): (ConnectionId, u64),
    ) -> Self {
        Self {
            bus,
            clock,
            session,
            tenant,
            partition,
            connection,
            stream,
            trace: trace::current(),
            bound: settings.in_flight_bytes,
            patience: settings.backlog_wait,
            sequence: AtomicU64::new(0),
            video_sequence: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            last_audio: Mutex::default(),
            waits_since: Mutex::default(),
        }
    }

    /// Publishes what the connection says. A dropped message leaves a gap in the numbers, which is what it is.
    pub(crate) async fn publish(&self, body: CandidateBody) -> Result<(), Behind> {
        match body {
            CandidateBody::Audio { .. } => *self.last_audio.lock() = Some(self.clock.now()),
            CandidateBody::AudioStart { .. } | CandidateBody::AudioEnd => *self.last_audio.lock() = None,
            _ => {}
        }
        self.hand_over(self.record(body)).await
    }

    /// Publishes what the interviewer can do without: at once or not at all.
    pub(crate) fn tell(&self, body: CandidateBody) {
        if let Err(error) = self.bus.send(self.record(body)) {
            dropped(&error);
        }
    }

    /// Tells where the client has stopped sending in the middle of a stream.
    pub(crate) fn tell_quiet(&self) {
        let last = *self.last_audio.lock();
        let quiet = last.map(|last| self.clock.now().saturating_duration_since(last)).unwrap_or_default();
        // a message that waits for the bus has its place behind the others
        if QUIET.contains(&quiet) && self.waits().is_zero() {
            self.tell(CandidateBody::Quiet);
        }
    }

    /// Publishes and waits until the bus has it, for as long as its patience.
    pub(crate) async fn publish_surely(&self, body: CandidateBody) -> Result<(), Behind> {
        self.acknowledged(self.record(body)).await
    }

    /// Publishes a camera's bytes, in pieces.
    pub(crate) async fn publish_video(&self, mut video: Bytes) -> Result<(), Behind> {
        while !video.is_empty() {
            let payload = video.split_to(video.len().min(MAX_VIDEO_PIECE));
            let mut headers = vec![
                ("tenant", self.tenant.to_string()),
                ("session", self.session.to_string()),
                ("connection", self.connection.to_string()),
                ("stream", self.stream.to_string()),
                ("sequence", self.video_sequence.fetch_add(1, Ordering::Relaxed).to_string()),
                ("captured-at", self.clock.utc().timestamp_micros().to_string()),
                (maya_protocol::event::HEADER_KEY_ID, String::new()),
            ];
            headers.extend(self.trace.map(|trace| (trace::HEADER, trace.to_string())));
            self.hand_over(Record {
                channel: Channel::Main(Topic::CandidateVideo),
                key: self.session.to_string(),
                partition: Some(self.partition),
                headers: headers.into_iter().map(|(name, value)| (name.to_owned(), Bytes::from(value))).collect(),
                payload,
            })
            .await?;
        }
        Ok(())
    }

    /// For how long the bus has not taken what the connection says.
    pub(crate) fn waits(&self) -> Duration {
        let since = *self.waits_since.lock();
        since.map(|since| self.clock.now().saturating_duration_since(since)).unwrap_or_default()
    }

    fn record(&self, body: CandidateBody) -> Record {
        CandidateMessage {
            session: self.session,
            tenant: self.tenant,
            partition: self.partition,
            connection: self.connection,
            stream: self.stream,
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed),
            captured_at: self.clock.utc(),
            trace: self.trace,
            body,
        }
        .to_record()
    }

    async fn hand_over(&self, record: Record) -> Result<(), Behind> {
        let size = record.payload.len();
        if self.in_flight.load(Ordering::Relaxed) + size > self.bound {
            return self.acknowledged(record).await;
        }
        let deadline = self.clock.now() + self.patience;
        let mut pause = Duration::from_millis(5);
        loop {
            match self.bus.send(record.clone()) {
                Ok(()) => {
                    self.in_flight.fetch_add(size, Ordering::Relaxed);
                    self.waits_no_more();
                    return Ok(());
                }
                Err(error) if error.is_retryable() && self.clock.now() + pause < deadline => {
                    self.waits_from_now();
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(100));
                }
                Err(error) => return Err(dropped(&error)),
            }
        }
    }

    /// Waits for the bus to have this message, and so all before it.
    async fn acknowledged(&self, record: Record) -> Result<(), Behind> {
        let published = async {
            loop {
                match self.bus.publish(record.clone()).await {
                    Err(error) if error.is_retryable() => tokio::time::sleep(Duration::from_millis(50)).await,
                    other => return other,
                }
            }
        };
        self.waits_from_now();
        match tokio::time::timeout(self.patience, published).await {
            Ok(Ok(_)) => {
                self.in_flight.store(0, Ordering::Relaxed);
                self.waits_no_more();
                Ok(())
            }
            Ok(Err(error)) => Err(dropped(&error)),
            Err(_) => Err(dropped(&BusError::Backlog)),
        }
    }

    fn waits_from_now(&self) {
        self.waits_since.lock().get_or_insert_with(|| self.clock.now());
    }

    fn waits_no_more(&self) {
        *self.waits_since.lock() = None;
    }
}

fn dropped(error: &BusError) -> Behind {
    tracing::warn!(%error, "a message to the bus was dropped");
    metrics::counter!(metric::BACKLOG).increment(1);
    Behind
}
