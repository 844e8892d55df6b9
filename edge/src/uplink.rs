//! What a candidate's frames mean: text in, messages for the bus or a typed refusal out. Pure, one a socket.

mod audio;
mod parse;

use audio::Stream;
use bytes::Bytes;
use maya_protocol::{
    audio::{CandidateBody, ErrorCode},
    ids::SessionId,
    wire::{self, Up},
};

/// What a frame comes to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// For the interviewer, in order.
    pub(crate) bodies: Vec<CandidateBody>,
    /// For the recorder.
    pub(crate) video: Option<Bytes>,
    /// For the candidate, after the above.
    pub(crate) refusal: Option<Refusal>,
}

/// A typed answer to a frame that cannot be taken; the socket stays open unless it was too large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) message: &'static str,
}

impl Refusal {
    const fn new(code: ErrorCode, message: &'static str) -> Self {
        Self { code, message }
    }
}
impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), ..Self::default() }
    }
}
impl From<CandidateBody> for Outcome {
    fn from(body: CandidateBody) -> Self {
        Self { bodies: vec![body], ..Self::default() }
    }
}

/// What is remembered between the frames of a socket.
#[derive(Debug)]
pub(crate) struct Uplink {
    session: SessionId,
    max_frame_bytes: usize,
    recording: bool,
    stream: Stream,
}

impl Uplink {
    pub(crate) fn new(session: SessionId, max_frame_bytes: usize) -> Self {
        Self { session, max_frame_bytes, recording: false, stream: Stream::Idle }
    }

    /// Takes a text frame.
    pub(crate) fn accept(&mut self, text: &str) -> Outcome {
        let too_large = || Outcome::from(Refusal::new(ErrorCode::TooLarge, "the message is too large"));
        let up = match parse::parse(text) {
            Ok(up) => up,
            Err(_) if text.len() > self.max_frame_bytes => return too_large(),
            Err(refusal) => return refusal.into(),
        };
        let (named, large) = match &up {
            Up::Audio(audio) => (audio.session_id, audio.streaming.is_none()),
            Up::Video { session_id, .. } => (*session_id, true),
            Up::Consent { session_id, .. } | Up::Playback { session_id, .. } | Up::Leave { session_id } => {
                (*session_id, false)
            }
        };
        if !large && text.len() > self.max_frame_bytes {
            return too_large();
        }
        if named.is_some_and(|named| named != self.session) {
            return Refusal::new(ErrorCode::BadMessage, "sessionId is not this socket's").into();
        }
        match up {
            Up::Audio(audio) => self.stream.accept(audio),
            Up::Video { data, .. } => self.video(&data),
            Up::Consent { recording, text_version, .. } => {
                self.recording = recording;
                CandidateBody::Consent { recording, text_version }.into()
            }
            Up::Playback { turn_id, sentence, played_ms, .. } => {
                CandidateBody::Played { turn_id, sentence, played_ms }.into()
            }
            Up::Leave { .. } => CandidateBody::Leave.into(),
        }
    }

    /// The start of a stream was not taken by the bus: what follows it would mean nothing.
    pub(crate) fn forget_stream(&mut self) {
        self.stream = Stream::Idle;
    }

    fn video(&self, data: &str) -> Outcome {
        if !self.recording {
            return Refusal::new(ErrorCode::ConsentRequired, "video needs CONSENT with recording: true").into();
        }
        match wire::decode(data) {
            Ok(video) => Outcome { video: Some(video.into()), ..Outcome::default() },
            Err(_) => Refusal::new(ErrorCode::BadMessage, "data is not base64").into(),
        }
    }
}

#[cfg(test)]
mod tests;
