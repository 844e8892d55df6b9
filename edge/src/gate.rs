//! Which of the bus's messages a connection still wants: pure, one a connection.
//!
//! A partition may be read by two edges for a moment, and again from a little back when it is taken over. Its offsets
//! tell a repetition from news exactly; the epoch tells an owner from one that was; what the connection has of a turn
//! tells a sentence that it knows from one that was cut ([`speech`]). What is only true for a moment is not written after
//! something newer; the candidate's final words are: an edge that was frozen is sent the newest by the one that stood in
//! for it, and reads what it missed itself, afterwards.

mod speech;
#[cfg(test)]
mod tests;

pub(crate) use speech::Cut;

use maya_protocol::{
    audio::{AgentBody, AgentMessage},
    ids::{Epoch, TurnId},
};
use speech::{Part, Speech};
use std::collections::HashSet;

/// What a connection has had.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    epoch: Epoch,
    /// The newest offset of each topic.
    spoken: Option<u64>,
    transcribed: Option<u64>,
    /// The offset of each utterance's final words.
    finals: HashSet<u64>,
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
        if !self.is_news(&message.body, offset) {
            return Verdict::Drop("repeated");
        }
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

    /// Whether it was not judged before, and nothing newer makes it void.
    fn is_news(&mut self, body: &AgentBody, offset: u64) -> bool {
        let newest = match body {
            AgentBody::Transcript { r#final: true, .. } => return self.finals.insert(offset),
            AgentBody::Transcript { .. } => &mut self.transcribed,
            _ => &mut self.spoken,
        };
        let is_news = newest.is_none_or(|newest| offset > newest);
        if is_news {
            *newest = Some(offset);
        }
        is_news
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
