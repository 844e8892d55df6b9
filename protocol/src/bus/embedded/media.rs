//! A media topic: bounded memory, the oldest message dropped first, new offsets at every start.
//!
//! Each topic has its own bound, so that one camera cannot push another session's voice out.

use super::topics::Waiters;
use crate::{
    bus::{Delivery, Record, envelope_size},
    clock::SharedClock,
    topic::Channel,
};
use parking_lot::Mutex;
use std::{collections::VecDeque, time::Instant};
use uuid::Uuid;

/// What one media topic may hold, in bytes; the four together stay under 64 MiB.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// What a message costs beside its content: its slots, its header list.
const OVERHEAD: usize = 256;

/// A topic in memory.
pub(super) struct MediaTopic {
    channel: Channel,
    incarnation: String,
    partitions: u32,
    max_bytes: usize,
    clock: SharedClock,
    rings: Mutex<Rings>,
    waiters: Waiters,
}

struct Rings {
    partitions: Vec<Ring>,
    /// Every kept message in the order of arrival: which partition's oldest goes next.
    order: VecDeque<Arrival>,
    bytes: usize,
}

#[derive(Default)]
struct Ring {
    low: u64,
    records: VecDeque<Record>,
}

struct Arrival {
    partition: u32,
    bytes: usize,
    at: Instant,
}

impl MediaTopic {
    pub(super) fn new(channel: Channel, partitions: u32, clock: SharedClock) -> Self {
        Self::with_bound(channel, partitions, clock, MAX_BYTES)
    }

    fn with_bound(channel: Channel, partitions: u32, clock: SharedClock, max_bytes: usize) -> Self {
        let rings = (0..partitions).map(|_| Ring::default()).collect();
        Self {
            channel,
            incarnation: Uuid::new_v4().to_string(),
            partitions,
            max_bytes,
            clock,
            rings: Mutex::new(Rings { partitions: rings, order: VecDeque::new(), bytes: 0 }),
            waiters: Waiters::default(),
        }
    }

    pub(super) fn channel(&self) -> Channel {
        self.channel
    }
    pub(super) fn incarnation(&self) -> &str {
        &self.incarnation
    }
    pub(super) fn partitions(&self) -> u32 {
        self.partitions
    }
    pub(super) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    /// Appends a message and returns its offset.
    pub(super) fn append(&self, partition: u32, record: Record) -> u64 {
        let bytes = record.payload.len() + envelope_size(&record) + OVERHEAD;
        let at = self.clock.now();
        let mut rings = self.rings.lock();
        let ring = &mut rings.partitions[partition as usize];
        let offset = ring.low + ring.records.len() as u64;
        ring.records.push_back(record);
        rings.order.push_back(Arrival { partition, bytes, at });
        rings.bytes += bytes;
        let dropped = rings.drop_oldest(self.max_bytes, at, self.channel.topic().retention());
        drop(rings);
        if dropped > 0 {
            metrics::counter!("maya_bus_media_dropped_total", "topic" => self.channel.name()).increment(dropped);
        }
        self.waiters.wake();
        offset
    }

    pub(super) fn bounds(&self, partition: u32) -> (u64, u64) {
        let rings = self.rings.lock();
        let ring = &rings.partitions[partition as usize];
        (ring.low, ring.low + ring.records.len() as u64)
    }

    pub(super) fn read(&self, partition: u32, from: u64) -> Option<Delivery> {
        let rings = self.rings.lock();
        let ring = &rings.partitions[partition as usize];
        let offset = from.max(ring.low);
        let record = ring.records.get((offset - ring.low) as usize)?.clone();
        Some(Delivery { record, offset })
    }
}

impl Rings {
    /// Drops what is over the byte bound, and counts it; drops what is past its time, as retention does.
    fn drop_oldest(&mut self, max_bytes: usize, now: Instant, retention: std::time::Duration) -> u64 {
        let mut dropped = 0;
        while let Some(oldest) = self.order.front() {
            let over = self.bytes > max_bytes;
            if !over && now.saturating_duration_since(oldest.at) <= retention {
                break;
            }
            dropped += u64::from(over);
            let ring = &mut self.partitions[oldest.partition as usize];
            ring.records.pop_front();
            ring.low += 1;
            // A burst must not leave its memory behind in a partition that has gone quiet.
            if ring.records.is_empty() {
                ring.records = VecDeque::new();
            }
            self.bytes -= oldest.bytes;
            self.order.pop_front();
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::ManualClock, topic::Topic};
    use bytes::Bytes;
    use std::{sync::Arc, time::Duration};

    fn record(size: usize) -> Record {
        Record {
            channel: Topic::CandidateSpoken.into(),
            key: "k".into(),
            partition: None,
            headers: vec![],
            payload: Bytes::from(vec![0; size]),
        }
    }

    fn topic(max_bytes: usize) -> (MediaTopic, ManualClock) {
        let clock = ManualClock::at(chrono::DateTime::UNIX_EPOCH);
        (MediaTopic::with_bound(Topic::CandidateSpoken.into(), 2, Arc::new(clock.clone()), max_bytes), clock)
    }

    #[test]
    fn the_oldest_goes_first_whatever_its_partition() {
        let (topic, _) = topic(3 * (OVERHEAD + 101));
        for partition in [0, 1, 0, 1] {
            topic.append(partition, record(100));
        }
        assert_eq!(topic.bounds(0), (1, 2));
        assert_eq!(topic.bounds(1), (0, 2));
        assert_eq!(topic.read(0, 0).map(|delivery| delivery.offset), Some(1), "a reader jumps over what is gone");
    }

    #[test]
    fn messages_age_out() {
        let (topic, clock) = topic(MAX_BYTES);
        topic.append(0, record(1));
        clock.advance(Duration::from_secs(2 * 3600 + 1));
        topic.append(1, record(1));
        assert_eq!(topic.bounds(0), (1, 1));
        assert_eq!(topic.bounds(1), (0, 1));
    }
}
