//! Sessions without a live owner, found among the partitions that were given to this node.

use super::{Here, Inner};
use maya_protocol::trace::{self, TraceContext};
use maya_store::{Store, StoreError, placements};
use placements::LogPosition;
use std::{collections::HashMap, sync::Arc};

/// Messages before the end of a partition that a new reader looks at: a join that nobody read is among them. What is
/// too old is recognised by its connection, which is not the session's any more.
pub(super) const LOOK_BACK: u64 = 256;

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
    /// Looks for live sessions of these partitions that nobody owns, and rebuilds them: a candidate who says nothing
    /// must not wait for a word of theirs.
    pub(super) fn find_unowned(self: &Arc<Self>, partitions: Vec<u32>) {
        if self.draining.is_cancelled() {
            return;
        }
        let this = self.clone();
        self.tasks.spawn(async move {
            let found = async {
                let mut tx = this.parts.store.system().await?;
                placements::live(&mut tx, &partitions).await
            };
            let found: Vec<placements::Placement> = match found.await {
                Ok(found) => found,
                Err(error) => return tracing::warn!(error = %error, "cannot look for sessions without an owner"),
            };
            let elsewhere = found.into_iter().filter(|placement| !this.here.contains_key(&placement.session));
            for placement in elsewhere.collect::<Vec<_>>() {
                let session = placement.session;
                let owned = match this.parts.registry.owner(session).await {
                    Ok(owner) => owner.is_some(),
                    // while the registry is away nobody is taken over
                    Err(_) => true,
                };
                if !owned && !this.here.contains_key(&session) {
                    this.here.insert(session, Here::Starting(Vec::new()));
                    trace::within(TraceContext::fresh(), this.clone().begin(session)).await;
                }
            }
        });
    }
}
