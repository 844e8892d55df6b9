//! The seam to what hears: PCM in, words out.

use crate::ProviderError;
use async_trait::async_trait;
use std::time::Duration;
use tokio::sync::mpsc;

/// What a stream should expect.
#[derive(Debug, Clone, PartialEq)]
pub struct SttConfig {
    /// BCP 47, e.g. `en-US`.
    pub language: String,
    /// Words likely to be said (skills, the title); may be ignored.
    pub hints: Vec<String>,
}

/// What goes into a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum SttInput {
    /// PCM, 16 kHz, mono.
    Audio(Vec<i16>),
    /// The utterance ends here: answer with [`SttEvent::Final`] for all audio since the last one, then go on.
    Finish,
}

/// What comes out of a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum SttEvent {
    /// The words of the utterance so far; may change.
    Interim(String),
    /// The words of the utterance; one for each [`SttInput::Finish`], in order; empty if nothing was said.
    Final(String),
}

/// An open stream: one utterance after another. Dropping it closes the provider's side.
#[derive(Debug)]
pub struct SttStream {
    /// Audio in. Bounded: `try_send` that fails means the provider does not keep up.
    pub input: mpsc::Sender<SttInput>,
    /// Words out. `Err` or the end of the channel means that the stream is dead: open another and feed it the
    /// audio of the utterance again.
    pub events: mpsc::Receiver<Result<SttEvent, ProviderError>>,
}

/// Something that hears.
#[async_trait]
pub trait SpeechToText: Send + Sync + 'static {
    /// Opens a stream.
    async fn open(&self, config: &SttConfig) -> Result<SttStream, ProviderError>;
    /// Recognises one whole piece of PCM (16 kHz, mono).
    async fn recognize(&self, config: &SttConfig, pcm: Vec<i16>) -> Result<String, ProviderError>;
    /// How long a stream may live before the provider ends it, where it does; callers replace it earlier.
    fn stream_limit(&self) -> Option<Duration> {
        None
    }
    /// Whether it understands that language.
    fn speaks(&self, language: &str) -> bool;
    /// For reports and metrics, e.g. `moonshine-tiny-en`.
    fn name(&self) -> &str;
}
