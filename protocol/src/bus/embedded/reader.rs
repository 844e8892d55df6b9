//! Named partitions, outside any group.

use super::topics::Log;
use crate::bus::{BusError, Delivery, PartitionReader, StartAt};
use async_trait::async_trait;
use std::{collections::BTreeMap, ops::Bound, sync::Arc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(super) struct Reader {
    log: Arc<Log>,
    /// The next offset of each assigned partition.
    positions: BTreeMap<u32, u64>,
    /// The partition read last; the next one has its turn.
    last: u32,
    woken: Arc<Notify>,
    closed: CancellationToken,
}

impl Reader {
    pub(super) fn new(log: Arc<Log>, closed: CancellationToken) -> Self {
        let woken = Arc::new(Notify::new());
        log.waiters().add(&woken);
        Self { log, positions: BTreeMap::new(), last: 0, woken, closed }
    }

    fn ready(&mut self) -> Result<Option<Delivery>, BusError> {
        let after =
            self.positions.range_mut((Bound::Excluded(self.last), Bound::Unbounded)).map(|(p, next)| (*p, *next));
        let mut turns: Vec<(u32, u64)> = after.collect();
        turns.extend(self.positions.range(..=self.last).map(|(p, next)| (*p, *next)));
        for (partition, next) in turns {
            if let Some(delivery) = self.log.read(partition, next)? {
                self.positions.insert(partition, delivery.offset + 1);
                self.last = partition;
                return Ok(Some(delivery));
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl PartitionReader for Reader {
    async fn assign(&mut self, partition: u32, start: StartAt) -> Result<(), BusError> {
        self.log.check_partition(partition)?;
        self.positions.insert(partition, self.log.resolve(partition, start));
        Ok(())
    }

    async fn assign_at(&mut self, partition: u32, offset: u64) -> Result<(), BusError> {
        self.assign(partition, StartAt::Offset(offset)).await
    }

    async fn unassign(&mut self, partition: u32) -> Result<(), BusError> {
        self.positions.remove(&partition);
        Ok(())
    }

    async fn next(&mut self) -> Result<Delivery, BusError> {
        loop {
            if self.closed.is_cancelled() {
                return Err(BusError::Closed);
            }
            if let Some(delivery) = self.ready()? {
                return Ok(delivery);
            }
            tokio::select! {
                () = self.woken.notified() => {}
                () = self.closed.cancelled() => {}
            }
        }
    }
}
