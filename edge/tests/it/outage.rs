//! A registry that can be away.

use async_trait::async_trait;
use bytes::Bytes;
use maya_protocol::{
    clock,
    ids::{ConnectionId, Epoch, NodeId, SessionId, TenantId},
    registry::{
        Fenced, NodeRecord, OwnerRecord, Rate, Registry, RegistryError, SocketRecord, embedded::EmbeddedRegistry,
    },
    session::LiveState,
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

pub struct UnsteadyRegistry {
    inner: EmbeddedRegistry,
    away: AtomicBool,
}

impl UnsteadyRegistry {
    pub fn new() -> Self {
        Self { inner: EmbeddedRegistry::new(clock::system()), away: AtomicBool::new(false) }
    }
    pub fn lose_everything(&self) {
        self.inner.lose_everything();
    }
    pub fn be_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }
}

/// Each method fails while the registry is away, and is the embedded one's otherwise.
macro_rules! unsteady {
    ($($method:ident($($name:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Registry for UnsteadyRegistry {
            $(async fn $method(&self, $($name: $type),*) -> Result<$answer, RegistryError> {
                if self.away.load(Ordering::SeqCst) {
                    return Err(RegistryError::Unavailable("away".to_owned()));
                }
                self.inner.$method($($name),*).await
            })*
        }
    };
}

unsteady! {
    put_node(node: &NodeRecord, ttl: Duration) -> ();
    remove_node(node: &NodeId) -> ();
    nodes() -> Vec<NodeRecord>;
    put_owner(session: SessionId, owner: &OwnerRecord, ttl: Duration) -> Fenced;
    owner(session: SessionId) -> Option<OwnerRecord>;
    remove_owner(session: SessionId, epoch: Epoch) -> ();
    put_socket(session: SessionId, edge: &NodeId, connection: ConnectionId, ttl: Duration) -> (u64, Option<SocketRecord>);
    refresh_socket(session: SessionId, socket: &SocketRecord, ttl: Duration) -> bool;
    socket(session: SessionId) -> Option<SocketRecord>;
    remove_socket(session: SessionId, generation: u64) -> ();
    put_live(session: SessionId, epoch: Epoch, live: &LiveState, ttl: Duration) -> Fenced;
    live(session: SessionId) -> Option<LiveState>;
    put_resume(session: SessionId, epoch: Epoch, resume: Bytes, ttl: Duration) -> Fenced;
    resume(session: SessionId) -> Option<(Epoch, Bytes)>;
    push_batch(session: SessionId, pcm: Bytes, max_bytes: usize, ttl: Duration) -> usize;
    take_batch(session: SessionId) -> Bytes;
    rate(key: &str, limit: u32, window: Duration) -> Rate;
    take_quota(tenant: TenantId, session: SessionId, limit: u32, ttl: Duration) -> bool;
    release_quota(tenant: TenantId, session: SessionId) -> ();
    revoke_join(session: SessionId, generation: u32, ttl: Duration) -> ();
    revoked_join(session: SessionId) -> Option<u32>;
    age() -> Duration;
    check() -> ();
}
