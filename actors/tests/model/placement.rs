//! How a node becomes the owner of a session: nominated, then a hand-over or a lease that ran out, then the claim.

use crate::{
    rules::Rules,
    world::{Entry, Place, Seen, Session, Talk, Turn, Violation, World},
};
use std::collections::VecDeque;

/// The other node, or the other edge.
pub fn other(place: Place) -> Place {
    1 - place
}

impl World {
    /// It might take the session over, and has not begun to.
    fn is_free_nominee(&self, at: Place) -> bool {
        let node = &self.nodes[at as usize];
        node.runs() && node.nominee && node.session.is_none() && node.seen.is_none() && node.claimed.is_none()
    }

    fn owns(&self, at: Place) -> bool {
        let node = &self.nodes[at as usize];
        node.runs() && node.session.as_ref().is_some_and(|session| session.epoch == self.row.epoch)
    }

    /// The row may be claimed without asking: never owned, our own, or its lease has run out.
    pub fn may_look(&self, rules: &Rules, at: Place) -> bool {
        let lease_is_out = || {
            let registry = &self.registry;
            let is_fresh = rules.claim_is_a_lease && self.row.fresh;
            let holds = |(_, epoch)| !rules.lease_by_epoch || epoch >= self.row.epoch;
            let is_trusted = registry.settled || !rules.lease_needs_uptime;
            registry.up && is_trusted && !is_fresh && !registry.owner.is_some_and(holds)
        };
        self.is_free_nominee(at) && (self.row.owner.is_none_or(|owner| owner == at) || lease_is_out())
    }

    pub fn look(&mut self, at: Place) {
        let owner = self.row.owner.filter(|owner| *owner != at);
        if owner.is_some_and(|owner| self.owns(owner)) && self.registry.ran_out < self.row.epoch {
            self.violate(Violation::TakenFromALiveOwner);
        }
        self.see(at);
    }

    fn see(&mut self, at: Place) {
        self.nodes[at as usize].seen = Some(Seen { epoch: self.row.epoch, position: self.row.position });
    }

    /// The nominee asks the owner on record. One that believes that the partition is its own refuses: while node lists
    /// differ, two nodes would take a session from each other for ever.
    pub fn may_hand_over(&self, rules: &Rules, at: Place) -> bool {
        let owner = &self.nodes[other(at) as usize];
        self.is_free_nominee(at)
            && self.row.owner == Some(other(at))
            && owner.runs()
            && !(rules.owner_may_refuse && owner.nominee)
            && owner.claimed.is_none()
            && owner.session.as_ref().is_none_or(|session| session.releasing.is_none())
    }

    pub fn hand_over(&mut self, at: Place) {
        let epoch = self.row.epoch;
        match &mut self.nodes[other(at) as usize].session {
            Some(session) if session.epoch == epoch => session.releasing = Some(at),
            _ => self.see(at),
        }
    }

    /// The owner's answer: all is written, the lease given up, nothing more is heard.
    pub fn may_release(&self, rules: &Rules, at: Place) -> bool {
        let node = &self.nodes[at as usize];
        let at_a_sentences_end = |talk: &Talk| {
            let whole = talk.worded == 0 || talk.recorded == talk.sentences;
            !talk.begun && (whole || !rules.hand_over_whole_replies)
        };
        node.runs()
            && node.session.as_ref().is_some_and(|session| {
                session.releasing.is_some()
                    && session.journal.is_empty()
                    && session.receipt.is_none()
                    && session.talk.as_ref().is_none_or(at_a_sentences_end)
            })
    }

    pub fn release(&mut self, at: Place) {
        let session = self.nodes[at as usize].session.take().expect("it may release");
        if self.registry.up && self.registry.owner == Some((at, session.epoch)) {
            self.registry.owner = None;
        }
        self.registry.ran_out = self.registry.ran_out.max(session.epoch);
        let by = session.releasing.expect("it was asked");
        if self.row.epoch == session.epoch && self.is_free_nominee(by) {
            self.see(by);
        }
    }

    /// `update … set epoch = epoch + 1 where epoch = $seen`.
    pub fn claim(&mut self, at: Place) {
        let node = &mut self.nodes[at as usize];
        let seen = node.seen.take().expect("it has looked");
        if seen.epoch == self.row.epoch {
            self.row.epoch += 1;
            self.row.owner = Some(at);
            self.row.fresh = true;
            node.claimed = Some(Seen { epoch: self.row.epoch, ..seen });
        }
    }

    /// The session is made of its turns, and reads the log again from its position.
    pub fn start(&mut self, rules: &Rules, sentences: u8, at: Place) {
        let claimed = self.nodes[at as usize].claimed.take().expect("it has claimed");
        let position = if rules.position_after_claim { self.row.position } else { claimed.position };
        let from = match position {
            Some(position) => position,
            // nothing was ever written: its join is a little back in the log
            None if rules.position_from_join || claimed.epoch == 1 => 0,
            None => self.spoken.len() as u8,
        };
        let talk = self.turns.last().map(|turn| match *turn {
            Turn::Candidate(utterance) => Talk::new(utterance, sentences),
            Turn::Maya(reply, recorded) => Talk { worded: recorded, recorded, ..Talk::new(reply, recorded) },
        });
        self.nodes[at as usize].session = Some(Session {
            epoch: claimed.epoch,
            connection: None,
            stream: 0,
            next: from,
            safe: position,
            journal: VecDeque::new(),
            receipt: None,
            talk,
            releasing: None,
        });
        self.put_owner(at);
        if self.nodes[at as usize].session.is_none() {
            // between the claim and this another node claimed, and was told to the registry first
            return;
        }
        if let Some(socket) = self.registry.socket.filter(|_| self.registry.up) {
            self.speak_to(rules, at, socket);
        }
        if rules.position_from_join && position.is_none() {
            let session = self.nodes[at as usize].session.as_mut().expect("it was just made");
            session.safe = Some(from);
            session.journal.push_back(Entry::Position(from));
        }
    }

    /// Whether the renewal of the lease changes anything.
    pub fn may_put_owner(&self, at: Place) -> bool {
        let node = &self.nodes[at as usize];
        let changes = |epoch| self.registry.owner != Some((at, epoch));
        node.runs() && self.registry.up && node.session.as_ref().is_some_and(|session| changes(session.epoch))
    }

    /// Renews the lease; where a higher epoch is recorded, the session stops.
    pub fn put_owner(&mut self, at: Place) {
        let node = &mut self.nodes[at as usize];
        let Some(session) = node.session.as_ref().filter(|_| self.registry.up) else { return };
        match self.registry.owner {
            Some((_, epoch)) if epoch > session.epoch => node.session = None,
            _ => self.registry.owner = Some((at, session.epoch)),
        }
    }

    /// A session that lives here and is another node's in the row.
    pub fn may_find_higher_epoch(&self, rules: &Rules, at: Place) -> bool {
        let node = &self.nodes[at as usize];
        rules.find_higher_epochs
            && node.runs()
            && node.session.as_ref().is_some_and(|session| session.epoch < self.row.epoch)
    }

    /// The node that had the partition is not in the list any more.
    pub fn may_nominate(&self, at: Place) -> bool {
        self.given != at && self.nodes[at as usize].runs() && !self.nodes[self.given as usize].runs()
    }

    pub fn nominate(&mut self, at: Place) {
        self.given = at;
        self.nodes[at as usize].nominee = true;
    }

    /// A node whose list is behind looks again.
    pub fn may_assign(&self, at: Place) -> bool {
        let node = &self.nodes[at as usize];
        node.runs() && node.nominee != (self.given == at) && self.registry.up
    }
}
