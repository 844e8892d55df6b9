//! The owner records of the sessions that live here: written again and again, and where a newer owner is seen, heeded.

use super::{Here, Inner, Live};
use maya_protocol::{
    ids::SessionId,
    registry::{Fenced, OwnerRecord},
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl Inner {
    /// Renews the records of the sessions that live here; one that a higher epoch owns stops.
    pub(super) async fn renew(self: Arc<Self>, stop: CancellationToken) {
        let lease = self.parts.settings.lease;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(lease / 3) => {}
            }
            if self.parts.pulse.stopped().is_some() {
                // a node that hangs must not keep others from its sessions
                continue;
            }
            for (session, live) in self.all_live() {
                let owner = OwnerRecord { node: self.parts.node.clone(), epoch: live.epoch };
                match self.parts.registry.put_owner(session, &owner, lease).await {
                    Ok(Fenced::Stale(newer)) => {
                        tracing::warn!(session = %session, epoch = %newer, "another node owns the session");
                        live.actor.stop(Some("fenced".to_owned()));
                    }
                    Ok(Fenced::Written) => {}
                    // a registry that is away takes no session from its owner
                    Err(error) => self.root.failed(error.to_string()),
                }
            }
        }
    }

    /// The sessions that live here.
    pub(super) fn all_live(&self) -> Vec<(SessionId, Live)> {
        let live = |here: &Here| match here {
            Here::Live(live) => Some(live.clone()),
            Here::Starting(_) => None,
        };
        self.here.iter().filter_map(|entry| Some((*entry.key(), live(entry.value())?))).collect()
    }
}
