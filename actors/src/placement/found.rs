//! The live sessions of this node's partitions that do not live here: those that nobody owns are rebuilt, those that
//! another node owns are asked for.

use super::{Inner, Starting, owners::Owner};
use futures::StreamExt;
use maya_protocol::{
    ids::{NodeId, SessionId},
    trace::{self, TraceContext},
};
use maya_store::{
    Store, StoreError,
    placements::{self, LogPosition, Placement},
};
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Messages before the end of a partition that a new reader looks at: a join that nobody read is among them. What is
/// too old is recognised by its connection, which is not the session's any more.
pub(super) const LOOK_BACK: u64 = 256;
/// How long one look may take: what it waits for may hang, and the next may not.
const PATIENCE: Duration = Duration::from_secs(20);
/// Sessions that are rebuilt at once.
const AT_ONCE: usize = 16;
/// For how long a session that was given away is left alone.
const GIVEN: Duration = Duration::from_secs(5);

/// The positions of the live sessions of some partitions.
pub(super) async fn positions(store: &Store, partitions: &[u32]) -> Result<HashMap<u32, Vec<LogPosition>>, StoreError> {
    let mut tx = store.system().await?;
    let mut positions: HashMap<u32, Vec<LogPosition>> = HashMap::new();
    for placement in placements::live(&mut tx, partitions).await? {
        positions.entry(placement.partition).or_default().extend(placement.position);
    }
    Ok(positions)
}

impl Inner {
    /// Looks for live sessions of these partitions: a candidate who says nothing must not wait for a word of theirs.
    pub(super) fn find(self: &Arc<Self>, partitions: Vec<u32>) {
        if self.draining.is_cancelled() || self.finding.swap(true, Ordering::SeqCst) {
            return;
        }
        let this = self.clone();
        self.tasks.spawn(async move {
            match tokio::time::timeout(PATIENCE, this.look_for(&partitions)).await {
                Ok(Ok(lost)) => {
                    let rebuilt = |placement| this.rebuild(placement);
                    futures::stream::iter(lost).for_each_concurrent(AT_ONCE, rebuilt).await;
                }
                Ok(Err(error)) => tracing::warn!(error = %error, "cannot look for sessions without an owner"),
                Err(_) => tracing::warn!("no answer in time to which sessions lost their owner"),
            }
            this.finding.store(false, Ordering::SeqCst);
        });
    }

    /// Those whose owner is lost; those that live elsewhere are asked for.
    async fn look_for(self: &Arc<Self>, partitions: &[u32]) -> Result<Vec<Placement>, StoreError> {
        let mut tx = self.parts.store.system().await?;
        let found = placements::live(&mut tx, partitions).await?;
        drop(tx);
        let now = self.parts.clock.now();
        self.given.retain(|_, at| now.saturating_duration_since(*at) < GIVEN);
        let mut owners: HashMap<Option<NodeId>, Owner> = HashMap::new();
        let mut lost = Vec::new();
        for placement in found {
            if let Some(live) = self.live(placement.session)
                && live.epoch < placement.epoch
            {
                tracing::warn!(session = %placement.session, epoch = %placement.epoch, "another node owns the session");
                live.actor.stop(Some("fenced".to_owned()));
            }
            if !self.is_elsewhere(placement.session) {
                continue;
            }
            let owner = match owners.get(&placement.owner) {
                Some(owner) => owner.clone(),
                None => {
                    let owner = self.owners.owner(placement.owner.as_ref()).await;
                    owners.entry(placement.owner.clone()).or_insert(owner).clone()
                }
            };
            match owner {
                Owner::Nobody => lost.push(placement),
                Owner::Node { rpc, .. } => self.ask_for(placement.session, placement.partition, rpc),
                Owner::Unknown => {}
            }
        }
        Ok(lost)
    }

    fn is_elsewhere(&self, session: SessionId) -> bool {
        !self.here.contains_key(&session) && !self.given.contains_key(&session)
    }

    async fn rebuild(self: &Arc<Self>, Placement { session, partition, .. }: Placement) {
        if self.expect(session, Starting { partition, ..Starting::default() }) {
            trace::within(TraceContext::fresh(), self.clone().begin(session)).await;
        }
    }
}
