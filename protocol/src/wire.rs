//! The browser's WebSocket messages: JSON text frames, as the incumbent's clients speak them.

use crate::{
    audio::ErrorCode,
    ids::{SessionId, TurnId},
    session::Phase,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

/// Most bytes of an ordinary text frame.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;
/// Most bytes of a batch AUDIO or a VIDEO frame (configurable).
pub const MAX_LARGE_FRAME_BYTES: usize = 4 * 1024 * 1024;
/// Close code of a socket that a newer one replaced.
pub const CLOSE_REPLACED: u16 = 4001;

/// What a candidate's client sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Up {
    /// What the candidate agreed to.
    #[serde(rename = "CONSENT", rename_all = "camelCase")]
    #[allow(missing_docs)]
    Consent {
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        recording: bool,
        #[serde(default)]
        text_version: String,
    },
    /// Streamed or batch audio; which one, [`Audio::streaming`] tells.
    #[serde(rename = "AUDIO")]
    Audio(Audio),
    /// Camera.
    #[serde(rename = "VIDEO", rename_all = "camelCase")]
    #[allow(missing_docs)]
    Video {
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        data: String,
    },
    /// What has been heard.
    #[serde(rename = "PLAYBACK", rename_all = "camelCase")]
    #[allow(missing_docs)]
    Playback {
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        turn_id: TurnId,
        sentence: u32,
        played_ms: u64,
    },
    /// The candidate ends the interview.
    #[serde(rename = "LEAVE", rename_all = "camelCase")]
    #[allow(missing_docs)]
    Leave {
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
    },
}

/// The fields of an AUDIO message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Audio {
    /// The session, as the token says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// Present on streamed audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streaming: Option<Streaming>,
    /// `WEBM_OPUS` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// Hertz; 48,000 of a stream and 16,000 of a batch where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// A stream's step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Streaming {
    Start,
    Chunk,
    End,
}

/// A stream's encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum Encoding {
    WebmOpus,
    Linear16,
}

/// What a candidate's client is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Down {
    /// What Maya does.
    #[serde(rename = "STATE", rename_all = "camelCase")]
    #[allow(missing_docs)]
    State {
        session_id: SessionId,
        state: Phase,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        remaining_seconds: u64,
    },
    /// A part of one of Maya's sentences.
    #[serde(rename = "AGENT_RESPONSE", rename_all = "camelCase")]
    #[allow(missing_docs)]
    AgentResponse {
        session_id: SessionId,
        turn_id: TurnId,
        sentence: u32,
        part: u32,
        text: String,
        data: String,
        sample_rate: u32,
        last: bool,
    },
    /// Drop what is not yet played.
    #[serde(rename = "AGENT_CLEAR", rename_all = "camelCase")]
    #[allow(missing_docs)]
    AgentClear { session_id: SessionId, turn_id: TurnId },
    /// The candidate's words.
    #[serde(rename = "TRANSCRIPT", rename_all = "camelCase")]
    #[allow(missing_docs)]
    Transcript { session_id: SessionId, utterance_id: TurnId, text: String, r#final: bool },
    /// Something is wrong.
    #[serde(rename = "ERROR", rename_all = "camelCase")]
    #[allow(missing_docs)]
    Error { code: ErrorCode, message: String, retryable: bool },
}

/// Base64 as the wire carries it.
pub fn encode(data: &[u8]) -> String {
    BASE64.encode(data)
}

/// Reads base64 as the wire carries it.
pub fn decode(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    BASE64.decode(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_incumbents_frames_are_read() {
        let session = SessionId::fresh();
        let start = format!(r#"{{"type":"AUDIO","sessionId":"{session}","streaming":"start","later":1}}"#);
        let Up::Audio(audio) = serde_json::from_str(&start).unwrap() else { panic!("not audio") };
        assert_eq!(audio.streaming, Some(Streaming::Start));
        let batch = format!(r#"{{"type":"AUDIO","sessionId":"{session}","data":"AAA=","sampleRate":16000}}"#);
        let Up::Audio(audio) = serde_json::from_str(&batch).unwrap() else { panic!("not audio") };
        assert_eq!((audio.streaming, audio.sample_rate), (None, Some(16_000)));
    }

    #[test]
    fn names_are_the_contracts() {
        let session_id = SessionId::fresh();
        let clear = serde_json::to_value(Down::AgentClear { session_id, turn_id: TurnId(3) }).unwrap();
        assert_eq!(clear, serde_json::json!({"type":"AGENT_CLEAR","sessionId":session_id,"turnId":"t3"}));
        let state = Down::State { session_id, state: Phase::Listening, reason: None, remaining_seconds: 5 };
        assert_eq!(
            serde_json::to_value(state).unwrap(),
            serde_json::json!({"type":"STATE","sessionId":session_id,"state":"LISTENING","remainingSeconds":5})
        );
        let error = Down::Error { code: ErrorCode::AudioBacklog, message: "m".into(), retryable: true };
        assert_eq!(serde_json::to_value(error).unwrap()["code"], "audio_backlog");
    }
}
