//! Sessions that are over, and those that are ended where nobody owns them.

use super::Inner;
use crate::session::journal::{self, Entry};
use maya_protocol::{
    audio::{AgentBody, AgentMessage, CandidateBody, CandidateMessage},
    ids::{Epoch, SessionId},
    session::{Outcome, Phase},
    trace,
};
use maya_store::{
    StoreError,
    fenced::Owner,
    placements::{self, PlacementState},
    turns,
};

impl Inner {
    /// Tells a candidate who joins that the session is over.
    pub(super) fn tell_over(&self, message: &CandidateMessage) {
        if message.body != CandidateBody::Joined {
            return;
        }
        let ended =
            AgentBody::State { phase: Phase::Ended, reason: Some("session_ended".to_owned()), remaining_seconds: 0 };
        for body in [ended, AgentBody::Close] {
            // above any epoch that spoke to an earlier connection
            self.tell(message, Epoch(u64::from(u32::MAX)), body);
        }
    }

    /// Says something to a connection whose session does not live (yet).
    pub(super) fn tell(&self, message: &CandidateMessage, epoch: Epoch, body: AgentBody) {
        let say = AgentMessage {
            session: message.session,
            tenant: message.tenant,
            partition: message.partition,
            epoch,
            connection: message.connection,
            trace: trace::current(),
            body,
        };
        let _ = self.parts.bus.send(say.to_record());
    }

    /// Ends a session that lives nowhere; `false` if it lives elsewhere.
    pub(super) async fn end_unowned(
        &self,
        session: SessionId,
        outcome: Outcome,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let parts = &self.parts;
        let mut tx = parts.store.system().await?;
        let placement = match placements::read(&mut tx, session).await {
            Err(StoreError::NotFound) => return Ok(true),
            placement => placement?,
        };
        if placement.state == PlacementState::Ended {
            return Ok(true);
        }
        if self.owners.owner(placement.owner.as_ref()).await != super::owners::Owner::Nobody {
            return Ok(false);
        }
        let Some(placement) = placements::claim(&mut tx, session, placement.epoch, &parts.node).await? else {
            return Ok(false);
        };
        tx.commit().await?;
        let (pen, written) = journal::open();
        let mut tx = parts.store.tenant(placement.tenant).await?;
        let turns = turns::count(&mut tx, placement.interview).await?;
        drop(tx);
        pen.write(Entry::End { outcome, reason: reason.to_owned(), turns });
        drop(pen);
        let owner = Owner { tenant: placement.tenant, interview: placement.interview, session, epoch: placement.epoch };
        journal::run(parts.store.clone(), owner, written, |_| {}).await;
        Ok(true)
    }
}
