//! Which of the bus's messages a connection still wants: pure, one a connection.
//!
//! A partition may be read by two edges for a moment, and again from a little back when it is taken over. Its offsets
//! tell a repetition from news exactly; the epoch tells an owner from one that was; a clear shuts its turn.

use maya_protocol::{
    audio::{AgentBody, AgentMessage},
    ids::{Epoch, TurnId},
};

/// What a connection has had.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    epoch: Epoch,
    spoken: Option<u64>,
    transcribed: Option<u64>,
    /// The newest part of Maya's speech: turn and sentence.
    last: Option<(TurnId, u32)>,
    /// The turn that was cleared, and how far it had come.
    cleared: Option<(TurnId, u32)>,
}

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Write it.
    Pass,
    /// Drop it, for this reason.
    Drop(&'static str),
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
        self.epoch = message.epoch;
        match message.body {
            AgentBody::Speech { turn_id, sentence, part, .. } => self.judge_speech(turn_id, sentence, part),
            AgentBody::Clear { turn_id } => {
                // A turn of which nothing was sent has nothing to shut: what follows is its (repeated) beginning.
                self.cleared = self.last.filter(|(turn, _)| *turn == turn_id);
                Verdict::Pass
            }
            _ => Verdict::Pass,
        }
    }

    /// After a clear only the repetition of a cut sentence, from its first part, opens the turn again.
    fn judge_speech(&mut self, turn: TurnId, sentence: u32, part: u32) -> Verdict {
        if let Some((cleared, reached)) = self.cleared
            && cleared == turn
        {
            if part > 0 || sentence > reached {
                return Verdict::Drop("cleared");
            }
            self.cleared = None;
        }
        self.last = Some((turn, sentence));
        Verdict::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::ids::{ConnectionId, SessionId, TenantId};

    fn message(epoch: u64, body: AgentBody) -> AgentMessage {
        AgentMessage {
            session: SessionId::fresh(),
            tenant: TenantId::fresh(),
            partition: 0,
            epoch: Epoch(epoch),
            connection: ConnectionId::fresh(),
            trace: None,
            body,
        }
    }
    fn speech(epoch: u64, turn: u32, sentence: u32, part: u32) -> AgentMessage {
        let turn_id = TurnId(turn);
        message(epoch, AgentBody::Speech { turn_id, sentence, part, text: String::new(), last: false, pcm: "".into() })
    }
    fn clear(epoch: u64, turn: u32) -> AgentMessage {
        message(epoch, AgentBody::Clear { turn_id: TurnId(turn) })
    }

    #[test]
    fn repeated_offsets_and_lower_epochs_are_dropped() {
        let mut gate = Gate::default();
        assert_eq!(gate.judge(&speech(1, 0, 0, 0), 10), Verdict::Pass);
        assert_eq!(gate.judge(&speech(1, 0, 0, 0), 10), Verdict::Drop("repeated"));
        assert_eq!(gate.judge(&message(2, AgentBody::TakeOver), 11), Verdict::Pass);
        assert_eq!(gate.judge(&speech(1, 0, 0, 1), 12), Verdict::Drop("stale_epoch"));
        let words = AgentBody::Transcript { utterance_id: TurnId(1), text: "x".into(), r#final: true };
        assert_eq!(gate.judge(&message(1, words.clone()), 3), Verdict::Drop("stale_epoch"), "across topics too");
        assert_eq!(gate.judge(&message(2, words), 4), Verdict::Pass, "the topics count apart");
    }

    #[test]
    fn nothing_of_a_cleared_turn_follows_but_a_repeated_sentence_does() {
        let mut gate = Gate::default();
        let mut offset = 0..;
        let mut judge = |message: AgentMessage| gate.judge(&message, offset.next().unwrap());
        assert_eq!(judge(speech(1, 2, 0, 0)), Verdict::Pass);
        assert_eq!(judge(speech(1, 2, 1, 0)), Verdict::Pass);
        assert_eq!(judge(clear(1, 2)), Verdict::Pass);
        assert_eq!(judge(speech(1, 2, 1, 1)), Verdict::Drop("cleared"));
        assert_eq!(judge(speech(1, 2, 2, 0)), Verdict::Drop("cleared"));
        assert_eq!(judge(speech(1, 4, 0, 0)), Verdict::Pass, "another turn goes on");
        assert_eq!(judge(speech(1, 2, 1, 0)), Verdict::Pass, "the cut sentence is said again");
        assert_eq!(judge(speech(1, 2, 2, 0)), Verdict::Pass);
    }

    #[test]
    fn a_clear_before_any_speech_shuts_nothing() {
        let mut gate = Gate::default();
        assert_eq!(gate.judge(&clear(1, 2), 0), Verdict::Pass);
        assert_eq!(gate.judge(&speech(1, 2, 3, 0), 1), Verdict::Pass);
    }
}
