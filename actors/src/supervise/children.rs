//! The children of one parent, in the order in which they were started.

use super::restarts::{Policy, Restart, Restarts};
use rand::Rng;
use std::time::{Duration, Instant};

/// Whom a failed child takes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Nobody: the children know nothing of each other, and each has its own count of restarts.
    OneForOne,
    /// Those that were started after it: they were built on it. One count for all.
    RestForOne,
    /// Everybody: they share what the failure may have spoilt. One count for all.
    OneForAll,
}

/// When a child that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Always: the parent is not whole without it.
    Permanent,
    /// When it failed: an end in good order is an end.
    Transient,
    /// Never: it ends with its one piece of work.
    Temporary,
}

/// How a child ended. One that was killed because it was frozen has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// In good order.
    Normally,
    /// By an error, a panic, or because it had to be killed.
    Failed,
}

/// What a parent is to do about a child that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<Id> {
    /// Nothing: it is gone for good, or its end was the parent's own doing.
    Gone,
    /// Stop these in this order, then start those in that order after a pause. Ask [`Supervisor::begin`] for each.
    #[allow(missing_docs)]
    Restart { stop: Vec<Id>, start: Vec<Id>, after: Duration },
    /// It failed too often: stop these in this order; the failure is the parent's now.
    #[allow(missing_docs)]
    Escalate { stop: Vec<Id> },
}

#[derive(Debug, Clone)]
struct Child<Id> {
    id: Id,
    lifetime: Lifetime,
    runs: bool,
    restarts: Restarts,
}

/// The children of one parent.
#[derive(Debug, Clone)]
pub struct Supervisor<Id> {
    strategy: Strategy,
    policy: Policy,
    children: Vec<Child<Id>>,
    together: Restarts,
}

impl<Id: Clone + PartialEq> Supervisor<Id> {
    /// No children yet.
    pub fn new(strategy: Strategy, policy: Policy) -> Self {
        Self { strategy, together: Restarts::new(policy.clone()), policy, children: Vec::new() }
    }

    /// A child is started. One that is known already keeps its place and its count.
    pub fn started(&mut self, id: Id, lifetime: Lifetime) {
        match self.children.iter_mut().find(|child| child.id == id) {
            Some(child) => (child.lifetime, child.runs) = (lifetime, true),
            None => {
                self.children.push(Child { id, lifetime, runs: true, restarts: Restarts::new(self.policy.clone()) });
            }
        }
    }

    /// Whether a child that was to be started (again) still is: it may have been started or forgotten meanwhile.
    pub fn begin(&mut self, id: &Id) -> bool {
        match self.children.iter_mut().find(|child| child.id == *id) {
            Some(child) => !std::mem::replace(&mut child.runs, true),
            None => false,
        }
    }

    /// The parent let go of a child itself: its end means nothing any more.
    pub fn forget(&mut self, id: &Id) {
        self.children.retain(|child| child.id != *id);
    }

    /// Whether that child runs.
    pub fn runs(&self, id: &Id) -> bool {
        self.children.iter().any(|child| child.id == *id && child.runs)
    }

    /// A child ended.
    pub fn ended(&mut self, id: &Id, how: Ended, now: Instant, rng: &mut impl Rng) -> Decision<Id> {
        // one that does not run was stopped by a decision, or is not ours
        let Some(at) = self.children.iter().position(|child| child.id == *id && child.runs) else {
            return Decision::Gone;
        };
        self.children[at].runs = false;
        let again = match self.children[at].lifetime {
            Lifetime::Permanent => true,
            Lifetime::Transient => how == Ended::Failed,
            Lifetime::Temporary => false,
        };
        if !again {
            self.children.remove(at);
            return Decision::Gone;
        }
        let restart = match self.strategy {
            Strategy::OneForOne => self.children[at].restarts.failed(now, rng),
            Strategy::RestForOne | Strategy::OneForAll => self.together.failed(now, rng),
        };
        let first = match self.strategy {
            Strategy::OneForOne | Strategy::RestForOne => at,
            Strategy::OneForAll => 0,
        };
        let reach = match (self.strategy, restart) {
            (Strategy::OneForOne, _) => at..at + 1,
            (_, Restart::After(_)) => first..self.children.len(),
            // the parent falls with them
            (_, Restart::Never) => 0..self.children.len(),
        };
        let stop = self.stop(reach.clone());
        match restart {
            Restart::Never => {
                self.children.drain(reach);
                Decision::Escalate { stop }
            }
            Restart::After(after) => {
                let temporary = |child: &Child<Id>| child.lifetime == Lifetime::Temporary;
                let start = self.children[reach.clone()].iter().filter(|child| !temporary(child));
                let start = start.map(|child| child.id.clone()).collect();
                let (mut place, reach) = (0, reach);
                self.children.retain(|child| {
                    let goes = reach.contains(&place) && temporary(child);
                    place += 1;
                    !goes
                });
                Decision::Restart { stop, start, after }
            }
        }
    }

    /// Marks the running ones among these as stopped; returns them, the last started first.
    fn stop(&mut self, among: std::ops::Range<usize>) -> Vec<Id> {
        let running = self.children[among].iter_mut().rev().filter(|child| child.runs);
        running
            .map(|child| {
                child.runs = false;
                child.id.clone()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
