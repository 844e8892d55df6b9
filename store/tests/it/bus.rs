//! A bus that records what is published, refuses on demand, and delivers what it is given.

use async_trait::async_trait;
use maya_protocol::{
    bus::{Bounds, Bus, BusError, Delivery, GroupConsumer, PartitionReader, Position, Record},
    event::Event,
    topic::Channel,
};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

#[derive(Default)]
pub struct RecordingBus {
    published: Mutex<Vec<Record>>,
    refusals: Mutex<u32>,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    records: Mutex<Vec<Record>>,
    committed: Mutex<usize>,
    arrived: Notify,
}

impl RecordingBus {
    pub fn shared() -> Arc<Self> {
        Arc::default()
    }
    pub fn refuse(&self, times: u32) {
        *self.refusals.lock().unwrap() = times;
    }
    pub fn published(&self) -> Vec<Record> {
        self.published.lock().unwrap().clone()
    }
    /// Puts an event where consumers read it.
    pub fn arrives(&self, event: &Event) {
        self.arrives_as(record(event));
    }
    pub fn arrives_as(&self, record: Record) {
        self.log.records.lock().unwrap().push(record);
        self.log.arrived.notify_waiters();
    }
    pub fn committed(&self) -> usize {
        *self.log.committed.lock().unwrap()
    }
}

pub fn record(event: &Event) -> Record {
    Record {
        channel: event.topic().into(),
        key: event.key(),
        partition: Some(0),
        headers: event.headers(),
        payload: event.json(),
    }
}

struct Reading {
    log: Arc<Log>,
    next: usize,
}

#[async_trait]
impl GroupConsumer for Reading {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        loop {
            let arrived = self.log.arrived.notified();
            if let Some(record) = self.log.records.lock().unwrap().get(self.next).cloned() {
                self.next += 1;
                return Ok(Delivery { record, offset: self.next as u64 - 1 });
            }
            arrived.await;
        }
    }
    async fn commit(&mut self, delivery: &Delivery) -> Result<(), BusError> {
        *self.log.committed.lock().unwrap() = delivery.offset as usize + 1;
        Ok(())
    }
}

#[async_trait]
impl Bus for RecordingBus {
    async fn publish(&self, record: Record) -> Result<Position, BusError> {
        // as a real one: others run meanwhile
        tokio::task::yield_now().await;
        let mut refusals = self.refusals.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            return Err(BusError::Unavailable("told to refuse".into()));
        }
        let mut published = self.published.lock().unwrap();
        published.push(record);
        Ok(Position { partition: 0, offset: published.len() as u64 - 1 })
    }
    fn send(&self, _: Record) -> Result<(), BusError> {
        Err(BusError::Closed)
    }
    async fn join(&self, _: &str, _: &[Channel]) -> Result<Box<dyn GroupConsumer>, BusError> {
        Ok(Box::new(Reading { next: self.committed(), log: self.log.clone() }))
    }
    async fn reader(&self, _: Channel) -> Result<Box<dyn PartitionReader>, BusError> {
        Err(BusError::Closed)
    }
    async fn partitions(&self, _: Channel) -> Result<u32, BusError> {
        Ok(1)
    }
    async fn bounds(&self, _: Channel, _: u32) -> Result<Bounds, BusError> {
        Err(BusError::Closed)
    }
    async fn ensure_topics(&self, _: bool) -> Result<(), BusError> {
        Ok(())
    }
    async fn check(&self) -> Result<(), BusError> {
        Ok(())
    }
    async fn close(&self) {}
}
