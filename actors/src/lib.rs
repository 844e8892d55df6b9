//! What lives: ractor actors, their supervision and their placement.

pub mod assessor;
pub mod history;
pub mod interviewer;
pub mod llm_prompt;
pub mod llm_turn;
pub mod node;
pub mod notifier;
pub mod observe;
pub mod opening;
pub mod parts;
pub mod placement;
pub mod planner;
pub mod quota;
pub mod recorder;
pub mod session;
pub mod speech_to_text;
pub mod supervise;
pub mod traced;
pub mod tts_sentence;
