//! Cuts an utterance into pieces a recogniser takes well: no silence at the ends, no cut inside a word, 18 s at most.

use crate::vad::{FRAME, VoiceActivity, VoiceDetector};

/// Probability from which a frame counts as speech. Low: a lost word costs more than a heard cough.
const SPEECH: f32 = 0.35;
/// Frames kept around speech (a frame is 32 ms).
const MARGIN: usize = 9;
/// From this length on (6 s) a piece ends at the next good pause.
const SOFT: usize = 188;
/// The shortest piece worth its own recognition (3 s), where a pause allows the choice.
const LEAST: usize = 94;
/// A good pause (350 ms).
const PAUSE: usize = 11;
/// The longest piece (18 s): beyond it, the least bad place will do.
const HARD: usize = 562;

/// The open end of an utterance. Bounded by [`HARD`] frames, as long as pieces are taken when offered.
pub(super) struct Segmenter {
    detector: Box<dyn VoiceDetector>,
    partial: Vec<i16>,
    samples: Vec<i16>,
    speech: Vec<bool>,
}

impl Segmenter {
    pub(super) fn new(vad: &dyn VoiceActivity) -> Self {
        Self { detector: vad.start(), partial: Vec::new(), samples: Vec::new(), speech: Vec::new() }
    }

    /// Takes audio; a piece comes out whenever one is complete.
    pub(super) fn push(&mut self, pcm: &[i16]) -> Vec<Vec<i16>> {
        let mut pieces = Vec::new();
        self.partial.extend_from_slice(pcm);
        let partial = std::mem::take(&mut self.partial);
        let (frames, rest) = partial.as_chunks::<FRAME>();
        for frame in frames {
            self.samples.extend_from_slice(frame);
            self.speech.push(self.detector.probability(frame) > SPEECH);
            if self.voiced() == 0 {
                self.drop_front(self.speech.len().saturating_sub(MARGIN));
            } else if let Some(at) = self.cut() {
                pieces.extend(self.take(at));
            }
        }
        self.partial = rest.to_vec();
        pieces
    }

    /// Frames of speech in the open piece.
    pub(super) fn voiced(&self) -> usize {
        self.speech.iter().filter(|s| **s).count()
    }

    /// Whether the speaker has just stopped (160 ms ago), for a breath or for good.
    pub(super) fn pauses(&self) -> bool {
        self.speech.len() > 5 && self.speech.iter().rev().take(5).all(|s| !s)
    }

    /// The open piece without the silence at its ends; empty if nobody spoke.
    pub(super) fn open(&self) -> &[i16] {
        self.trimmed(self.speech.len())
    }

    /// Ends the utterance: the open piece, and a clean start.
    pub(super) fn finish(&mut self) -> Option<Vec<i16>> {
        self.samples.append(&mut self.partial);
        let frames = self.samples.len().div_ceil(FRAME);
        // Less than a frame is left over: it is what the last whole one was.
        self.speech.resize(frames, self.speech.last().copied().unwrap_or(false));
        self.take(frames)
    }

    fn trimmed(&self, frames: usize) -> &[i16] {
        let speech = &self.speech[..frames];
        let Some(first) = speech.iter().position(|s| *s) else { return &[] };
        let last = speech.iter().rposition(|s| *s).unwrap_or(first);
        let end = ((last + 1 + MARGIN).min(frames) * FRAME).min(self.samples.len());
        &self.samples[first.saturating_sub(MARGIN) * FRAME..end]
    }

    fn take(&mut self, frames: usize) -> Option<Vec<i16>> {
        let piece = self.trimmed(frames).to_vec();
        self.drop_front(frames);
        (!piece.is_empty()).then_some(piece)
    }

    fn drop_front(&mut self, frames: usize) {
        self.samples.drain(..(frames * FRAME).min(self.samples.len()));
        self.speech.drain(..frames);
    }

    /// Where to end the open piece now, if it is time.
    fn cut(&self) -> Option<usize> {
        let length = self.speech.len();
        if length < SOFT {
            return None;
        }
        let longest = pauses(&self.speech).into_iter().filter(|p| p.start >= LEAST).max_by_key(|p| p.len());
        match longest {
            Some(pause) if pause.len() >= PAUSE || length >= HARD => Some(pause.start + pause.len() / 2),
            _ if length >= HARD => Some(self.quietest(LEAST)),
            _ => None,
        }
    }

    /// The frame with the least energy from `start` on.
    fn quietest(&self, start: usize) -> usize {
        let energy = |f: usize| -> u64 {
            self.samples[f * FRAME..(f + 1) * FRAME].iter().map(|s| u64::from(s.unsigned_abs()).pow(2)).sum()
        };
        (start..self.speech.len()).min_by_key(|f| energy(*f)).unwrap_or(start)
    }
}

/// Runs of frames without speech.
fn pauses(speech: &[bool]) -> Vec<std::ops::Range<usize>> {
    let mut pauses = Vec::new();
    let mut start = None;
    for (at, speaks) in speech.iter().copied().chain([true]).enumerate() {
        match (speaks, start) {
            (false, None) => start = Some(at),
            (true, Some(from)) => {
                pauses.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    pauses
}

/// Stands in for a voice activity model that is missing: what is loud is speech.
pub(super) struct Loudness;

impl VoiceActivity for Loudness {
    fn start(&self) -> Box<dyn VoiceDetector> {
        Box::new(Self)
    }
}

impl VoiceDetector for Loudness {
    fn probability(&mut self, frame: &[i16; FRAME]) -> f32 {
        let power = frame.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / FRAME as f32;
        if power.sqrt() > 250.0 { 1.0 } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sound(frames: usize, loud: bool) -> Vec<i16> {
        (0..frames * FRAME)
            .map(|i| {
                if !loud {
                    0
                } else if i % 2 == 0 {
                    3000
                } else {
                    -3000
                }
            })
            .collect()
    }

    #[test]
    fn silence_costs_nothing_and_gives_nothing() {
        let mut segmenter = Segmenter::new(&Loudness);
        assert!(segmenter.push(&sound(10_000, false)).is_empty());
        assert!(segmenter.samples.len() <= MARGIN * FRAME);
        assert_eq!(segmenter.finish(), None);
    }

    #[test]
    fn a_pause_of_twelve_hundred_milliseconds_stays_inside() {
        let mut segmenter = Segmenter::new(&Loudness);
        let spoken = [sound(60, true), sound(38, false), sound(60, true)].concat();
        assert!(segmenter.push(&spoken).is_empty());
        assert_eq!(segmenter.finish().unwrap().len(), spoken.len());
    }

    #[test]
    fn long_speech_is_cut_in_its_pauses() {
        let mut segmenter = Segmenter::new(&Loudness);
        let turn = [sound(150, true), sound(14, false)].concat();
        let pieces = segmenter.push(&turn.repeat(20));
        assert!(pieces.len() >= 8);
        let loud: usize = pieces.iter().flatten().filter(|s| **s != 0).count();
        let open = segmenter.finish().map_or(0, |p| p.iter().filter(|s| **s != 0).count());
        assert_eq!(loud + open, 20 * 150 * FRAME);
    }

    proptest! {
        #[test]
        fn no_loud_sample_is_lost_and_no_piece_is_too_long(runs in prop::collection::vec((1usize..200, any::<bool>()), 1..30), chunk in 1usize..4000) {
            let audio: Vec<i16> = runs.iter().flat_map(|(n, loud)| sound(*n, *loud)).collect();
            let mut segmenter = Segmenter::new(&Loudness);
            let mut pieces: Vec<Vec<i16>> = audio.chunks(chunk).flat_map(|c| segmenter.push(c)).collect();
            pieces.extend(segmenter.finish());
            prop_assert!(pieces.iter().all(|p| p.len() <= HARD * FRAME));
            let loud = |s: &[i16]| s.iter().filter(|s| **s != 0).count();
            prop_assert_eq!(pieces.iter().map(|p| loud(p)).sum::<usize>(), loud(&audio));
            prop_assert!(segmenter.samples.is_empty());
        }
    }
}
