//! From the inbox into the work: in order within (topic, key), each event on its own clock.

use super::{Done, HandleError, Handler, intake::dead_letter};
use crate::{Store, StoreError, outbox::headers_from_json};
use bytes::Bytes;
use maya_protocol::{
    bus::{Record, SharedBus},
    event::{DecodeError, Event},
    topic::{Channel, Topic},
    trace::{self, TraceContext},
};
use sqlx::Row;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, Semaphore};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

/// How long an idle worker waits for what other processes took in and for retries.
const POLL: Duration = Duration::from_secs(1);
/// How often something that may pass is tried.
const MOST_ATTEMPTS: i32 = 20;

/// Works on the inbox of one consumer; any number of processes may.
pub struct Worker {
    store: Store,
    bus: SharedBus,
    handler: Arc<dyn Handler>,
    wake: Arc<Notify>,
}

struct Taken {
    seq: i64,
    attempts: i32,
    record: Record,
}

impl Worker {
    /// A worker that looks whenever `wake` is told.
    pub fn new(store: Store, bus: SharedBus, handler: Arc<dyn Handler>, wake: Arc<Notify>) -> Self {
        Self { store, bus, handler, wake }
    }

    /// Works until told to stop, then finishes what it began.
    pub async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let room = Arc::new(Semaphore::new(this.handler.parallel()));
        let tasks = TaskTracker::new();
        while !stop.is_cancelled() {
            let free = room.available_permits();
            let taken = if free == 0 { Ok(Vec::new()) } else { this.take(free).await };
            let found = match taken {
                Ok(taken) => taken,
                Err(error) => {
                    tracing::warn!(consumer = this.handler.consumer(), error = %error, "cannot look into the inbox");
                    Vec::new()
                }
            };
            let idle = found.is_empty();
            for one in found {
                let permit = room.clone().try_acquire_owned().expect("only this loop takes permits");
                let this = this.clone();
                tasks.spawn(async move {
                    this.work(one).await;
                    drop(permit);
                    this.wake.notify_one();
                });
            }
            if idle {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = this.wake.notified() => {}
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Takes the heads of up to `limit` keys, leased to this process.
    async fn take(&self, limit: usize) -> Result<Vec<Taken>, StoreError> {
        let mut tx = self.store.system().await?;
        let rows = sqlx::query(
            "with heads as (
                 select distinct on (topic, key) seq, next_attempt_at from inbox
                 where consumer = $1 and done_at is null order by topic, key, seq
             ), due as (
                 select i.seq from inbox i join heads using (seq)
                 where heads.next_attempt_at <= now() and i.next_attempt_at <= now() and i.done_at is null
                 order by i.seq limit $2 for update of i skip locked
             )
             update inbox set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => $3)
             where seq in (select seq from due)
             returning seq, attempts, topic, key, headers, payload",
        )
        .bind(self.handler.consumer())
        .bind(limit as i64)
        .bind(self.handler.lease().as_secs_f64())
        .fetch_all(tx.conn())
        .await?;
        tx.commit().await?;
        rows.into_iter()
            .map(|row| {
                let name: String = row.try_get("topic")?;
                let topic = Topic::named(&name).ok_or_else(|| StoreError::Data(format!("inbox topic {name}")))?;
                let record = Record {
                    channel: Channel::Main(topic),
                    key: row.try_get("key")?,
                    partition: None,
                    headers: headers_from_json(row.try_get("headers")?),
                    payload: Bytes::from(row.try_get::<Vec<u8>, _>("payload")?),
                };
                Ok(Taken { seq: row.try_get("seq")?, attempts: row.try_get("attempts")?, record })
            })
            .collect()
    }

    /// Works on one event, within the trace that it brings.
    async fn work(&self, taken: Taken) {
        let event = Event::decode(taken.record.channel.topic(), &taken.record.headers, &taken.record.payload);
        let brought = event.as_ref().ok().and_then(|event| event.trace);
        let trace = brought.map_or_else(TraceContext::fresh, TraceContext::child);
        trace::within(trace, self.apply(taken, event)).await;
    }

    async fn apply(&self, taken: Taken, event: Result<Event, DecodeError>) {
        let topic = taken.record.channel.topic();
        let result = match event {
            Ok(event) => {
                let _leased = self.keep_leased(taken.seq);
                self.handler.handle(&event, Done { seq: taken.seq }).await
            }
            Err(error) => Err(HandleError::Never(error.to_string())),
        };
        let settled = match result {
            Ok(()) => self.finish(taken.seq, None).await,
            Err(HandleError::NotYet(why)) => {
                self.again(taken.seq, &why, pause(taken.attempts, Duration::from_secs(5))).await
            }
            Err(HandleError::Retry(why)) if taken.attempts < MOST_ATTEMPTS => {
                tracing::warn!(consumer = self.handler.consumer(), topic = topic.name(), error = %why, "event is tried again");
                self.again(taken.seq, &why, pause(taken.attempts, Duration::from_secs(60))).await
            }
            Err(HandleError::Retry(why) | HandleError::Never(why)) => self.bury(&taken, &why).await,
        };
        if let Err(error) = settled {
            // its lease runs out and another attempt settles it
            tracing::warn!(consumer = self.handler.consumer(), error = %error, "cannot settle an event");
        }
    }

    /// Renews the lease of an event for as long as this is kept, and its work does not hang.
    fn keep_leased(&self, seq: i64) -> AbortOnDropHandle<()> {
        let (store, lease) = (self.store.clone(), self.handler.lease());
        let until = store.clock().now() + self.handler.patience();
        AbortOnDropHandle::new(tokio::spawn(async move {
            while store.clock().now() < until {
                tokio::time::sleep(lease / 3).await;
                if let Err(error) = renew(&store, seq, lease).await {
                    tracing::warn!(error = %error, "the lease of an event is not renewed");
                }
            }
        }))
    }

    async fn bury(&self, taken: &Taken, why: &str) -> Result<(), StoreError> {
        let topic = taken.record.channel.topic();
        tracing::error!(
            consumer = self.handler.consumer(),
            topic = topic.name(),
            error = why,
            "event becomes a dead letter"
        );
        let letter = dead_letter(&taken.record, self.handler.consumer(), why, taken.attempts);
        self.bus.publish(letter).await.map_err(|error| StoreError::Data(error.to_string()))?;
        self.finish(taken.seq, Some(why)).await
    }

    async fn finish(&self, seq: i64, error: Option<&str>) -> Result<(), StoreError> {
        let mut tx = self.store.system().await?;
        sqlx::query(
            "update inbox set done_at = now(), payload = '', last_error = $2 where seq = $1 and done_at is null",
        )
        .bind(seq)
        .bind(error)
        .execute(tx.conn())
        .await?;
        tx.commit().await
    }

    async fn again(&self, seq: i64, why: &str, after: Duration) -> Result<(), StoreError> {
        let mut tx = self.store.system().await?;
        sqlx::query(
            "update inbox set last_error = $2, next_attempt_at = now() + make_interval(secs => $3) where seq = $1",
        )
        .bind(seq)
        .bind(why)
        .bind(after.as_secs_f64())
        .execute(tx.conn())
        .await?;
        tx.commit().await
    }
}

async fn renew(store: &Store, seq: i64, lease: Duration) -> Result<(), StoreError> {
    let mut tx = store.system().await?;
    sqlx::query(
        "update inbox set next_attempt_at = now() + make_interval(secs => $2) where seq = $1 and done_at is null",
    )
    .bind(seq)
    .bind(lease.as_secs_f64())
    .execute(tx.conn())
    .await?;
    tx.commit().await
}

/// The pause after the n-th attempt: doubles from 100 ms.
fn pause(attempts: i32, most: Duration) -> Duration {
    Duration::from_millis(100).saturating_mul(1 << attempts.clamp(1, 16).saturating_sub(1)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_most() {
        let most = Duration::from_secs(5);
        assert_eq!(pause(1, most), Duration::from_millis(100));
        assert_eq!(pause(3, most), Duration::from_millis(400));
        assert_eq!(pause(1_000, most), most);
    }
}
