//! What keeps Maya from a candidate, as far as their edge can see. Whoever could tell them is what is lost, so the edge
//! does: `SUSPENDED` with the reason, and afterwards what Maya does, as she said it last.

use crate::{Shared, metric};
use maya_protocol::{
    ids::{NodeId, SessionId},
    session::Phase,
    wire::Down,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// What the bus may take before a candidate is told.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the bus is asked whether it answers.
const LOOK: Duration = Duration::from_secs(2);

/// What keeps Maya away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The bus takes nothing, or does not answer.
    Bus,
    /// The node of the session is gone, and no other has taken over yet.
    Interviewer,
}

impl Trouble {
    fn reason(self) -> &'static str {
        match self {
            Self::Bus => "bus_away",
            Self::Interviewer => "interviewer_lost",
        }
    }
}

/// What a candidate was told of Maya last.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// By herself.
    state: Option<(Phase, Option<String>, u64)>,
    /// The node that she speaks from.
    node: Option<NodeId>,
    /// By the edge, since.
    trouble: Option<Trouble>,
}

impl Told {
    /// Another owner speaks.
    pub(crate) fn taken_over(&mut self, node: Option<NodeId>) {
        self.node = node;
    }

    /// She says what she does, so that nothing keeps her away.
    pub(crate) fn state(&mut self, phase: Phase, reason: Option<String>, remaining_seconds: u64) {
        self.state = Some((phase, reason, remaining_seconds));
        self.trouble = None;
    }

    /// What to tell the candidate now, if anything: who waits for Maya, or has said goodbye to her, knows enough.
    pub(crate) fn look(&mut self, session_id: SessionId, trouble: Option<Trouble>) -> Option<Down> {
        let (phase, reason, remaining_seconds) = self.state.clone()?;
        if trouble == self.trouble || matches!(phase, Phase::Waiting | Phase::Ended) {
            return None;
        }
        self.trouble = trouble;
        let (state, reason) = match trouble {
            Some(trouble) => {
                metrics::counter!(metric::SUSPENDED, "reason" => trouble.reason()).increment(1);
                (Phase::Suspended, Some(trouble.reason().to_owned()))
            }
            None => (phase, reason),
        };
        Some(Down::State { session_id, state, reason, remaining_seconds })
    }

    /// What keeps her away, after the bus has not taken the candidate's words for so long.
    pub(crate) fn trouble(&self, shared: &Shared, bus_waits: Duration) -> Option<Trouble> {
        if bus_waits > PATIENCE || shared.bus_is_away.load(Ordering::Relaxed) {
            return Some(Trouble::Bus);
        }
        let node = self.node.as_ref()?;
        let lost = match self.trouble {
            Some(Trouble::Interviewer) => !shared.nodes.lists(node),
            _ => shared.nodes.misses(node, shared.clock.now()),
        };
        lost.then_some(Trouble::Interviewer)
    }
}

/// Asks the bus again and again whether it answers: what candidates say goes out without waiting, for a while.
pub(crate) async fn watch_bus(shared: Arc<Shared>) {
    let mut every = tokio::time::interval(LOOK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut silent = 0;
    loop {
        every.tick().await;
        let answers = matches!(tokio::time::timeout(PATIENCE, shared.bus.check()).await, Ok(Ok(())));
        silent = if answers { 0 } else { silent + 1 };
        // once may be chance
        shared.bus_is_away.store(silent > 1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(down: Option<Down>) -> Option<(Phase, Option<String>)> {
        down.map(|down| match down {
            Down::State { state, reason, .. } => (state, reason),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_trouble_is_told_once_and_what_she_did_once_it_is_over() {
        let (session, mut told) = (SessionId::fresh(), Told::default());
        assert_eq!(told.look(session, Some(Trouble::Bus)).map(drop), None, "the edge says WAITING by itself");
        told.state(Phase::Listening, None, 60);
        assert_eq!(told.look(session, None).map(drop), None);
        let suspended = |reason: &str| Some((Phase::Suspended, Some(reason.to_owned())));
        assert_eq!(said(told.look(session, Some(Trouble::Interviewer))), suspended("interviewer_lost"));
        assert_eq!(told.look(session, Some(Trouble::Interviewer)).map(drop), None);
        assert_eq!(said(told.look(session, Some(Trouble::Bus))), suspended("bus_away"));
        assert_eq!(said(told.look(session, None)), Some((Phase::Listening, None)));
        told.look(session, Some(Trouble::Bus));
        told.state(Phase::Speaking, None, 50);
        assert_eq!(told.look(session, None).map(drop), None, "she has said so herself");
        told.state(Phase::Ended, None, 0);
        assert_eq!(told.look(session, Some(Trouble::Bus)).map(drop), None);
    }
}
