//! Whose turn it is, as a polite candidate judges it. Pure: time is passed in, in milliseconds since the join.

use maya_protocol::{ids::TurnId, session::Phase};

/// A breath between Maya's last word and the candidate's first.
const BREATH_MS: u64 = 400;

/// What a candidate knows about the floor.
#[derive(Debug, Default)]
pub struct Floor {
    phase: Option<Phase>,
    /// The newest of Maya's turns that was audible.
    newest: Option<TurnId>,
    /// While the reply to what was said is awaited: Maya's newest turn when the line ended.
    awaiting: Option<Option<TurnId>>,
    /// The turn that an interruption is meant for, and when it began to be heard.
    audible_since: Option<(TurnId, u64)>,
    turns: usize,
}

impl Floor {
    /// Maya's state changed.
    pub fn state(&mut self, phase: Phase) {
        self.phase = Some(phase);
    }
    /// A turn's first audio came, to be heard from `from` on. True if it is the reply to the last line.
    pub fn audible(&mut self, turn: TurnId, from: u64) -> bool {
        self.turns += 1;
        self.newest = self.newest.max(Some(turn));
        self.audible_since = Some((turn, from));
        let reply = self.awaiting.is_some_and(|before| Some(turn) > before);
        if reply {
            self.awaiting = None;
        }
        reply
    }
    /// The last sample of a line was sent.
    pub fn said(&mut self) {
        self.awaiting = Some(self.newest);
    }
    /// The connection is gone: what Maya does is not known until she says it again.
    pub fn lost(&mut self) {
        self.phase = None;
        self.audible_since = None;
    }
    /// The last line was lost on its way: nobody will answer it.
    pub fn gave_up(&mut self) {
        self.awaiting = None;
    }
    /// Whether a reply is awaited.
    pub fn awaits_reply(&self) -> bool {
        self.awaiting.is_some()
    }
    /// Whether the candidate may speak: Maya listens, was heard to her end, and has answered the last line.
    pub fn is_mine(&self, now: u64, heard_until: u64) -> bool {
        self.phase == Some(Phase::Listening)
            && self.newest.is_some()
            && self.awaiting.is_none()
            && now >= heard_until + BREATH_MS
    }
    /// Whether Maya has been audible for so long in a reply (not in the greeting), and is still.
    pub fn may_interrupt(&self, now: u64, heard_until: u64, after: u64) -> bool {
        self.turns > 1
            && now < heard_until
            && self.phase != Some(Phase::Closing)
            && self.audible_since.is_some_and(|(_, from)| now >= from + after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_waits_for_its_turn_and_for_a_reply() {
        let mut floor = Floor::default();
        floor.state(Phase::Listening);
        assert!(!floor.is_mine(10_000, 0), "nobody has spoken yet");
        assert!(!floor.audible(TurnId(0), 100));
        assert!(!floor.is_mine(900, 1_000), "she is still heard");
        assert!(floor.is_mine(1_500, 1_000));
        floor.said();
        assert!(!floor.is_mine(9_000, 1_000), "she has not answered yet");
        assert!(floor.audible(TurnId(2), 3_000));
        floor.state(Phase::Speaking);
        assert!(!floor.is_mine(9_000, 5_000));
        assert!(floor.may_interrupt(4_000, 5_000, 1_000) && !floor.may_interrupt(3_500, 5_000, 1_000));
        floor.state(Phase::Listening);
        assert!(floor.is_mine(9_000, 5_000));
        floor.said();
        floor.lost();
        floor.gave_up();
        assert!(!floor.is_mine(9_000, 5_000), "she has not said on the new connection what she does");
        floor.state(Phase::Listening);
        assert!(floor.is_mine(9_000, 5_000));
    }
}
