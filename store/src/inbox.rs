//! The inbox: an event that was read is durable here before its offset moves, applied once however often it is
//! delivered, and retried on its own so that it blocks no other interview's.

mod intake;
mod worker;

pub use intake::Intake;
pub use worker::Worker;

use crate::{StoreError, TenantTx};
use async_trait::async_trait;
use maya_protocol::{event::Event, topic::Topic};
use std::{sync::Arc, time::Duration};

/// Applies the events of one consumer.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// The consumer's name: its group on the bus and its rows in the inbox.
    fn consumer(&self) -> &'static str;
    /// What it reads.
    fn topics(&self) -> &'static [Topic];
    /// How many events it works on at a time.
    fn parallel(&self) -> usize {
        8
    }
    /// After how long an event counts as dropped by a process that died: one that lives renews its lease meanwhile.
    fn lease(&self) -> Duration {
        Duration::from_secs(15)
    }
    /// How long the work on one event may take; after that it hangs, its lease is left to run out, and it is tried again.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
    /// Applies one event. Slow work comes first and without a transaction; then one transaction writes the result and
    /// calls [`Done::mark`], so that both happen or neither. An event that asks for nothing just returns `Ok`.
    async fn handle(&self, event: &Event, done: Done) -> Result<(), HandleError>;
}

/// Why an event was not applied.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Its move is not legal yet, an event of another topic must come first: wait, however long.
    #[error("not yet: {0}")]
    NotYet(String),
    /// May pass: try again some times.
    #[error("{0}")]
    Retry(String),
    /// It can never be applied: dead letter.
    #[error("never: {0}")]
    Never(String),
}
impl From<StoreError> for HandleError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => HandleError::Never(error.to_string()),
            StoreError::IllegalMove { from, to } if from.may_ever_become(to) => HandleError::NotYet(error.to_string()),
            StoreError::IllegalMove { .. } => HandleError::Never(error.to_string()),
            _ => HandleError::Retry(error.to_string()),
        }
    }
}

/// The right to mark one event of the inbox as applied.
#[derive(Debug)]
pub struct Done {
    pub(crate) seq: i64,
}
impl Done {
    /// Marks it within the transaction that applies it; `false` if it had been applied before: then change nothing.
    pub async fn mark(&self, tx: &mut TenantTx) -> Result<bool, StoreError> {
        let marked = sqlx::query(
            "update inbox set done_at = now(), payload = '', last_error = null where seq = $1 and done_at is null",
        )
        .bind(self.seq)
        .execute(tx.conn())
        .await?;
        Ok(marked.rows_affected() == 1)
    }
}

/// Reads the handler's topics into the inbox and works on them until told to stop.
pub async fn run(
    store: crate::Store,
    bus: maya_protocol::bus::SharedBus,
    handler: Arc<dyn Handler>,
    stop: tokio_util::sync::CancellationToken,
) {
    let wake = Arc::new(tokio::sync::Notify::new());
    let intake = Intake::new(store.clone(), bus.clone(), handler.consumer(), handler.topics(), wake.clone());
    let worker = Worker::new(store, bus, handler, wake);
    tokio::join!(intake.run(stop.clone()), worker.run(stop));
}
