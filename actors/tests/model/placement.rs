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

    /// The row may be claimed without asking: it is nobody's, our own, or its owner is lost.
    pub fn may_look(&self, rules: &Rules, at: Place) -> bool {
        self.is_free_nominee(at) && self.row.owner.is_none_or(|owner| owner == at || self.is_lost(rules, owner))
    }

    /// Whether a node that is recorded as the owner counts as lost.
    fn is_lost(&self, rules: &Rules, owner: Place) -> bool {
        let registry = &self.registry;
        let is_listed = registry.up && registry.nodes[owner as usize];
        let is_known = if rules.call_the_owner {
            !self.nodes[owner as usize].runs()
        } else {
            !rules.list_needs_uptime || (registry.up && registry.settled)
        };
        !is_listed && is_known
    }

    pub fn look(&mut self, at: Place) {
        if self.row.owner.is_some_and(|owner| owner != at && self.owns(owner)) {
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
        let gives = match &owner.session {
            Some(session) => session.releasing.is_none(),
            None => rules.not_here_is_free && owner.claimed.is_none(),
        };
        self.is_free_nominee(at)
            && self.row.owner == Some(other(at))
            && owner.runs()
            && !(rules.owner_may_refuse && owner.nominee)
            && gives
    }

    pub fn hand_over(&mut self, at: Place) {
        let epoch = self.row.epoch;
        match &mut self.nodes[other(at) as usize].session {
            Some(session) if session.epoch == epoch => session.releasing = Some(at),
            // it does not live there (any more): the epoch makes it safe to take it
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

    /// The last fenced write: the row is nobody's.
    pub fn release(&mut self, at: Place) {
        let session = self.nodes[at as usize].session.take().expect("it may release");
        if self.row.epoch == session.epoch {
            self.row.owner = None;
            let by = session.releasing.expect("it was asked");
            if self.is_free_nominee(by) {
                self.see(by);
            }
        }
    }

    /// `update … set epoch = epoch + 1 where epoch = $seen`.
    pub fn claim(&mut self, at: Place) {
        let node = &mut self.nodes[at as usize];
        let seen = node.seen.take().expect("it has looked");
        if seen.epoch == self.row.epoch {
            self.row.epoch += 1;
            self.row.owner = Some(at);
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
        let words = self.turns.iter().rev().find_map(|turn| match turn {
            Turn::Candidate(utterance) => Some(*utterance),
            Turn::Maya(..) => None,
        });
        self.nodes[at as usize].session = Some(Session {
            epoch: claimed.epoch,
            connection: None,
            stream: 0,
            next: from,
            safe: position,
            journal: VecDeque::new(),
            receipt: None,
            words,
            talk,
            releasing: None,
        });
        if let Some(socket) = self.registry.socket.filter(|_| self.registry.up) {
            self.speak_to(rules, at, socket);
        }
        if rules.position_from_join && position.is_none() {
            let session = self.nodes[at as usize].session.as_mut().expect("it was just made");
            session.safe = Some(from);
            session.journal.push_back(Entry::Position(from));
        }
    }

    /// A session that lives here and is another node's in the row.
    pub fn may_find_higher_epoch(&self, rules: &Rules, at: Place) -> bool {
        let node = &self.nodes[at as usize];
        rules.find_higher_epochs
            && node.runs()
            && node.session.as_ref().is_some_and(|session| session.epoch < self.row.epoch)
    }

    /// Whether the list that a node would see now gives it the partition; an empty one is as if it were alone.
    fn is_given(&self, at: Place) -> bool {
        match (self.registry.nodes[at as usize], self.registry.nodes[other(at) as usize]) {
            (true, true) => self.given == at,
            (_, false) => true,
            (false, true) => false,
        }
    }

    /// A node whose assignment is behind the list looks again; while the registry is away or young the last one stands.
    pub fn may_assign(&self, rules: &Rules, at: Place) -> bool {
        let node = &self.nodes[at as usize];
        let is_trusted = self.registry.up && (self.registry.settled || !rules.young_lists_wait);
        is_trusted && node.runs() && node.nominee != self.is_given(at)
    }

    pub fn assign(&mut self, at: Place) {
        self.nodes[at as usize].nominee = self.is_given(at);
    }
}
