//! What is known when a storm is over: what each candidate saw, what the database holds, which webhooks came.

use serde::{Deserialize, Serialize};

/// All that the judge is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Every interview that a candidate joined.
    pub interviews: Vec<Interview>,
    /// The outbox.
    pub sent: Vec<Sent>,
    /// The inboxes.
    pub taken: Vec<Taken>,
    /// What the platform says that it told the receiver of webhooks.
    pub deliveries: Vec<Delivery>,
    /// What that receiver got, in order of arrival.
    pub hooks: Vec<Hook>,
}

/// One interview, from both sides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Interview {
    pub id: String,
    pub state: String,
    /// Its audit log, oldest first.
    pub moves: Vec<Move>,
    /// Its recorded turns, in order.
    pub turns: Vec<Turn>,
    /// What its candidate saw and did, in order.
    pub log: Vec<Line>,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Move {
    pub from: String,
    pub to: String,
}

/// A recorded turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Turn {
    pub number: u32,
    /// `CANDIDATE` or `MAYA`.
    pub speaker: String,
    pub text: String,
    /// What Maya's turn is spoken in.
    pub sentences: Vec<String>,
    /// The ownership that wrote it last.
    pub epoch: i64,
}

/// A line of a candidate's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Milliseconds since the storm began.
    pub seen_ms: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What a candidate saw or did; the names are those of `maya candidate --log`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "the contract's messages; the others are explained in src/cli/candidate/report.rs")]
pub enum What {
    Joined { connection: u32, edge: String },
    Lost {},
    Closed { code: Option<u16> },
    Saying { text: Option<String> },
    Said {},
    Cut {},
    State { state: String, reason: Option<String> },
    Transcript { utterance_id: String, text: String, r#final: bool },
    AgentResponse { turn_id: String, sentence: u32, part: u32, text: String, duration_ms: u64, last: bool },
    AgentClear { turn_id: String },
    Error { code: String },
}

/// A row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Sent {
    pub event: String,
    pub topic: String,
    pub published: bool,
}

/// A row of an inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Taken {
    pub consumer: String,
    pub event: String,
    pub topic: String,
    pub done: bool,
    /// Why it is not done, or was given up.
    pub error: Option<String>,
}

/// A row of the webhooks' deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Delivery {
    pub message: String,
    pub interview: String,
    pub kind: String,
    pub state: String,
}

/// A webhook that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Hook {
    pub message: String,
    pub interview: String,
    pub kind: String,
    /// Why its signature is not good; none: it is.
    pub fault: Option<String>,
}
