//! An actor that works within a trace: each of its steps, so that what it publishes and logs names it.
//!
//! An actor's task lives longer than one trace, and starts without any. The trace is therefore looked up at every step.

use maya_protocol::trace::{self, TraceContext};
use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::sync::Arc;

/// The trace that a session works for now: that of its candidate's connection. Its children share it.
#[derive(Clone, Default)]
pub struct CurrentTrace(Arc<Mutex<Option<TraceContext>>>);

impl CurrentTrace {
    /// The one that the running task works for.
    pub fn here() -> Self {
        Self(Arc::new(Mutex::new(trace::current())))
    }
    /// Goes on within the trace of who speaks now; every connection has its own.
    pub fn follow(&self, speaker: Option<TraceContext>) {
        let Some(speaker) = speaker else { return };
        let mut current = self.0.lock();
        if !current.is_some_and(|current| current.is_with(speaker)) {
            *current = Some(speaker.child());
        }
    }
    /// What it is.
    pub fn get(&self) -> Option<TraceContext> {
        *self.0.lock()
    }
}

/// The actor, within its trace.
pub struct Traced<A> {
    actor: A,
    trace: CurrentTrace,
}

impl<A> Traced<A> {
    /// That actor, within that trace.
    pub fn new(actor: A, trace: &CurrentTrace) -> Self {
        Self { actor, trace: trace.clone() }
    }
}

impl<A: Actor> Actor for Traced<A> {
    type Msg = A::Msg;
    type State = A::State;
    type Arguments = A::Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        trace::within(self.trace.get(), self.actor.pre_start(myself, args)).await
    }

    async fn post_start(&self, myself: ActorRef<Self::Msg>, state: &mut Self::State) -> Result<(), ActorProcessingErr> {
        trace::within(self.trace.get(), self.actor.post_start(myself, state)).await
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        trace::within(self.trace.get(), self.actor.handle(myself, message, state)).await
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        trace::within(self.trace.get(), self.actor.handle_supervisor_evt(myself, event, state)).await
    }

    async fn post_stop(&self, myself: ActorRef<Self::Msg>, state: &mut Self::State) -> Result<(), ActorProcessingErr> {
        trace::within(self.trace.get(), self.actor.post_stop(myself, state)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_follows_the_connection_and_keeps_its_own_piece_of_the_trace() {
        let (first, second) = (TraceContext::fresh(), TraceContext::fresh());
        let current = CurrentTrace::default();
        assert_eq!(current.get(), None);
        current.follow(Some(first));
        let piece = current.get().unwrap();
        assert!(piece.is_with(first) && piece != first);
        for same in [Some(first), Some(first.child()), None] {
            current.follow(same);
            assert_eq!(current.get(), Some(piece));
        }
        current.follow(Some(second));
        assert!(current.get().unwrap().is_with(second));
    }
}
