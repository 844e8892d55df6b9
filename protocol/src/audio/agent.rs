//! From the interviewer to the edge: Maya's audio, words and state, and what was heard of the candidate.

use super::{
    MediaError,
    frame::{get, get_trace, join, put, put_trace, split},
};
use crate::{
    bus::Record,
    event::{HEADER_KEY_ID, Headers, header},
    ids::{ConnectionId, Epoch, NodeId, SessionId, TenantId, TurnId},
    session::Phase,
    topic::{Channel, Topic},
    trace::TraceContext,
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One message to a candidate's connection.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentMessage {
    /// Whose session; the key.
    pub session: SessionId,
    /// Whose data.
    pub tenant: TenantId,
    /// The session's partition.
    pub partition: u32,
    /// The ownership that speaks; an edge delivers nothing of a lower one once it saw a higher.
    pub epoch: Epoch,
    /// The connection it is meant for; an edge delivers it to no other.
    pub connection: ConnectionId,
    /// The work that says it.
    pub trace: Option<TraceContext>,
    /// What it says.
    pub body: AgentBody,
}

/// What is said to a candidate's connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum AgentBody {
    /// A new owner speaks from here on; on which node, for the edge to notice when that is lost.
    #[allow(missing_docs)]
    TakeOver {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<NodeId>,
    },
    /// What Maya does.
    #[serde(rename_all = "camelCase")]
    #[allow(missing_docs)]
    State { phase: Phase, reason: Option<String>, remaining_seconds: u64 },
    /// A part of a sentence: PCM, 24 kHz.
    #[serde(rename_all = "camelCase")]
    #[allow(missing_docs)]
    Speech {
        turn_id: TurnId,
        sentence: u32,
        part: u32,
        text: String,
        last: bool,
        #[serde(skip)]
        pcm: Bytes,
    },
    /// All of a sentence was sent, in that many parts. For the edge, which cannot tell otherwise whether it has a
    /// sentence whole.
    #[serde(rename_all = "camelCase")]
    #[allow(missing_docs)]
    Whole { turn_id: TurnId, sentence: u32, parts: u32 },
    /// Drop what is not yet played of that turn. For a barge-in: when the session took the floor from Maya, by its
    /// node's clock. Measured against, never decided by.
    #[serde(rename_all = "camelCase")]
    #[allow(missing_docs)]
    Clear {
        turn_id: TurnId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        barged_in_at: Option<DateTime<Utc>>,
    },
    /// The candidate's words; travels on `audio.candidate.transcribed`.
    #[serde(rename_all = "camelCase")]
    #[allow(missing_docs)]
    Transcript { utterance_id: TurnId, text: String, r#final: bool },
    /// Something went wrong; the socket stays open.
    #[serde(rename_all = "camelCase")]
    #[allow(missing_docs)]
    Error { code: ErrorCode, message: String, retryable: bool },
    /// Close the socket in good order, after `State` said `ENDED`.
    Close,
}

/// The error codes of the candidate's WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "named and explained in docs/contracts.md")]
pub enum ErrorCode {
    BadMessage,
    UnknownType,
    NotStarted,
    BadAudio,
    AudioBacklog,
    ConsentRequired,
    TooLarge,
    SessionReplaced,
    SessionEnded,
    Overloaded,
    Internal,
}

impl AgentMessage {
    /// As a record of `audio.agent.spoken`, or of `audio.candidate.transcribed` where it is a transcript.
    pub fn to_record(&self) -> Record {
        let mut headers = Headers::with_capacity(5);
        put(&mut headers, "tenant", self.tenant);
        put(&mut headers, "epoch", self.epoch);
        put(&mut headers, "connection", self.connection);
        put_trace(&mut headers, self.trace);
        put(&mut headers, HEADER_KEY_ID, "");
        let topic = match &self.body {
            AgentBody::Transcript { .. } => Topic::CandidateTranscribed,
            _ => Topic::AgentSpoken,
        };
        let data = match &self.body {
            AgentBody::Speech { pcm, .. } => pcm.clone(),
            _ => Bytes::new(),
        };
        Record {
            channel: Channel::Main(topic),
            key: self.session.to_string(),
            partition: Some(self.partition),
            headers,
            payload: join(&self.body, &data),
        }
    }
    /// Reads a record of either topic.
    pub fn from_record(record: &Record) -> Result<Self, MediaError> {
        let headers = &record.headers;
        let (mut body, bytes) = split(&record.payload)?;
        if let AgentBody::Speech { pcm, .. } = &mut body {
            *pcm = bytes;
        }
        Ok(Self {
            session: record.key.parse().map_err(|_| MediaError::Header("key"))?,
            tenant: get(headers, "tenant")?,
            partition: record.partition.unwrap_or_default(),
            epoch: Epoch(
                header(headers, "epoch").and_then(|text| text.parse().ok()).ok_or(MediaError::Header("epoch"))?,
            ),
            connection: get(headers, "connection")?,
            trace: get_trace(headers),
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_reads_back_with_its_audio() {
        let message = AgentMessage {
            session: SessionId::fresh(),
            tenant: TenantId::fresh(),
            partition: 1,
            epoch: Epoch(4),
            connection: ConnectionId::fresh(),
            trace: Some(TraceContext::fresh()),
            body: AgentBody::Speech {
                turn_id: TurnId(2),
                sentence: 0,
                part: 1,
                text: "Hello, café.".into(),
                last: true,
                pcm: Bytes::from_static(&[1, 2, 3, 4]),
            },
        };
        assert_eq!(AgentMessage::from_record(&message.to_record()).unwrap(), message);
    }
}
