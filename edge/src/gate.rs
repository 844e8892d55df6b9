//! Which of the bus's messages a connection still wants: pure, one a connection.
//!
//! A partition may be read by two edges for a moment, and again from a little back when it is taken over. Its offsets
//! tell a repetition from news exactly; the epoch tells an owner from one that was; what the connection has of a turn
//! tells a sentence that it knows from one that was cut ([`speech`]).

mod speech;
#[cfg(test)]
mod tests;

pub(crate) use speech::Cut;

use maya_protocol::{
    audio::{AgentBody, AgentMessage},
    ids::{Epoch, TurnId},
};
use speech::{Part, Speech};

/// What a connection has had.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    epoch: Epoch,
    spoken: Option<u64>,
    transcribed: Option<u64>,
    speech: Speech,
}

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Write it.
    Pass,
    /// Write it; what was sent of a cut sentence is dropped first.
    PassAfter(Cut),
    /// Drop it, for this reason.
    Drop(&'static str),
    /// Drop it: that sentence is wholly written, and whoever repeats it should know.
    Tell(TurnId, u32),
}

impl Gate {
    /// Judges the message that stands at `offset` of its topic's partition.
    pub(crate) fn judge(&mut self, message: &AgentMessage, offset: u64) -> Verdict {
        let seen = match message.body {
            AgentBody::Transcript { .. } => &mut self.transcribed,
            _ => &mut self.spoken,
        };
        if seen.is_some_and(|seen| offset <= seen) {
            return Verdict::Drop("repeated");
        }
        *seen = Some(offset);
        if message.epoch < self.epoch {
            return Verdict::Drop("stale_epoch");
        }
        if message.epoch > self.epoch {
            self.epoch = message.epoch;
            self.speech.taken_over();
        }
        match &message.body {
            AgentBody::Speech { turn_id, sentence, part, last, pcm, .. } => {
                let part = Part { epoch: message.epoch, number: *part, ends_turn: *last && pcm.is_empty() };
                self.speech.part(*turn_id, *sentence, part)
            }
            AgentBody::Whole { turn_id, sentence, parts } => self.speech.whole(*turn_id, *sentence, *parts),
            AgentBody::Clear { turn_id, .. } => {
                self.speech.clear(*turn_id);
                Verdict::Pass
            }
            _ => Verdict::Pass,
        }
    }

    /// The part that was let through last could not be queued.
    pub(crate) fn lost(&mut self) {
        self.speech.lost();
    }

    /// All of a sentence has been written to the socket.
    pub(crate) fn written(&mut self, turn: TurnId, sentence: u32) {
        self.speech.written(turn, sentence);
    }
}
