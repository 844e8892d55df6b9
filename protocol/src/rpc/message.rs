//! The messages of the node-to-node service, in protobuf's encoding.
//!
//! Field numbers are the contract between releases: never reuse one.

use crate::{
    audio::{AgentMessage, MediaError},
    bus::Record,
    topic::{Channel, Topic},
};
use bytes::Bytes;

/// A record of `audio.agent.spoken` or `audio.candidate.transcribed`, on its way to the edge that holds the socket.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Deliver {
    /// The topic's name.
    #[prost(string, tag = "1")]
    pub topic: String,
    /// The session's id.
    #[prost(string, tag = "2")]
    pub key: String,
    /// The session's partition.
    #[prost(uint32, tag = "3")]
    pub partition: u32,
    /// Where in its partition the record stands.
    #[prost(uint64, tag = "4")]
    pub offset: u64,
    /// The record's headers.
    #[prost(message, repeated, tag = "5")]
    pub headers: Vec<Pair>,
    /// The record's payload.
    #[prost(bytes = "bytes", tag = "6")]
    pub payload: Bytes,
}

/// A header.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Pair {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its value.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// What became of a [`Deliver`]; outcomes come in the order of the deliveries.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Outcome {
    /// Whether the connection was there.
    #[prost(bool, tag = "1")]
    pub here: bool,
}

/// A newer socket took a session over.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Replaced {
    /// The session's id.
    #[prost(string, tag = "1")]
    pub session: String,
    /// The newer socket's generation.
    #[prost(uint64, tag = "2")]
    pub generation: u64,
}

/// Nothing to say.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Nothing {}

/// What the reader of a node's tree has of it already; nothing at first.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TreeAsked {
    /// Which life of the tree.
    #[prost(string, tag = "1")]
    pub run: String,
    /// Up to which change.
    #[prost(uint64, tag = "2")]
    pub version: u64,
}

/// A node's tree, or what changed of it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Tree {
    /// The node without its actors, as JSON.
    #[prost(bytes = "bytes", tag = "1")]
    pub node: Bytes,
    /// Which life of the tree.
    #[prost(string, tag = "2")]
    pub run: String,
    /// Up to which change.
    #[prost(uint64, tag = "3")]
    pub version: u64,
    /// Whether what the reader had is to be forgotten.
    #[prost(bool, tag = "4")]
    pub whole: bool,
    /// Actors that are new or changed.
    #[prost(message, repeated, tag = "5")]
    pub rows: Vec<TreeRow>,
    /// Numbers of actors that are no more.
    #[prost(uint64, repeated, tag = "6")]
    pub removed: Vec<u64>,
}

/// An actor.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TreeRow {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The actor, as JSON.
    #[prost(bytes = "bytes", tag = "2")]
    pub json: Bytes,
}

/// What has its shape elsewhere, as JSON.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Json {
    /// The JSON.
    #[prost(bytes = "bytes", tag = "1")]
    pub json: Bytes,
}

impl Deliver {
    /// Packs a message.
    pub fn new(message: &AgentMessage, offset: u64) -> Self {
        let record = message.to_record();
        Self {
            topic: record.channel.name().to_owned(),
            key: record.key,
            partition: message.partition,
            offset,
            headers: record.headers.into_iter().map(|(name, value)| Pair { name, value }).collect(),
            payload: record.payload,
        }
    }
    /// Unpacks it.
    pub fn message(self) -> Result<AgentMessage, MediaError> {
        AgentMessage::from_record(&Record {
            channel: Channel::Main(Topic::named(&self.topic).ok_or(MediaError::Header("topic"))?),
            key: self.key,
            partition: Some(self.partition),
            headers: self.headers.into_iter().map(|pair| (pair.name, pair.value)).collect(),
            payload: self.payload,
        })
    }
}
