//! The root supervisor of a node: sessions live under it, one for one; a session that falls is rebuilt from its turns.

use crate::{
    observe::Observed,
    session::{Session, SessionArgs, message::SessionMessage},
    supervise::{Decision, Restarts, SESSION},
    traced::Traced,
};
use maya_protocol::{clock::SharedClock, ids::SessionId, supervision::Happening};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use std::{collections::HashMap, time::Duration};
use tokio::sync::mpsc;

/// The actor.
pub struct Node;

/// What it is given.
pub struct NodeArgs {
    /// Its place in the tree: the root.
    pub probe: Observed,
    /// The process's clock.
    pub clock: SharedClock,
    /// Is told what becomes of sessions.
    pub events: mpsc::UnboundedSender<NodeEvent>,
}

/// What it is told.
pub enum NodeMessage {
    /// Start a session; answers with its actor, or why it did not start.
    Start(Box<SessionArgs>, RpcReplyPort<Result<ActorRef<SessionMessage>, String>>),
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

/// What it holds.
pub struct NodeState {
    args: NodeArgs,
    /// Each with its probe, which is asked to keep what happened: the actor itself is gone by then.
    sessions: HashMap<ActorId, (SessionId, Observed)>,
    restarts: HashMap<SessionId, Restarts>,
}

impl Actor for Node {
    type Msg = NodeMessage;
    type State = NodeState;
    type Arguments = NodeArgs;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        args.probe.phase("serving");
        Ok(NodeState { args, sessions: HashMap::new(), restarts: HashMap::new() })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        NodeMessage::Start(args, reply): Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let (session, probe) = (args.session, args.probe.clone());
        let started = Actor::spawn_linked(None, Traced::new(Session, &args.trace), *args, myself.get_cell()).await;
        let answer = match started {
            Ok((actor, _)) => {
                state.sessions.insert(actor.get_id(), (session, probe));
                Ok(actor)
            }
            Err(error) => Err(error.to_string()),
        };
        // nobody waits any more: the session runs all the same, its messages find it by the placement
        let _ = reply.send(answer);
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
            SupervisionEvent::ActorTerminated(who, _, reason) => {
                if let Some((session, probe)) = state.sessions.remove(&who.get_id()) {
                    let reason = reason.unwrap_or_default();
                    probe.note(if reason == "fenced" { Happening::Fenced } else { Happening::Ended }, &reason);
                    state.restarts.remove(&session);
                    let _ = state.args.events.send(NodeEvent::Ended(session));
                }
            }
            SupervisionEvent::ActorFailed(who, error) => {
                let Some((session, probe)) = state.sessions.remove(&who.get_id()) else { return Ok(()) };
                tracing::error!(session = %session, error = %error, "a session fell");
                metrics::counter!("maya_session_failures_total").increment(1);
                probe.failed(error.to_string());
                let restarts = state.restarts.entry(session).or_insert_with(|| Restarts::new(SESSION));
                let event = match restarts.failed(state.args.clock.now(), &mut rand::rng()) {
                    Decision::RestartAfter(pause) => NodeEvent::Fell(session, pause),
                    Decision::Escalate => {
                        state.restarts.remove(&session);
                        probe.note(Happening::GivenUp, "it fell too often");
                        NodeEvent::GivenUp(session)
                    }
                };
                let _ = state.args.events.send(event);
            }
        }
        Ok(())
    }
}
