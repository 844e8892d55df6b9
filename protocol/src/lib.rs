//! All that crosses a process boundary, and the one client allowed to carry it.
//!
//! Arrows run `protocol` <- `store`, `providers` <- `actors`, `edge`, `gateway` <- `src`: nothing in here knows a room above it.

pub mod audio;
pub mod bus;
pub mod clock;
pub mod event;
pub mod ids;
pub mod interview;
pub mod join;
pub mod operation;
pub mod plan;
pub mod pulse;
pub mod registry;
pub mod release;
pub mod rpc;
pub mod session;
pub mod state;
pub mod supervision;
pub mod topic;
pub mod trace;
pub mod tree;
pub mod wire;
