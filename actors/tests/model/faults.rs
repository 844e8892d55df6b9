//! What may go wrong, each as often as a test allows; and how the registry gets over it.

use crate::{
    placement::other,
    world::{Node, Place, World},
};

impl World {
    pub fn may_move(&self) -> bool {
        self.faults.moves > 0 && self.nodes[other(self.given) as usize].runs()
    }

    /// The node list changes: the partition is the other node's now. The one that had it does not know yet.
    pub fn move_partition(&mut self) {
        self.faults.moves -= 1;
        self.given = other(self.given);
        self.nodes[self.given as usize].nominee = true;
    }

    pub fn may_crash(&self, at: Place) -> bool {
        self.faults.crashes > 0 && self.nodes[at as usize].up && self.nodes[other(at) as usize].up
    }

    pub fn crash(&mut self, at: Place) {
        self.faults.crashes -= 1;
        self.lost_a_node = true;
        self.nodes[at as usize] = Node::default();
    }

    pub fn may_pause(&self, at: Place) -> bool {
        self.faults.pauses > 0 && self.nodes[at as usize].runs()
    }

    /// SIGSTOP: it will go on one day as if nothing had been.
    pub fn pause(&mut self, at: Place) {
        self.faults.pauses -= 1;
        self.lost_a_node = true;
        self.nodes[at as usize].paused = true;
    }

    pub fn may_crash_edge(&self, at: Place) -> bool {
        self.faults.edge_crashes > 0 && self.edges[at as usize].up && self.edges[other(at) as usize].up
    }

    pub fn crash_edge(&mut self, at: Place) {
        self.faults.edge_crashes -= 1;
        self.edges[at as usize] = Default::default();
        if self.candidate.edge == Some(at) {
            let candidate = &mut self.candidate;
            candidate.edge = None;
            candidate.half = None;
            candidate.before.append(&mut candidate.whole);
        }
    }

    pub fn may_reread(&self, at: Place) -> bool {
        let edge = &self.edges[at as usize];
        self.faults.rereads > 0 && edge.up && edge.at.is_none()
    }

    /// Both edges read the partition for a while, the new one from a little back.
    pub fn reread(&mut self, at: Place) {
        self.faults.rereads -= 1;
        self.edges[at as usize].at = Some(0);
    }

    pub fn may_hear_twice(&self, at: Place) -> bool {
        let node = &self.nodes[at as usize];
        self.faults.rereads > 0 && node.runs() && node.session.as_ref().is_some_and(|session| session.next > 0)
    }

    pub fn may_lose_registry(&self) -> bool {
        self.faults.registry_losses > 0 && self.registry.up
    }

    /// All records are gone: until the next heartbeats each node sees no other.
    pub fn empty_registry(&mut self) {
        self.forget();
        for node in self.nodes.iter_mut().filter(|node| node.runs()) {
            node.nominee = true;
        }
    }

    fn forget(&mut self) {
        self.registry.owner = None;
        self.registry.socket = None;
        self.registry.settled = false;
    }

    /// It answers again; what was not refreshed meanwhile has aged out.
    pub fn registry_back(&mut self) {
        self.forget();
        self.registry.up = true;
    }

    /// A lease has passed since it answers: every owner that runs has renewed, every node has seen the list.
    pub fn may_settle_registry(&self) -> bool {
        let renewed = |at: Place| {
            let node = &self.nodes[at as usize];
            let owns = node.session.as_ref().is_some_and(|session| session.epoch == self.row.epoch);
            !(node.runs() && owns) || self.registry.owner == Some((at, self.row.epoch))
        };
        let knows = |at: Place| !self.may_assign(at);
        let all = |holds: &dyn Fn(Place) -> bool| holds(0) && holds(1);
        self.registry.up && !self.registry.settled && all(&renewed) && all(&knows)
    }

    /// Nobody renews it.
    pub fn may_run_out(&self) -> bool {
        self.registry.up
            && self.registry.owner.is_some_and(|(at, epoch)| {
                let node = &self.nodes[at as usize];
                !(node.runs() && node.session.as_ref().is_some_and(|session| session.epoch == epoch))
            })
    }

    /// A lease has passed since the claim: whoever made it and runs has told the registry.
    pub fn may_age(&self) -> bool {
        let starting = |node: &Node| node.runs() && node.claimed.as_ref().is_some_and(|it| it.epoch == self.row.epoch);
        self.row.fresh && !self.nodes.iter().any(starting)
    }

    pub fn run_out(&mut self) {
        if let Some((_, epoch)) = self.registry.owner.take() {
            self.registry.ran_out = self.registry.ran_out.max(epoch);
        }
    }
}
