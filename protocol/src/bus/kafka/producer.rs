//! Handing a record to librdkafka.

use super::{context::Context, error::bus_error};
use crate::bus::{BusError, Position, Record};
use rdkafka::{
    ClientConfig,
    config::FromClientConfigAndContext,
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, ThreadedProducer},
    types::RDKafkaErrorCode,
};
use tokio::sync::oneshot;

/// A producer with its own polling thread.
pub(super) type Producer = ThreadedProducer<Context>;

/// Who is told of a delivery, if anyone.
pub(super) struct Receipt(pub(super) Option<oneshot::Sender<Result<Position, BusError>>>);

pub(super) fn create(config: ClientConfig, context: Context) -> Result<Producer, BusError> {
    Producer::from_config_and_context(&config, context).map_err(|error| bus_error(&error, "the producer"))
}

/// Queues a record; gives the receipt back where it cannot.
pub(super) fn enqueue(
    producer: &Producer,
    record: &Record,
    partition: u32,
    receipt: Receipt,
) -> Result<(), (BusError, Receipt)> {
    let mut message = BaseRecord::with_opaque_to(record.channel.name(), Box::new(receipt))
        .key(record.key.as_bytes())
        .payload(&record.payload[..])
        .partition(partition as i32);
    if !record.headers.is_empty() {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (name, value) in &record.headers {
            headers = headers.insert(Header { key: name, value: Some(&value[..]) });
        }
        message = message.headers(headers);
    }
    producer.send(message).map_err(|(error, message)| {
        let error = match error {
            KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge) => {
                BusError::TooLarge(record.payload.len())
            }
            other => bus_error(&other, record.channel.name()),
        };
        (error, *message.delivery_opaque)
    })
}
