//! The mouth: sentences are synthesised ahead and let go in order, when the machine says so. Pure.

use bytes::Bytes;
use maya_protocol::{audio::SPEAKING_RATE, ids::TurnId};
use std::collections::{BTreeMap, VecDeque};

/// What reading a sentence takes that has no voice, in milliseconds a character.
const READING_MS_PER_CHAR: u64 = 55;

/// A frame to be sent.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Frame {
    pub turn: TurnId,
    pub sentence: u32,
    pub part: u32,
    /// The sentence's words with its first part, nothing with the others.
    pub text: String,
    pub pcm: Bytes,
}

/// What became of an event.
#[derive(Debug, Default, PartialEq)]
pub struct Spoken {
    /// To be sent, in order.
    pub frames: Vec<Frame>,
    /// Milliseconds of audio in them.
    pub ms: u64,
    /// The sentence was let go to its end.
    pub done: bool,
    /// The sentence has its first audio now, or will have none.
    pub voiced: bool,
}

#[derive(Debug, Default)]
struct Pending {
    pieces: VecDeque<Bytes>,
    text: Option<String>,
    characters: u64,
    any: bool,
    ended: bool,
    part: u32,
}

/// The sentences that wait.
#[derive(Debug, Default)]
pub struct Mouth {
    take: u64,
    pending: BTreeMap<(TurnId, usize), Pending>,
    /// Parts of the sentence that was let go last.
    parts: u32,
}

impl Mouth {
    /// The number of the part that would follow the last one let go.
    pub fn next_part(&self) -> u32 {
        self.parts
    }

    /// Which voices count now.
    pub fn take(&self) -> u64 {
        self.take
    }

    /// Drops everything; what older voices still say is ignored.
    pub fn stop(&mut self) {
        self.take += 1;
        self.pending.clear();
    }

    /// A voice was given to a sentence.
    pub fn expect(&mut self, turn: TurnId, sentence: usize) {
        self.pending.insert((turn, sentence), Pending::default());
    }

    /// Audio came.
    pub fn piece(&mut self, take: u64, turn: TurnId, sentence: usize, pcm: Bytes) -> Spoken {
        if take != self.take {
            return Spoken::default();
        }
        let Some(pending) = self.pending.get_mut(&(turn, sentence)) else { return Spoken::default() };
        let voiced = !std::mem::replace(&mut pending.any, true);
        pending.pieces.push_back(pcm);
        Spoken { voiced, ..self.flush(turn, sentence) }
    }

    /// No more audio comes of a sentence.
    pub fn ended(&mut self, take: u64, turn: TurnId, sentence: usize) -> Spoken {
        if take != self.take {
            return Spoken::default();
        }
        let Some(pending) = self.pending.get_mut(&(turn, sentence)) else { return Spoken::default() };
        pending.ended = true;
        let voiced = !std::mem::replace(&mut pending.any, true);
        Spoken { voiced, ..self.flush(turn, sentence) }
    }

    /// The machine lets a sentence go.
    pub fn release(&mut self, turn: TurnId, sentence: usize, text: String) -> Spoken {
        let pending = self.pending.entry((turn, sentence)).or_default();
        pending.characters = text.chars().count() as u64;
        pending.text = Some(text);
        self.flush(turn, sentence)
    }

    fn flush(&mut self, turn: TurnId, sentence: usize) -> Spoken {
        let mut spoken = Spoken::default();
        let Some(pending) = self.pending.get_mut(&(turn, sentence)) else { return spoken };
        let Some(text) = &mut pending.text else { return spoken };
        let mut send = |pcm: Bytes, part: &mut u32| {
            spoken.ms += pcm.len() as u64 * 1000 / (u64::from(SPEAKING_RATE) * 2);
            spoken.frames.push(Frame { turn, sentence: sentence as u32, part: *part, text: std::mem::take(text), pcm });
            *part += 1;
        };
        while let Some(pcm) = pending.pieces.pop_front() {
            send(pcm, &mut pending.part);
        }
        if pending.ended {
            if pending.part == 0 {
                // captions without voice
                send(Bytes::new(), &mut pending.part);
                spoken.ms = pending.characters * READING_MS_PER_CHAR;
            }
            spoken.done = true;
            self.parts = pending.part;
            self.pending.remove(&(turn, sentence));
        }
        spoken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second() -> Bytes {
        Bytes::from(vec![0u8; 48_000])
    }

    #[test]
    fn audio_waits_for_its_release_and_then_flows() {
        let mut mouth = Mouth::default();
        mouth.expect(TurnId(1), 0);
        let first = mouth.piece(0, TurnId(1), 0, second());
        assert!(first.voiced && first.frames.is_empty());
        let released = mouth.release(TurnId(1), 0, "Hello.".into());
        assert_eq!((released.frames.len(), released.ms, released.frames[0].text.as_str()), (1, 1000, "Hello."));
        let next = mouth.piece(0, TurnId(1), 0, second());
        assert_eq!((next.frames[0].part, next.frames[0].text.as_str(), next.done), (1, "", false));
        assert!(mouth.ended(0, TurnId(1), 0).done);
    }

    #[test]
    fn a_sentence_without_voice_is_shown_for_as_long_as_reading_takes() {
        let mut mouth = Mouth::default();
        mouth.expect(TurnId(1), 0);
        assert!(mouth.ended(0, TurnId(1), 0).voiced);
        let released = mouth.release(TurnId(1), 0, "Hello there.".into());
        assert!(released.done && released.frames[0].pcm.is_empty() && released.ms == 12 * READING_MS_PER_CHAR);
    }

    #[test]
    fn older_voices_are_ignored() {
        let mut mouth = Mouth::default();
        mouth.expect(TurnId(1), 0);
        mouth.stop();
        assert_eq!(mouth.piece(0, TurnId(1), 0, second()), Spoken::default());
    }
}
