//! Noticing modem speech, and judging from its words whether a turn is over.

use super::{
    faults::{Fault, Faults, Latency},
    modem,
};
use crate::{
    ProviderError,
    vad::{EndOfTurn, FRAME, VoiceActivity, VoiceDetector},
};
use async_trait::async_trait;

/// Loud is speech.
#[derive(Debug, Clone, Copy, Default)]
pub struct EnergyVad;

/// Mean amplitude from which a frame counts as loud; a modem block's is far above, a room's far below.
const LOUD: u64 = 1_500;

impl VoiceActivity for EnergyVad {
    fn start(&self) -> Box<dyn VoiceDetector> {
        Box::new(*self)
    }
}
impl VoiceDetector for EnergyVad {
    fn probability(&mut self, frame: &[i16; FRAME]) -> f32 {
        let sum: u64 = frame.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
        if sum / FRAME as u64 >= LOUD { 0.98 } else { 0.02 }
    }
}

/// Words after which a speaker goes on.
const UNFINISHED: [&str; 8] = ["because", "and", "but", "so", "um", "uh", "the", "to"];

/// Reads the modem text of what it hears: a turn that ends in "because", "and", "um" or "…" is not over.
#[derive(Debug, Clone, Default)]
pub struct ScriptedEndOfTurn {
    latency: Latency,
    faults: Faults,
}

impl ScriptedEndOfTurn {
    /// How long it takes to answer.
    pub fn with_latency(mut self, latency: Latency) -> Self {
        self.latency = latency;
        self
    }
    /// What goes wrong.
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }
}

#[async_trait]
impl EndOfTurn for ScriptedEndOfTurn {
    async fn probability(&self, pcm: Vec<i16>) -> Result<f32, ProviderError> {
        const NAME: &str = "scripted-end-of-turn";
        match self.faults.begin(NAME, self.latency).await? {
            Some(Fault::StallAfter(_)) => std::future::pending().await,
            Some(Fault::DieAfter(_)) => Err(ProviderError::retry(NAME, "scripted death")),
            Some(_) => Ok(f32::NAN),
            None => Ok(if is_finished(&modem::decode(&pcm, 16_000)) { 0.95 } else { 0.05 }),
        }
    }
}

fn is_finished(text: &str) -> bool {
    let text = text.trim_end();
    if text.ends_with('…') || text.ends_with("...") {
        return false;
    }
    let last = text.split_whitespace().next_back().unwrap_or_default();
    let last = last.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    !UNFINISHED.contains(&last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_of_speech_is_loud_and_no_other() {
        let mut pcm = modem::encode("Well, that depends on a lot of things.", 16_000, 12);
        let mut vad = EnergyVad.start();
        for frame in pcm.chunks_exact(FRAME) {
            assert!(vad.probability(frame.try_into().unwrap()) > 0.9);
        }
        pcm.fill(40);
        assert!(vad.probability(pcm[..FRAME].try_into().unwrap()) < 0.1);
    }

    #[tokio::test]
    async fn a_turn_is_over_by_its_words() {
        let ear = ScriptedEndOfTurn::default();
        for (text, over) in [
            ("I did it because", false),
            ("and, um,", false),
            ("I was thinking…", false),
            ("I did it.", true),
            ("Yes", true),
            ("", true),
        ] {
            let mut pcm = modem::encode(text, 16_000, 12);
            pcm.extend(modem::silence(16_000, 300));
            assert_eq!(ear.probability(pcm).await.unwrap() > 0.5, over, "{text}");
        }
    }
}
