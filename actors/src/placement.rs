//! Which node owns a session: its partition nominates, the placement row's epoch decides, the registry is told.
//!
//! The node reads the partitions that the node list gives it, hands each message to its session, and starts a session
//! when its candidate joins. A reader of partitions never waits on one session: over its bound, that session's audio is
//! left in the log and read again by a reader of its own.

mod catch_up;
mod found;
mod operate;
mod start;

use crate::{
    node::{Node, NodeArgs, NodeEvent, NodeMessage},
    observe::Observed,
    parts::Parts,
    session::message::SessionMessage,
};
use catch_up::Lag;
use dashmap::DashMap;
use maya_protocol::{
    audio::{CandidateBody, CandidateMessage},
    bus::{BusError, Delivery, PartitionReader, StartAt, assignment},
    event::Command,
    ids::{Epoch, NodeId, SessionId},
    registry::{Fenced, OwnerRecord},
    session::Outcome,
    supervision::Happening,
    topic::{Channel, Topic},
    trace::{self, TraceContext},
    tree::NodeState,
};
use parking_lot::Mutex;
use ractor::{Actor, ActorRef};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const AUDIO: Channel = Channel::Main(Topic::CandidateSpoken);
/// How often the node list is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often sessions without an owner are looked for: a lost node's leases outlast its record in the node list, and a
/// draining one still owns its sessions when its partitions are given away.
const FIND: Duration = Duration::from_secs(1);
/// For how long a session that is not ours is not looked up again.
const NOT_OURS: Duration = Duration::from_secs(1);

/// A session that lives here.
#[derive(Clone)]
struct Live {
    actor: ActorRef<SessionMessage>,
    probe: Observed,
    epoch: Epoch,
    partition: u32,
    room: Arc<Semaphore>,
    lag: Arc<Mutex<Lag>>,
}

/// Where a session stands with this node.
enum Here {
    /// Being started: what comes meanwhile waits (bounded by the log: the oldest is read again).
    Starting(Vec<(CandidateMessage, u64)>),
    /// Alive.
    Live(Live),
}

/// The sessions of a node.
#[derive(Clone)]
pub struct Placement {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    node: ActorRef<NodeMessage>,
    root: Observed,
    here: DashMap<SessionId, Here>,
    not_ours: DashMap<SessionId, Instant>,
    incarnations: DashMap<u32, String>,
    /// Partitions that are another node's now, read on for the sessions that live here and for no other.
    kept: DashMap<u32, ()>,
    draining: CancellationToken,
    tasks: TaskTracker,
}

impl Placement {
    /// Starts the root supervisor and reads until stopped.
    pub async fn start(parts: Parts, stop: CancellationToken) -> Result<Self, BusError> {
        let root = parts.observer.observe(None, "node", parts.node.to_string());
        let (events, ended) = mpsc::unbounded_channel();
        let args = NodeArgs {
            probe: root.clone(),
            observer: parts.observer.clone(),
            frozen: parts.settings.frozen,
            pulse: parts.pulse.clone(),
            clock: parts.clock.clone(),
            rng: parts.rng.clone(),
            events,
        };
        let (node, running) =
            Actor::spawn(None, Node, args).await.map_err(|error| BusError::Unavailable(error.to_string()))?;
        let placement = Self {
            inner: Arc::new(Inner {
                parts,
                node,
                root,
                here: DashMap::new(),
                not_ours: DashMap::new(),
                incarnations: DashMap::new(),
                kept: DashMap::new(),
                draining: CancellationToken::new(),
                tasks: TaskTracker::new(),
            }),
        };
        let reader = placement.inner.parts.bus.reader(AUDIO).await?;
        let count = placement.inner.parts.bus.partitions(AUDIO).await?;
        let mut reading = Reading { placement: placement.clone(), reader, count, assigned: HashSet::new() };
        reading.assign().await?;
        let until = stop.clone();
        placement.vital("root supervisor", async move {
            let ended = running.await;
            assert!(until.is_cancelled() && ended.is_ok(), "it ended by itself");
        });
        placement.vital("reader", reading.run(stop.clone()));
        let Parts { observer, store, .. } = &placement.inner.parts;
        let history = observer.history().clone().run(observer.clone(), store.clone(), stop.clone());
        placement.inner.tasks.spawn(history);
        placement.vital("watch", placement.clone().watch(ended, stop.clone()));
        placement.vital("renewal", placement.clone().renew(stop));
        Ok(placement)
    }

    /// Runs what this node is not whole without. They share what is known of its sessions, so that none is started
    /// again alone: where one falls, the node gives up its lease, and its process ends.
    fn vital(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (pulse, root) = (self.inner.parts.pulse.clone(), self.inner.root.clone());
        self.inner.tasks.spawn(async move {
            if let Err(error) = tokio::spawn(task).await {
                tracing::error!(error = %error, "the {name} of this node fell");
                root.failed(format!("the {name} fell"));
                pulse.lose(format!("the {name} of this node fell"));
            }
        });
    }

    /// Live sessions.
    pub fn sessions(&self) -> u32 {
        self.inner.here.len() as u32
    }

    /// Takes no new session from here on.
    pub fn drain(&self) {
        if !self.inner.draining.is_cancelled() {
            self.inner.parts.observer.note(Happening::Drained, "it takes no new session");
        }
        self.inner.draining.cancel();
    }

    /// Stops all sessions in good order; each is rebuilt by whoever its candidate's next word reaches.
    pub async fn stop(&self) {
        self.inner.node.stop(Some("shutdown".to_owned()));
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.parts.observer.history().close(&self.inner.parts.store).await;
    }

    /// Tells a session; `false` if it does not live here.
    pub fn command(&self, session: SessionId, command: Command) -> bool {
        match self.inner.here.get(&session).as_deref() {
            Some(Here::Live(live)) => {
                live.probe.cast(&live.actor, SessionMessage::Command(command, trace::current())).is_ok()
            }
            Some(Here::Starting(_)) | None => false,
        }
    }

    /// Ends a session that lives nowhere, so that nobody can join it any more; `false` if it lives elsewhere.
    pub async fn end_unowned(
        &self,
        session: SessionId,
        outcome: Outcome,
        reason: &str,
    ) -> Result<bool, maya_store::StoreError> {
        self.inner.end_unowned(session, outcome, reason).await
    }

    async fn watch(self, mut ended: mpsc::UnboundedReceiver<NodeEvent>, stop: CancellationToken) {
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = ended.recv() => event,
            };
            match event {
                None => return,
                Some(NodeEvent::Ended(session)) => {
                    self.inner.here.remove(&session);
                }
                Some(NodeEvent::GivenUp(session)) => {
                    self.inner.here.remove(&session);
                    let this = self.clone();
                    self.inner.tasks.spawn(async move {
                        if let Err(error) = this.inner.end_unowned(session, Outcome::Failed, "session_failed").await {
                            tracing::error!(session = %session, error = %error, "a given up session was not ended");
                        }
                    });
                }
                Some(NodeEvent::Fell(session, pause)) => {
                    self.inner.here.remove(&session);
                    let this = self.clone();
                    self.inner.tasks.spawn(trace::within(TraceContext::fresh(), async move {
                        tokio::time::sleep(pause).await;
                        this.inner.rebuild(session).await;
                    }));
                }
            }
        }
    }

    /// Renews the leases of the sessions that live here; one that a higher epoch owns stops.
    async fn renew(self, stop: CancellationToken) {
        let lease = self.inner.parts.settings.lease;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(lease / 3) => {}
            }
            if self.inner.parts.pulse.stopped().is_some() {
                // a node that hangs must not keep others from its sessions
                continue;
            }
            let live: Vec<(SessionId, Live)> = self
                .inner
                .here
                .iter()
                .filter_map(|entry| match entry.value() {
                    Here::Live(live) => Some((*entry.key(), live.clone())),
                    Here::Starting(_) => None,
                })
                .collect();
            for (session, live) in live {
                let owner = OwnerRecord { node: self.inner.parts.node.clone(), epoch: live.epoch };
                match self.inner.parts.registry.put_owner(session, &owner, lease).await {
                    Ok(Fenced::Stale(newer)) => {
                        tracing::warn!(session = %session, epoch = %newer, "another node owns the session");
                        live.actor.stop(Some("fenced".to_owned()));
                    }
                    Ok(Fenced::Written) => {}
                    // a registry that is away takes no session from its owner
                    Err(error) => self.inner.root.failed(error.to_string()),
                }
            }
        }
    }
}

/// The reading of a node's partitions.
struct Reading {
    placement: Placement,
    reader: Box<dyn PartitionReader>,
    count: u32,
    assigned: HashSet<u32>,
}

impl Reading {
    async fn run(mut self, stop: CancellationToken) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut find = tokio::time::interval(FIND);
        find.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = find.tick() => self.placement.inner.find_unowned(self.own()),
                _ = look.tick() => {
                    if let Err(error) = self.assign().await {
                        tracing::warn!(error = %error, "cannot change the partitions that are read");
                    }
                }
                delivery = self.reader.next() => match delivery {
                    Ok(delivery) => self.placement.inner.receive(delivery),
                    Err(error) => {
                        tracing::warn!(error = %error, "cannot read audio");
                        tokio::time::sleep(LOOK).await;
                    }
                },
            }
        }
    }

    /// The partitions that the node list gives this node.
    fn own(&self) -> Vec<u32> {
        let kept = &self.placement.inner.kept;
        self.assigned.iter().copied().filter(|partition| !kept.contains_key(partition)).collect()
    }

    /// Reads what the node list gives this node.
    async fn assign(&mut self) -> Result<(), BusError> {
        let Inner { parts, .. } = &*self.placement.inner;
        // while the registry is away the last assignment stands
        let Ok(nodes) = parts.registry.nodes().await else { return Ok(()) };
        let mut ids: Vec<NodeId> = nodes
            .into_iter()
            .filter(|node| node.roles.iter().any(|role| role == "interviewer") && node.state == NodeState::Serving)
            .map(|node| node.id)
            .collect();
        if ids.is_empty() {
            // before this node's own record is there
            ids.push(parts.node.clone());
        }
        let wanted: HashSet<u32> = assignment::partitions_of(&parts.node, &ids, self.count).into_iter().collect();
        let inner = self.placement.inner.clone();
        for partition in self.assigned.difference(&wanted).copied().collect::<Vec<_>>() {
            // a session must not become deaf because a node was added
            if inner.lives_in(partition) {
                inner.kept.insert(partition, ());
                continue;
            }
            self.reader.unassign(partition).await?;
            self.assigned.remove(&partition);
            inner.kept.remove(&partition);
        }
        inner.kept.retain(|partition, ()| !wanted.contains(partition));
        let new: Vec<u32> = wanted.difference(&self.assigned).copied().collect();
        if new.is_empty() {
            return Ok(());
        }
        let starts = self.placement.inner.starts(&new).await;
        for partition in new {
            let start = starts.get(&partition).copied().unwrap_or(StartAt::Latest);
            self.reader.assign(partition, start).await?;
            self.assigned.insert(partition);
        }
        Ok(())
    }
}

/// Whether the ear is to hear it.
fn is_audio(body: &CandidateBody) -> bool {
    matches!(body, CandidateBody::Audio { .. } | CandidateBody::Batch { .. })
}

impl Inner {
    /// Whether a session of that partition lives here, or is being started.
    fn lives_in(&self, partition: u32) -> bool {
        self.here.iter().any(|entry| match entry.value() {
            Here::Live(live) => live.partition == partition,
            Here::Starting(waiting) => waiting.iter().any(|(message, _)| message.partition == partition),
        })
    }

    /// Hands a message to its session; never waits.
    fn receive(self: &Arc<Self>, delivery: Delivery) {
        let message = match CandidateMessage::from_record(&delivery.record) {
            Ok(message) => message,
            Err(error) => {
                metrics::counter!("maya_audio_unreadable_total").increment(1);
                return tracing::warn!(error = %error, "an audio message does not read");
            }
        };
        let session = message.session;
        let offset = delivery.offset;
        match self.here.get_mut(&session).as_deref_mut() {
            Some(Here::Live(live)) => {
                let live = live.clone();
                return self.hand(&live, message, offset);
            }
            Some(Here::Starting(waiting)) => return waiting.push((message, offset)),
            None => {}
        }
        let joins = message.body == CandidateBody::Joined;
        let trace = message.trace.map(TraceContext::child);
        let now = self.parts.clock.now();
        let refused = self.not_ours.get(&session).is_some_and(|at| now.saturating_duration_since(*at) < NOT_OURS);
        if self.draining.is_cancelled() || self.kept.contains_key(&message.partition) || (refused && !joins) {
            return;
        }
        self.here.insert(session, Here::Starting(vec![(message, offset)]));
        let this = self.clone();
        self.tasks.spawn(trace::within(trace, async move { this.begin(session).await }));
    }

    /// Gives a live session a message, or leaves it in the log while the session is over its bound.
    fn hand(self: &Arc<Self>, live: &Live, message: CandidateMessage, offset: u64) {
        let mut lag = live.lag.lock();
        if message.body == CandidateBody::Joined || is_audio(&message.body) {
            live.probe.audio_came(message.captured_at, message.body == CandidateBody::Joined);
        }
        if lag.skip(offset) {
            return;
        }
        match live.room.clone().try_acquire_owned() {
            Ok(permit) => {
                let hear = SessionMessage::Hear { message: Box::new(message), offset, permit: Some(permit) };
                let _ = live.probe.cast(&live.actor, hear);
            }
            Err(_) => {
                metrics::counter!("maya_sessions_lagging_total").increment(1);
                lag.begin(offset);
                let (this, live) = (self.clone(), live.clone());
                let (session, partition) = (message.session, message.partition);
                self.tasks.spawn(async move { this.catch_up(session, partition, live, offset).await });
            }
        }
    }

    /// Where each newly assigned partition is read from: the lowest position of its live sessions, or a little back,
    /// so that a join that nobody read is not lost.
    async fn starts(&self, partitions: &[u32]) -> HashMap<u32, StartAt> {
        let positions = found::positions(&self.parts.store, partitions).await.unwrap_or_default();
        let mut starts = HashMap::new();
        for &partition in partitions {
            let Ok(bounds) = self.parts.bus.bounds(AUDIO, partition).await else { continue };
            let back = bounds.high.saturating_sub(found::LOOK_BACK);
            let position = positions
                .get(&partition)
                .into_iter()
                .flatten()
                .filter(|position| position.incarnation == bounds.incarnation)
                .map(|position| position.offset)
                .min();
            starts.insert(partition, StartAt::Offset(position.unwrap_or(back).min(back).max(bounds.low)));
            self.incarnations.insert(partition, bounds.incarnation);
        }
        starts
    }
}
