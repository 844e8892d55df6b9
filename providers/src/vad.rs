//! The seams to what notices speech, and what judges whether a turn is over.

use crate::ProviderError;
use async_trait::async_trait;

/// Samples in one frame of voice activity: 32 ms at 16 kHz.
pub const FRAME: usize = 512;

/// Something that notices speech.
pub trait VoiceActivity: Send + Sync + 'static {
    /// A detector for one stream, with state of its own.
    fn start(&self) -> Box<dyn VoiceDetector>;
}

/// A detector for one stream. A call takes tens of microseconds.
pub trait VoiceDetector: Send {
    /// Probability (0 to 1) that this frame (16 kHz, mono) is speech.
    fn probability(&mut self, frame: &[i16; FRAME]) -> f32;
}

/// Something that judges from the sound whether the speaker has finished.
#[async_trait]
pub trait EndOfTurn: Send + Sync + 'static {
    /// Probability (0 to 1) that the turn is over, given its last 8 s at most (16 kHz, mono), the pause included.
    async fn probability(&self, pcm: Vec<i16>) -> Result<f32, ProviderError>;
}
