//! What both local voices share: a sentence becomes clauses, each a job on the voice's thread, each sent when made.

use super::{
    text::{Phonemizer, clauses},
    worker::Worker,
};
use crate::{ProviderError, tts::Emotion, tts::PcmStream};
use bytes::Bytes;
use futures::StreamExt as _;
use maya_protocol::clock::SharedClock;
use std::{collections::VecDeque, sync::Arc, time::Instant};

/// Samples a second of what a voice says.
pub(super) const RATE: u64 = 24_000;
/// Quieter than this (of 1) is silence.
const SILENCE: f32 = 0.008;
const LEAD: usize = RATE as usize / 100;
const CLAUSE_TAIL: usize = RATE as usize / 8;
const SENTENCE_TAIL: usize = RATE as usize / 4;
/// Phonemes a voice takes at once (Kokoro: 510).
const MOST_PHONEMES: usize = 500;

/// A voice model: phonemes in, samples (24 kHz, -1 to 1) out.
pub(super) trait Engine: Send + 'static {
    /// How a voice of this engine is chosen.
    type Voice: Clone + Send + 'static;
    fn render(&mut self, phonemes: &str, voice: &Self::Voice, speed: f32) -> Result<Vec<f32>, ProviderError>;
}

/// One voice of an engine, ready to speak.
pub(super) struct Speaker<E: Engine> {
    pub(super) worker: Arc<Worker<E>>,
    pub(super) voice: E::Voice,
    pub(super) phonemizer: Arc<Phonemizer>,
    pub(super) clock: SharedClock,
    /// When time began for this speaker: what orders its jobs counts from there.
    pub(super) epoch: Instant,
}

impl<E: Engine> Speaker<E> {
    /// Speaks one sentence. Work is done as the stream is read, one clause ahead at most; dropping it ends the work.
    pub(super) fn speak(&self, text: &str, emotion: Emotion) -> PcmStream {
        let words = self.phonemizer.normalize(text);
        let state = State {
            worker: self.worker.clone(),
            voice: self.voice.clone(),
            phonemizer: self.phonemizer.clone(),
            pieces: clauses::split(&words).into(),
            due: (self.clock.now() - self.epoch).as_millis() as u64,
            speed: speed(emotion),
        };
        let pieces = futures::stream::unfold(state, |mut state| async move {
            let piece = state.pieces.pop_front()?;
            let result = state.next(piece).await;
            if result.is_err() {
                state.pieces.clear();
            }
            Some((result, state))
        });
        pieces.filter(|piece| futures::future::ready(!matches!(piece, Ok(pcm) if pcm.is_empty()))).boxed()
    }
}

struct State<E: Engine> {
    worker: Arc<Worker<E>>,
    voice: E::Voice,
    phonemizer: Arc<Phonemizer>,
    pieces: VecDeque<String>,
    /// In milliseconds: a clause is due when what came before it has been heard.
    due: u64,
    speed: f32,
}

impl<E: Engine> State<E> {
    async fn next(&mut self, piece: String) -> Result<Bytes, ProviderError> {
        let (phonemizer, voice, speed) = (self.phonemizer.clone(), self.voice.clone(), self.speed);
        let last = self.pieces.is_empty();
        let pcm = self
            .worker
            .run(self.due, move |engine| {
                let phonemes = phonemizer.phonemes(&piece)?;
                let mut pcm = Vec::new();
                for part in parts(&phonemes) {
                    let samples = engine.render(&part, &voice, speed)?;
                    pcm.extend(to_pcm(trim(&samples, last)));
                }
                Ok(Bytes::from(pcm))
            })
            .await?;
        self.due += pcm.len() as u64 / 2 * 1000 / RATE;
        Ok(pcm)
    }
}

/// How an emotion sounds here: only its pace.
fn speed(emotion: Emotion) -> f32 {
    match emotion {
        Emotion::Neutral | Emotion::Curious => 1.0,
        Emotion::Encouraging => 1.02,
        Emotion::Warm => 0.97,
        Emotion::Serious => 0.94,
    }
}

/// Cuts what a voice could not take at once (long numbers, spelt words), at spaces. Silence (no sounds) gives nothing.
fn parts(phonemes: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for word in phonemes.split_inclusive(' ') {
        for chunk in word.chars().collect::<Vec<_>>().chunks(MOST_PHONEMES) {
            let last = parts.last_mut().expect("there is always a part");
            if last.chars().count() + chunk.len() > MOST_PHONEMES {
                parts.push(chunk.iter().collect());
            } else {
                last.extend(chunk);
            }
        }
    }
    parts.retain(|part| part.chars().any(char::is_alphabetic));
    parts
}

/// Takes the silence off the start, and all but a breath off the end.
fn trim(samples: &[f32], last: bool) -> &[f32] {
    let loud = |s: &f32| s.abs() > SILENCE;
    let Some(first) = samples.iter().position(loud) else { return &[] };
    let end = samples.iter().rposition(loud).unwrap_or(first) + 1;
    let tail = if last { SENTENCE_TAIL } else { CLAUSE_TAIL };
    &samples[first.saturating_sub(LEAD)..(end + tail).min(samples.len())]
}

fn to_pcm(samples: &[f32]) -> impl Iterator<Item = u8> {
    samples.iter().flat_map(|s| ((s.clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_trimmed_and_long_input_is_cut() {
        let mut samples = vec![0f32; 5000];
        samples.extend([0.5; 1000]);
        samples.extend([0.0; 20_000]);
        assert_eq!(trim(&samples, false).len(), LEAD + 1000 + CLAUSE_TAIL);
        assert_eq!(trim(&[0.0; 100], true).len(), 0);
        assert_eq!(parts(" , . "), Vec::<String>::new());
        let long = "ab ".repeat(400);
        assert_eq!(parts(&long).concat(), long);
        assert!(parts(&long).iter().all(|p| p.chars().count() <= MOST_PHONEMES));
    }
}
