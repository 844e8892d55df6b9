//! From the bus into the inbox: durable there before the offset moves.

use crate::{
    Store, StoreError,
    outbox::headers_to_json,
    planted::{Fault, is_planted},
};
use bytes::Bytes;
use maya_protocol::{
    bus::{Delivery, GroupConsumer, Record, SharedBus},
    event::{DecodeError, Event},
    topic::{Channel, Topic},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long to wait after the bus or the database failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Takes the events of some topics in for one consumer.
pub struct Intake {
    store: Store,
    bus: SharedBus,
    consumer: &'static str,
    topics: &'static [Topic],
    wake: Arc<Notify>,
}

impl Intake {
    /// An intake that tells `wake` of each event.
    pub fn new(
        store: Store,
        bus: SharedBus,
        consumer: &'static str,
        topics: &'static [Topic],
        wake: Arc<Notify>,
    ) -> Self {
        Self { store, bus, consumer, topics, wake }
    }

    /// Takes in until told to stop. Only waiting is broken off: a transaction that is dropped while it commits is
    /// rolled back after it was committed, which the database answers with a warning.
    pub async fn run(self, stop: CancellationToken) {
        let channels: Vec<Channel> = self.topics.iter().map(|&topic| topic.into()).collect();
        while let Some(joined) = stop.run_until_cancelled(self.bus.join(self.consumer, &channels)).await {
            match joined {
                Ok(mut group) => self.take_all(group.as_mut(), &stop).await,
                Err(error) => tracing::warn!(consumer = self.consumer, error = %error, "cannot join the group"),
            }
            stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }

    /// Takes in until told to stop, or something fails; what was not committed is delivered again.
    async fn take_all(&self, group: &mut dyn GroupConsumer, stop: &CancellationToken) {
        while let Some(next) = stop.run_until_cancelled(group.next()).await {
            let delivery = match next {
                Ok(delivery) => delivery,
                Err(error) => return tracing::warn!(consumer = self.consumer, error = %error, "cannot read the bus"),
            };
            if let Err(error) = self.take(&delivery).await {
                return tracing::warn!(consumer = self.consumer, error = %error, "cannot take an event in");
            }
            if let Err(error) = group.commit(&delivery).await {
                return tracing::warn!(consumer = self.consumer, error = %error, "cannot commit an offset");
            }
        }
    }

    async fn take(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let Record { channel, key, headers, payload, .. } = &delivery.record;
        match Event::decode(channel.topic(), headers, payload) {
            Ok(event) => {
                let mut tx = self.store.system().await?;
                sqlx::query(
                    "insert into inbox (consumer, event_id, tenant_id, topic, key, headers, payload)
                     values ($1, $2, $3, $4, $5, $6, $7) on conflict (consumer, event_id) do nothing",
                )
                .bind(self.consumer)
                .bind(event.id.0)
                .bind(event.tenant.0)
                .bind(channel.name())
                .bind(key)
                .bind(headers_to_json(headers))
                .bind(payload.as_ref())
                .execute(tx.conn())
                .await?;
                if is_planted(Fault::DeliveryTwice) {
                    let again = "insert into inbox (consumer, event_id, tenant_id, topic, key, headers, payload)
                                 select consumer, gen_random_uuid(), tenant_id, topic, key, headers, payload
                                 from inbox where consumer = $1 and event_id = $2";
                    sqlx::query(again).bind(self.consumer).bind(event.id.0).execute(tx.conn()).await?;
                }
                tx.commit().await?;
                self.wake.notify_one();
                Ok(())
            }
            // a later release must read it: stop here, the key is parked with its partition
            Err(error @ DecodeError::Version(_)) => Err(StoreError::Data(error.to_string())),
            Err(error) => {
                let letter = dead_letter(&delivery.record, self.consumer, &error.to_string(), 1);
                self.bus.publish(letter).await.map_err(|error| StoreError::Data(error.to_string()))?;
                Ok(())
            }
        }
    }
}

/// The dead letter of a message: what it was, with its error and its origin.
pub(super) fn dead_letter(record: &Record, consumer: &str, error: &str, attempts: i32) -> Record {
    let mut headers = record.headers.clone();
    for (name, value) in
        [("dlq-consumer", consumer.to_owned()), ("dlq-error", error.to_owned()), ("dlq-attempts", attempts.to_string())]
    {
        headers.retain(|(known, _)| known != name);
        headers.push((name.to_owned(), Bytes::from(value)));
    }
    metrics::counter!("maya_dead_letters_total", "topic" => record.channel.topic().name()).increment(1);
    Record { channel: Channel::DeadLetter(record.channel.topic()), headers, partition: None, ..record.clone() }
}
