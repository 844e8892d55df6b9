//! A voice that is a modem: what it says can be read back letter for letter.

use super::{
    faults::{Faults, Latency, bend},
    is_english, modem,
};
use crate::{
    ProviderError,
    tts::{PcmStream, SynthesisRequest, TextToSpeech},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};

const NAME: &str = "modem-tts";
const RATE: u32 = 24_000;
/// Samples in one piece: 100 ms.
const PIECE: usize = 2_400;

/// Speaks English as a modem at 24 kHz, in pieces of 100 ms.
#[derive(Debug, Clone)]
pub struct ModemTts {
    ms_per_char: u32,
    latency: Latency,
    faults: Faults,
}

impl Default for ModemTts {
    fn default() -> Self {
        Self { ms_per_char: modem::MS_PER_CHARACTER, latency: Latency::default(), faults: Faults::none() }
    }
}

impl ModemTts {
    /// What one byte of text lasts.
    pub fn with_ms_per_char(mut self, ms: u32) -> Self {
        self.ms_per_char = ms;
        self
    }
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
impl TextToSpeech for ModemTts {
    async fn synthesize(&self, request: SynthesisRequest) -> Result<PcmStream, ProviderError> {
        if !is_english(&request.language) {
            return Err(ProviderError::fatal(NAME, "unknown language"));
        }
        let fault = self.faults.begin(NAME, self.latency).await?;
        let pcm = modem::encode(&request.text, RATE, self.ms_per_char);
        let pieces: Vec<Result<Bytes, ProviderError>> =
            pcm.chunks(PIECE).map(|piece| Ok(piece.iter().flat_map(|s| s.to_le_bytes()).collect())).collect();
        Ok(bend(NAME, stream::iter(pieces).boxed(), fault, self.latency.between, garble))
    }
    fn speaks(&self, language: &str) -> bool {
        is_english(language)
    }
    fn name(&self) -> &str {
        NAME
    }
}

/// As many bytes, an odd one more: not whole samples, which no caller may trust.
fn garble(piece: Bytes) -> Bytes {
    piece.iter().map(|b| b.rotate_left(3) ^ 0x5a).chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{testing::Fault, tts::Emotion};

    fn request(text: &str, language: &str) -> SynthesisRequest {
        SynthesisRequest { text: text.into(), language: language.into(), emotion: Emotion::Warm }
    }

    #[tokio::test]
    async fn a_sentence_can_be_read_back() {
        let tts = ModemTts::default();
        let text = "Hello Zoë, it's good to meet you.";
        let pieces: Vec<Bytes> =
            tts.synthesize(request(text, "en-US")).await.unwrap().map(|p| p.unwrap()).collect().await;
        assert!(pieces.len() > 3 && pieces.iter().all(|p| p.len() % 2 == 0));
        let pcm: Vec<i16> = pieces.concat().chunks(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        assert_eq!(modem::decode(&pcm, RATE), text);
        assert_eq!(pcm.len(), text.len() * 288);
        assert!(tts.synthesize(request(text, "fr-FR")).await.is_err_and(|e| !e.is_retryable()));
    }

    #[tokio::test]
    async fn faults_come_when_they_are_ordered() {
        let tts =
            ModemTts::default().with_faults(Faults::none().on_call(0, Fault::Retry).on_call(1, Fault::DieAfter(1)));
        assert!(tts.synthesize(request("One.", "en")).await.is_err_and(|e| e.is_retryable()));
        let heard: Vec<_> = tts.synthesize(request("A longer sentence.", "en")).await.unwrap().collect().await;
        assert!(heard.len() == 2 && heard[0].is_ok() && heard[1].is_err());
        assert!(tts.synthesize(request("Three.", "en")).await.is_ok());
    }
}
