//! What a candidate saw, heard and said; the object that `--json` prints.

use maya_protocol::{
    ids::{SessionId, TurnId},
    session::Phase,
};
use serde::Serialize;

/// Something that happened; `at_ms` counts from the join.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Milliseconds since the join.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "the contract's messages, and some of our own")]
pub enum What {
    State {
        state: Phase,
        reason: Option<String>,
        remaining_seconds: u64,
    },
    Transcript {
        utterance_id: TurnId,
        text: String,
        r#final: bool,
    },
    AgentResponse {
        turn_id: TurnId,
        sentence: u32,
        part: u32,
        text: String,
        duration_ms: u64,
        last: bool,
    },
    AgentClear {
        turn_id: TurnId,
    },
    Error {
        code: String,
        message: String,
        retryable: bool,
    },
    /// The candidate begins a line.
    Saying {
        line: usize,
        text: Option<String>,
    },
    /// The line's last sample was sent.
    Said {
        line: usize,
    },
    /// The line was cut by the loss of the connection; it is said again on the next.
    Cut {
        line: usize,
    },
    /// A connection is there, the n-th from 0, at the edge of that host and port.
    Joined {
        connection: u32,
        edge: String,
    },
    /// It is gone, and another is looked for.
    Lost {
        code: Option<u16>,
    },
    /// The last connection is gone.
    Closed {
        code: Option<u16>,
    },
}

/// One line of the candidate and the reply to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpokenLine {
    /// What was said, where it is known.
    pub text: Option<String>,
    /// When it began.
    pub started_ms: u64,
    /// When its last sample was sent.
    pub ended_ms: u64,
    /// What was recorded of it.
    pub utterances: Vec<Utterance>,
    /// The reply.
    pub reply: Option<TurnId>,
    /// From the last sample to the first audio of the reply.
    pub first_audio_ms: Option<u64>,
}

/// A recorded utterance.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct Utterance {
    pub utterance_id: TurnId,
    pub text: String,
}

/// One of Maya's turns as it was heard.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MayaTurn {
    /// Which.
    pub turn_id: TurnId,
    /// When its first audio was heard.
    pub started_ms: u64,
    /// When its last audio was heard.
    pub ended_ms: u64,
    /// Its sentences.
    pub text: String,
    /// Whether its last frame came.
    pub complete: bool,
    /// Whether it was interrupted.
    pub cleared: bool,
    /// What was heard of it, 24 kHz.
    #[serde(skip)]
    pub pcm: Vec<i16>,
    #[serde(skip)]
    pub(super) sentences: Vec<(u32, String)>,
}

impl MayaTurn {
    pub(super) fn new(turn_id: TurnId, started_ms: u64) -> Self {
        Self {
            turn_id,
            started_ms,
            ended_ms: started_ms,
            text: String::new(),
            complete: false,
            cleared: false,
            pcm: Vec::new(),
            sentences: Vec::new(),
        }
    }
}

/// How an interview went, as its candidate knows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Which.
    pub session_id: SessionId,
    /// Whether the end was announced (STATE ENDED) before the close.
    pub ended: bool,
    /// Its reason.
    pub reason: Option<String>,
    /// The socket's close code.
    pub close_code: Option<u16>,
    /// From the join to the end.
    pub duration_ms: u64,
    /// The candidate's lines.
    pub lines: Vec<SpokenLine>,
    /// Maya's turns.
    pub maya: Vec<MayaTurn>,
    /// Of the first interruption: milliseconds from its onset to AGENT_CLEAR.
    pub interruption_ms: Option<u64>,
    /// Everything in order.
    pub events: Vec<Event>,
    /// Everything that was heard, 24 kHz, from the join on.
    #[serde(skip)]
    pub recording: Vec<i16>,
}

impl Report {
    /// Median time from a line's last sample to the first audio of its reply.
    pub fn median_first_audio_ms(&self) -> Option<u64> {
        let mut times: Vec<u64> = self.lines.iter().filter_map(|line| line.first_audio_ms).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }
}
