//! Which voice is Maya's: the better one where the machine keeps up with it.

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
pub(super) const KEEPS_UP: f64 = 0.6;
/// A clause of about two seconds.
const CLAUSE: &str = "Thank you, that is a good example.";

/// Seconds of work a second of speech: the better of two runs, since the first one also warms the model up.
pub async fn measure(voice: &dyn TextToSpeech, clock: &dyn Clock) -> Result<f64, ProviderError> {
    let mut best = f64::INFINITY;
    for _ in 0..2 {
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
        best = best.min((clock.now() - started).as_secs_f64() / seconds);
    }
    Ok(best)
}
