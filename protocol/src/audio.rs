//! What travels on the media topics: the candidate's audio and signals up, Maya's audio and words down.
//!
//! A message is decodable alone. Envelope facts (tenant, connection, stream, sequence, epoch) are headers;
//! the payload is `u32 LE length | JSON of the body without its bytes | bytes`, so that what is personal can
//! be sealed as one piece.

mod agent;
mod candidate;
mod frame;

pub use agent::{AgentBody, AgentMessage, ErrorCode};
pub use candidate::{CandidateBody, CandidateMessage, Codec, opus_packets, push_opus_packet};
pub use frame::MediaError;
#[cfg(feature = "other-release")]
pub(crate) use frame::{join, split};

/// No message on the bus exceeds this; edges cut longer audio.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// Sample rate of what Maya hears, in hertz.
pub const HEARING_RATE: u32 = 16_000;
/// Sample rate of what Maya says, in hertz.
pub const SPEAKING_RATE: u32 = 24_000;
