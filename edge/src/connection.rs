//! One open socket, as the rest of the edge sees it: an id, a queue, and what it has had.

use crate::{
    Shared,
    gate::{Cut, Gate, Verdict},
    metric,
    publisher::Publisher,
    socket::outbox::{Item, Outbox},
    trouble::Told,
};
use maya_protocol::{
    audio::{AgentBody, AgentMessage, CandidateBody, ErrorCode, SPEAKING_RATE},
    clock::SharedClock,
    ids::{ConnectionId, SessionId, TurnId},
    session::Phase,
    wire::{self, CLOSE_REPLACED, Down},
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// One open socket.
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) session: SessionId,
    /// The newer of a session's connections wins.
    pub(crate) generation: u64,
    pub(crate) outbox: Outbox,
    /// Ends the socket without a word: nobody reads what we would say.
    pub(crate) kill: CancellationToken,
    publisher: Arc<Publisher>,
    gate: Mutex<Gate>,
    told: Mutex<Told>,
    /// What the interviewer said last that it does; nothing before it said anything.
    phase: watch::Sender<Option<Phase>>,
}

impl Connection {
    pub(crate) fn new(
        session: SessionId,
        (id, generation): (ConnectionId, u64),
        publisher: Arc<Publisher>,
        limit: usize,
        clock: SharedClock,
    ) -> Self {
        Self {
            id,
            session,
            generation,
            outbox: Outbox::new(limit, clock),
            kill: CancellationToken::new(),
            publisher,
            gate: Mutex::default(),
            told: Mutex::default(),
            phase: watch::Sender::new(None),
        }
    }

    /// Queues what the bus has for this connection, in the order of the calls.
    pub(crate) fn deliver(&self, message: AgentMessage, offset: u64, since: Instant) {
        // Held over the push: two readers may bring the same partition for a moment.
        let mut gate = self.gate.lock();
        match gate.judge(&message, offset) {
            Verdict::Pass => {}
            Verdict::PassAfter(cut) => self.take_back(cut),
            Verdict::Drop(reason) => return dropped(reason),
            Verdict::Tell(turn, sentence) => {
                dropped("written");
                return self.tell_written(turn, sentence, true);
            }
        }
        let session_id = self.session;
        let mut decided_at = None;
        let (down, of) = match message.body {
            AgentBody::TakeOver { node } => return self.told.lock().taken_over(node),
            AgentBody::Whole { turn_id, sentence, .. } => return self.outbox.mark(Item::Whole(turn_id, sentence)),
            AgentBody::Close => return self.outbox.close(1000, "the interview is over"),
            AgentBody::State { phase, reason, remaining_seconds } => {
                self.phase.send_replace(Some(phase));
                self.told.lock().state(phase, reason.clone(), remaining_seconds);
                (Down::State { session_id, state: phase, reason, remaining_seconds }, None)
            }
            AgentBody::Speech { turn_id, sentence, part, text, last, pcm } => {
                let data = wire::encode(&pcm);
                let sample_rate = SPEAKING_RATE;
                let down = Down::AgentResponse { session_id, turn_id, sentence, part, text, data, sample_rate, last };
                (down, Some((turn_id, sentence)))
            }
            AgentBody::Clear { turn_id, barged_in_at } => {
                self.outbox.clear(turn_id);
                decided_at = barged_in_at;
                (Down::AgentClear { session_id, turn_id }, None)
            }
            AgentBody::Transcript { utterance_id, text, r#final } => {
                (Down::Transcript { session_id, utterance_id, text, r#final }, None)
            }
            AgentBody::Error { code, message, retryable } => {
                count_error(code);
                (Down::Error { code, message, retryable }, None)
            }
        };
        if !self.outbox.push(json(&down), of, Some(since)) && of.is_some() {
            gate.lost();
        }
        if let Some(decided_at) = decided_at {
            self.outbox.mark(Item::BargedIn(decided_at));
        }
    }

    /// Tells the candidate what keeps Maya from them, and when nothing does any more.
    pub(crate) fn look_for_trouble(&self, shared: &Shared) {
        // held over the push, so that she has the last word
        let _gate = self.gate.lock();
        let mut told = self.told.lock();
        let trouble = told.trouble(shared, self.publisher.waits());
        if let Some(down) = told.look(self.session, trouble) {
            self.say(&down);
        }
    }

    /// Drops what is queued of a cut sentence, and what the client has of it.
    fn take_back(&self, Cut { turn, sentence, parts }: Cut) {
        if self.outbox.forget(turn, sentence) < parts {
            self.say(&Down::AgentClear { session_id: self.session, turn_id: turn });
        }
    }

    /// All of a sentence was written to the socket.
    pub(crate) fn written(&self, turn: TurnId, sentence: u32) {
        self.gate.lock().written(turn, sentence);
        self.tell_written(turn, sentence, false);
    }

    fn tell_written(&self, turn_id: TurnId, sentence: u32, again: bool) {
        self.publisher.tell(CandidateBody::Written { turn_id, sentence, again });
    }

    /// Queues a message of the edge's own.
    pub(crate) fn say(&self, down: &Down) {
        self.outbox.push(json(down), None, None);
    }

    /// Queues a typed error.
    pub(crate) fn error(&self, code: ErrorCode, message: &str, retryable: bool) {
        count_error(code);
        self.say(&Down::Error { code, message: message.to_owned(), retryable });
    }

    /// A newer socket took over: says so and closes.
    pub(crate) fn replace(&self) {
        self.error(ErrorCode::SessionReplaced, "another window has taken over this interview", false);
        self.outbox.close(CLOSE_REPLACED, "session_replaced");
    }

    /// What the interviewer does; nothing before it has said so.
    pub(crate) fn phase(&self) -> Option<Phase> {
        *self.phase.borrow()
    }

    /// Waits for a moment in which neither speaks: the floor has just changed, or the conversation has not begun.
    pub(crate) async fn calm(&self) {
        let mut phase = self.phase.subscribe();
        if matches!(*phase.borrow_and_update(), None | Some(Phase::Waiting | Phase::Thinking | Phase::Ended)) {
            return;
        }
        // who listens already may be in the middle of an answer
        while phase.changed().await.is_ok() {
            if matches!(*phase.borrow_and_update(), Some(Phase::Listening | Phase::Thinking | Phase::Ended)) {
                return;
            }
        }
    }
}

fn dropped(reason: &'static str) {
    metrics::counter!(metric::DROPPED, "reason" => reason).increment(1);
}

fn count_error(code: ErrorCode) {
    let code = serde_json::to_value(code).ok().and_then(|code| code.as_str().map(str::to_owned)).unwrap_or_default();
    metrics::counter!(metric::ERRORS, "code" => code).increment(1);
}

fn json(down: &Down) -> String {
    serde_json::to_string(down).expect("frames have string keys and finite numbers")
}
