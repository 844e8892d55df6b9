//! Which node owns a session: its partition nominates, the placement row's epoch decides, the registry is told.
//!
//! The node reads the partitions that the node list gives it (`reading`), hands each message to its session
//! (`receive`), and starts a session when its candidate joins or its owner is lost (`start`, `found`). A session
//! that lives on another node is asked for (`hand_over`).

mod admission;
mod catch_up;
mod ear;
mod found;
mod hand_over;
mod leases;
mod operate;
mod over;
mod owners;
mod reading;
mod receive;
mod start;

pub use admission::{Admission, Budget};
pub use hand_over::{Given, MoveError};

use crate::{
    node::{Node, NodeArgs, NodeEvent, NodeMessage},
    observe::Observed,
    parts::Parts,
    session::message::SessionMessage,
};
use catch_up::Lag;
use dashmap::DashMap;
use maya_protocol::{
    audio::CandidateMessage,
    bus::BusError,
    event::Command,
    ids::{Epoch, SessionId},
    registry::Roster,
    rpc::Peers,
    session::Outcome,
    supervision::Happening,
    topic::{Channel, Topic},
    trace::{self, TraceContext},
};
use owners::Owners;
use parking_lot::Mutex;
use ractor::{Actor, ActorRef};
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const AUDIO: Channel = Channel::Main(Topic::CandidateSpoken);

/// A session that lives here.
#[derive(Clone)]
struct Live {
    actor: ActorRef<SessionMessage>,
    probe: Observed,
    epoch: Epoch,
    partition: u32,
    room: Arc<Semaphore>,
    lag: Arc<Mutex<Lag>>,
    /// An operator brought it here: it is not given to the node that reads its partition.
    pinned: bool,
}

/// Where a session stands with this node.
enum Here {
    /// Being started: what comes meanwhile waits.
    Starting(Starting),
    /// Alive.
    Live(Live),
}

/// A session that is being started.
#[derive(Default)]
struct Starting {
    partition: u32,
    /// What came meanwhile, with its place in the log.
    waiting: Vec<(CandidateMessage, u64)>,
    /// The place that the node's reader had reached before those, where it reads the partition.
    reached: Option<u64>,
    pinned: bool,
    /// Its recorded owner said that it does not live there: it is nobody's, though that node lives.
    free: bool,
}

/// The sessions of a node.
#[derive(Clone)]
pub struct Placement {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    peers: Peers,
    node: ActorRef<NodeMessage>,
    root: Observed,
    here: DashMap<SessionId, Here>,
    not_ours: DashMap<SessionId, Instant>,
    /// Sessions whose owner is being asked for them.
    asked: DashMap<SessionId, ()>,
    /// Sessions that were given away, which are not asked for again for a while.
    given: DashMap<SessionId, Instant>,
    finding: AtomicBool,
    /// The life of each partition's log, as it was when this node began to read it.
    incarnations: DashMap<u32, String>,
    /// The next message of each partition that is read.
    reached: DashMap<u32, u64>,
    /// Partitions that are another node's now, read on for the sessions that live here and for no other.
    kept: DashMap<u32, ()>,
    owners: Owners,
    admission: Admission,
    draining: CancellationToken,
    tasks: TaskTracker,
}

impl Placement {
    /// Starts the root supervisor and reads until stopped; `peers` are asked for the sessions that they own.
    pub async fn start(parts: Parts, peers: Peers, stop: CancellationToken) -> Result<Self, BusError> {
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
                owners: Owners::new(parts.node.clone(), parts.registry.clone(), peers.clone()),
                admission: Admission::new(parts.settings.budget.clone()),
                parts,
                peers,
                node,
                root,
                here: DashMap::new(),
                not_ours: DashMap::new(),
                asked: DashMap::new(),
                given: DashMap::new(),
                finding: AtomicBool::new(false),
                incarnations: DashMap::new(),
                reached: DashMap::new(),
                kept: DashMap::new(),
                draining: CancellationToken::new(),
                tasks: TaskTracker::new(),
            }),
        };
        let inner = placement.inner.clone();
        let until = stop.clone();
        inner.vital("root supervisor", async move {
            let ended = running.await;
            assert!(until.is_cancelled() && ended.is_ok(), "it ended by itself");
        });
        let Parts { node, registry, clock, .. } = &inner.parts;
        let mut roster = Roster::new(node.clone(), registry.clone(), inner.peers.clone(), clock.clone());
        let first = roster.look().await;
        let (told, list) = watch::channel(first.as_deref().map(reading::shares));
        let reading = reading::Reading::start(inner.clone(), list).await?;
        inner.vital("node list", inner.clone().follow(roster, told, stop.clone()));
        inner.vital("reader", reading.run(stop.clone()));
        inner.vital("watch", inner.clone().watch(ended, stop.clone()));
        inner.vital("renewal", inner.clone().renew(stop.clone()));
        inner.vital("admission", inner.clone().admit(stop.clone()));
        let Parts { observer, store, .. } = &inner.parts;
        inner.tasks.spawn(observer.history().clone().run(observer.clone(), store.clone(), stop));
        Ok(placement)
    }

    /// Live sessions.
    pub fn sessions(&self) -> u32 {
        self.inner.sessions()
    }

    /// How much of the audio this node wants to read now, for its record in the registry.
    pub fn weight(&self) -> u8 {
        self.inner.admission.weight()
    }

    /// Takes no new session while `paused`; those that live here go on.
    pub fn pause(&self, paused: bool) {
        self.inner.admission.pause(paused);
    }

    /// Takes no new session from here on, for this node goes away.
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
        let tell =
            |live: Live| live.probe.cast(&live.actor, SessionMessage::Command(command, trace::current())).is_ok();
        self.inner.live(session).is_some_and(tell)
    }

    /// Whether a session is just being started here: it can be told in a moment, and must not be ended beside itself.
    pub fn is_starting(&self, session: SessionId) -> bool {
        matches!(self.inner.here.get(&session).as_deref(), Some(Here::Starting(_)))
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
}

impl Inner {
    /// Runs what this node is not whole without. They share what is known of its sessions, so that none is started
    /// again alone: where one falls, the node gives up its lease, and its process ends.
    fn vital(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (pulse, root) = (self.parts.pulse.clone(), self.root.clone());
        self.tasks.spawn(async move {
            if let Err(error) = tokio::spawn(task).await {
                tracing::error!(error = %error, "the {name} of this node fell");
                root.failed(format!("the {name} fell"));
                pulse.lose(format!("the {name} of this node fell"));
            }
        });
    }

    fn sessions(&self) -> u32 {
        self.here.len() as u32
    }

    fn live(&self, session: SessionId) -> Option<Live> {
        match self.here.get(&session).as_deref() {
            Some(Here::Live(live)) => Some(live.clone()),
            Some(Here::Starting(_)) | None => None,
        }
    }

    /// Makes room for a session that is about to be started; `false` if it is here already.
    fn expect(&self, session: SessionId, mut starting: Starting) -> bool {
        let dashmap::Entry::Vacant(vacant) = self.here.entry(session) else { return false };
        if starting.reached.is_none() {
            let reads = !self.kept.contains_key(&starting.partition);
            starting.reached = self.reached.get(&starting.partition).filter(|_| reads).map(|next| *next);
        }
        vacant.insert(Here::Starting(starting));
        true
    }

    /// What becomes of the sessions that lived here.
    async fn watch(self: Arc<Self>, mut ended: mpsc::UnboundedReceiver<NodeEvent>, stop: CancellationToken) {
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = ended.recv() => event,
            };
            match event {
                None => return,
                Some(NodeEvent::Ended(session)) => {
                    self.here.remove(&session);
                }
                Some(NodeEvent::GivenUp(session)) => {
                    self.here.remove(&session);
                    let this = self.clone();
                    self.tasks.spawn(async move {
                        if let Err(error) = this.end_unowned(session, Outcome::Failed, "session_failed").await {
                            tracing::error!(session = %session, error = %error, "a given up session was not ended");
                        }
                    });
                }
                Some(NodeEvent::Fell(session, pause)) => {
                    // what comes during the pause waits
                    if let Some((_, Here::Live(live))) = self.here.remove(&session) {
                        let Live { partition, pinned, .. } = live;
                        self.expect(session, Starting { partition, pinned, ..Starting::default() });
                    }
                    let this = self.clone();
                    self.tasks.spawn(trace::within(TraceContext::fresh(), async move {
                        tokio::time::sleep(pause).await;
                        this.begin(session).await;
                    }));
                }
            }
        }
    }
}
