//! One open socket, as the rest of the edge sees it: an id, a queue, and what it has had.

use crate::{
    gate::{Gate, Verdict},
    metric,
    socket::outbox::Outbox,
};
use maya_protocol::{
    audio::{AgentBody, AgentMessage, ErrorCode, SPEAKING_RATE},
    clock::SharedClock,
    ids::{ConnectionId, SessionId},
    wire::{self, CLOSE_REPLACED, Down},
};
use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};
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
    gate: Mutex<Gate>,
    state_said: AtomicBool,
}

impl Connection {
    pub(crate) fn new(session: SessionId, generation: u64, id: ConnectionId, limit: usize, clock: SharedClock) -> Self {
        Self {
            id,
            session,
            generation,
            outbox: Outbox::new(limit, clock),
            kill: CancellationToken::new(),
            gate: Mutex::default(),
            state_said: AtomicBool::new(false),
        }
    }

    /// Queues what the bus has for this connection, in the order of the calls.
    pub(crate) fn deliver(&self, message: AgentMessage, offset: u64, since: Instant) {
        // Held over the push: two readers may bring the same partition for a moment.
        let mut gate = self.gate.lock();
        if let Verdict::Drop(reason) = gate.judge(&message, offset) {
            metrics::counter!(metric::DROPPED, "reason" => reason).increment(1);
            return;
        }
        let session_id = self.session;
        let (down, turn) = match message.body {
            AgentBody::TakeOver => return,
            AgentBody::Close => return self.outbox.close(1000, "the interview is over"),
            AgentBody::State { phase, reason, remaining_seconds } => {
                self.state_said.store(true, Ordering::Relaxed);
                (Down::State { session_id, state: phase, reason, remaining_seconds }, None)
            }
            AgentBody::Speech { turn_id, sentence, part, text, last, pcm } => {
                let data = wire::encode(&pcm);
                let sample_rate = SPEAKING_RATE;
                let down = Down::AgentResponse { session_id, turn_id, sentence, part, text, data, sample_rate, last };
                (down, Some(turn_id))
            }
            AgentBody::Clear { turn_id } => {
                self.outbox.clear(turn_id);
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
        self.outbox.push(json(&down), turn, Some(since));
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

    /// Whether the interviewer has said what it does.
    pub(crate) fn state_said(&self) -> bool {
        self.state_said.load(Ordering::Relaxed)
    }
}

fn count_error(code: ErrorCode) {
    let code = serde_json::to_value(code).ok().and_then(|code| code.as_str().map(str::to_owned)).unwrap_or_default();
    metrics::counter!(metric::ERRORS, "code" => code).increment(1);
}

fn json(down: &Down) -> String {
    serde_json::to_string(down).expect("frames have string keys and finite numbers")
}
