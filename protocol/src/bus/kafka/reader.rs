//! Named partitions, outside any group.

use super::{Shared, context::Context, error::bus_error, group::Leaver};
use crate::{
    bus::{BusError, Delivery, PartitionReader, StartAt},
    topic::Channel,
};
use async_trait::async_trait;
use rdkafka::{
    Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{Consumer, StreamConsumer},
    error::KafkaResult,
};
use std::{collections::HashMap, sync::Arc};

pub(super) struct Reader {
    shared: Arc<Shared>,
    consumer: Leaver,
    channel: Channel,
    /// Assigned partitions, each with the offset where reading began.
    assigned: HashMap<u32, u64>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, channel: Channel) -> Result<Self, BusError> {
        shared.count(channel)?;
        let config = shared.settings.partition_reader();
        let consumer: StreamConsumer<Context> =
            StreamConsumer::from_config_and_context(&config, shared.context.clone())
                .map_err(|error| bus_error(&error, channel.name()))?;
        let consumer = Leaver::new(shared.clone(), consumer);
        Ok(Self { shared, consumer, channel, assigned: HashMap::new() })
    }

    /// Runs a change of the assignment, which waits for librdkafka's main thread.
    async fn change(
        &self,
        change: impl FnOnce(&StreamConsumer<Context>) -> KafkaResult<()> + Send + 'static,
    ) -> Result<(), BusError> {
        let consumer = self.consumer.get()?.clone();
        let name = self.channel.name();
        self.shared.blocking(move |_| change(&consumer).map_err(|error| bus_error(&error, name))).await
    }

    fn list(&self, partition: u32, offset: Offset) -> Result<TopicPartitionList, BusError> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(self.channel.name(), partition as i32, offset)
            .map_err(|error| bus_error(&error, self.channel.name()))?;
        Ok(list)
    }
}

#[async_trait]
impl PartitionReader for Reader {
    async fn assign(&mut self, partition: u32, start: StartAt) -> Result<(), BusError> {
        let (low, high) = self.shared.watermarks(self.channel, partition).await?;
        self.assign_at(partition, start.resolve(low, high)).await
    }

    async fn assign_at(&mut self, partition: u32, offset: u64) -> Result<(), BusError> {
        self.unassign(partition).await?;
        let list = self.list(partition, Offset::Offset(offset as i64))?;
        // First, so that a cancelled call leaves a partition to be unassigned rather than one that is unknown here.
        self.assigned.insert(partition, offset);
        self.change(move |consumer| consumer.incremental_assign(&list)).await
    }

    async fn unassign(&mut self, partition: u32) -> Result<(), BusError> {
        // What librdkafka has already fetched of it is dropped by its version and, below, by its absence here.
        if self.assigned.remove(&partition).is_some() {
            let list = self.list(partition, Offset::Invalid)?;
            self.change(move |consumer| consumer.incremental_unassign(&list)).await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Delivery, BusError> {
        loop {
            let delivery = self.consumer.next(&[self.channel]).await?;
            let began = delivery.record.partition.and_then(|partition| self.assigned.get(&partition));
            if began.is_some_and(|began| delivery.offset >= *began) {
                return Ok(delivery);
            }
        }
    }
}
