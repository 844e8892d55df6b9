//! The registry of one process: maps with times of death.

mod expiring;

use super::{Fenced, NodeRecord, OwnerRecord, Rate, Registry, RegistryError, SocketRecord};
use crate::{
    clock::SharedClock,
    ids::{ConnectionId, Epoch, NodeId, SessionId, TenantId},
    session::LiveState,
};
use async_trait::async_trait;
use bytes::Bytes;
use expiring::Expiring;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// The registry of one process.
pub struct EmbeddedRegistry {
    clock: SharedClock,
    state: Mutex<State>,
}

struct State {
    born: Instant,
    nodes: Expiring<NodeId, NodeRecord>,
    owners: Expiring<SessionId, OwnerRecord>,
    sockets: Expiring<SessionId, Socket>,
    live: Expiring<SessionId, (Epoch, LiveState)>,
    resumes: Expiring<SessionId, (Epoch, Bytes)>,
    batches: Expiring<SessionId, Vec<u8>>,
    rates: Expiring<String, u32>,
    quotas: HashMap<TenantId, Expiring<SessionId, ()>>,
    revoked: Expiring<SessionId, u32>,
}

/// The last generation is kept when its socket is gone, so that the next one is higher.
struct Socket {
    generation: u64,
    record: Option<SocketRecord>,
}

impl EmbeddedRegistry {
    /// An empty registry.
    pub fn new(clock: SharedClock) -> Self {
        let state = Mutex::new(State::born(clock.now()));
        Self { clock, state }
    }

    /// Forgets everything, as a Redis that lost its data; for tests.
    pub fn lose_everything(&self) {
        *self.state.lock() = State::born(self.clock.now());
    }
}

impl State {
    fn born(now: Instant) -> Self {
        Self {
            born: now,
            nodes: Expiring::default(),
            owners: Expiring::default(),
            sockets: Expiring::default(),
            live: Expiring::default(),
            resumes: Expiring::default(),
            batches: Expiring::default(),
            rates: Expiring::default(),
            quotas: HashMap::new(),
            revoked: Expiring::default(),
        }
    }
    /// The newest epoch that owned the session or wrote the record.
    fn fence(&self, session: &SessionId, written: Option<Epoch>, now: Instant) -> Option<Epoch> {
        self.owners.get(session, now).map(|owner| owner.epoch).max(written)
    }
}

fn fenced(newest: Option<Epoch>, epoch: Epoch) -> Option<Fenced> {
    newest.filter(|newest| *newest > epoch).map(Fenced::Stale)
}

#[async_trait]
impl Registry for EmbeddedRegistry {
    async fn put_node(&self, node: &NodeRecord, ttl: Duration) -> Result<(), RegistryError> {
        let now = self.clock.now();
        self.state.lock().nodes.put(node.id.clone(), node.clone(), now, ttl);
        Ok(())
    }

    async fn remove_node(&self, node: &NodeId) -> Result<(), RegistryError> {
        self.state.lock().nodes.remove(node);
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<NodeRecord>, RegistryError> {
        let now = self.clock.now();
        let mut nodes: Vec<NodeRecord> = self.state.lock().nodes.values(now).cloned().collect();
        nodes.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(nodes)
    }

    async fn put_owner(&self, session: SessionId, owner: &OwnerRecord, ttl: Duration) -> Result<Fenced, RegistryError> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        if let Some(stale) = fenced(state.fence(&session, None, now), owner.epoch) {
            return Ok(stale);
        }
        state.owners.put(session, owner.clone(), now, ttl);
        Ok(Fenced::Written)
    }

    async fn owner(&self, session: SessionId) -> Result<Option<OwnerRecord>, RegistryError> {
        Ok(self.state.lock().owners.get(&session, self.clock.now()).cloned())
    }

    async fn remove_owner(&self, session: SessionId, epoch: Epoch) -> Result<(), RegistryError> {
        let mut state = self.state.lock();
        if state.owners.get(&session, self.clock.now()).is_some_and(|owner| owner.epoch == epoch) {
            state.owners.remove(&session);
        }
        Ok(())
    }

    async fn put_socket(
        &self,
        session: SessionId,
        edge: &NodeId,
        connection: ConnectionId,
        ttl: Duration,
    ) -> Result<(u64, Option<SocketRecord>), RegistryError> {
        let now = self.clock.now();
        let floor = self.clock.utc().timestamp_millis().max(0) as u64;
        let mut state = self.state.lock();
        let (last, replaced) = match state.sockets.get(&session, now) {
            Some(socket) => (socket.generation + 1, socket.record.clone()),
            None => (0, None),
        };
        let generation = last.max(floor);
        let record = Some(SocketRecord { edge: edge.clone(), connection, generation });
        state.sockets.put(session, Socket { generation, record }, now, ttl);
        Ok((generation, replaced))
    }

    async fn refresh_socket(
        &self,
        session: SessionId,
        socket: &SocketRecord,
        ttl: Duration,
    ) -> Result<bool, RegistryError> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        // a put that was given up and came late is the connection's own
        let is_own = |newest: &Socket| newest.record.as_ref().is_some_and(|at| at.connection == socket.connection);
        let newest = state.sockets.get(&session, now);
        if newest.is_some_and(|newest| newest.generation > socket.generation && !is_own(newest)) {
            return Ok(false);
        }
        let socket = Socket { generation: socket.generation, record: Some(socket.clone()) };
        state.sockets.put(session, socket, now, ttl);
        Ok(true)
    }

    async fn socket(&self, session: SessionId) -> Result<Option<SocketRecord>, RegistryError> {
        Ok(self.state.lock().sockets.get(&session, self.clock.now()).and_then(|socket| socket.record.clone()))
    }

    async fn remove_socket(&self, session: SessionId, generation: u64) -> Result<(), RegistryError> {
        let mut state = self.state.lock();
        let socket = state.sockets.get_mut(&session, self.clock.now());
        if let Some(socket) = socket.filter(|socket| socket.generation == generation) {
            socket.record = None;
        }
        Ok(())
    }

    async fn put_live(
        &self,
        session: SessionId,
        epoch: Epoch,
        live: &LiveState,
        ttl: Duration,
    ) -> Result<Fenced, RegistryError> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let written = state.live.get(&session, now).map(|(epoch, _)| *epoch);
        if let Some(stale) = fenced(state.fence(&session, written, now), epoch) {
            return Ok(stale);
        }
        state.live.put(session, (epoch, live.clone()), now, ttl);
        Ok(Fenced::Written)
    }

    async fn live(&self, session: SessionId) -> Result<Option<LiveState>, RegistryError> {
        Ok(self.state.lock().live.get(&session, self.clock.now()).map(|(_, live)| live.clone()))
    }

    async fn put_resume(
        &self,
        session: SessionId,
        epoch: Epoch,
        resume: Bytes,
        ttl: Duration,
    ) -> Result<Fenced, RegistryError> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let written = state.resumes.get(&session, now).map(|(epoch, _)| *epoch);
        if let Some(stale) = fenced(state.fence(&session, written, now), epoch) {
            return Ok(stale);
        }
        state.resumes.put(session, (epoch, resume), now, ttl);
        Ok(Fenced::Written)
    }

    async fn resume(&self, session: SessionId) -> Result<Option<(Epoch, Bytes)>, RegistryError> {
        Ok(self.state.lock().resumes.get(&session, self.clock.now()).cloned())
    }

    async fn push_batch(
        &self,
        session: SessionId,
        pcm: Bytes,
        max_bytes: usize,
        ttl: Duration,
    ) -> Result<usize, RegistryError> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let mut batch = state.batches.remove_live(&session, now).unwrap_or_default();
        batch.extend_from_slice(&pcm);
        // Whole samples of two bytes.
        let over = batch.len().saturating_sub(max_bytes).next_multiple_of(2).min(batch.len());
        batch.drain(..over);
        let held = batch.len();
        state.batches.put(session, batch, now, ttl);
        Ok(held)
    }

    async fn take_batch(&self, session: SessionId) -> Result<Bytes, RegistryError> {
        let batch = self.state.lock().batches.remove_live(&session, self.clock.now());
        Ok(batch.unwrap_or_default().into())
    }

    async fn rate(&self, key: &str, limit: u32, window: Duration) -> Result<Rate, RegistryError> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let (calls, reset) = match state.rates.get_mut(key, now) {
            Some(calls) => {
                *calls = calls.saturating_add(1);
                (*calls, state.rates.left(key, now))
            }
            None => {
                state.rates.put(key.to_owned(), 1, now, window);
                (1, window)
            }
        };
        Ok(Rate { allowed: calls <= limit, remaining: limit.saturating_sub(calls), reset })
    }

    async fn take_quota(
        &self,
        tenant: TenantId,
        session: SessionId,
        limit: u32,
        ttl: Duration,
    ) -> Result<bool, RegistryError> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let places = state.quotas.entry(tenant).or_default();
        if places.get(&session, now).is_none() && places.values(now).count() >= limit as usize {
            return Ok(false);
        }
        places.put(session, (), now, ttl);
        Ok(true)
    }

    async fn release_quota(&self, tenant: TenantId, session: SessionId) -> Result<(), RegistryError> {
        let mut state = self.state.lock();
        if let Some(places) = state.quotas.get_mut(&tenant) {
            places.remove(&session);
            if places.is_empty() {
                state.quotas.remove(&tenant);
            }
        }
        Ok(())
    }

    async fn revoke_join(&self, session: SessionId, generation: u32, ttl: Duration) -> Result<(), RegistryError> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let highest = state.revoked.get(&session, now).copied().unwrap_or(0).max(generation);
        let ttl = ttl.max(state.revoked.left(&session, now));
        state.revoked.put(session, highest, now, ttl);
        Ok(())
    }

    async fn revoked_join(&self, session: SessionId) -> Result<Option<u32>, RegistryError> {
        Ok(self.state.lock().revoked.get(&session, self.clock.now()).copied())
    }

    async fn age(&self) -> Result<Duration, RegistryError> {
        Ok(self.clock.now().saturating_duration_since(self.state.lock().born))
    }

    async fn check(&self) -> Result<(), RegistryError> {
        Ok(())
    }
}
