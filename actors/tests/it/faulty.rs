//! Bus and registry, made to fail.

use crate::support::PATIENCE;
use async_trait::async_trait;
use bytes::Bytes;
use maya_protocol::{
    bus::{Bounds, Bus, BusError, Delivery, GroupConsumer, PartitionReader, Position, Record, SharedBus, StartAt},
    ids::{ConnectionId, Epoch, NodeId, SessionId, TenantId},
    registry::{Fenced, NodeRecord, OwnerRecord, Rate, Registry, RegistryError, SharedRegistry, SocketRecord},
    session::LiveState,
    topic::Channel,
};
use parking_lot::{Condvar, Mutex};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A bus that is away, panics, hangs, blocks or lacks a leader when it is told to.
pub struct FaultyBus {
    inner: SharedBus,
    away: Arc<AtomicBool>,
    leaderless: Mutex<Option<u32>>,
    panics: AtomicBool,
    reading_panics: Arc<AtomicBool>,
    leaving_hangs: Arc<AtomicBool>,
    blocked: Mutex<bool>,
    released: Condvar,
}

impl FaultyBus {
    pub fn over(inner: SharedBus) -> Arc<Self> {
        Arc::new(Self {
            inner,
            away: Arc::default(),
            leaderless: Mutex::default(),
            panics: AtomicBool::new(false),
            reading_panics: Arc::default(),
            leaving_hangs: Arc::default(),
            blocked: Mutex::new(false),
            released: Condvar::new(),
        })
    }
    /// From now on nothing goes through, or all does.
    pub fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }
    /// Whoever asks what that partition holds gets no answer, or, from now on, does again.
    pub fn leaderless(&self, partition: Option<u32>) {
        *self.leaderless.lock() = partition;
    }
    /// Whoever sends next panics.
    pub fn panics_once(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }
    /// Whoever reads next panics.
    pub fn reading_panics_once(&self) {
        self.reading_panics.store(true, Ordering::SeqCst);
    }
    /// Whoever leaves a partition waits for good.
    pub fn leaving_hangs(&self) {
        self.leaving_hangs.store(true, Ordering::SeqCst);
    }
    /// Whoever sends from now on keeps its thread until this is taken back.
    pub fn blocks(&self, blocks: bool) {
        *self.blocked.lock() = blocks;
        self.released.notify_all();
    }
    fn there(&self) -> Result<(), BusError> {
        is_there(&self.away)
    }
}

fn is_there(away: &AtomicBool) -> Result<(), BusError> {
    match away.load(Ordering::SeqCst) {
        true => Err(BusError::Unavailable("scripted absence".to_owned())),
        false => Ok(()),
    }
}

#[async_trait]
impl Bus for FaultyBus {
    async fn publish(&self, record: Record) -> Result<Position, BusError> {
        self.there()?;
        self.inner.publish(record).await
    }
    fn send(&self, record: Record) -> Result<(), BusError> {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "scripted panic");
        let mut blocked = self.blocked.lock();
        // a test that failed must be able to end
        self.released.wait_while_for(&mut blocked, |blocked| *blocked, PATIENCE);
        drop(blocked);
        self.there()?;
        self.inner.send(record)
    }
    async fn join(&self, group: &str, channels: &[Channel]) -> Result<Box<dyn GroupConsumer>, BusError> {
        self.there()?;
        self.inner.join(group, channels).await
    }
    async fn reader(&self, channel: Channel) -> Result<Box<dyn PartitionReader>, BusError> {
        self.there()?;
        let inner = self.inner.reader(channel).await?;
        let (away, panics, hangs) = (self.away.clone(), self.reading_panics.clone(), self.leaving_hangs.clone());
        Ok(Box::new(FaultyReader { inner, away, panics, hangs }))
    }
    async fn partitions(&self, channel: Channel) -> Result<u32, BusError> {
        self.there()?;
        self.inner.partitions(channel).await
    }
    async fn bounds(&self, channel: Channel, partition: u32) -> Result<Bounds, BusError> {
        self.there()?;
        if *self.leaderless.lock() == Some(partition) {
            std::future::pending::<()>().await;
        }
        self.inner.bounds(channel, partition).await
    }
    async fn ensure_topics(&self, create: bool) -> Result<(), BusError> {
        self.inner.ensure_topics(create).await
    }
    async fn check(&self) -> Result<(), BusError> {
        self.there()?;
        self.inner.check().await
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}

struct FaultyReader {
    inner: Box<dyn PartitionReader>,
    away: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
}

#[async_trait]
impl PartitionReader for FaultyReader {
    async fn assign(&mut self, partition: u32, start: StartAt) -> Result<(), BusError> {
        is_there(&self.away)?;
        self.inner.assign(partition, start).await
    }
    async fn assign_at(&mut self, partition: u32, offset: u64) -> Result<(), BusError> {
        is_there(&self.away)?;
        self.inner.assign_at(partition, offset).await
    }
    async fn unassign(&mut self, partition: u32) -> Result<(), BusError> {
        is_there(&self.away)?;
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.inner.unassign(partition).await
    }
    async fn next(&mut self) -> Result<Delivery, BusError> {
        is_there(&self.away)?;
        assert!(!self.panics.swap(false, Ordering::SeqCst), "scripted panic");
        self.inner.next().await
    }
}

/// A registry that is away when it is told to be.
pub struct FaultyRegistry {
    inner: SharedRegistry,
    away: AtomicBool,
}

impl FaultyRegistry {
    pub fn over(inner: SharedRegistry) -> Arc<Self> {
        Arc::new(Self { inner, away: AtomicBool::new(false) })
    }
    pub fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }
    fn there(&self) -> Result<&SharedRegistry, RegistryError> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(RegistryError::Unavailable("scripted absence".to_owned())),
            false => Ok(&self.inner),
        }
    }
}

type Answer<T> = Result<T, RegistryError>;

#[async_trait]
impl Registry for FaultyRegistry {
    async fn put_node(&self, node: &NodeRecord, ttl: Duration) -> Answer<()> {
        self.there()?.put_node(node, ttl).await
    }
    async fn remove_node(&self, node: &NodeId) -> Answer<()> {
        self.there()?.remove_node(node).await
    }
    async fn nodes(&self) -> Answer<Vec<NodeRecord>> {
        self.there()?.nodes().await
    }
    async fn put_owner(&self, session: SessionId, owner: &OwnerRecord, ttl: Duration) -> Answer<Fenced> {
        self.there()?.put_owner(session, owner, ttl).await
    }
    async fn owner(&self, session: SessionId) -> Answer<Option<OwnerRecord>> {
        self.there()?.owner(session).await
    }
    async fn remove_owner(&self, session: SessionId, epoch: Epoch) -> Answer<()> {
        self.there()?.remove_owner(session, epoch).await
    }
    async fn put_socket(
        &self,
        session: SessionId,
        edge: &NodeId,
        connection: ConnectionId,
        ttl: Duration,
    ) -> Answer<(u64, Option<SocketRecord>)> {
        self.there()?.put_socket(session, edge, connection, ttl).await
    }
    async fn refresh_socket(&self, session: SessionId, socket: &SocketRecord, ttl: Duration) -> Answer<bool> {
        self.there()?.refresh_socket(session, socket, ttl).await
    }
    async fn socket(&self, session: SessionId) -> Answer<Option<SocketRecord>> {
        self.there()?.socket(session).await
    }
    async fn remove_socket(&self, session: SessionId, generation: u64) -> Answer<()> {
        self.there()?.remove_socket(session, generation).await
    }
    async fn put_live(&self, session: SessionId, epoch: Epoch, live: &LiveState, ttl: Duration) -> Answer<Fenced> {
        self.there()?.put_live(session, epoch, live, ttl).await
    }
    async fn live(&self, session: SessionId) -> Answer<Option<LiveState>> {
        self.there()?.live(session).await
    }
    async fn put_resume(&self, session: SessionId, epoch: Epoch, resume: Bytes, ttl: Duration) -> Answer<Fenced> {
        self.there()?.put_resume(session, epoch, resume, ttl).await
    }
    async fn resume(&self, session: SessionId) -> Answer<Option<(Epoch, Bytes)>> {
        self.there()?.resume(session).await
    }
    async fn push_batch(&self, session: SessionId, pcm: Bytes, max_bytes: usize, ttl: Duration) -> Answer<usize> {
        self.there()?.push_batch(session, pcm, max_bytes, ttl).await
    }
    async fn take_batch(&self, session: SessionId) -> Answer<Bytes> {
        self.there()?.take_batch(session).await
    }
    async fn rate(&self, key: &str, limit: u32, window: Duration) -> Answer<Rate> {
        self.there()?.rate(key, limit, window).await
    }
    async fn take_quota(&self, tenant: TenantId, session: SessionId, limit: u32, ttl: Duration) -> Answer<bool> {
        self.there()?.take_quota(tenant, session, limit, ttl).await
    }
    async fn release_quota(&self, tenant: TenantId, session: SessionId) -> Answer<()> {
        self.there()?.release_quota(tenant, session).await
    }
    async fn revoke_join(&self, session: SessionId, generation: u32, ttl: Duration) -> Answer<()> {
        self.there()?.revoke_join(session, generation, ttl).await
    }
    async fn revoked_join(&self, session: SessionId) -> Answer<Option<u32>> {
        self.there()?.revoked_join(session).await
    }
    async fn age(&self) -> Answer<Duration> {
        self.there()?.age().await
    }
    async fn check(&self) -> Answer<()> {
        self.there()?.check().await
    }
}
