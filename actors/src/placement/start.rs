//! Making this node the owner of a session, and the session itself: claimed, read, started, caught up.

use super::{AUDIO, Here, Inner, Lag, Live, Starting, admission::Admitted, ear::Ear, owners::Owner};
use crate::{
    node::NodeMessage,
    observe::Ids,
    opening,
    session::{SessionArgs, message::SessionMessage},
    traced::CurrentTrace,
};
use maya_protocol::{
    audio::{CandidateBody, CandidateMessage},
    ids::{ConnectionId, Epoch, SessionId},
    registry::{OwnerRecord, SocketRecord},
    supervision::Happening,
    trace,
};
use maya_store::{
    StoreError, TenantTx,
    placements::{self, Placement, PlacementState},
    sessions, turns, workflow,
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How long the node's supervisor may take to start a session.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// How long the bus may take to say what a session's partition holds.
const BUS_PATIENCE: Duration = Duration::from_secs(2);

/// How long a session that is to start waits for the database, and how often it tries.
const DATABASE_PATIENCE: Duration = Duration::from_secs(120);
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

/// How often the socket of a rebuilt session is looked for.
const LOOK: Duration = Duration::from_millis(500);

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
    #[error("no room: {0}")]
    Waits(&'static str),
    #[error("this node goes away")]
    Leaving,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the session did not start: {0}")]
    Failed(String),
}

impl Inner {
    /// Starts a session that messages wait for; hands them over in order.
    pub(super) async fn begin(self: Arc<Self>, session: SessionId) {
        let live = match self.start_in_the_end(session).await {
            Ok(live) => live,
            Err(why) => return self.not_started(session, why),
        };
        // what came meanwhile goes first, then the reader hands over directly: it waits for this entry until then
        let mut here = self.here.entry(session).or_insert_with(|| Here::Starting(Starting::default()));
        if let Here::Starting(starting) = &mut *here {
            for (message, offset) in std::mem::take(&mut starting.waiting) {
                self.hand(&live, message, offset);
            }
        }
        *here = Here::Live(live);
    }

    /// Tries again for a while where the database is away: a candidate joins once.
    async fn start_in_the_end(self: &Arc<Self>, session: SessionId) -> Result<Live, NotHere> {
        let until = self.parts.clock.now() + DATABASE_PATIENCE;
        loop {
            match self.start(session).await {
                Err(NotHere::Store(error)) if error.is_retryable() && self.parts.clock.now() < until => {
                    tracing::debug!(session = %session, error = %error, "a session waits for the database");
                    tokio::time::sleep(DATABASE_PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    fn not_started(&self, session: SessionId, why: NotHere) {
        let waiting = match self.here.remove(&session) {
            Some((_, Here::Starting(starting))) => starting.waiting,
            _ => Vec::new(),
        };
        self.not_ours.insert(session, self.parts.clock.now());
        match why {
            NotHere::Over => waiting.iter().for_each(|(message, _)| self.tell_over(message)),
            NotHere::Waits(reason) => self.let_wait(waiting, reason),
            NotHere::Store(error) => {
                tracing::warn!(session = %session, error = %error, "a session waits for the database")
            }
            NotHere::Failed(_) => tracing::error!(session = %session, error = %why, "a session was not started"),
            NotHere::Owned | NotHere::NotJoined | NotHere::Gone | NotHere::Leaving => {}
        }
    }

    /// What is being started: its last join with its place in the log, how far the reader was, whether it is pinned.
    fn starting(&self, session: SessionId) -> (Option<(ConnectionId, u64)>, Option<u64>, bool) {
        match self.here.get(&session).as_deref() {
            Some(Here::Starting(Starting { waiting, reached, pinned, .. })) => {
                let joins = waiting.iter().rev().find(|(message, _)| message.body == CandidateBody::Joined);
                (joins.map(|(message, offset)| (message.connection, *offset)), *reached, *pinned)
            }
            _ => (None, None, false),
        }
    }

    async fn start(self: &Arc<Self>, session: SessionId) -> Result<Live, NotHere> {
        let parts = &self.parts;
        let (joined, reached, pinned) = self.starting(session);
        let mut tx = parts.store.system().await?;
        let placement = match placements::read(&mut tx, session).await {
            Err(StoreError::NotFound) => return Err(NotHere::Over),
            placement => placement?,
        };
        drop(tx);
        let socket = parts.registry.socket(session).await.ok().flatten();
        match placement.state {
            PlacementState::Ended => return Err(NotHere::Over),
            PlacementState::Ready => self.may_begin(&placement, joined, socket.as_ref()).await?,
            PlacementState::Live
                if !self.is_free(session) && self.owners.owner(placement.owner.as_ref()).await != Owner::Nobody =>
            {
                return Err(NotHere::Owned);
            }
            PlacementState::Live => {}
        }
        let (rebuilt, was_owned_by) = (placement.state == PlacementState::Live, placement.owner);
        // it was looked for before this node was told to stop: another one finds it
        if self.draining.is_cancelled() {
            return Err(NotHere::Leaving);
        }
        let mut tx = parts.store.system().await?;
        // as its last owner left it: that one may have written since it was read above
        let claimed = placements::claim(&mut tx, session, placement.epoch, &parts.node).await?;
        let placement = claimed.ok_or(NotHere::Owned)?;
        tx.commit().await?;
        let epoch = placement.epoch;
        let owner = OwnerRecord { node: parts.node.clone(), epoch };
        // told to the registry as soon as it answers again, by the renewal of the lease
        let _ = parts.registry.put_owner(session, &owner, parts.settings.lease).await;

        let ear = self.ear(&placement, joined.map(|(_, offset)| offset)).await;
        tracing::info!(session = %session, epoch = %epoch, from = ear.from, reached, "this node owns the session");
        let mut tx = parts.store.tenant(placement.tenant).await?;
        let args = self.read(&mut tx, &placement, epoch, &ear).await?;
        drop(tx);
        match (&was_owned_by, rebuilt) {
            (Some(owner), _) if *owner != parts.node => {
                args.probe.note(Happening::TakenOver, &format!("it was {owner}'s"));
            }
            (_, true) => args.probe.note(Happening::Restarted, "rebuilt from its turns"),
            (_, false) => args.probe.note(Happening::Started, "the candidate joined"),
        }
        let (probe, partition) = (args.probe.clone(), args.partition);
        let reply = self.node.call(|reply| NodeMessage::Start(Box::new(args), reply), Some(START_PATIENCE)).await;
        let actor = match reply {
            Ok(ractor::rpc::CallResult::Success(Ok(actor))) => actor,
            Ok(ractor::rpc::CallResult::Success(Err(error))) => return Err(NotHere::Failed(error)),
            Ok(_) => return Err(NotHere::Failed("no answer from the supervisor".to_owned())),
            Err(error) => return Err(NotHere::Failed(error.to_string())),
        };
        let passed = pinned || reached.is_none_or(|reached| reached > ear.from);
        let lag = if passed { Lag::apart(ear.from, reached.filter(|_| !pinned)) } else { Lag::at(ear.from) };
        let room = Arc::new(Semaphore::new(parts.settings.audio_bound));
        let live = Live { actor, probe, epoch, partition, room, lag: Arc::new(Mutex::new(lag)), pinned };
        // the socket may have been open all the while: nobody will say again that it joined
        if rebuilt || joined.is_none() {
            self.clone().rejoin(live.clone(), placement, socket);
        }
        if passed {
            self.read_apart(session, &live, ear.from);
        }
        Ok(live)
    }

    /// Whether its recorded owner said that it does not live there.
    fn is_free(&self, session: SessionId) -> bool {
        matches!(self.here.get(&session).as_deref(), Some(Here::Starting(Starting { free: true, .. })))
    }

    /// Whether a session that was never joined may begin here now.
    async fn may_begin(
        &self,
        placement: &Placement,
        joined: Option<(ConnectionId, u64)>,
        socket: Option<&SocketRecord>,
    ) -> Result<(), NotHere> {
        match (joined, socket) {
            (None, None) => return Err(NotHere::NotJoined),
            (Some((connection, _)), Some(socket)) if socket.connection != connection => return Err(NotHere::Gone),
            // a socket that is open has joined: whoever read that it did may be gone
            _ => {}
        }
        match self.admitted(placement.tenant, placement.session).await {
            Admitted::Yes => Ok(()),
            Admitted::Waits(reason) => Err(NotHere::Waits(reason)),
        }
    }

    /// Where the session begins to hear. A partition whose leader is lost is not waited for: the candidate waits for Maya.
    async fn ear(&self, placement: &Placement, joined: Option<u64>) -> Ear {
        let asked = tokio::time::timeout(BUS_PATIENCE, self.parts.bus.bounds(AUDIO, placement.partition)).await;
        let known = self.incarnations.get(&placement.partition).map(|known| known.clone());
        let ear = Ear::of(placement.position.as_ref(), joined, asked.ok().and_then(Result::ok), known);
        if ear.missed {
            metrics::counter!("maya_positions_lost_total").increment(1);
            tracing::warn!(session = %placement.session, "what was said is no longer in the log");
        }
        ear
    }

    /// Tells a rebuilt session of its open socket, as soon as the registry knows of one (again).
    fn rejoin(self: Arc<Self>, live: Live, placement: Placement, mut socket: Option<SocketRecord>) {
        let this = self.clone();
        self.tasks.spawn(async move {
            loop {
                if let Some(SocketRecord { connection, generation, .. }) = socket {
                    let rejoined = CandidateMessage {
                        session: placement.session,
                        tenant: placement.tenant,
                        partition: placement.partition,
                        connection,
                        stream: generation,
                        sequence: 0,
                        captured_at: this.parts.clock.utc(),
                        trace: trace::current(),
                        body: CandidateBody::Joined,
                    };
                    let hear = SessionMessage::Hear { message: Box::new(rejoined), offset: 0, permit: None };
                    let _ = live.probe.cast(&live.actor, hear);
                    return;
                }
                tokio::time::sleep(LOOK).await;
                if live.is_gone() {
                    return;
                }
                socket = this.parts.registry.socket(placement.session).await.ok().flatten();
            }
        });
    }

    /// All that a session is made of.
    async fn read(
        &self,
        tx: &mut TenantTx,
        placement: &Placement,
        epoch: Epoch,
        ear: &Ear,
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
        Ok(SessionArgs {
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
            said: placement.said,
            safe: placement.position.as_ref().map(|_| ear.from),
            missed: ear.missed,
            incarnation: ear.incarnation.clone(),
            trace: CurrentTrace::here(),
            probe: parts.observer.session(
                &self.root,
                Ids { session: placement.session, interview: placement.interview, tenant: placement.tenant, epoch },
            ),
            parts: parts.clone(),
        })
    }
}
