//! The state of a socket's audio stream: `start` before `chunk` before `end`, batch beside it.

use super::{Outcome, Refusal};
use crate::webm::Demuxer;
use bytes::{Bytes, BytesMut};
use maya_protocol::{
    audio::{CandidateBody, Codec, ErrorCode, push_opus_packet},
    wire::{self, Audio, Encoding, Streaming},
};
use std::ops::RangeInclusive;

/// Most bytes of audio in a message; even, so that no sample is cut.
const MAX_PIECE: usize = 64 * 1024;
/// Sample rates that a microphone gives.
const RATES: RangeInclusive<u32> = 8_000..=48_000;

const NOT_STARTED: Refusal = Refusal::new(ErrorCode::NotStarted, "AUDIO start comes first");
const BAD_RATE: Refusal = Refusal::new(ErrorCode::BadAudio, "sampleRate must lie between 8000 and 48000");
const NO_DATA: Refusal = Refusal::new(ErrorCode::BadMessage, "a chunk has no data");
const BAD_BASE64: Refusal = Refusal::new(ErrorCode::BadAudio, "data is not base64");
const ODD: Refusal = Refusal::new(ErrorCode::BadAudio, "LINEAR16 has two bytes a sample");
const BROKEN: Refusal = Refusal::new(ErrorCode::BadAudio, "the WebM stream is broken: start again");
const CUT: Refusal = Refusal::new(ErrorCode::BadAudio, "the WebM stream ended inside a block");

/// A socket's stream.
#[derive(Debug)]
pub(super) enum Stream {
    /// None is open.
    Idle,
    /// WebM with Opus.
    Opus { demuxer: Demuxer, sample_rate: u32 },
    /// Samples.
    Pcm { sample_rate: u32 },
    /// Broken: said once, then silent until the next start.
    Dead,
}

impl Stream {
    pub(super) fn accept(&mut self, audio: Audio) -> Outcome {
        match audio.streaming {
            Some(Streaming::Start) => self.start(&audio),
            Some(Streaming::Chunk) => match audio.data.as_deref() {
                Some(data) => self.chunk(data),
                None => NO_DATA.into(),
            },
            Some(Streaming::End) => self.end(),
            None => batch(&audio),
        }
    }

    fn start(&mut self, audio: &Audio) -> Outcome {
        let sample_rate = audio.sample_rate.unwrap_or(48_000);
        if !RATES.contains(&sample_rate) {
            // The chunks that follow belong to what was refused.
            *self = Stream::Dead;
            return BAD_RATE.into();
        }
        let codec = match audio.encoding.unwrap_or(Encoding::WebmOpus) {
            Encoding::WebmOpus => {
                *self = Stream::Opus { demuxer: Demuxer::default(), sample_rate };
                Codec::Opus
            }
            Encoding::Linear16 => {
                *self = Stream::Pcm { sample_rate };
                Codec::Linear16
            }
        };
        CandidateBody::AudioStart { codec, sample_rate }.into()
    }

    fn chunk(&mut self, data: &str) -> Outcome {
        let data = match self {
            Stream::Idle => return NOT_STARTED.into(),
            Stream::Dead => return Outcome::default(),
            Stream::Opus { .. } | Stream::Pcm { .. } => wire::decode(data),
        };
        let Ok(data) = data else {
            // Samples go on with the next chunk; WebM without some of its bytes does not.
            if matches!(self, Stream::Opus { .. }) {
                *self = Stream::Dead;
            }
            return BAD_BASE64.into();
        };
        match self {
            Stream::Pcm { sample_rate } => {
                let sample_rate = *sample_rate;
                pcm(data, |data| CandidateBody::Audio { codec: Codec::Linear16, sample_rate, data })
            }
            Stream::Opus { demuxer, sample_rate } => {
                let sample_rate = *sample_rate;
                let (mut bodies, mut packets) = (Vec::new(), BytesMut::new());
                let audio = |packets: &mut BytesMut| CandidateBody::Audio {
                    codec: Codec::Opus,
                    sample_rate,
                    data: packets.split().freeze(),
                };
                let demuxed = demuxer.push(&data, |packet| {
                    if packets.len() + packet.len() + 2 > MAX_PIECE {
                        bodies.push(audio(&mut packets));
                    }
                    push_opus_packet(&mut packets, packet);
                });
                if !packets.is_empty() {
                    bodies.push(audio(&mut packets));
                }
                let refusal = demuxed.is_err().then_some(BROKEN);
                if refusal.is_some() {
                    *self = Stream::Dead;
                }
                Outcome { bodies, refusal, ..Outcome::default() }
            }
            Stream::Idle | Stream::Dead => Outcome::default(),
        }
    }

    /// What was heard until now is finalised, also of a stream that broke.
    fn end(&mut self) -> Outcome {
        let refusal = match std::mem::replace(self, Stream::Idle) {
            Stream::Idle => return NOT_STARTED.into(),
            Stream::Opus { demuxer, .. } => demuxer.is_cut().then_some(CUT),
            Stream::Pcm { .. } | Stream::Dead => None,
        };
        Outcome { bodies: vec![CandidateBody::AudioEnd], refusal, ..Outcome::default() }
    }
}

fn batch(audio: &Audio) -> Outcome {
    let sample_rate = audio.sample_rate.unwrap_or(16_000);
    if !RATES.contains(&sample_rate) {
        return BAD_RATE.into();
    }
    if audio.encoding == Some(Encoding::WebmOpus) {
        return Refusal::new(ErrorCode::BadAudio, "batch audio is LINEAR16").into();
    }
    let Some(data) = &audio.data else {
        return Refusal::new(ErrorCode::BadMessage, "AUDIO needs streaming or data").into();
    };
    match wire::decode(data) {
        Ok(data) => pcm(data, |data| CandidateBody::Batch { sample_rate, data }),
        Err(_) => BAD_BASE64.into(),
    }
}

/// Samples, cut into messages.
fn pcm(data: Vec<u8>, body: impl Fn(Bytes) -> CandidateBody) -> Outcome {
    if data.len() % 2 == 1 {
        return ODD.into();
    }
    let mut data = Bytes::from(data);
    let mut bodies = Vec::with_capacity(data.len().div_ceil(MAX_PIECE));
    while !data.is_empty() {
        bodies.push(body(data.split_to(data.len().min(MAX_PIECE))));
    }
    Outcome { bodies, ..Outcome::default() }
}
