//! Scripted providers for whole-system tests: exact, fast, with latencies and faults on demand.
//!
//! The voices are a *modem*: text becomes loud PCM and is read back letter for letter, so that a test across
//! processes, sockets and brokers can compare words, and a lost or doubled sample shows.

mod embed;
mod faults;
mod llm;
pub mod modem;
mod senses;
mod stt;
mod tts;
pub mod wer;

pub use embed::HashEmbedder;
pub use faults::{Fault, Faults, Latency};
pub use llm::{FaultyLlm, ScriptedLlm};
pub use senses::{EnergyVad, ScriptedEndOfTurn};
pub use stt::ModemStt;
pub use tts::ModemTts;

/// Whether a BCP 47 tag is some English; an absent one counts.
pub(crate) fn is_english(language: &str) -> bool {
    language.is_empty() || language.split('-').next().is_some_and(|primary| primary.eq_ignore_ascii_case("en"))
}
