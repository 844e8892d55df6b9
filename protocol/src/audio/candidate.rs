//! From the edge to the interviewer: microphone audio and session signals.

use super::{
    MediaError,
    frame::{get, get_trace, join, put, put_trace, split},
};
use crate::{
    bus::Record,
    event::{HEADER_KEY_ID, Headers, header},
    ids::{ConnectionId, SessionId, TenantId, TurnId},
    topic::{Channel, Topic},
    trace::TraceContext,
};
use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How audio bytes are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Codec {
    /// Whole Opus packets, each behind its length (`u16 LE`).
    Opus,
    /// PCM, signed 16 bit, little endian, mono.
    Linear16,
}

/// One message of a candidate's connection.
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateMessage {
    /// Whose session; the key.
    pub session: SessionId,
    /// Whose data, from the signed token.
    pub tenant: TenantId,
    /// The session's partition, from the signed token.
    pub partition: u32,
    /// Which connection.
    pub connection: ConnectionId,
    /// The connection's generation, the stream of (stream, sequence).
    pub stream: u64,
    /// Counted by the edge from 0 over all messages of the connection.
    pub sequence: u64,
    /// When the edge read it; to measure lag on one machine only.
    pub captured_at: DateTime<Utc>,
    /// The connection's trace, begun by the edge.
    pub trace: Option<TraceContext>,
    /// What it says.
    pub body: CandidateBody,
}

/// What a candidate's connection says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum CandidateBody {
    /// The socket is open; answer with STATE, and say again what was cut.
    Joined,
    /// The socket is gone.
    Left,
    /// The candidate ends the interview.
    Leave,
    /// What the candidate agreed to.
    #[serde(rename_all = "camelCase")]
    #[allow(missing_docs)]
    Consent { recording: bool, text_version: String },
    /// A stream begins.
    #[serde(rename_all = "camelCase")]
    #[allow(missing_docs)]
    AudioStart { codec: Codec, sample_rate: u32 },
    /// A piece of the stream.
    #[serde(rename_all = "camelCase")]
    #[allow(missing_docs)]
    Audio {
        codec: Codec,
        sample_rate: u32,
        #[serde(skip)]
        data: Bytes,
    },
    /// The stream ends: finalise now.
    AudioEnd,
    /// The stream goes on and nothing has come of it since its last piece, for a second or more. Without this an ear could not
    /// tell a client that stopped sending from a way that is slow.
    Quiet,
    /// A whole piece of speech outside a stream, or a part of one (PCM); joined by a debounce.
    #[serde(rename_all = "camelCase")]
    #[allow(missing_docs)]
    Batch {
        sample_rate: u32,
        #[serde(skip)]
        data: Bytes,
    },
    /// What the candidate has heard of Maya's sentence so far.
    #[serde(rename_all = "camelCase")]
    #[allow(missing_docs)]
    Played { turn_id: TurnId, sentence: u32, played_ms: u64 },
    /// The edge has written all of a sentence to this connection, just now; or `again`, before, and has dropped its
    /// repetition. It says nothing of the candidate's ear. A killed edge takes at most its last one with it.
    #[serde(rename_all = "camelCase")]
    #[allow(missing_docs)]
    Written { turn_id: TurnId, sentence: u32, again: bool },
}

impl CandidateMessage {
    /// As a record of `audio.candidate.spoken`.
    pub fn to_record(&self) -> Record {
        let mut headers = Headers::with_capacity(9);
        put(&mut headers, "tenant", self.tenant);
        put(&mut headers, "connection", self.connection);
        put(&mut headers, "stream", self.stream);
        put(&mut headers, "sequence", self.sequence);
        put(&mut headers, "captured-at", self.captured_at.timestamp_micros());
        put_trace(&mut headers, self.trace);
        let data = match &self.body {
            CandidateBody::Audio { codec, sample_rate, data } => {
                put(&mut headers, "codec", if *codec == Codec::Opus { "OPUS" } else { "LINEAR16" });
                put(&mut headers, "sample-rate", sample_rate);
                data.clone()
            }
            CandidateBody::Batch { data, .. } => data.clone(),
            _ => Bytes::new(),
        };
        put(&mut headers, HEADER_KEY_ID, "");
        Record {
            channel: Channel::Main(Topic::CandidateSpoken),
            key: self.session.to_string(),
            partition: Some(self.partition),
            headers,
            payload: join(&self.body, &data),
        }
    }
    /// Reads a record of `audio.candidate.spoken`.
    pub fn from_record(record: &Record) -> Result<Self, MediaError> {
        let headers = &record.headers;
        let (mut body, bytes) = split(&record.payload)?;
        if let CandidateBody::Audio { data, .. } | CandidateBody::Batch { data, .. } = &mut body {
            *data = bytes;
        }
        Ok(Self {
            session: record.key.parse().map_err(|_| MediaError::Header("key"))?,
            tenant: get(headers, "tenant")?,
            partition: record.partition.unwrap_or_default(),
            connection: get(headers, "connection")?,
            stream: get(headers, "stream")?,
            sequence: get(headers, "sequence")?,
            captured_at: header(headers, "captured-at")
                .and_then(|text| text.parse().ok())
                .and_then(DateTime::from_timestamp_micros)
                .ok_or(MediaError::Header("captured-at"))?,
            trace: get_trace(headers),
            body,
        })
    }
}

/// Appends a packet (at most 65,535 bytes, which Opus never reaches) to a message's data.
pub fn push_opus_packet(data: &mut BytesMut, packet: &[u8]) {
    data.put_u16_le(packet.len() as u16);
    data.put_slice(packet);
}

/// The packets of a message's data; stops at a cut one.
pub fn opus_packets(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let length = u16::from_le_bytes(rest.get(..2)?.try_into().ok()?) as usize;
        let packet = rest.get(2..2 + length)?;
        rest = &rest[2 + length..];
        Some(packet)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packets_read_back(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20)) {
            let mut data = BytesMut::new();
            packets.iter().for_each(|packet| push_opus_packet(&mut data, packet));
            let read: Vec<Vec<u8>> = opus_packets(&data).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(read, packets);
        }

        #[test]
        fn a_message_reads_back_and_garbage_never_panics(data in proptest::collection::vec(any::<u8>(), 0..500), cut in 0usize..600) {
            let message = CandidateMessage {
                session: SessionId::fresh(),
                tenant: TenantId::fresh(),
                partition: 7,
                connection: ConnectionId::fresh(),
                stream: 3,
                sequence: 9,
                captured_at: DateTime::from_timestamp_micros(1_790_000_000_000_001).unwrap(),
                trace: Some(TraceContext::fresh()),
                body: CandidateBody::Audio { codec: Codec::Linear16, sample_rate: 16_000, data: data.into() },
            };
            let mut record = message.to_record();
            prop_assert_eq!(CandidateMessage::from_record(&record).unwrap(), message);
            record.payload = record.payload.slice(..cut.min(record.payload.len()));
            let _ = CandidateMessage::from_record(&record);
        }
    }
}
