//! Which voice is Maya's: the better one where the machine keeps up with it.

use super::processors::Processors;
use crate::{
    ProviderError,
    tts::{Emotion, SynthesisRequest, TextToSpeech},
};
use futures::StreamExt as _;
use maya_protocol::clock::Clock;

/// How Maya's voice is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VoiceChoice {
    /// Kokoro if it makes a clause in under 0.6 of its duration here, else Piper.
    #[default]
    Auto,
    /// Always Kokoro, if it loads.
    Kokoro,
    /// Always Piper, if it loads.
    Piper,
}

/// Slower than this (seconds of work a second of speech), a conversation stumbles.
pub const KEEPS_UP: f64 = 0.6;
/// A clause of about two seconds.
const CLAUSE: &str = "Thank you, that is a good example.";

/// How fast a voice is on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Seconds of work a second of speech.
    pub rtf: f64,
    /// Whether the machine was left to us. If not, another time may say something else.
    pub undisturbed: bool,
}

/// The share of the processors that others may use meanwhile.
const OTHERS: f64 = 0.15;

/// Measures a voice: the best of three runs, since the first one also warms the model up.
pub async fn measure(voice: &dyn TextToSpeech, clock: &dyn Clock) -> Result<Measured, ProviderError> {
    let before = Processors::now();
    let mut rtf = f64::INFINITY;
    for _ in 0..3 {
        let started = clock.now();
        let request = SynthesisRequest { text: CLAUSE.into(), language: "en-US".into(), emotion: Emotion::default() };
        let mut pieces = voice.synthesize(request).await?;
        let mut bytes = 0usize;
        while let Some(piece) = pieces.next().await {
            bytes += piece?.len();
        }
        let seconds = bytes as f64 / 48_000.0;
        if seconds < 0.5 {
            return Err(ProviderError::fatal("voice", "the voice stays silent"));
        }
        rtf = rtf.min((clock.now() - started).as_secs_f64() / seconds);
    }
    let others = before.zip(Processors::now()).map_or(0.0, |(before, now)| before.others_until(now));
    Ok(Measured { rtf, undisturbed: others < OTHERS })
}
