//! What a connection has of Maya's speech: which sentences are whole, which one is cut.
//!
//! A new owner says the last turn again, for it cannot know what was heard. So a sentence that is whole here is dropped,
//! and one of which only a part was sent begins anew, after the candidate's client has dropped that part.

use super::Verdict;
use maya_protocol::ids::{Epoch, TurnId};
use std::collections::BTreeMap;

/// A sentence of which a part was sent, and no more will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) turn: TurnId,
    pub(crate) sentence: u32,
    /// Parts that were let through.
    pub(crate) parts: u32,
}

/// A part of a sentence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) epoch: Epoch,
    pub(super) number: u32,
    /// It is the turn's final, empty frame.
    pub(super) ends_turn: bool,
}

/// How far a whole sentence is: in the queue it may still be cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    Queued,
    Written,
}

/// The sentence whose parts are coming.
#[derive(Debug)]
struct Open {
    at: Cut,
    epoch: Epoch,
    /// None of its parts is missing.
    intact: bool,
}

/// What is known of the newest turn, and of the one that was cleared.
#[derive(Debug, Default)]
pub(super) struct Speech {
    turn: Option<TurnId>,
    whole: BTreeMap<u32, Whole>,
    ended: bool,
    open: Option<Open>,
    /// The newest sentence of which anything was sent.
    last: Option<(TurnId, u32)>,
    /// The turn that was cleared, and how far it had come.
    cleared: Option<(TurnId, u32)>,
}

impl Speech {
    pub(super) fn part(&mut self, turn: TurnId, sentence: u32, part: Part) -> Verdict {
        // after a clear only the repetition of a cut sentence, from its first part, opens the turn again
        if let Some((cleared, reached)) = self.cleared
            && cleared == turn
        {
            if part.number > 0 || sentence > reached {
                return Verdict::Drop("cleared");
            }
            self.cleared = None;
        }
        if part.ends_turn {
            return self.end(turn, sentence, part.number);
        }
        if self.turn == Some(turn)
            && let Some(whole) = self.whole.get(&sentence)
        {
            let tell = *whole == Whole::Written && part.number == 0;
            // what is only queued is told when it is written
            return if tell { Verdict::Tell(turn, sentence) } else { Verdict::Drop("written") };
        }
        self.enter(turn);
        if part.number > 0 {
            return self.go_on(turn, sentence, part.number);
        }
        self.last = Some((turn, sentence));
        self.begin(turn, sentence, part.epoch)
    }

    /// The turn's final frame: none for a turn whose last sentence is not here, which will be said again.
    fn end(&mut self, turn: TurnId, sentence: u32, number: u32) -> Verdict {
        self.enter(turn);
        let all = Cut { turn, sentence, parts: number };
        if !self.whole.contains_key(&sentence) && !self.open.as_ref().is_some_and(|open| open.intact && open.at == all)
        {
            return Verdict::Drop("not_whole");
        }
        let again = std::mem::replace(&mut self.ended, true);
        if again { Verdict::Drop("written") } else { Verdict::Pass }
    }

    fn begin(&mut self, turn: TurnId, sentence: u32, epoch: Epoch) -> Verdict {
        let open = Open { at: Cut { turn, sentence, parts: 1 }, epoch, intact: true };
        let before = self.open.replace(open);
        // an owner that goes on with its next sentence has said the one before to its end
        let is_cut = |open: &Open| open.epoch < epoch || (open.at.turn, open.at.sentence) == (turn, sentence);
        let cut = before.filter(is_cut).map(|open| open.at);
        // what stands after it was heard without it (the owner and another edge died together): all comes anew, in order,
        // and the client drops what it has of it
        let after = self.whole.split_off(&sentence).pop_last().map(|(sentence, _)| Cut { turn, sentence, parts: 1 });
        self.ended &= after.is_none();
        cut.or(after).map_or(Verdict::Pass, Verdict::PassAfter)
    }

    /// A sentence whose beginning or middle was lost on its way is not heard from there on: it will be said again, whole.
    fn go_on(&mut self, turn: TurnId, sentence: u32, number: u32) -> Verdict {
        let open = self.open.as_mut().filter(|open| (open.at.turn, open.at.sentence) == (turn, sentence));
        let Some(open) = open else { return Verdict::Drop("not_whole") };
        open.intact &= open.at.parts == number;
        if !open.intact {
            return Verdict::Drop("not_whole");
        }
        open.at.parts += 1;
        Verdict::Pass
    }

    /// All of a sentence was sent; passes if all of it is here.
    pub(super) fn whole(&mut self, turn: TurnId, sentence: u32, parts: u32) -> Verdict {
        let here = Cut { turn, sentence, parts };
        if self.open.take_if(|open| open.at == here && open.intact).is_none() {
            return Verdict::Drop("not_whole");
        }
        self.whole.insert(sentence, Whole::Queued);
        Verdict::Pass
    }

    /// Another turn is said: nobody repeats the one before.
    fn enter(&mut self, turn: TurnId) {
        if self.turn != Some(turn) {
            self.turn = Some(turn);
            self.whole.clear();
            self.ended = false;
        }
    }

    /// A turn of which nothing was sent has nothing to shut: what follows is its (repeated) beginning.
    pub(super) fn clear(&mut self, turn: TurnId) {
        self.cleared = self.last.filter(|(last, _)| *last == turn);
        self.open.take_if(|open| open.at.turn == turn);
        if self.turn == Some(turn) {
            self.whole.retain(|_, whole| *whole == Whole::Written);
        }
    }

    /// A new owner speaks; the one that cleared a turn is not heard any more.
    pub(super) fn taken_over(&mut self) {
        self.cleared = None;
    }

    pub(super) fn lost(&mut self) {
        if let Some(open) = &mut self.open {
            open.intact = false;
        }
    }

    pub(super) fn written(&mut self, turn: TurnId, sentence: u32) {
        if self.turn == Some(turn)
            && let Some(whole) = self.whole.get_mut(&sentence)
        {
            *whole = Whole::Written;
        }
    }
}
