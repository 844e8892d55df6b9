//! A bus that is behind: the socket waits, then says so, and goes on.

use crate::support::*;
use async_trait::async_trait;
use maya_edge::EdgeSettings;
use maya_protocol::{
    audio::CandidateBody,
    bus::{Bounds, Bus, BusError, GroupConsumer, PartitionReader, Position, Record, SharedBus},
    ids::SessionId,
    topic::Channel,
    wire,
};
use parking_lot::Mutex;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A bus that refuses one session's messages, or does not say that it is there, while told to.
pub struct Jammed {
    bus: SharedBus,
    session: Mutex<Option<SessionId>>,
    silent: AtomicBool,
}

impl Jammed {
    pub fn over(bus: SharedBus) -> Self {
        Self { bus, session: Mutex::default(), silent: AtomicBool::new(false) }
    }
    pub fn jam(&self, session: Option<SessionId>) {
        *self.session.lock() = session;
    }
    pub fn answers(&self, answers: bool) {
        self.silent.store(!answers, Ordering::SeqCst);
    }
    fn refuse(&self, record: &Record) -> Result<(), BusError> {
        let jammed = self.session.lock().is_some_and(|session| session.to_string() == record.key);
        if jammed { Err(BusError::Backlog) } else { Ok(()) }
    }
}

#[async_trait]
impl Bus for Jammed {
    async fn publish(&self, record: Record) -> Result<Position, BusError> {
        self.refuse(&record)?;
        self.bus.publish(record).await
    }
    fn send(&self, record: Record) -> Result<(), BusError> {
        self.refuse(&record)?;
        self.bus.send(record)
    }
    async fn join(&self, group: &str, channels: &[Channel]) -> Result<Box<dyn GroupConsumer>, BusError> {
        self.bus.join(group, channels).await
    }
    async fn reader(&self, channel: Channel) -> Result<Box<dyn PartitionReader>, BusError> {
        self.bus.reader(channel).await
    }
    async fn partitions(&self, channel: Channel) -> Result<u32, BusError> {
        self.bus.partitions(channel).await
    }
    async fn bounds(&self, channel: Channel, partition: u32) -> Result<Bounds, BusError> {
        self.bus.bounds(channel, partition).await
    }
    async fn ensure_topics(&self, create: bool) -> Result<(), BusError> {
        self.bus.ensure_topics(create).await
    }
    async fn check(&self) -> Result<(), BusError> {
        if self.silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.bus.check().await
    }
    async fn close(&self) {
        self.bus.close().await;
    }
}

#[tokio::test]
async fn a_piece_that_waited_too_long_is_dropped_and_told() {
    let platform = Platform::new().await;
    let jammed = Arc::new(Jammed::over(platform.bus.clone()));
    let settings = EdgeSettings { backlog_wait: Duration::from_millis(200), ..quick() };
    let edge = platform.edge_on(jammed.clone(), settings).await;
    let mut interviewer = platform.interviewer().await;
    let (behind, well) = (platform.session(), platform.session());
    let mut client = behind.open(&edge).await;
    let joined = interviewer.joined(&behind).await;
    let mut other = well.open(&edge).await;
    interviewer.joined(&well).await;

    let batch = |byte: u8| json!({"type": "AUDIO", "data": wire::encode(&[byte; 3_200])});
    jammed.jam(Some(behind.session()));
    client.send(batch(1)).await;
    assert_eq!(client.error().await, "audio_backlog");
    client.send(json!({"type": "AUDIO", "streaming": "start"})).await;
    assert_eq!(client.error().await, "audio_backlog");
    client.send(json!({"type": "AUDIO", "streaming": "chunk", "data": "AAAA"})).await;
    assert_eq!(client.error().await, "not_started", "a start that was lost opens nothing");
    other.send(batch(7)).await;
    assert!(matches!(interviewer.next(well.session()).await.body, CandidateBody::Batch { .. }));

    jammed.jam(None);
    client.send(batch(2)).await;
    let message = interviewer.next(behind.session()).await;
    assert_eq!(message.body, CandidateBody::Batch { sample_rate: 16_000, data: vec![2; 3_200].into() });
    assert_eq!((message.connection, message.sequence), (joined.connection, 3), "what was dropped leaves a gap");
}

#[tokio::test]
async fn a_socket_that_nobody_can_be_told_of_is_closed() {
    let platform = Platform::new().await;
    let ticket = platform.session();
    let jammed = Arc::new(Jammed::over(platform.bus.clone()));
    jammed.jam(Some(ticket.session()));
    let settings = EdgeSettings { backlog_wait: Duration::from_millis(100), ..quick() };
    let edge = platform.edge_on(jammed, settings).await;
    let mut client = ticket.open(&edge).await;
    assert_eq!(client.error().await, "overloaded");
    assert_eq!(client.closed().await, 1013);
}
