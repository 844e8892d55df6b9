//! The assessor's mind: what the transcript shows of each skill, and in whose words.
//!
//! [`assess`] is the deterministic engine `rubric-signals/1`; [`LlmAssessor`] lets a model judge. Whoever judges, a
//! person included, every quote must occur letter for letter in the turn it names: [`verify_quotes`]. Nothing is said
//! of voice, accent, emotion or person. A person approves it later; what is consumed and published is not here.

pub mod agent;
mod engine;
mod evidence;
mod model;
mod quotes;
mod verdict;

pub use engine::assess;
pub use model::{AssessError, LlmAssessor};
pub use quotes::{BadQuote, verify_quotes};

#[cfg(test)]
mod tests;
