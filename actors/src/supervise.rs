//! Supervision as values: which child is started again, after what pause, with whom, and when the failure goes up.
//!
//! Nothing here knows an actor: a parent tells what ended and when, and does what the answer says. So a property test
//! can try every order of failures, and the same rules serve actors and plain tasks.
//!
//! `ractor-supervisor` (0.1.9) was read and not taken. It is built on ractor 0.14, whose actors are not ours (0.16). It
//! finds children by name in ractor's process-wide registry, in which two nodes of one test process collide. A child
//! that was killed because it was frozen ended "normally" for it, and a transient one stays dead. Its one restart count
//! is the supervisor's, so that a few bad sessions would end a node with thousands of good ones. It reads the clock,
//! and sleeps in its handlers.

mod children;
mod restarts;

pub use children::{Decision, Ended, Lifetime, Strategy, Supervisor};
pub use restarts::{Policy, Restart, Restarts};

use std::time::Duration;

/// A child of a live interview: it is back within a breath, or the session degrades.
pub const LIVE_CHILD: Policy = Policy {
    most: 5,
    window: Duration::from_secs(60),
    first_pause: Duration::from_millis(20),
    longest_pause: Duration::from_secs(2),
};

/// A session within its node.
pub const SESSION: Policy = Policy {
    most: 5,
    window: Duration::from_secs(120),
    first_pause: Duration::from_millis(50),
    longest_pause: Duration::from_secs(5),
};

/// A recogniser's stream within its ear, over the words of one turn.
pub const STREAM: Policy = Policy {
    most: 4,
    window: Duration::from_secs(60),
    first_pause: Duration::from_millis(100),
    longest_pause: Duration::from_secs(1),
};
