//! Giving a session to another node: the owner goes on hearing it until it has released; whoever asked claims it then.

use super::{Here, Inner, Placement, Starting};
use crate::{interviewer::Act, session::message::SessionMessage};
use maya_protocol::{
    ids::{NodeId, SessionId},
    tree::NodeState,
};
use ractor::rpc::CallResult;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// How long a session may take to be given up: a reply is waited for, then cut where a sentence ends.
const GIVING: Duration = Duration::from_secs(25);
/// How often a draining node looks whether its sessions have gone.
const LOOK: Duration = Duration::from_millis(50);

/// What became of a request for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Given {
    /// It was given up: claim it.
    Released,
    /// It does not live there.
    NotHere,
    /// It stays: it was brought there on purpose, is just being started, or that node has its partition too.
    Stays,
}

/// Why a session was not moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// It lives on another node, or nowhere.
    #[error("the session does not live here")]
    NotHere,
    /// No other node serves, or the one that was named does not.
    #[error("there is no such node that takes sessions")]
    NoTarget,
    /// It could not be given up in time.
    #[error("the session did not come to a place where it can be cut")]
    NotReleased,
    /// The node did not take it: it is taken by whoever reads its partition.
    #[error("the other node did not take it: {0}")]
    NotTaken(String),
}

impl Placement {
    /// Gives a session up for the node that asks.
    pub async fn give(&self, session: SessionId) -> Given {
        match self.inner.live(session) {
            Some(_) if self.inner.draining.is_cancelled() => self.inner.give(session).await,
            Some(live) if live.pinned || self.inner.is_given(live.partition) => Given::Stays,
            Some(_) => self.inner.give(session).await,
            None if self.inner.here.contains_key(&session) => Given::Stays,
            None => Given::NotHere,
        }
    }

    /// Takes a session that another node has just given up, whatever partition it is in, and keeps it.
    pub fn take(&self, session: SessionId, partition: u32) {
        let starting = Starting { partition, pinned: true, ..Starting::default() };
        if self.inner.expect(session, starting) {
            let inner = self.inner.clone();
            self.inner.tasks.spawn(async move { inner.begin(session).await });
        }
    }

    /// Moves a session that lives here to that node, or to the one with the least to do.
    pub async fn move_session(&self, session: SessionId, to: Option<NodeId>) -> Result<(), MoveError> {
        let live = self.inner.live(session).ok_or(MoveError::NotHere)?;
        let rpc = self.inner.target(to).await.ok_or(MoveError::NoTarget)?;
        match self.inner.give(session).await {
            Given::Released => {}
            Given::NotHere => return Err(MoveError::NotHere),
            Given::Stays => return Err(MoveError::NotReleased),
        }
        let take = Act::Take { session, partition: live.partition };
        self.inner.peers.act(&rpc, &take.to_value()).await.map_err(|error| error.to_string()).map_or_else(
            |error| Err(MoveError::NotTaken(error)),
            |answer| answer.map(drop).map_err(|error| MoveError::NotTaken(error.to_string())),
        )
    }

    /// Waits, after [`drain`](Self::drain), until other nodes have taken all sessions; not longer than `patience`, and
    /// not where there is no other node.
    pub async fn drained(&self, patience: Duration) {
        let gone = async {
            while self.sessions() > 0 && self.inner.target(None).await.is_some() {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(patience, gone).await.is_err() {
            tracing::warn!(sessions = self.sessions(), "sessions were not taken in time");
        }
    }

    /// Whether this node goes away.
    pub fn is_draining(&self) -> bool {
        self.inner.draining.is_cancelled()
    }
}

impl Inner {
    /// Whether the node list that this node sees gives it that partition. While two nodes see different lists they would
    /// ask each other for the same sessions without end.
    fn is_given(&self, partition: u32) -> bool {
        self.reached.contains_key(&partition) && !self.kept.contains_key(&partition)
    }

    async fn give(&self, session: SessionId) -> Given {
        let Some(live) = self.live(session) else { return Given::NotHere };
        match live.actor.call(SessionMessage::HandOver, Some(GIVING)).await {
            Ok(CallResult::Success(())) => {
                metrics::counter!("maya_sessions_given_total").increment(1);
                self.given.insert(session, self.parts.clock.now());
                self.here.remove_if(&session, |_, here| matches!(here, Here::Live(_)));
                Given::Released
            }
            // it ended meanwhile, or is not through with its sentence
            Ok(CallResult::SenderError) | Err(_) => Given::NotHere,
            Ok(CallResult::Timeout) => Given::Stays,
        }
    }

    /// Asks the owner of a session for it, once at a time, and takes it when it was given up.
    pub(super) fn ask_for(self: &Arc<Self>, session: SessionId, partition: u32, rpc: String) {
        if self.asked.insert(session, ()).is_some() {
            return;
        }
        let this = self.clone();
        self.tasks.spawn(async move {
            let asked = this.peers.act_within(&rpc, &Act::HandOver { session }.to_value(), GIVING).await;
            let given = match asked {
                Ok(Ok(given)) => serde_json::from_value(given).unwrap_or(Given::Stays),
                // it does not know what is asked, or hangs: its lease decides
                Ok(Err(_)) | Err(_) => Given::Stays,
            };
            this.asked.remove(&session);
            if given == Given::Stays {
                return;
            }
            metrics::counter!("maya_sessions_handed_over_total").increment(1);
            let free = given == Given::NotHere;
            if this.expect(session, Starting { partition, free, ..Starting::default() }) {
                this.begin(session).await;
            }
        });
    }

    /// Where a session may be moved: that node, or the one that wants most.
    async fn target(&self, to: Option<NodeId>) -> Option<String> {
        let nodes = self.parts.registry.nodes().await.ok()?;
        nodes
            .into_iter()
            .filter(|node| node.id != self.parts.node && node.state == NodeState::Serving)
            .filter(|node| node.roles.iter().any(|role| role == "interviewer"))
            .filter(|node| to.as_ref().is_none_or(|to| *to == node.id))
            .max_by_key(|node| (node.weight, std::cmp::Reverse(node.load)))
            .map(|node| node.rpc)
    }
}
