//! What a session's actor is told.

use super::{agenda::Move, machine::Receipt, sentences::Sentence};
use bytes::Bytes;
use maya_protocol::{audio::CandidateMessage, event::Command, ids::TurnId, operation::ActorKind, trace::TraceContext};
use ractor::RpcReplyPort;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// What a session's actor is told.
pub enum SessionMessage {
    /// A message of the candidate's connection, with its place in the log. The permit bounds how many may wait.
    #[allow(missing_docs)]
    Hear { message: Box<CandidateMessage>, offset: u64, permit: Option<OwnedSemaphorePermit> },
    /// From the ear.
    Ear(EarEvent),
    /// From the mind.
    Mind(MindEvent),
    /// From the voices.
    Voice(VoiceEvent),
    /// From the journal.
    Journal(JournalEvent),
    /// From a person, over the API; and the trace of who asked.
    Command(Command, Option<TraceContext>),
    /// An operator has an actor started again.
    Restart(ActorKind),
    /// An operator has the ear open another stream.
    RotateStt,
    /// The ear may be started again.
    RestartEar,
    /// Audio that a fallen ear had not made words of was given to the new one.
    HeardAgain,
    /// A child without progress, by its probe.
    Frozen(u64),
    /// The bus takes messages again.
    BusBack,
    /// A deadline came; stale unless it is the last one set.
    Tick(u64),
    /// Another node asks for the session; answers once it was given up.
    HandOver(RpcReplyPort<()>),
}

/// From the ear.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the variants document the fields")]
pub enum EarEvent {
    /// A sound like speech began.
    Onset,
    /// It was nothing.
    Offset,
    /// The candidate takes the floor.
    Interruption,
    /// The words so far.
    Interim(String),
    /// The words of a turn (or of a piece of one that goes on), how long ago its last sound was, and what the ear did
    /// meanwhile.
    Utterance {
        text: String,
        spoken: Duration,
        silent: Duration,
        recognising: Duration,
        covered: Option<(u64, u64)>,
        offset: u64,
        goes_on: bool,
    },
    /// All before this place in the log was heard and is silence.
    Silence { offset: u64 },
    /// A stream of audio could not be read.
    BadAudio,
    /// The recogniser gave no words for a turn, however often it was asked.
    NotUnderstood,
}

/// From the mind.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the variants document the fields")]
pub enum MindEvent {
    /// A sentence that is not the last.
    Worded { thought: u64, sentence: Sentence },
    /// The reply is complete.
    Done { thought: u64, last: Option<Sentence>, by: Option<Move> },
    /// The model failed and something else is tried; for the session's place in the tree.
    Trouble { reason: String },
}

/// From the voices.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the variants document the fields")]
pub enum VoiceEvent {
    /// Audio of a sentence.
    Piece { take: u64, turn: TurnId, sentence: usize, pcm: Bytes },
    /// There is no more of it.
    Ended { take: u64, turn: TurnId, sentence: usize, failure: Option<String> },
}

/// From the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalEvent {
    /// It is in the database.
    Recorded(Receipt),
    /// The end is in the database.
    Completed,
    /// The session is given up, all before it is in the database.
    Released,
    /// Another node owns the session.
    Fenced,
    /// It is gone: what was to be written may be lost.
    Fell,
}
