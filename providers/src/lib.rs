//! What thinks, hears and speaks: the seams, and what stands behind them.
//!
//! Seams: [`stt`], [`llm`], [`tts`], [`embed`], [`vad`]; [`blobs`] go through `object_store`'s own trait.
//! Behind them: [`local`] (models on this machine), [`openai`] (any compatible endpoint), [`plan_follower`]
//! (a deterministic interviewer, honest in its name), [`testing`] (scripted, with faults).

pub mod blobs;
pub mod embed;
pub mod error;
pub mod llm;
mod number_words;
pub mod stt;
pub mod tts;
pub mod vad;

pub mod local;
pub mod openai;
pub mod plan_follower;
pub mod testing;

pub use error::ProviderError;
