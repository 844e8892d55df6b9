//! The edges and the candidate: the way back, its gate, and what was heard.

use crate::{
    placement::other,
    rules::Rules,
    world::{AgentBody, AgentMessage, CandidateBody, Edge, Gate, Part, Place, Violation, World},
};

impl World {
    pub fn may_deliver(&self, at: Place) -> bool {
        let edge = &self.edges[at as usize];
        let waits = edge.at.is_some_and(|next| (next as usize) < self.agent.len());
        // a report is on its way long before the next sentence is written
        let reported = |edge: &Edge| edge.socket.as_ref().is_none_or(|(_, gate)| gate.reports.is_empty());
        edge.up && waits && self.edges.iter().all(reported)
    }

    /// The only edge that reads the partition, and has something to deliver, where no fault of an edge can come any more.
    pub fn undisturbed_delivery(&self) -> Option<Place> {
        let faultless = self.faults.edge_crashes == 0 && self.faults.rereads == 0;
        let mut readers = [0, 1].into_iter().filter(|at| self.edges[*at as usize].at.is_some());
        let reader = readers.next().filter(|_| readers.next().is_none() && faultless);
        reader.filter(|at| self.may_deliver(*at))
    }

    /// An edge takes the next message of the partition that it reads to its socket, here or on the other edge.
    pub fn deliver(&mut self, rules: &Rules, at: Place) {
        let reader = self.edges[at as usize].at.as_mut().expect("it reads");
        let offset = *reader;
        *reader += 1;
        let message = self.agent[offset as usize];
        for place in [at, other(at)] {
            let edge = &mut self.edges[place as usize];
            if let Some((_, mut gate)) = edge.socket.take_if(|(connection, _)| *connection == message.connection) {
                if gate.lets_pass(rules, &message, offset) {
                    self.write_frame(rules, &mut gate, &message, offset);
                }
                self.edges[place as usize].socket = Some((message.connection, gate));
            }
        }
    }

    fn write_frame(&mut self, rules: &Rules, gate: &mut Gate, message: &AgentMessage, offset: u8) {
        match message.body {
            AgentBody::TakeOver => {}
            AgentBody::Transcript(utterance) => {
                self.candidate.acknowledged = self.candidate.acknowledged.max(utterance);
            }
            AgentBody::Clear => {
                gate.partly = None;
                self.candidate.half = None;
            }
            AgentBody::Speech(sentence, part) => {
                let is_late = |(epoch, connection, from)| {
                    message.epoch < epoch && connection == message.connection && offset >= from
                };
                if self.begun.is_some_and(is_late) {
                    self.violate(Violation::LowerEpochAfterMarker);
                }
                self.write_speech(rules, gate, sentence, part);
            }
        }
    }

    fn write_speech(&mut self, rules: &Rules, gate: &mut Gate, sentence: (u8, u8), part: Part) {
        if rules.drop_written && gate.whole.contains(&sentence) {
            if part == Part::First {
                gate.report(rules, sentence);
            }
            return;
        }
        match part {
            Part::First => {
                if gate.partly.is_some() && rules.clear_before_repeat {
                    self.candidate.half = None;
                }
                gate.partly = Some(sentence);
                self.hear_first(sentence);
            }
            Part::Last if gate.partly == Some(sentence) => {
                gate.partly = None;
                gate.whole.push(sentence);
                gate.report(rules, sentence);
                self.candidate.half = None;
                self.candidate.whole.push(sentence);
            }
            // its beginning was not for this connection
            Part::Last => {}
        }
    }

    fn hear_first(&mut self, sentence: (u8, u8)) {
        if self.candidate.half.is_some() {
            self.violate(Violation::NotClearedBeforeRepeat);
        }
        // the report of the very last one may have been lost with the edge
        let known =
            self.row.epoch == 1 && self.candidate.before.split_last().is_some_and(|(_, it)| it.contains(&sentence));
        if known || self.candidate.whole.contains(&sentence) {
            self.violate(Violation::RepeatedThoughKnown);
        }
        self.candidate.half = Some(sentence);
    }

    pub fn may_report(&self, at: Place) -> bool {
        let edge = &self.edges[at as usize];
        edge.up && edge.socket.as_ref().is_some_and(|(_, gate)| !gate.reports.is_empty())
    }

    pub fn report(&mut self, at: Place) {
        let (connection, gate) = self.edges[at as usize].socket.as_mut().expect("it has a socket");
        let sentence = gate.reports.pop_front().expect("something is to be reported");
        self.spoken.push((*connection, CandidateBody::Written(sentence)));
    }

    pub fn may_speak(&self, utterances: u8) -> bool {
        self.candidate.edge.is_some() && self.candidate.said < utterances
    }

    pub fn speak(&mut self) {
        self.candidate.said += 1;
        self.spoken.push((self.candidate.connection, CandidateBody::Audio(self.candidate.said)));
    }

    pub fn may_join(&self, at: Place) -> bool {
        self.candidate.edge.is_none() && self.edges[at as usize].up
    }

    pub fn join(&mut self, at: Place) {
        self.candidate.connection += 1;
        self.candidate.edge = Some(at);
        let connection = self.candidate.connection;
        self.edges[at as usize].socket = Some((connection, Gate::default()));
        self.spoken.push((connection, CandidateBody::Joined));
        if self.registry.up {
            self.registry.socket = Some(connection);
        }
    }

    /// The edge refreshes its socket's record.
    pub fn may_refresh_socket(&self) -> bool {
        let connection = self.candidate.edge.map(|_| self.candidate.connection);
        self.registry.up && connection.is_some() && self.registry.socket != connection
    }

    /// The partitions of a lost edge are taken over, from a little back.
    pub fn may_take_partition(&self, at: Place) -> bool {
        let edge = &self.edges[at as usize];
        edge.up && edge.at.is_none() && !self.edges[other(at) as usize].up
    }
}

impl Gate {
    fn lets_pass(&mut self, rules: &Rules, message: &AgentMessage, offset: u8) -> bool {
        if rules.gate_by_offset && self.seen.is_some_and(|seen| offset <= seen) {
            return false;
        }
        self.seen = self.seen.max(Some(offset));
        if rules.gate_by_epoch && message.epoch < self.epoch {
            return false;
        }
        self.epoch = self.epoch.max(message.epoch);
        true
    }

    fn report(&mut self, rules: &Rules, sentence: (u8, u8)) {
        if rules.report_written && !self.reports.contains(&sentence) {
            self.reports.push_back(sentence);
        }
    }
}
