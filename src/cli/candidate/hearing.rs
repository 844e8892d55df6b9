//! Maya's voice as the candidate's loudspeaker plays it: what is heard when, and a recording of it.

use super::{report::MayaTurn, voice::samples};
use maya_protocol::{audio::SPEAKING_RATE, ids::TurnId};

/// What was queued, and when it is heard; times are milliseconds since the join.
#[derive(Debug, Default)]
pub struct Hearing {
    /// All that was heard, from the join on, at 24 kHz.
    recording: Vec<i16>,
    turns: Vec<MayaTurn>,
    parts: Vec<Part>,
    marked: usize,
}

#[derive(Debug)]
struct Part {
    turn: TurnId,
    sentence: u32,
    from: usize,
    to: usize,
}

/// A part of a sentence as it came.
#[derive(Debug)]
pub struct Piece<'a> {
    /// Whose turn.
    pub turn: TurnId,
    /// Which sentence of it.
    pub sentence: u32,
    /// The sentence's words.
    pub text: &'a str,
    /// PCM, little endian.
    pub data: &'a [u8],
    /// Whether it is the turn's last frame.
    pub last: bool,
}

fn at(ms: u64) -> usize {
    ms as usize * SPEAKING_RATE as usize / 1000
}
fn ms(at: usize) -> u64 {
    at as u64 * 1000 / u64::from(SPEAKING_RATE)
}

impl Hearing {
    /// When everything that came will have been heard.
    pub fn heard_until(&self) -> u64 {
        ms(self.recording.len())
    }
    /// Whether that turn has been audible.
    pub fn knows(&self, turn: TurnId) -> bool {
        self.turns.iter().any(|known| known.turn_id == turn)
    }
    /// Queues a piece that comes now, gapless behind what is still playing. True if it is a turn's first audio.
    pub fn queue(&mut self, now: u64, piece: &Piece<'_>) -> bool {
        let is_first = !piece.data.is_empty() && !self.knows(piece.turn);
        let index = match self.turns.iter().position(|turn| turn.turn_id == piece.turn) {
            Some(index) => index,
            None if piece.data.is_empty() && piece.text.is_empty() => return false,
            None => {
                self.turns.push(MayaTurn::new(piece.turn, now.max(self.heard_until())));
                self.turns.len() - 1
            }
        };
        let silence = at(now);
        if self.recording.len() < silence && !piece.data.is_empty() {
            self.recording.resize(silence, 0);
        }
        let from = self.recording.len();
        self.recording.extend(samples(piece.data));
        let turn = &mut self.turns[index];
        turn.pcm.extend_from_slice(&self.recording[from..]);
        turn.ended_ms = ms(self.recording.len());
        turn.complete |= piece.last;
        if !piece.text.is_empty() && !turn.sentences.iter().any(|(number, _)| *number == piece.sentence) {
            turn.sentences.push((piece.sentence, piece.text.to_owned()));
        }
        self.parts.push(Part { turn: piece.turn, sentence: piece.sentence, from, to: self.recording.len() });
        is_first
    }
    /// Drops what is not yet played of a turn.
    pub fn clear(&mut self, now: u64, turn: TurnId) {
        self.drop_unplayed(now, turn);
        if let Some(cleared) = self.turns.iter_mut().find(|known| known.turn_id == turn) {
            cleared.cleared = true;
        }
    }
    /// The connection is gone: what is not yet played of it will be said again on the next.
    pub fn lost(&mut self, now: u64) {
        while let Some(unplayed) = self.parts.iter().find(|part| part.to > at(now)) {
            self.drop_unplayed(now, unplayed.turn);
        }
    }
    fn drop_unplayed(&mut self, now: u64, turn: TurnId) {
        let heard = at(now);
        let Some(cut) = self.turns.iter_mut().find(|known| known.turn_id == turn) else { return };
        let unheard: usize = self
            .parts
            .iter()
            .filter(|part| part.turn == turn)
            .map(|part| part.to.saturating_sub(part.from.max(heard)))
            .sum();
        cut.pcm.truncate(cut.pcm.len().saturating_sub(unheard));
        cut.ended_ms = cut.ended_ms.min(now);
        // a cut sentence may be said again: its words are taken again with it
        let gone: Vec<u32> =
            self.parts.iter().filter(|part| part.turn == turn && part.to > heard).map(|part| part.sentence).collect();
        cut.sentences.retain(|(number, _)| !gone.contains(number));
        if self.recording.len() > heard {
            self.recording.truncate(heard);
        }
        self.parts.retain(|part| part.turn != turn || part.to <= heard);
        self.marked = self.marked.min(self.parts.len());
    }
    /// The marks that are due: `(turn, sentence, played ms of it)` of each sentence heard to its end since the last call.
    pub fn marks(&mut self, now: u64) -> Vec<(TurnId, u32, u64)> {
        let mut due = Vec::new();
        while let Some(part) = self.parts.get(self.marked).filter(|part| part.to <= at(now)) {
            let same = |other: &&Part| other.turn == part.turn && other.sentence == part.sentence;
            let played: usize = self.parts[..=self.marked].iter().filter(same).map(|part| part.to - part.from).sum();
            due.push((part.turn, part.sentence, ms(played)));
            self.marked += 1;
        }
        due
    }
    /// All that was heard, and Maya's turns.
    pub fn finish(mut self) -> (Vec<i16>, Vec<MayaTurn>) {
        for turn in &mut self.turns {
            turn.sentences.sort_by_key(|(number, _)| *number);
            turn.text = turn.sentences.iter().map(|(_, text)| text.trim()).collect::<Vec<_>>().join(" ");
        }
        (self.recording, self.turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece<'a>(sentence: u32, text: &'a str, data: &'a [u8]) -> Piece<'a> {
        Piece { turn: TurnId(1), sentence, text, data, last: sentence == 1 }
    }

    #[test]
    fn what_was_not_played_when_the_connection_died_is_heard_when_it_comes_again() {
        let second = vec![1u8; 48_000];
        let mut hearing = Hearing::default();
        hearing.queue(0, &piece(0, "One.", &second));
        hearing.queue(0, &piece(1, "Two.", &second));
        hearing.lost(1_500);
        hearing.queue(3_000, &piece(1, "Two.", &second));
        let (recording, turns) = hearing.finish();
        assert_eq!((recording.len(), turns[0].text.as_str()), (24 * 4_000, "One. Two."));
        assert!(!turns[0].cleared);
    }

    #[test]
    fn pieces_are_heard_one_after_the_other_and_a_clear_drops_the_rest() {
        let second = vec![1u8; 48_000];
        let mut hearing = Hearing::default();
        assert!(hearing.queue(500, &piece(0, "One.", &second)));
        assert!(!hearing.queue(600, &piece(1, "Two.", &second)));
        assert_eq!(hearing.heard_until(), 2_500);
        assert_eq!(hearing.marks(1_600), [(TurnId(1), 0, 1_000)]);
        hearing.clear(2_000, TurnId(1));
        assert_eq!(hearing.heard_until(), 2_000);
        let (recording, turns) = hearing.finish();
        assert_eq!((recording.len(), turns[0].pcm.len()), (48_000, 36_000));
        assert_eq!((turns[0].text.as_str(), turns[0].started_ms, turns[0].ended_ms), ("One.", 500, 2_000));
        assert!(turns[0].cleared && turns[0].complete);
    }
}
