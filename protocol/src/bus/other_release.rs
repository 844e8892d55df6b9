//! A process that speaks as another release of maya would: for the test of a roll from one release to the next
//! (`tests/it/cluster.rs`), until there is one to roll from.
//!
//! Another release sends fields and headers that this one does not know, leaves those out that it has no value for, and
//! sends kinds of messages that do not exist yet. A build that serves has none of this: the feature `other-release` comes
//! with the tests' `real-parts`, and even then only a process whose `OTHER_RELEASE` names one speaks so.

use super::{Bounds, Bus, BusError, GroupConsumer, PartitionReader, Position, Record, SharedBus};
use crate::{
    audio::{join, split},
    topic::{Carries, Channel},
};
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What no release knows of another.
const ADDED: &str = "addedInAnotherRelease";

/// The release that this process is to be, where it is to be another.
pub(crate) fn name() -> Option<String> {
    std::env::var("OTHER_RELEASE").ok().filter(|name| !name.is_empty())
}

/// The bus as the other release uses it.
pub(crate) fn around(bus: SharedBus) -> SharedBus {
    Arc::new(OtherRelease { bus })
}

struct OtherRelease {
    bus: SharedBus,
}

#[async_trait]
impl Bus for OtherRelease {
    async fn publish(&self, record: Record) -> Result<Position, BusError> {
        if let Some(unknown) = unknown_kind(&record) {
            self.bus.publish(unknown).await?;
        }
        self.bus.publish(reworded(record)).await
    }
    fn send(&self, record: Record) -> Result<(), BusError> {
        if let Some(unknown) = unknown_kind(&record) {
            self.bus.send(unknown)?;
        }
        self.bus.send(reworded(record))
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
        self.bus.check().await
    }
    async fn close(&self) {
        self.bus.close().await;
    }
}

fn carries(record: &Record) -> Option<Carries> {
    match record.channel {
        Channel::Main(topic) => Some(topic.carries()),
        Channel::DeadLetter(_) => None,
    }
}

/// A media message of a kind that does not exist yet.
fn unknown_kind(record: &Record) -> Option<Record> {
    let payload = join(&json!({ "kind": ADDED }), &[]);
    matches!(carries(record)?, Carries::Media).then(|| Record { payload, ..record.clone() })
}

fn reworded(mut record: Record) -> Record {
    let payload = match carries(&record) {
        Some(Carries::Media) => {
            split::<Map<String, Value>>(&record.payload).ok().map(|(body, data)| join(&other_fields(body), &data))
        }
        Some(Carries::Events) => serde_json::from_slice(&record.payload)
            .and_then(|body| serde_json::to_vec(&other_fields(body)))
            .ok()
            .map(Bytes::from),
        None => None,
    };
    if let Some(payload) = payload {
        record.payload = payload;
        record.headers.push(("x-added-in-another-release".to_owned(), Bytes::from_static(b"1")));
    }
    record
}

/// With a field more, and without those that say nothing.
fn other_fields(mut body: Map<String, Value>) -> Map<String, Value> {
    body.retain(|_, value| !value.is_null());
    body.insert(ADDED.to_owned(), json!({ "a": [1] }));
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audio::{AgentBody, AgentMessage},
        ids::{ConnectionId, Epoch, SessionId, TenantId},
        session::Phase,
    };
    use std::collections::HashMap;

    #[test]
    fn what_another_release_says_reads_as_what_this_one_says() {
        let message = AgentMessage {
            session: SessionId::fresh(),
            tenant: TenantId::fresh(),
            partition: 1,
            epoch: Epoch(4),
            connection: ConnectionId::fresh(),
            trace: None,
            body: AgentBody::State { phase: Phase::Listening, reason: None, remaining_seconds: 4 },
        };
        let said = message.to_record();
        let other = reworded(said.clone());
        let body: HashMap<String, Value> = split(&other.payload).unwrap().0;
        assert!(body.contains_key(ADDED) && !body.contains_key("reason"), "{body:?}");
        assert_eq!(AgentMessage::from_record(&other).unwrap(), message);
        assert!(AgentMessage::from_record(&unknown_kind(&said).unwrap()).is_err(), "one to be passed over");
    }
}
