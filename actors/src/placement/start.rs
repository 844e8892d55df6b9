//! Making this node the owner of a session, and the session itself: claimed, read, started, caught up.

use super::{AUDIO, Here, Inner, Lag, Live};
use crate::{
    node::NodeMessage,
    observe::Ids,
    opening,
    session::{
        SessionArgs,
        journal::{self, Entry},
        message::SessionMessage,
    },
    traced::CurrentTrace,
};
use maya_protocol::{
    audio::{AgentBody, AgentMessage, CandidateBody, CandidateMessage},
    bus::StartAt,
    ids::{ConnectionId, Epoch, SessionId},
    registry::OwnerRecord,
    session::{Outcome, Phase},
    supervision::Happening,
    trace,
};
use maya_store::{
    StoreError, TenantTx,
    fenced::Owner,
    placements::{self, PlacementState},
    sessions, turns, workflow,
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How long the node's supervisor may take to start a session.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// Why a session is not started here.
#[derive(Debug, thiserror::Error)]
enum NotHere {
    #[error("the session is over")]
    Over,
    #[error("another node owns the session")]
    Owned,
    #[error("nobody has joined")]
    NotJoined,
    #[error("that connection is gone")]
    Gone,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the session did not start: {0}")]
    Failed(String),
}

impl Inner {
    /// Starts a session that messages wait for; hands them over in order.
    pub(super) async fn begin(self: Arc<Self>, session: SessionId) {
        let joined = self.waiting_join(session);
        let started = self.start(session, joined).await;
        let live = match started {
            Ok(live) => live,
            Err(why) => {
                let waiting = match self.here.remove(&session) {
                    Some((_, Here::Starting(waiting))) => waiting,
                    _ => Vec::new(),
                };
                self.not_ours.insert(session, self.parts.clock.now());
                match why {
                    NotHere::Over => waiting.iter().for_each(|(message, _)| self.tell_over(message)),
                    NotHere::Store(error) => {
                        tracing::warn!(session = %session, error = %error, "a session waits for the database")
                    }
                    NotHere::Failed(_) => {
                        tracing::error!(session = %session, error = %why, "a session was not started")
                    }
                    NotHere::Owned | NotHere::NotJoined | NotHere::Gone => {}
                }
                return;
            }
        };
        // what came meanwhile goes first, then the reader hands over directly
        let waiting = match self.here.insert(session, Here::Live(live.clone())) {
            Some(Here::Starting(waiting)) => waiting,
            _ => Vec::new(),
        };
        for (message, offset) in waiting {
            self.hand(&live, message, offset);
        }
    }

    /// Rebuilds a session of this node's that fell.
    pub(super) async fn rebuild(self: Arc<Self>, session: SessionId) {
        let first = match self.here.entry(session) {
            dashmap::Entry::Vacant(here) => {
                here.insert(Here::Starting(Vec::new()));
                true
            }
            // a message of its candidate was faster
            dashmap::Entry::Occupied(_) => false,
        };
        if first {
            self.begin(session).await;
        }
    }

    fn waiting_join(&self, session: SessionId) -> Option<ConnectionId> {
        match self.here.get(&session).as_deref() {
            Some(Here::Starting(waiting)) => waiting
                .iter()
                .rev()
                .find(|(message, _)| message.body == CandidateBody::Joined)
                .map(|(message, _)| message.connection),
            _ => None,
        }
    }

    async fn start(self: &Arc<Self>, session: SessionId, joined: Option<ConnectionId>) -> Result<Live, NotHere> {
        let parts = &self.parts;
        let mut tx = parts.store.system().await?;
        let placement = match placements::read(&mut tx, session).await {
            Err(StoreError::NotFound) => return Err(NotHere::Over),
            placement => placement?,
        };
        drop(tx);
        match placement.state {
            PlacementState::Ended => return Err(NotHere::Over),
            PlacementState::Ready if joined.is_none() => return Err(NotHere::NotJoined),
            PlacementState::Ready | PlacementState::Live => {}
        }
        let mine = placement.owner.as_ref() == Some(&parts.node);
        if placement.state == PlacementState::Live && !mine {
            // the lease decides; while the registry is away nobody is taken over
            match parts.registry.owner(session).await {
                Ok(Some(owner)) if owner.node != parts.node => return Err(NotHere::Owned),
                Ok(_) => {}
                Err(_) => return Err(NotHere::Owned),
            }
        }
        let socket = parts.registry.socket(session).await;
        if let (Ok(Some(socket)), Some(joined)) = (&socket, joined)
            && socket.connection != joined
        {
            return Err(NotHere::Gone);
        }
        let mut tx = parts.store.system().await?;
        let epoch = placements::claim(&mut tx, session, placement.epoch, &parts.node).await?.ok_or(NotHere::Owned)?;
        tx.commit().await?;
        tracing::info!(session = %session, epoch = %epoch, "this node owns the session");
        let owner = OwnerRecord { node: parts.node.clone(), epoch };
        // told to the registry as soon as it answers again, by the renewal of the lease
        let _ = parts.registry.put_owner(session, &owner, parts.settings.lease).await;
        let mut tx = parts.store.tenant(placement.tenant).await?;
        let args = self.read(&mut tx, &placement, epoch).await?;
        drop(tx);
        let rebuilt = !args.turns.is_empty();
        match &placement.owner {
            Some(owner) if *owner != parts.node => {
                args.probe.note(Happening::TakenOver, &format!("it was {owner}'s"));
            }
            Some(_) => args.probe.note(Happening::Restarted, "rebuilt from its turns"),
            None => args.probe.note(Happening::Started, "the candidate joined"),
        }
        let (probe, partition, incarnation) = (args.probe.clone(), args.partition, args.incarnation.clone());
        let reply = self.node.call(|reply| NodeMessage::Start(Box::new(args), reply), Some(START_PATIENCE)).await;
        let actor = match reply {
            Ok(ractor::rpc::CallResult::Success(Ok(actor))) => actor,
            Ok(ractor::rpc::CallResult::Success(Err(error))) => return Err(NotHere::Failed(error)),
            Ok(_) => return Err(NotHere::Failed("no answer from the supervisor".to_owned())),
            Err(error) => return Err(NotHere::Failed(error.to_string())),
        };
        let room = Arc::new(Semaphore::new(parts.settings.audio_bound));
        let live = Live { actor, probe, epoch, partition, room, lag: Arc::new(Mutex::new(Lag::at(0))) };
        if rebuilt {
            // the socket may have been open all the while: nobody will say again that it joined
            if let (Ok(Some(socket)), None) = (&socket, joined) {
                let rejoined = CandidateMessage {
                    session,
                    tenant: placement.tenant,
                    partition,
                    connection: socket.connection,
                    stream: socket.generation,
                    sequence: 0,
                    captured_at: parts.clock.utc(),
                    trace: trace::current(),
                    body: CandidateBody::Joined,
                };
                let hear = SessionMessage::Hear { message: Box::new(rejoined), offset: 0, permit: None };
                let _ = live.probe.cast(&live.actor, hear);
            }
            let position = placement.position.filter(|position| position.incarnation == incarnation);
            if let Some(position) = position {
                self.hear_again(&live, session, partition, position.offset).await;
            }
        }
        Ok(live)
    }

    /// Gives a rebuilt session what it had not recorded yet of the log.
    async fn hear_again(self: &Arc<Self>, live: &Live, session: SessionId, partition: u32, from: u64) {
        let Ok(bounds) = self.parts.bus.bounds(AUDIO, partition).await else { return };
        if from >= bounds.high {
            return;
        }
        let Ok(mut reader) = self.parts.bus.reader(AUDIO).await else { return };
        if reader.assign(partition, StartAt::Offset(from)).await.is_err() {
            return;
        }
        loop {
            let Ok(Ok(delivery)) = tokio::time::timeout(START_PATIENCE, reader.next()).await else { return };
            let offset = delivery.offset;
            if let Ok(message) = CandidateMessage::from_record(&delivery.record)
                && message.session == session
            {
                self.hand(live, message, offset);
            }
            if offset + 1 >= bounds.high {
                return;
            }
        }
    }

    /// All that a session is made of.
    async fn read(
        &self,
        tx: &mut TenantTx,
        placement: &placements::Placement,
        epoch: Epoch,
    ) -> Result<SessionArgs, NotHere> {
        let parts = &self.parts;
        let row = sessions::read(tx, placement.session).await?;
        let (_, plan) = sessions::plan(tx, placement.interview, Some(row.plan_version)).await?;
        let interview = workflow::read(tx, placement.interview).await?;
        let turns = turns::of_interview(tx, placement.interview).await?;
        let facts = opening::facts(&interview.brief, &plan);
        let opening = match row.opening {
            Some(opening) => opening,
            None => opening::word(parts, &facts).await,
        };
        let hints = plan.rubric.iter().map(|entry| entry.skill.clone()).chain([facts.title.clone()]).collect();
        let incarnation = match self.incarnations.get(&placement.partition) {
            Some(incarnation) => incarnation.clone(),
            None => match parts.bus.bounds(AUDIO, placement.partition).await {
                Ok(bounds) => bounds.incarnation,
                Err(_) => String::new(),
            },
        };
        let position = placement.position.as_ref().filter(|position| position.incarnation == incarnation);
        Ok(SessionArgs {
            position: position.map(|position| position.offset),
            session: placement.session,
            interview: placement.interview,
            tenant: placement.tenant,
            partition: placement.partition,
            epoch,
            plan: Arc::new(plan),
            opening,
            candidate: facts.candidate,
            title: facts.title,
            language: facts.language,
            duration: Duration::from_secs(
                u64::from(interview.brief.duration_minutes.unwrap_or(opening::DEFAULT_MINUTES)) * 60,
            ),
            hints,
            turns,
            connection: None,
            incarnation,
            trace: CurrentTrace::here(),
            probe: parts.observer.session(
                &self.root,
                Ids { session: placement.session, interview: placement.interview, tenant: placement.tenant, epoch },
            ),
            parts: parts.clone(),
        })
    }

    /// Tells a candidate who joins that the session is over.
    fn tell_over(&self, message: &CandidateMessage) {
        if message.body != CandidateBody::Joined {
            return;
        }
        let say = |body| AgentMessage {
            session: message.session,
            tenant: message.tenant,
            partition: message.partition,
            // above any epoch that spoke to an earlier connection
            epoch: Epoch(u64::from(u32::MAX)),
            connection: message.connection,
            trace: trace::current(),
            body,
        };
        let ended =
            AgentBody::State { phase: Phase::Ended, reason: Some("session_ended".to_owned()), remaining_seconds: 0 };
        for body in [ended, AgentBody::Close] {
            let _ = self.parts.bus.send(say(body).to_record());
        }
    }

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
        let elsewhere = placement.owner.as_ref().is_some_and(|owner| *owner != parts.node);
        if elsewhere && !matches!(parts.registry.owner(session).await, Ok(None)) {
            return Ok(false);
        }
        let Some(epoch) = placements::claim(&mut tx, session, placement.epoch, &parts.node).await? else {
            return Ok(false);
        };
        tx.commit().await?;
        let (pen, written) = journal::open();
        let mut tx = parts.store.tenant(placement.tenant).await?;
        let turns = turns::count(&mut tx, placement.interview).await?;
        drop(tx);
        pen.write(Entry::End { outcome, reason: reason.to_owned(), turns });
        drop(pen);
        let owner = Owner { tenant: placement.tenant, interview: placement.interview, session, epoch };
        journal::run(parts.store.clone(), owner, written, |_| {}).await;
        Ok(true)
    }
}
