//! What the measurements share: a platform of real processes, an HTTP client that costs little, and figures.
//!
//! Each binary of this crate measures one promise; `README.md` beside it lists commands, goals and what was seen.

pub mod candidate;
pub mod crowd;
pub mod figures;
pub mod http;
pub mod listeners;
pub mod site;
