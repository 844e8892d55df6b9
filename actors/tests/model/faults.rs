//! What may go wrong, each as often as a test allows; and how the registry gets over it.

use crate::{
    placement::other,
    world::{Node, Place, World},
};

impl World {
    /// The node list changes: the partition is the other node's now. Neither knows yet.
    pub fn move_partition(&mut self) {
        self.faults.moves -= 1;
        self.given = other(self.given);
    }

    pub fn may_crash(&self, at: Place) -> bool {
        self.faults.crashes > 0 && self.nodes[at as usize].up && self.nodes[other(at) as usize].up
    }

    pub fn crash(&mut self, at: Place) {
        self.faults.crashes -= 1;
        self.lost_a_session = true;
        self.nodes[at as usize] = Node::default();
    }

    pub fn may_pause(&self, at: Place) -> bool {
        self.faults.pauses > 0 && self.nodes[at as usize].runs()
    }

    /// SIGSTOP: it will go on one day as if nothing had been.
    pub fn pause(&mut self, at: Place) {
        self.faults.pauses -= 1;
        self.lost_a_session = true;
        self.nodes[at as usize].paused = true;
    }

    pub fn may_fall(&self, at: Place) -> bool {
        let node = &self.nodes[at as usize];
        self.faults.falls > 0 && node.runs() && node.session.is_some()
    }

    pub fn fall(&mut self, at: Place) {
        self.faults.falls -= 1;
        self.lost_a_session = true;
        self.nodes[at as usize].session = None;
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

    /// All records are gone: until the next heartbeats a node sees no other.
    pub fn empty_registry(&mut self) {
        self.registry.nodes = [false, false];
        self.registry.socket = None;
        self.registry.settled = false;
    }

    /// It answers again; what was not refreshed meanwhile has aged out.
    pub fn registry_back(&mut self) {
        self.empty_registry();
        self.registry.up = true;
    }

    /// The heartbeat of a node that is not in the list.
    pub fn may_put_node(&self, at: Place) -> bool {
        self.registry.up && !self.registry.nodes[at as usize] && self.nodes[at as usize].runs()
    }

    /// Nobody refreshes its record.
    pub fn may_age_out(&self, at: Place) -> bool {
        self.registry.up && self.registry.nodes[at as usize] && !self.nodes[at as usize].runs()
    }

    /// A record's life has passed since it answers: every node that runs is in it.
    pub fn may_settle_registry(&self) -> bool {
        self.registry.up && !self.registry.settled && !self.may_put_node(0) && !self.may_put_node(1)
    }
}
