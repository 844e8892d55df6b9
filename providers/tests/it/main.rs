//! What only real parts can prove.

mod local;
