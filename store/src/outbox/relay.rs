//! Carries the outbox to the bus: in order within a key, row by row marked, by one process at a time.

use super::headers_from_json;
use crate::{Store, StoreError, SystemTx};
use bytes::Bytes;
use futures::{StreamExt, stream};
use maya_protocol::{
    bus::{Record, SharedBus},
    topic::{Channel, Topic},
};
use sqlx::Row;
use std::{collections::HashMap, time::Duration};
use tokio_util::sync::CancellationToken;

/// Rows taken at a time.
const BATCH: i64 = 512;
/// Keys published at the same time.
const PARALLEL: usize = 64;
/// How long the relaying process waits for news of other processes.
const POLL: Duration = Duration::from_millis(100);
/// How long a process that does not relay waits before it tries to.
const STANDBY: Duration = Duration::from_millis(500);
/// How long a published row is kept for whoever investigates.
const KEEP: &str = "1 day";
/// Any number, the same in every process of a database.
const LOCK: i64 = 0x006d_6179_615f_6f75;

/// The relay of one process. Any number may run; a lock of the database lets one work.
pub struct Relay {
    store: Store,
    bus: SharedBus,
}

struct Waiting {
    seq: i64,
    record: Record,
}

impl Relay {
    /// A relay from that store to that bus.
    pub fn new(store: Store, bus: SharedBus) -> Self {
        Self { store, bus }
    }

    /// Relays until told to stop; what is committed stays in the outbox and is never lost by stopping.
    pub async fn run(self, stop: CancellationToken) {
        let mut delay = Duration::ZERO;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.store.outbox_wake().notified() => {}
                () = tokio::time::sleep(delay) => {}
            }
            delay = match self.relay_once().await {
                Ok(Some(0)) => POLL,
                Ok(Some(_)) => Duration::ZERO,
                Ok(None) => STANDBY,
                Err(error) => {
                    tracing::warn!(error = %error, "outbox relay waits");
                    STANDBY
                }
            };
        }
    }

    /// Relays one batch: how many rows, or `None` where another process relays.
    pub async fn relay_once(&self) -> Result<Option<usize>, StoreError> {
        let mut tx = self.store.system().await?;
        let locked: bool =
            sqlx::query_scalar("select pg_try_advisory_xact_lock($1)").bind(LOCK).fetch_one(tx.conn()).await?;
        if !locked {
            return Ok(None);
        }
        let waiting = take(&mut tx).await?;
        let count = waiting.len();
        if count == 0 {
            return Ok(Some(0));
        }
        let published = self.publish(waiting).await;
        metrics::counter!("maya_outbox_relayed_total").increment(published.len() as u64);
        sqlx::query("update outbox set published_at = now() where seq = any($1)")
            .bind(&published)
            .execute(tx.conn())
            .await?;
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "delete from outbox where seq in (select seq from outbox where published_at < now() - interval '{KEEP}' limit 1000)"
        )))
        .execute(tx.conn())
        .await?;
        tx.commit().await?;
        Ok(Some(published.len()))
    }

    /// Publishes each key's rows in order and the keys side by side; returns the rows that the bus has acknowledged.
    async fn publish(&self, waiting: Vec<Waiting>) -> Vec<i64> {
        let mut keys: HashMap<(Channel, String), Vec<Waiting>> = HashMap::new();
        for row in waiting {
            keys.entry((row.record.channel, row.record.key.clone())).or_default().push(row);
        }
        stream::iter(keys.into_values())
            .map(|rows| async {
                let mut done = Vec::with_capacity(rows.len());
                for row in rows {
                    if let Err(error) = self.bus.publish(row.record).await {
                        tracing::warn!(outbox.seq = row.seq, error = %error, "event waits in the outbox");
                        break;
                    }
                    done.push(row.seq);
                }
                done
            })
            .buffer_unordered(PARALLEL)
            .concat()
            .await
    }
}

async fn take(tx: &mut SystemTx) -> Result<Vec<Waiting>, StoreError> {
    let rows = sqlx::query(
        "select seq, topic, key, partition, headers, payload from outbox where published_at is null order by seq limit $1",
    )
    .bind(BATCH)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let name: String = row.try_get("topic")?;
            let topic = Topic::named(&name).ok_or_else(|| StoreError::Data(format!("outbox topic {name}")))?;
            let record = Record {
                channel: Channel::Main(topic),
                key: row.try_get("key")?,
                partition: row.try_get::<Option<i32>, _>("partition")?.map(|partition| partition as u32),
                headers: headers_from_json(row.try_get("headers")?),
                payload: Bytes::from(row.try_get::<Vec<u8>, _>("payload")?),
            };
            Ok(Waiting { seq: row.try_get("seq")?, record })
        })
        .collect()
}
