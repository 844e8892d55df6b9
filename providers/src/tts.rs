//! The seam to what speaks: a sentence in, PCM out.

use crate::ProviderError;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

/// How a sentence should sound; parsed off the model's tags, never spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Emotion {
    #[default]
    Neutral,
    Warm,
    Encouraging,
    Curious,
    Serious,
}

impl Emotion {
    /// All, by the names that models tag their sentences with.
    const NAMES: [(&str, Self); 5] = [
        ("neutral", Self::Neutral),
        ("warm", Self::Warm),
        ("encouraging", Self::Encouraging),
        ("curious", Self::Curious),
        ("serious", Self::Serious),
    ];
    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, emotion)| *emotion)
    }
    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, emotion)| *emotion == self).map_or("neutral", |(name, _)| *name)
    }
}

/// One sentence to be spoken.
#[derive(Debug, Clone, PartialEq)]
pub struct SynthesisRequest {
    /// The words, without tags.
    pub text: String,
    /// BCP 47.
    pub language: String,
    /// How it should sound; may be ignored.
    pub emotion: Emotion,
}

/// PCM in the order it is heard: 24 kHz, mono, signed 16 bit, little endian; each piece whole samples.
pub type PcmStream = BoxStream<'static, Result<Bytes, ProviderError>>;

/// Something that speaks.
#[async_trait]
pub trait TextToSpeech: Send + Sync + 'static {
    /// Synthesises one sentence; the first piece should come as early as the engine can.
    async fn synthesize(&self, request: SynthesisRequest) -> Result<PcmStream, ProviderError>;
    /// Whether it speaks that language.
    fn speaks(&self, language: &str) -> bool;
    /// For reports and metrics, e.g. `kokoro/af_heart`.
    fn name(&self) -> &str;
}
