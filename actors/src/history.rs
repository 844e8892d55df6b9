//! What happened to this node's actors, kept for an hour in PostgreSQL, so that it can be read when session and node are
//! gone. Telling never waits: a bounded buffer drops the oldest and counts it, and one task writes in batches.

use crate::observe::Observer;
use maya_protocol::{ids::NodeId, supervision::SupervisionEvent};
use maya_store::{Store, StoreError, supervision};
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Events that may wait for the database.
const BOUND: usize = 4096;
/// Events of one statement.
const BATCH: usize = 512;
/// Between two writes.
const EVERY: Duration = Duration::from_secs(1);
/// How long an event is kept.
pub const KEPT: Duration = Duration::from_secs(3600);
/// Between two looks for what is too old.
const PRUNE: Duration = Duration::from_secs(60);
/// How long a node that stops waits for its last write.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// The events that are not written yet.
#[derive(Clone)]
pub struct History {
    /// Who tells.
    pub(crate) node: NodeId,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<SupervisionEvent>,
    /// The number of the first of them: what is written meanwhile and what is dropped meanwhile do not mix.
    first: u64,
}

impl History {
    /// Of that node.
    pub fn new(node: NodeId) -> Self {
        Self { node, waiting: Arc::default() }
    }

    /// Keeps an event until it is written.
    pub fn tell(&self, event: SupervisionEvent) {
        metrics::counter!("maya_supervision_events_total", "what" => event.what.as_str()).increment(1);
        let mut waiting = self.waiting.lock();
        if waiting.events.len() >= BOUND {
            waiting.events.pop_front();
            waiting.first += 1;
            metrics::counter!("maya_supervision_events_dropped_total").increment(1);
        }
        waiting.events.push_back(event);
    }

    /// What waits to be written, oldest first.
    pub fn waiting(&self) -> Vec<SupervisionEvent> {
        self.waiting.lock().events.iter().cloned().collect()
    }

    /// Writes, prunes and looks for stuck actors until stopped.
    pub async fn run(self, observer: Observer, store: Store, stop: CancellationToken) {
        let mut write = tokio::time::interval(EVERY);
        write.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut prune = tokio::time::interval(PRUNE);
        prune.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = write.tick() => {
                    observer.tell_stuck();
                    self.flush(&store).await;
                }
                _ = prune.tick() => {
                    if let Err(error) = forget(&store).await {
                        tracing::debug!(error = %error, "old supervision events stay for now");
                    }
                }
            }
        }
    }

    /// Writes what waits, once, before the process ends.
    pub async fn close(&self, store: &Store) {
        let _ = tokio::time::timeout(LAST_WRITE, self.flush(store)).await;
    }

    async fn flush(&self, store: &Store) {
        loop {
            let (first, batch): (u64, Vec<SupervisionEvent>) = {
                let waiting = self.waiting.lock();
                (waiting.first, waiting.events.iter().take(BATCH).cloned().collect())
            };
            if batch.is_empty() {
                return;
            }
            if let Err(error) = write(store, &batch).await {
                return tracing::debug!(error = %error, "supervision events wait for the database");
            }
            let mut waiting = self.waiting.lock();
            let dropped_meanwhile = (waiting.first - first) as usize;
            let written = batch.len().saturating_sub(dropped_meanwhile);
            waiting.events.drain(..written);
            waiting.first += written as u64;
        }
    }
}

async fn write(store: &Store, batch: &[SupervisionEvent]) -> Result<(), StoreError> {
    let mut tx = store.system().await?;
    supervision::append(&mut tx, batch).await?;
    tx.commit().await
}

async fn forget(store: &Store) -> Result<(), StoreError> {
    let mut tx = store.system().await?;
    supervision::prune(&mut tx, KEPT).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::supervision::Happening;

    #[test]
    fn over_the_bound_the_oldest_go() {
        let history = History::new(NodeId("n".into()));
        for number in 0..BOUND + 3 {
            history.tell(SupervisionEvent {
                at: chrono::DateTime::UNIX_EPOCH,
                node: history.node.clone(),
                session: None,
                interview: None,
                epoch: None,
                actor: "node".to_owned(),
                what: Happening::Fell,
                reason: number.to_string(),
            });
        }
        let waiting = history.waiting();
        assert_eq!((waiting.len(), waiting[0].reason.as_str()), (BOUND, "3"));
    }
}
