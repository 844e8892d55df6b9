//! What everyone may know of a live session.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What Maya does; the candidate's STATE message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    /// Joined, no owner yet (or a queue).
    Waiting,
    /// The opening words.
    Greeting,
    /// The floor is the candidate's.
    Listening,
    /// A reply is being worded.
    Thinking,
    /// A reply is being heard.
    Speaking,
    /// The candidate is away.
    Suspended,
    /// The closing words.
    Closing,
    /// Over.
    Ended,
}
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Waiting => "WAITING",
            Phase::Greeting => "GREETING",
            Phase::Listening => "LISTENING",
            Phase::Thinking => "THINKING",
            Phase::Speaking => "SPEAKING",
            Phase::Suspended => "SUSPENDED",
            Phase::Closing => "CLOSING",
            Phase::Ended => "ENDED",
        })
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// Maya closed: all asked, time used, or nothing answered.
    Completed,
    /// The candidate left before the closing or stayed away.
    Abandoned,
    /// Called off over the API.
    Cancelled,
    /// Past the interview's `expiresAt`.
    Expired,
    /// Could not go on.
    Failed,
}

/// The live view of a session, kept in the registry by its owner; a cache, never the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveState {
    /// What Maya does.
    pub phase: Phase,
    /// Interview time left.
    pub remaining_seconds: u64,
    /// Last word of either side.
    pub last_activity_at: DateTime<Utc>,
    /// Turns recorded.
    pub turns: u32,
    /// Grows with every change.
    pub version: u64,
}
