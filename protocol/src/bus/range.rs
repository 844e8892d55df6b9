//! Reading what lies between two places of a partition, and no further.

use super::{Bus, BusError, Delivery, StartAt};
use crate::topic::Channel;
use std::ops::Range;

/// Gives what a partition holds at these places, in order, and returns when it has read to their end; the end must be
/// there already. Cancel-safe, as what was given is given.
pub async fn read_range(
    bus: &dyn Bus,
    channel: Channel,
    partition: u32,
    places: Range<u64>,
    mut take: impl FnMut(Delivery),
) -> Result<(), BusError> {
    if places.is_empty() {
        return Ok(());
    }
    let mut reader = bus.reader(channel).await?;
    reader.assign(partition, StartAt::Offset(places.start)).await?;
    loop {
        let delivery = reader.next().await?;
        let next = delivery.offset + 1;
        if delivery.offset < places.end {
            take(delivery);
        }
        if next >= places.end {
            return Ok(());
        }
    }
}
