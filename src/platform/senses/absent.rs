//! What stands where a sense is missing: it says so to whoever asks, and the session degrades.

use async_trait::async_trait;
use maya_providers::{
    ProviderError,
    stt::{SpeechToText, SttConfig, SttStream},
    tts::{PcmStream, SynthesisRequest, TextToSpeech},
    vad::EndOfTurn,
};

const NAME: &str = "absent";

/// Hears nothing.
pub struct NoEar;
#[async_trait]
impl SpeechToText for NoEar {
    async fn open(&self, _config: &SttConfig) -> Result<SttStream, ProviderError> {
        Err(ProviderError::fatal(NAME, "this node has no hearing; `maya fetch` says what is missing"))
    }
    async fn recognize(&self, _config: &SttConfig, _pcm: Vec<i16>) -> Result<String, ProviderError> {
        Err(ProviderError::fatal(NAME, "this node has no hearing; `maya fetch` says what is missing"))
    }
    fn speaks(&self, _language: &str) -> bool {
        false
    }
    fn name(&self) -> &str {
        NAME
    }
}

/// Says nothing: Maya's words are shown without voice.
pub struct NoVoice;
#[async_trait]
impl TextToSpeech for NoVoice {
    async fn synthesize(&self, _request: SynthesisRequest) -> Result<PcmStream, ProviderError> {
        Err(ProviderError::fatal(NAME, "this node has no voice; `maya fetch` says what is missing"))
    }
    fn speaks(&self, _language: &str) -> bool {
        false
    }
    fn name(&self) -> &str {
        NAME
    }
}

/// Judges nothing: the longest silence ends every turn.
pub struct NoJudge;
#[async_trait]
impl EndOfTurn for NoJudge {
    async fn probability(&self, _pcm: Vec<i16>) -> Result<f32, ProviderError> {
        Err(ProviderError::fatal(NAME, "this node cannot judge the end of a turn; `maya fetch` says what is missing"))
    }
}
