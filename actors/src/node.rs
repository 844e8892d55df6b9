//! The root supervisor of a node: sessions live under it, one for one; a session that falls is rebuilt from its turns.
//!
//! It also finds what is frozen. A session's child is named to its session, a session is killed and counts as fallen.
//! What cannot be killed holds a thread of the runtime: the node's pulse is lost, and with it the node's lease.

use crate::{
    observe::{Frozen, Observed, Observer},
    parts::SharedRng,
    session::{Session, SessionArgs, message::SessionMessage},
    supervise::{Decision, Ended, Lifetime, SESSION, Strategy, Supervisor},
    traced::Traced,
};
use maya_protocol::{
    clock::SharedClock,
    ids::SessionId,
    pulse::{Mark, Pulse},
    supervision::Happening,
};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// How often frozen actors are looked for, at the least.
const SWEEP: Duration = Duration::from_secs(1);
/// So long without progress, and the root supervisor counts as hung.
const LATE: Duration = Duration::from_secs(3);

/// The actor.
pub struct Node;

/// What it is given.
pub struct NodeArgs {
    /// Its place in the tree: the root.
    pub probe: Observed,
    /// The whole tree, to find what is frozen.
    pub observer: Observer,
    /// An actor without progress for that long is frozen.
    pub frozen: Duration,
    /// Is told that the node works.
    pub pulse: Pulse,
    /// The process's clock.
    pub clock: SharedClock,
    /// For the jitter of restarts.
    pub rng: SharedRng,
    /// Is told what becomes of sessions.
    pub events: mpsc::UnboundedSender<NodeEvent>,
}

/// What it is told.
pub enum NodeMessage {
    /// Start a session; answers with its actor, or why it did not start.
    Start(Box<SessionArgs>, RpcReplyPort<Result<ActorRef<SessionMessage>, String>>),
    /// Look for what is frozen.
    Sweep,
}

/// What becomes of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeEvent {
    /// It ended, or another node owns it.
    Ended(SessionId),
    /// It fell: rebuild it after that pause.
    Fell(SessionId, Duration),
    /// It fell too often: give it up.
    GivenUp(SessionId),
}

/// A session that lives here.
struct Live {
    session: SessionId,
    actor: ActorRef<SessionMessage>,
    probe: Observed,
}

/// What it holds.
pub struct NodeState {
    args: NodeArgs,
    mark: Mark,
    /// Each with its probe, which is asked to keep what happened: the actor itself is gone by then.
    sessions: HashMap<ActorId, Live>,
    supervisor: Supervisor<SessionId>,
    /// Why each session fell, for the tree: the rebuilt one is shown with its past.
    falls: HashMap<SessionId, Vec<String>>,
    /// Sessions that fell, so far.
    fallen: usize,
    /// Frozen actors that were acted on, and when.
    acted_on: HashMap<u64, Instant>,
}

impl Actor for Node {
    type Msg = NodeMessage;
    type State = NodeState;
    type Arguments = NodeArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        args.probe.phase("serving");
        let mark = args.pulse.mark("root supervisor", LATE);
        myself.send_interval(SWEEP.min(args.frozen / 2), || NodeMessage::Sweep);
        Ok(NodeState {
            args,
            mark,
            sessions: HashMap::new(),
            supervisor: Supervisor::new(Strategy::OneForOne, SESSION),
            falls: HashMap::new(),
            fallen: 0,
            acted_on: HashMap::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            NodeMessage::Start(args, reply) => {
                let answer = state.start(&myself, *args).await;
                // nobody waits any more: the session runs all the same, its messages find it by the placement
                let _ = reply.send(answer);
            }
            NodeMessage::Sweep => state.sweep(),
        }
        state.mark.beat();
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
            // this node kills what is frozen and nothing else
            SupervisionEvent::ActorTerminated(who, _, Some(reason)) if reason == "killed" => {
                state.ended(who.get_id(), Err("frozen".to_owned()));
            }
            SupervisionEvent::ActorTerminated(who, _, reason) => {
                state.ended(who.get_id(), Ok(reason.unwrap_or_default()));
            }
            SupervisionEvent::ActorFailed(who, error) => state.ended(who.get_id(), Err(error.to_string())),
        }
        Ok(())
    }
}

impl NodeState {
    async fn start(
        &mut self,
        myself: &ActorRef<NodeMessage>,
        args: SessionArgs,
    ) -> Result<ActorRef<SessionMessage>, String> {
        let (session, probe) = (args.session, args.probe.clone());
        if let Some(falls) = self.falls.get(&session)
            && let Some(last) = falls.last()
        {
            probe.carries(falls.len(), last);
        }
        let actor = Traced::new(Session, &args.trace);
        let started = Actor::spawn_linked(None, actor, args, myself.get_cell()).await;
        let (actor, _) = started.map_err(|error| error.to_string())?;
        self.supervisor.started(session, Lifetime::Transient);
        self.sessions.insert(actor.get_id(), Live { session, actor: actor.clone(), probe });
        Ok(actor)
    }

    /// A session ended in good order, or failed; each with the reason.
    fn ended(&mut self, who: ActorId, end: Result<String, String>) {
        let Some(Live { session, probe, .. }) = self.sessions.remove(&who) else { return };
        let how = if end.is_ok() { Ended::Normally } else { Ended::Failed };
        match &end {
            Ok(reason) => probe.note(if reason == "fenced" { Happening::Fenced } else { Happening::Ended }, reason),
            Err(reason) => {
                tracing::error!(session = %session, error = %reason, "a session fell");
                metrics::counter!("maya_session_failures_total").increment(1);
                probe.failed(reason);
                self.fallen += 1;
                self.args.probe.carries(self.fallen, &format!("session {session}: {reason}"));
                self.falls.entry(session).or_default().push(reason.clone());
            }
        }
        let event = match self.supervisor.ended(&session, how, self.args.clock.now(), &mut *self.args.rng.lock()) {
            Decision::Restart { after, .. } => NodeEvent::Fell(session, after),
            Decision::Escalate { .. } => {
                probe.note(Happening::GivenUp, "it fell too often");
                NodeEvent::GivenUp(session)
            }
            Decision::Gone => NodeEvent::Ended(session),
        };
        if !matches!(event, NodeEvent::Fell(..)) {
            self.falls.remove(&session);
        }
        let _ = self.args.events.send(event);
    }

    fn sweep(&mut self) {
        let now = self.args.clock.now();
        let frozen = self.args.observer.frozen(self.args.frozen);
        self.acted_on.retain(|id, _| frozen.iter().any(|frozen| frozen.id == *id));
        for found in frozen {
            match self.acted_on.get(&found.id) {
                None => {
                    self.acted_on.insert(found.id, now);
                    self.replace(&found);
                }
                Some(since) if now.saturating_duration_since(*since) >= self.args.frozen => {
                    let why = format!("{} {} holds a thread and cannot be killed", found.kind, found.name);
                    tracing::error!(actor = found.kind, "this node is hung: an actor holds a thread for good");
                    self.args.probe.failed(&why);
                    self.args.pulse.lose(why);
                }
                Some(_) => {}
            }
        }
    }

    /// A session that is frozen is killed; a child is its session's affair.
    fn replace(&self, found: &Frozen) {
        tracing::error!(actor = found.kind, id = %found.name, "an actor is frozen");
        metrics::counter!("maya_actors_frozen_total").increment(1);
        for live in self.sessions.values() {
            if live.probe.id() == found.id {
                live.actor.kill();
            } else if found.parent == Some(live.probe.id()) {
                let _ = live.probe.cast(&live.actor, SessionMessage::Frozen(found.id));
            }
        }
    }
}
