//! Models on this machine: they hear, speak, embed, and notice speech and its end, without any network.
//!
//! Everything is loaded once a process, in parallel; what cannot be loaded is a missing sense, said with what to do, and
//! the rest works on. [`LocalSenses::load`] is the door.

mod kokoro;
#[cfg_attr(not(feature = "local-llm"), allow(dead_code, reason = "all but the engine is built and tested everywhere"))]
mod llm;
mod load;
mod minilm;
mod moonshine;
mod piper;
mod processors;
mod resample;
mod runtime;
mod silero;
mod smart_turn;
mod speech;
mod text;
mod voice_choice;
mod voices;
mod worker;

pub use kokoro::{Kokoro, KokoroVoice};
pub use llm::{LlmOptions, LocalLlm};
pub use load::{LocalOptions, LocalSenses, MissingSense, ModelPaths, Sense};
pub use minilm::MiniLm;
pub use moonshine::Moonshine;
pub use piper::{Piper, PiperVoice};
pub use runtime::Runtime;
pub use silero::Silero;
pub use smart_turn::SmartTurn;
pub use text::Phonemizer;
pub use voice_choice::{KEEPS_UP, Measured, VoiceChoice, measure};

use crate::ProviderError;

/// All local voices and ears are English so far.
fn is_english(language: &str) -> bool {
    language.split(['-', '_']).next().is_some_and(|l| l.eq_ignore_ascii_case("en"))
}

fn only_english(provider: &'static str, language: &str) -> Result<(), ProviderError> {
    if is_english(language) { Ok(()) } else { Err(ProviderError::fatal(provider, format!("does not know {language}"))) }
}
