//! The registry: who is there, who owns a session, where its socket is. A cache that may be emptied at any moment.
//!
//! [`redis`] serves more than one machine, [`embedded`] one process; one contract suite
//! (`protocol/tests/it/registry.rs`) runs against both.

pub mod embedded;
pub mod redis;
mod roster;

pub use roster::{ANSWERS, Roster, YOUNG};

use crate::{
    ids::{ConnectionId, Epoch, NodeId, SessionId, TenantId},
    session::LiveState,
    tree::NodeState,
};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// A process of the platform, refreshed by its heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRecord {
    /// Its id.
    pub id: NodeId,
    /// `gateway`, `edge`, `interviewer`, …
    pub roles: Vec<String>,
    /// Failure domain, where known.
    pub zone: Option<String>,
    /// Release.
    pub version: String,
    /// Whether it takes work.
    pub state: NodeState,
    /// Where its node-to-node service listens, `host:port`.
    pub rpc: String,
    /// Live sessions (interviewer) or sockets (edge).
    pub load: u32,
    /// How much of the audio it wants to read, of [`FULL_WEIGHT`](crate::bus::assignment::FULL_WEIGHT): less as it
    /// fills, none while it takes no session.
    #[serde(default = "full")]
    pub weight: u8,
    /// When it started.
    pub started_at: DateTime<Utc>,
}

fn full() -> u8 {
    crate::bus::assignment::FULL_WEIGHT
}

/// `session -> owner`: a copy of the placement row, and the lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct OwnerRecord {
    pub node: NodeId,
    pub epoch: Epoch,
}

/// `session -> socket`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SocketRecord {
    /// The edge that holds it.
    pub edge: NodeId,
    /// The connection.
    pub connection: ConnectionId,
    /// Grows with the session's connections, also over a loss of all data; the newer wins. Not a count.
    pub generation: u64,
}

/// What can go wrong with the registry.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// Away, slow or answering nonsense; go on without it and try again.
    #[error("the registry is not available: {0}")]
    Unavailable(String),
    /// The settings make no sense, or do not fit the server; an operator must act.
    #[error("the registry cannot be used as configured: {0}")]
    Invalid(String),
}

/// A write that only the newest epoch may make was refused by a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fenced {
    /// Written.
    Written,
    /// A higher epoch is there.
    Stale(Epoch),
}

/// An answer of the rate limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Whether this call is within the limit.
    pub allowed: bool,
    /// Calls left in the window.
    pub remaining: u32,
    /// Until the window is new.
    pub reset: Duration,
}

/// The registry.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Writes a node's record; it ages out after `ttl` unless written again.
    async fn put_node(&self, node: &NodeRecord, ttl: Duration) -> Result<(), RegistryError>;
    /// Removes a node that stops in good order.
    async fn remove_node(&self, node: &NodeId) -> Result<(), RegistryError>;
    /// All nodes whose record has not aged out, by id.
    async fn nodes(&self) -> Result<Vec<NodeRecord>, RegistryError>;

    /// Writes or refreshes the owner of a session unless a higher epoch is recorded. From then on, lower epochs can
    /// write neither live state nor resume record.
    async fn put_owner(&self, session: SessionId, owner: &OwnerRecord, ttl: Duration) -> Result<Fenced, RegistryError>;
    /// The owner of a session whose lease has not run out.
    async fn owner(&self, session: SessionId) -> Result<Option<OwnerRecord>, RegistryError>;
    /// Removes the owner if it still is this epoch.
    async fn remove_owner(&self, session: SessionId, epoch: Epoch) -> Result<(), RegistryError>;

    /// Registers a new connection: gives it the next generation and returns it with the one it replaced.
    async fn put_socket(
        &self,
        session: SessionId,
        edge: &NodeId,
        connection: ConnectionId,
        ttl: Duration,
    ) -> Result<(u64, Option<SocketRecord>), RegistryError>;
    /// Refreshes a connection's record (writes it again after a loss); `false` if a newer generation is there.
    async fn refresh_socket(
        &self,
        session: SessionId,
        socket: &SocketRecord,
        ttl: Duration,
    ) -> Result<bool, RegistryError>;
    /// Where a session's socket is.
    async fn socket(&self, session: SessionId) -> Result<Option<SocketRecord>, RegistryError>;
    /// Removes a connection's record if it still is this generation.
    async fn remove_socket(&self, session: SessionId, generation: u64) -> Result<(), RegistryError>;

    /// Writes the live state of a session unless a higher epoch has.
    async fn put_live(
        &self,
        session: SessionId,
        epoch: Epoch,
        live: &LiveState,
        ttl: Duration,
    ) -> Result<Fenced, RegistryError>;
    /// The live state of a session, where known.
    async fn live(&self, session: SessionId) -> Result<Option<LiveState>, RegistryError>;

    /// Writes a session's resume record unless a higher epoch has.
    async fn put_resume(
        &self,
        session: SessionId,
        epoch: Epoch,
        resume: Bytes,
        ttl: Duration,
    ) -> Result<Fenced, RegistryError>;
    /// A session's resume record.
    async fn resume(&self, session: SessionId) -> Result<Option<(Epoch, Bytes)>, RegistryError>;

    /// Appends batch audio awaiting its debounce; beyond `max_bytes` the oldest whole samples go. Returns the bytes held.
    async fn push_batch(
        &self,
        session: SessionId,
        pcm: Bytes,
        max_bytes: usize,
        ttl: Duration,
    ) -> Result<usize, RegistryError>;
    /// Takes all batch audio of a session, in order.
    async fn take_batch(&self, session: SessionId) -> Result<Bytes, RegistryError>;

    /// Counts one call of `key` against `limit` per `window`.
    async fn rate(&self, key: &str, limit: u32, window: Duration) -> Result<Rate, RegistryError>;
    /// Takes a place of a tenant's live-session quota for a session (again taking is free); `false` if full.
    async fn take_quota(
        &self,
        tenant: TenantId,
        session: SessionId,
        limit: u32,
        ttl: Duration,
    ) -> Result<bool, RegistryError>;
    /// Gives the place back.
    async fn release_quota(&self, tenant: TenantId, session: SessionId) -> Result<(), RegistryError>;
    /// Marks a join link's generation as revoked up to and including `generation`.
    async fn revoke_join(&self, session: SessionId, generation: u32, ttl: Duration) -> Result<(), RegistryError>;
    /// The highest revoked generation of a join link.
    async fn revoked_join(&self, session: SessionId) -> Result<Option<u32>, RegistryError>;

    /// For how long it has kept what it was told: since it started or was emptied, whichever is later. What is not
    /// there means nothing until this is longer than a heartbeat lives.
    async fn age(&self) -> Result<Duration, RegistryError>;
    /// Whether the registry answers now.
    async fn check(&self) -> Result<(), RegistryError>;
}

/// The registry as it is shared.
pub type SharedRegistry = Arc<dyn Registry>;
