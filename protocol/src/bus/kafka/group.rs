//! A member of a Kafka consumer group.

use super::{Shared, context::Context, error::bus_error, membership::Membership};
use crate::{
    bus::{BusError, Delivery, GroupConsumer, Record},
    topic::Channel,
};
use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{Consumer, StreamConsumer},
    message::{BorrowedMessage, Headers as _},
    types::RDKafkaErrorCode,
};
use std::sync::Arc;

/// A consumer that leaves without holding up whoever lets go of it: closing takes librdkafka a round trip.
pub(super) struct Leaver {
    shared: Arc<Shared>,
    consumer: Option<Arc<StreamConsumer<Context>>>,
}

impl Leaver {
    pub(super) fn new(shared: Arc<Shared>, consumer: StreamConsumer<Context>) -> Self {
        Self { shared, consumer: Some(Arc::new(consumer)) }
    }
    pub(super) fn get(&self) -> Result<&Arc<StreamConsumer<Context>>, BusError> {
        self.consumer.as_ref().ok_or(BusError::Closed)
    }
    /// Leaves; commits what was marked as done. On a thread of its own: where the coordinator is gone with a commit
    /// outstanding, librdkafka's close waits for ever, and neither the runtime nor its end may wait with it.
    pub(super) fn leave(&mut self) {
        let Some(consumer) = self.consumer.take() else { return };
        let left = self.shared.leaving.token();
        std::thread::spawn(move || {
            drop(consumer);
            drop(left);
        });
    }
    /// The next message, or the error that a caller must see; the others librdkafka mends itself.
    pub(super) async fn next(&mut self, channels: &[Channel]) -> Result<Delivery, BusError> {
        loop {
            let closed = self.shared.closed.clone();
            let received = tokio::select! {
                biased;
                () = closed.cancelled() => None,
                received = self.get()?.recv() => Some(received.map(|message| delivery(&message, channels))),
            };
            match received {
                None => {
                    self.leave();
                    return Err(BusError::Closed);
                }
                Some(Ok(Some(delivery))) => return Ok(delivery),
                Some(Ok(None)) => {}
                Some(Err(error)) => {
                    let error = bus_error(&error, "consumer");
                    if !error.is_retryable() {
                        return Err(error);
                    }
                    tracing::debug!(%error, "kafka consumer goes on");
                }
            }
        }
    }
}

impl Drop for Leaver {
    fn drop(&mut self) {
        self.leave();
    }
}

pub(super) struct Member {
    consumer: Leaver,
    membership: Membership,
    channels: Vec<Channel>,
}

impl Member {
    pub(super) fn join(shared: Arc<Shared>, group: &str, channels: &[Channel]) -> Result<Self, BusError> {
        for channel in channels {
            shared.count(*channel)?;
        }
        let config = shared.settings.group_member(group);
        let membership = Membership::watch(shared.settings.membership_patience);
        let context = shared.context.of_member(membership.clone());
        let consumer: StreamConsumer<Context> =
            StreamConsumer::from_config_and_context(&config, context).map_err(|error| bus_error(&error, group))?;
        let names: Vec<&str> = channels.iter().map(|channel| channel.name()).collect();
        consumer.subscribe(&names).map_err(|error| bus_error(&error, group))?;
        Ok(Self { consumer: Leaver::new(shared, consumer), membership, channels: channels.to_vec() })
    }
}

#[async_trait]
impl GroupConsumer for Member {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        tokio::select! {
            biased;
            next = self.consumer.next(&self.channels) => next,
            () = self.membership.lost() => {
                self.consumer.leave();
                Err(BusError::Unavailable("the member is not in its group any more".into()))
            }
        }
    }

    async fn commit(&mut self, delivery: &Delivery) -> Result<(), BusError> {
        let name = delivery.record.channel.name();
        let partition = delivery.record.partition.unwrap_or_default() as i32;
        let mut offsets = TopicPartitionList::with_capacity(1);
        offsets
            .add_partition_offset(name, partition, Offset::Offset(delivery.offset as i64 + 1))
            .and_then(|()| self.consumer.get().map(|consumer| consumer.store_offsets(&offsets)).unwrap_or(Ok(())))
            .or_else(|error| match error.rdkafka_error_code() {
                // The partition has gone to another member, which will read this message again.
                Some(RDKafkaErrorCode::State | RDKafkaErrorCode::UnknownPartition) => Ok(()),
                _ => Err(bus_error(&error, name)),
            })
    }
}

/// A message in the seam's words; `None` for a topic that is none of `channels`.
fn delivery(message: &BorrowedMessage<'_>, channels: &[Channel]) -> Option<Delivery> {
    let channel = channels.iter().copied().find(|channel| channel.name() == message.topic())?;
    let headers = message.headers().map(|headers| {
        headers
            .iter()
            .map(|header| (header.key.to_owned(), Bytes::copy_from_slice(header.value.unwrap_or_default())))
            .collect()
    });
    let record = Record {
        channel,
        key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
        partition: Some(message.partition().max(0) as u32),
        headers: headers.unwrap_or_default(),
        payload: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
    };
    Some(Delivery { record, offset: message.offset().max(0) as u64 })
}
