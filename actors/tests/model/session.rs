//! A session on its node: it hears the log, its journal writes under the fence, it says what is recorded.

use crate::{
    rules::Rules,
    world::{AgentBody, AgentMessage, CandidateBody, Connection, Entry, Part, Place, Talk, Turn, Violation, World},
};

impl World {
    fn running(&self, at: Place) -> Option<&crate::world::Session> {
        let node = &self.nodes[at as usize];
        node.session.as_ref().filter(|_| node.runs())
    }

    fn session(&mut self, at: Place) -> &mut crate::world::Session {
        self.nodes[at as usize].session.as_mut().expect("a session runs here")
    }

    fn send(&mut self, at: Place, body: AgentBody) {
        let session = self.session(at);
        let (epoch, connection) = (session.epoch, session.connection);
        if let Some(connection) = connection {
            self.agent.push(AgentMessage { epoch, connection, body });
        }
    }

    /// From here on the session speaks to that connection, beginning with what was not heard whole.
    pub fn speak_to(&mut self, rules: &Rules, at: Place, connection: Connection) {
        let session = self.session(at);
        session.connection = Some(connection);
        if let Some(talk) = &mut session.talk {
            talk.released = talk.written;
            talk.begun = false;
        }
        let epoch = session.epoch;
        if self.begun.is_none_or(|(before, _, _)| before < epoch) {
            self.begun = Some((epoch, connection, self.agent.len() as u8));
        }
        if rules.marker {
            self.send(at, AgentBody::TakeOver);
        }
        if let Some(utterance) = self.session(at).words.filter(|_| rules.acknowledge_again) {
            self.send(at, AgentBody::Transcript(utterance));
        }
    }

    pub fn may_find_socket(&self, rules: &Rules, at: Place) -> bool {
        let is_mute = self.running(at).is_some_and(|session| session.connection.is_none());
        rules.look_for_socket && is_mute && self.registry.up && self.registry.socket.is_some()
    }

    pub fn may_hear(&self, at: Place) -> bool {
        self.running(at).is_some_and(|session| (session.next as usize) < self.spoken.len())
    }

    /// Takes the next message of the log.
    pub fn hear(&mut self, rules: &Rules, at: Place) {
        let offset = self.session(at).next;
        self.session(at).next += 1;
        self.take(rules, at, offset);
    }

    /// The reader brings a message that the session had.
    pub fn hear_twice(&mut self, rules: &Rules, at: Place) {
        let offset = self.session(at).next - 1;
        self.take(rules, at, offset);
    }

    fn take(&mut self, rules: &Rules, at: Place, offset: u8) {
        let (connection, body) = self.spoken[offset as usize];
        let session = self.session(at);
        let is_newer = session.connection.is_none_or(|known| connection > known);
        match body {
            CandidateBody::Joined => {
                session.stream = session.stream.max(connection);
                if is_newer {
                    self.speak_to(rules, at, connection);
                }
            }
            CandidateBody::Audio(utterance) => {
                let is_heard = if rules.hear_older_connections {
                    connection >= session.stream
                } else {
                    session.connection == Some(connection)
                };
                if is_heard {
                    session.stream = connection;
                    if is_newer {
                        self.speak_to(rules, at, connection);
                    }
                    self.utterance(rules, at, utterance, offset);
                }
            }
            CandidateBody::Written((reply, sentence)) => {
                let is_current = session.connection == Some(connection);
                let Some(talk) = session.talk.as_mut().filter(|talk| talk.reply == reply) else { return };
                talk.written = talk.written.max(sentence + 1);
                // what has begun on another connection is said to its end
                if talk.released < talk.written && (is_current || !talk.begun) {
                    talk.released = talk.written;
                    talk.begun = false;
                }
            }
        }
    }

    /// The candidate's words: the floor is theirs.
    fn utterance(&mut self, rules: &Rules, at: Place, utterance: u8, offset: u8) {
        let session = self.session(at);
        let cut = session.talk.take().is_some_and(|talk| talk.goes_on() && (talk.begun || talk.released > 0));
        session.safe = Some(offset + 1);
        let turn = Turn::Candidate(utterance);
        if rules.position_with_record {
            session.journal.push_back(Entry::Turn(turn, Some(offset + 1)));
        } else {
            session.journal.extend([Entry::Position(offset + 1), Entry::Turn(turn, None)]);
        }
        if cut {
            self.send(at, AgentBody::Clear);
        }
    }

    pub fn may_write(&self, at: Place) -> bool {
        self.running(at).is_some_and(|session| !session.journal.is_empty() && session.receipt.is_none())
    }

    /// One fenced transaction of the journal; a session that is refused stops.
    pub fn write(&mut self, rules: &Rules, at: Place) {
        let epoch = self.session(at).epoch;
        if epoch != self.row.epoch {
            if rules.fence {
                self.nodes[at as usize].session = None;
                return;
            }
            self.violate(Violation::StaleWrite);
        }
        let entry = self.session(at).journal.pop_front().expect("something waits");
        let (turn, position) = match entry {
            Entry::Turn(turn, position) => (Some(turn), position),
            Entry::Position(position) => (None, Some(position)),
        };
        self.row.position = position.or(self.row.position);
        match turn {
            None => {}
            Some(Turn::Candidate(utterance)) => {
                self.turns.push(Turn::Candidate(utterance));
                self.session(at).receipt = Some(utterance);
            }
            Some(Turn::Maya(reply, sentences)) => {
                match self.turns.last_mut() {
                    Some(Turn::Maya(last, recorded)) if *last == reply => *recorded = sentences,
                    _ => self.turns.push(Turn::Maya(reply, sentences)),
                }
                if let Some(talk) = self.session(at).talk.as_mut().filter(|talk| talk.reply == reply) {
                    talk.recorded = sentences;
                }
            }
        }
    }

    pub fn may_acknowledge(&self, at: Place) -> bool {
        self.running(at).is_some_and(|session| session.receipt.is_some())
    }

    /// `recorded`: the final `TRANSCRIPT`, and a reply if nothing more was said.
    pub fn acknowledge(&mut self, sentences: u8, at: Place) {
        let utterance = self.session(at).receipt.take().expect("it was written");
        self.send(at, AgentBody::Transcript(utterance));
        let session = self.session(at);
        session.words = Some(utterance);
        let more = session.journal.iter().any(|entry| matches!(entry, Entry::Turn(Turn::Candidate(_), _)));
        if !more && session.releasing.is_none() {
            session.talk = Some(Talk::new(utterance, sentences));
        }
    }

    /// A sentence may be worded. One that hands its session over words no new reply, but ends the one that it began.
    pub fn may_word(&self, rules: &Rules, at: Place) -> bool {
        self.running(at).is_some_and(|session| {
            let words = |talk: &Talk| {
                let goes_on = session.releasing.is_none() || (rules.hand_over_whole_replies && talk.worded > 0);
                talk.worded < talk.sentences && goes_on
            };
            session.journal.is_empty() && session.connection.is_some() && session.talk.as_ref().is_some_and(words)
        })
    }

    pub fn word(&mut self, at: Place) {
        let session = self.session(at);
        let talk = session.talk.as_mut().expect("a reply is worded");
        talk.worded += 1;
        session.journal.push_back(Entry::Turn(Turn::Maya(talk.reply, talk.worded), session.safe));
    }

    pub fn may_let_go(&self, rules: &Rules, at: Place) -> bool {
        self.running(at).is_some_and(|session| {
            let lets_go = |talk: &Talk| {
                let ready = if rules.record_first { talk.recorded } else { talk.worded };
                talk.goes_on() && ready > talk.released && (session.releasing.is_none() || talk.begun)
            };
            session.connection.is_some() && session.talk.as_ref().is_some_and(lets_go)
        })
    }

    /// A part of a sentence leaves for the candidate.
    pub fn let_go(&mut self, at: Place) {
        let talk = self.session(at).talk.as_mut().expect("a reply is said");
        let sentence = (talk.reply, talk.released);
        let part = if talk.begun { Part::Last } else { Part::First };
        talk.released += u8::from(talk.begun);
        talk.begun = !talk.begun;
        if self.recorded_sentences(sentence.0) <= sentence.1 {
            self.violate(Violation::HeardBeforeRecorded);
        }
        self.send(at, AgentBody::Speech(sentence, part));
    }

    pub fn may_judge_silence(&self, at: Place) -> bool {
        self.running(at).is_some_and(|session| {
            let is_quiet = session.journal.is_empty() && session.receipt.is_none();
            let listens = session.talk.as_ref().is_none_or(|talk| !talk.goes_on());
            is_quiet && listens && session.releasing.is_none() && session.safe.is_none_or(|safe| safe < session.next)
        })
    }

    /// All that was heard is recorded, or was silence.
    pub fn judge_silence(&mut self, at: Place) {
        let session = self.session(at);
        session.safe = Some(session.next);
        session.journal.push_back(Entry::Position(session.next));
    }
}
