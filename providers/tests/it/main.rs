//! What only real parts can prove.

mod llm;
mod local;
