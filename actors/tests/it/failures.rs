//! The failure table of docs/failures.md, a test a row: what the candidate hears, what is kept, what the tree shows.
//!
//! Each row is a real session tree under a real node: embedded bus and registry, a PostgreSQL, scripted senses that
//! fail on demand. Words travel as sound, so that a lost one is missed.

mod body;
mod ground;
mod hearing;
mod platform;
mod speaking;
mod stage;
mod thinking;
