//! Events of the live session.

use crate::{
    ids::{Epoch, InterviewId, NodeId, SessionId},
    interview::Turn,
    session::Outcome,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The session ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterviewCompleted {
    /// Which interview.
    pub interview_id: InterviewId,
    /// Its session.
    pub session_id: SessionId,
    /// How it ended; the assessor takes `COMPLETED` and `ABANDONED`.
    pub outcome: Outcome,
    /// Why, e.g. `all_questions_asked`, `time_used`, `no_answers`, `candidate_left`.
    pub reason: String,
    /// Turns recorded.
    pub turns: u32,
    /// When the last word was said.
    pub ended_at: DateTime<Utc>,
}

/// A finalised utterance or a reply, as recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnRecorded {
    /// Which session.
    pub session_id: SessionId,
    /// Its interview.
    pub interview_id: InterviewId,
    /// The ownership under which it was recorded.
    pub epoch: Epoch,
    /// What was said.
    pub turn: Turn,
}

/// A session's life changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionChanged {
    /// Which session.
    pub session_id: SessionId,
    /// Its interview.
    pub interview_id: InterviewId,
    /// What changed.
    pub change: SessionChange,
    /// Why, where there is a why.
    #[serde(default)]
    pub reason: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// The ownership under which it changed.
    pub epoch: Epoch,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionChange {
    /// The candidate joined for the first time: `IN_PROGRESS`.
    Started,
    /// The candidate is away.
    Suspended,
    /// The candidate is back, or a new owner went on.
    Resumed,
    /// Over; `interview.completed` says how.
    Ended,
}

/// Something the session is told to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionCommand {
    /// Which session.
    pub session_id: SessionId,
    /// Its interview.
    pub interview_id: InterviewId,
    /// What to do.
    pub command: Command,
    /// Who asked and why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "kind")]
pub enum Command {
    /// Called off: no closing words, not assessed.
    Cancel,
    /// Past its time: not assessed.
    Expire,
    /// Close politely: assessed.
    End,
    /// Hand over to that node.
    #[allow(missing_docs)]
    Move { to: NodeId },
    /// The join link was revoked: let no further socket in.
    Revoke,
}
