//! The registry in Redis: every change of more than one step is one script, every answer has a short time.

mod keys;
mod scripts;
mod tls;

use super::{Fenced, NodeRecord, OwnerRecord, Rate, Registry, RegistryError, SocketRecord};
use crate::{
    ids::{ConnectionId, Epoch, NodeId, SessionId, TenantId},
    session::LiveState,
};
use ::redis::{
    Client, FromRedisValue, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use async_trait::async_trait;
use bytes::Bytes;
use keys::Keys;
use scripts::{Call, Scripts};
use serde::{Serialize, de::DeserializeOwned};
use std::{future::Future, path::Path, time::Duration};

/// How long one answer of Redis may take; a live session goes on without it after that.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(300);
/// How long all of a call may take, connecting included.
const CALL_TIMEOUT: Duration = Duration::from_millis(450);

/// The registry in Redis.
pub struct RedisRegistry {
    connection: ConnectionManager,
    keys: Keys,
    scripts: Scripts,
}

impl RedisRegistry {
    /// Prepares the connection for the environment `env`; connects at the first call, for Redis may come and go
    /// ([`Registry::check`] tells). Fails for a URL that makes no sense. Must be called within a runtime.
    ///
    /// `rediss://` speaks TLS, and trusts Mozilla's list of authorities.
    pub fn connect(url: &str, env: &str) -> Result<Self, RegistryError> {
        Self::with(Client::open(url).map_err(invalid)?, env)
    }

    /// The same with `rediss://` alone, trusting the authorities of that file (PEM) and no others.
    pub fn connect_trusting(url: &str, ca_file: &Path, env: &str) -> Result<Self, RegistryError> {
        Self::with(tls::client(url, ca_file)?, env)
    }

    fn with(client: Client, env: &str) -> Result<Self, RegistryError> {
        // One retry: whoever waits for a new connection has no time for more, and the next call tries again.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(20))
            .set_max_delay(Duration::from_millis(50))
            .set_connection_timeout(Some(RESPONSE_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let connection = ConnectionManager::new_lazy_with_config(client, config).map_err(invalid)?;
        Ok(Self { connection, keys: Keys::new(env), scripts: Scripts::default() })
    }

    async fn run<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, RegistryError> {
        let mut connection = self.connection.clone();
        within(async move { call.invoke_async(&mut connection).await }).await
    }

    async fn fenced(&self, call: Call<'_>) -> Result<Fenced, RegistryError> {
        let stale: Option<u64> = self.run(call).await?;
        Ok(stale.map_or(Fenced::Written, |epoch| Fenced::Stale(Epoch(epoch))))
    }
}

async fn within<T>(call: impl Future<Output = RedisResult<T>>) -> Result<T, RegistryError> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => answer.map_err(unavailable),
        Err(_) => Err(RegistryError::Unavailable("no answer in time".into())),
    }
}

fn unavailable(error: ::redis::RedisError) -> RegistryError {
    match tls::is_untrusted(&error) {
        true => RegistryError::Invalid(format!("the server's certificate is not trusted: {error}")),
        false => RegistryError::Unavailable(error.to_string()),
    }
}

fn invalid(error: ::redis::RedisError) -> RegistryError {
    RegistryError::Invalid(error.to_string())
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, RegistryError> {
    serde_json::to_vec(value).map_err(|error| RegistryError::Unavailable(error.to_string()))
}

fn from_json<T: DeserializeOwned>(stored: &[u8]) -> Result<T, RegistryError> {
    serde_json::from_slice(stored)
        .map_err(|error| RegistryError::Unavailable(format!("a record does not fit: {error}")))
}

/// Redis counts in milliseconds, and none is no time-to-live.
fn millis(ttl: Duration) -> u64 {
    // A year, where a caller means for ever: Redis refuses what overflows its clock.
    (ttl.as_millis() as u64).clamp(1, 365 * 24 * 3600 * 1000)
}

#[async_trait]
impl Registry for RedisRegistry {
    async fn put_node(&self, node: &NodeRecord, ttl: Duration) -> Result<(), RegistryError> {
        let call = self.scripts.put_node(&self.keys, &node.id, json(node)?, millis(ttl));
        self.run(call).await
    }

    async fn remove_node(&self, node: &NodeId) -> Result<(), RegistryError> {
        self.run(self.scripts.remove_node(&self.keys, node)).await
    }

    async fn nodes(&self) -> Result<Vec<NodeRecord>, RegistryError> {
        let stored: Vec<Vec<u8>> = self.run(self.scripts.nodes(&self.keys)).await?;
        let mut nodes = Vec::with_capacity(stored.len());
        for record in stored {
            // A node of another release must not hide all others.
            match from_json::<NodeRecord>(&record) {
                Ok(node) => nodes.push(node),
                Err(error) => tracing::warn!(%error, "a node's record was passed over"),
            }
        }
        nodes.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(nodes)
    }

    async fn put_owner(&self, session: SessionId, owner: &OwnerRecord, ttl: Duration) -> Result<Fenced, RegistryError> {
        let node = owner.node.0.as_bytes().to_vec();
        self.fenced(self.scripts.put_fenced(
            &self.keys,
            self.keys.owner(session),
            session,
            owner.epoch,
            node,
            millis(ttl),
        ))
        .await
    }

    async fn owner(&self, session: SessionId) -> Result<Option<OwnerRecord>, RegistryError> {
        let stored: Option<(u64, String)> = self.run(self.scripts.get_fenced(self.keys.owner(session))).await?;
        Ok(stored.map(|(epoch, node)| OwnerRecord { node: NodeId(node), epoch: Epoch(epoch) }))
    }

    async fn remove_owner(&self, session: SessionId, epoch: Epoch) -> Result<(), RegistryError> {
        self.run(self.scripts.remove_owner(self.keys.owner(session), epoch)).await
    }

    async fn put_socket(
        &self,
        session: SessionId,
        edge: &NodeId,
        connection: ConnectionId,
        ttl: Duration,
    ) -> Result<(u64, Option<SocketRecord>), RegistryError> {
        let call = self.scripts.put_socket(self.keys.socket(session), edge, connection, millis(ttl));
        let (generation, old): (u64, Option<(u64, String, String)>) = self.run(call).await?;
        Ok((generation, old.map(socket_record).transpose()?))
    }

    async fn refresh_socket(
        &self,
        session: SessionId,
        socket: &SocketRecord,
        ttl: Duration,
    ) -> Result<bool, RegistryError> {
        self.run(self.scripts.refresh_socket(self.keys.socket(session), socket, millis(ttl))).await
    }

    async fn socket(&self, session: SessionId) -> Result<Option<SocketRecord>, RegistryError> {
        let stored: Option<(u64, String, String)> = self.run(self.scripts.socket(self.keys.socket(session))).await?;
        stored.map(socket_record).transpose()
    }

    async fn remove_socket(&self, session: SessionId, generation: u64) -> Result<(), RegistryError> {
        self.run(self.scripts.remove_socket(self.keys.socket(session), generation)).await
    }

    async fn put_live(
        &self,
        session: SessionId,
        epoch: Epoch,
        live: &LiveState,
        ttl: Duration,
    ) -> Result<Fenced, RegistryError> {
        self.fenced(self.scripts.put_fenced(
            &self.keys,
            self.keys.live(session),
            session,
            epoch,
            json(live)?,
            millis(ttl),
        ))
        .await
    }

    async fn live(&self, session: SessionId) -> Result<Option<LiveState>, RegistryError> {
        let stored: Option<(u64, Vec<u8>)> = self.run(self.scripts.get_fenced(self.keys.live(session))).await?;
        stored.map(|(_, live)| from_json(&live)).transpose()
    }

    async fn put_resume(
        &self,
        session: SessionId,
        epoch: Epoch,
        resume: Bytes,
        ttl: Duration,
    ) -> Result<Fenced, RegistryError> {
        let key = self.keys.resume(session);
        self.fenced(self.scripts.put_fenced(&self.keys, key, session, epoch, resume.into(), millis(ttl))).await
    }

    async fn resume(&self, session: SessionId) -> Result<Option<(Epoch, Bytes)>, RegistryError> {
        let stored: Option<(u64, Vec<u8>)> = self.run(self.scripts.get_fenced(self.keys.resume(session))).await?;
        Ok(stored.map(|(epoch, resume)| (Epoch(epoch), resume.into())))
    }

    async fn push_batch(
        &self,
        session: SessionId,
        pcm: Bytes,
        max_bytes: usize,
        ttl: Duration,
    ) -> Result<usize, RegistryError> {
        self.run(self.scripts.push_batch(self.keys.batch(session), &pcm, max_bytes, millis(ttl))).await
    }

    async fn take_batch(&self, session: SessionId) -> Result<Bytes, RegistryError> {
        let pcm: Option<Vec<u8>> = self.run(self.scripts.take_batch(self.keys.batch(session))).await?;
        Ok(pcm.unwrap_or_default().into())
    }

    async fn rate(&self, key: &str, limit: u32, window: Duration) -> Result<Rate, RegistryError> {
        let (calls, reset): (u64, u64) = self.run(self.scripts.rate(self.keys.rate(key), millis(window))).await?;
        let limit = u64::from(limit);
        Ok(Rate {
            allowed: calls <= limit,
            remaining: limit.saturating_sub(calls) as u32,
            reset: Duration::from_millis(reset),
        })
    }

    async fn take_quota(
        &self,
        tenant: TenantId,
        session: SessionId,
        limit: u32,
        ttl: Duration,
    ) -> Result<bool, RegistryError> {
        self.run(self.scripts.take_quota(self.keys.quota(tenant), session, limit, millis(ttl))).await
    }

    async fn release_quota(&self, tenant: TenantId, session: SessionId) -> Result<(), RegistryError> {
        self.run(self.scripts.release_quota(self.keys.quota(tenant), session)).await
    }

    async fn revoke_join(&self, session: SessionId, generation: u32, ttl: Duration) -> Result<(), RegistryError> {
        self.run(self.scripts.revoke_join(self.keys.revoked(session), generation, millis(ttl))).await
    }

    async fn revoked_join(&self, session: SessionId) -> Result<Option<u32>, RegistryError> {
        self.run(self.scripts.revoked_join(self.keys.revoked(session))).await
    }

    async fn age(&self) -> Result<Duration, RegistryError> {
        self.run(self.scripts.age(&self.keys)).await.map(Duration::from_millis)
    }

    async fn check(&self) -> Result<(), RegistryError> {
        let mut connection = self.connection.clone();
        within(async move { ::redis::cmd("PING").query_async(&mut connection).await }).await
    }
}

fn socket_record((generation, edge, connection): (u64, String, String)) -> Result<SocketRecord, RegistryError> {
    let connection =
        connection.parse().map_err(|_| RegistryError::Unavailable("a socket's record does not fit".into()))?;
    Ok(SocketRecord { edge: NodeId(edge), connection, generation })
}
