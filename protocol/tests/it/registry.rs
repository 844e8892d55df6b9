//! The contract of [`Registry`], against every engine.

use crate::support::{DEADLINE, unique};
use async_trait::async_trait;
use bytes::Bytes;
use maya_protocol::{
    clock::ManualClock,
    ids::{ConnectionId, Epoch, NodeId, SessionId, TenantId},
    registry::{Fenced, NodeRecord, OwnerRecord, SharedRegistry, SocketRecord, embedded::EmbeddedRegistry},
    session::{LiveState, Phase},
    tree::NodeState,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(150);

/// An engine under test.
#[async_trait]
pub trait Engine: Send + Sync {
    fn registry(&self) -> SharedRegistry;
    /// Lets a little time pass.
    async fn tick(&self);
    /// Loses all data.
    async fn lose_everything(&self);
}

struct Embedded {
    registry: Arc<EmbeddedRegistry>,
    clock: ManualClock,
}

impl Embedded {
    async fn start() -> Self {
        let clock = ManualClock::at(chrono::Utc::now());
        Self { registry: Arc::new(EmbeddedRegistry::new(Arc::new(clock.clone()))), clock }
    }
}

#[async_trait]
impl Engine for Embedded {
    fn registry(&self) -> SharedRegistry {
        self.registry.clone()
    }
    async fn tick(&self) {
        self.clock.advance(Duration::from_millis(20));
    }
    async fn lose_everything(&self) {
        self.registry.lose_everything();
    }
}

macro_rules! contract {
    ($($test:ident,)*) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(&super::Embedded::start().await).await; })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(&crate::registry_redis::Redis::start().await).await; })*
        }
        mod redis_tls {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(&crate::registry_redis::Redis::start_tls().await).await; })*
        }
    };
}
contract! {
    nodes_come_go_and_age_out,
    owners_are_fenced_by_epoch,
    an_owners_lease_ages_out,
    the_newer_socket_wins,
    a_socket_after_a_loss_still_wins,
    live_state_and_resume_are_fenced,
    batches_are_bounded_and_taken_once,
    rates_count_in_windows,
    quotas_have_places,
    revocations_only_grow,
    it_may_be_emptied_at_any_moment,
    sessions_are_apart,
    many_claims_at_once_leave_the_highest,
    its_age_begins_anew_with_a_loss,
}

/// Waits for a condition.
macro_rules! eventually {
    ($engine:expr, $what:literal, $condition:expr) => {
        let started = Instant::now();
        while !$condition {
            assert!(started.elapsed() < DEADLINE, "never: {}", $what);
            $engine.tick().await;
        }
    };
}

fn node(id: &str) -> NodeRecord {
    NodeRecord {
        id: NodeId(id.into()),
        roles: vec!["edge".into()],
        zone: None,
        version: "0.1.0".into(),
        state: NodeState::Serving,
        rpc: "127.0.0.1:1".into(),
        load: 3,
        weight: 8,
        started_at: chrono::DateTime::UNIX_EPOCH,
    }
}

fn owner(epoch: u64) -> OwnerRecord {
    OwnerRecord { node: NodeId(format!("node-{epoch}")), epoch: Epoch(epoch) }
}

fn live(version: u64) -> LiveState {
    LiveState {
        phase: Phase::Listening,
        remaining_seconds: 60,
        last_activity_at: chrono::DateTime::UNIX_EPOCH,
        turns: 2,
        version,
    }
}

async fn its_age_begins_anew_with_a_loss(engine: &dyn Engine) {
    let registry = engine.registry();
    registry.put_node(&node("a"), LONG).await.unwrap();
    eventually!(engine, "it grows older", registry.age().await.unwrap() >= SHORT);
    engine.lose_everything().await;
    assert!(registry.age().await.unwrap() < SHORT, "nothing was told since");
    registry.put_node(&node("a"), LONG).await.unwrap();
    registry.put_node(&node("b"), LONG).await.unwrap();
    assert!(registry.age().await.unwrap() < SHORT, "it counts from what was told first");
    eventually!(engine, "it grows older again", registry.age().await.unwrap() >= SHORT);
}

async fn nodes_come_go_and_age_out(engine: &dyn Engine) {
    let registry = engine.registry();
    registry.put_node(&node("b"), LONG).await.unwrap();
    registry.put_node(&node("a"), LONG).await.unwrap();
    registry.put_node(&node("c"), SHORT).await.unwrap();
    assert_eq!(registry.nodes().await.unwrap(), [node("a"), node("b"), node("c")]);
    let draining = NodeRecord { state: NodeState::Draining, load: 0, ..node("b") };
    registry.put_node(&draining, LONG).await.unwrap();
    registry.remove_node(&NodeId("a".into())).await.unwrap();
    eventually!(engine, "c ages out", registry.nodes().await.unwrap() == [draining.clone()]);
    registry.put_node(&node("c"), LONG).await.unwrap();
    assert_eq!(registry.nodes().await.unwrap().len(), 2);
}

async fn owners_are_fenced_by_epoch(engine: &dyn Engine) {
    let (registry, session) = (engine.registry(), SessionId::fresh());
    assert_eq!(registry.owner(session).await.unwrap(), None);
    assert_eq!(registry.put_owner(session, &owner(4), LONG).await.unwrap(), Fenced::Written);
    assert_eq!(registry.put_owner(session, &owner(5), LONG).await.unwrap(), Fenced::Written);
    assert_eq!(registry.put_owner(session, &owner(4), LONG).await.unwrap(), Fenced::Stale(Epoch(5)));
    assert_eq!(registry.put_owner(session, &owner(5), LONG).await.unwrap(), Fenced::Written, "a refresh");
    assert_eq!(registry.put_owner(session, &owner(10), LONG).await.unwrap(), Fenced::Written, "numbers, not text");
    registry.remove_owner(session, Epoch(5)).await.unwrap();
    assert_eq!(registry.owner(session).await.unwrap(), Some(owner(10)), "not the stale one's to remove");
    registry.remove_owner(session, Epoch(10)).await.unwrap();
    assert_eq!(registry.owner(session).await.unwrap(), None);
}

async fn an_owners_lease_ages_out(engine: &dyn Engine) {
    let (registry, session) = (engine.registry(), SessionId::fresh());
    registry.put_owner(session, &owner(7), SHORT).await.unwrap();
    eventually!(engine, "the lease runs out", registry.owner(session).await.unwrap().is_none());
}

async fn the_newer_socket_wins(engine: &dyn Engine) {
    let (registry, session) = (engine.registry(), SessionId::fresh());
    let (first, second) = (ConnectionId::fresh(), ConnectionId::fresh());
    let (one, two) = (NodeId("edge-1".into()), NodeId("edge-2".into()));
    let (old, replaced) = registry.put_socket(session, &one, first, LONG).await.unwrap();
    assert_eq!(replaced, None);
    let (new, replaced) = registry.put_socket(session, &two, second, LONG).await.unwrap();
    let old = SocketRecord { edge: one.clone(), connection: first, generation: old };
    let new = SocketRecord { edge: two, connection: second, generation: new };
    assert_eq!(replaced, Some(old.clone()));
    assert!(new.generation > old.generation);
    assert!(!registry.refresh_socket(session, &old, LONG).await.unwrap());
    assert!(registry.refresh_socket(session, &new, LONG).await.unwrap());
    registry.put_socket(session, &new.edge, second, LONG).await.unwrap();
    assert!(registry.refresh_socket(session, &new, LONG).await.unwrap(), "a try of its own that came late is no other");
    registry.remove_socket(session, old.generation).await.unwrap();
    assert_eq!(registry.socket(session).await.unwrap(), Some(new.clone()), "a close removes its own only");
    registry.remove_socket(session, new.generation).await.unwrap();
    assert_eq!(registry.socket(session).await.unwrap(), None);
    let (next, replaced) = registry.put_socket(session, &one, first, SHORT).await.unwrap();
    assert!(next > new.generation, "generations go on after a removal");
    assert_eq!(replaced, None);
    eventually!(engine, "it ages out", registry.socket(session).await.unwrap().is_none());
}

async fn a_socket_after_a_loss_still_wins(engine: &dyn Engine) {
    let (registry, session) = (engine.registry(), SessionId::fresh());
    let edge = NodeId("edge".into());
    let mut last = 0;
    let old = ConnectionId::fresh();
    for _ in 0..5 {
        last = registry.put_socket(session, &edge, old, LONG).await.unwrap().0;
    }
    let old = SocketRecord { edge: edge.clone(), connection: old, generation: last };
    engine.lose_everything().await;
    assert!(registry.refresh_socket(session, &old, LONG).await.unwrap(), "a loss is mended by the next refresh");
    assert_eq!(registry.socket(session).await.unwrap(), Some(old.clone()));
    engine.lose_everything().await;
    engine.tick().await;
    let (new, _) = registry.put_socket(session, &edge, ConnectionId::fresh(), LONG).await.unwrap();
    assert!(new > last);
    assert!(!registry.refresh_socket(session, &old, LONG).await.unwrap());
}

async fn live_state_and_resume_are_fenced(engine: &dyn Engine) {
    let (registry, session) = (engine.registry(), SessionId::fresh());
    assert_eq!(registry.live(session).await.unwrap(), None);
    assert_eq!(registry.resume(session).await.unwrap(), None);
    assert_eq!(registry.put_live(session, Epoch(2), &live(1), LONG).await.unwrap(), Fenced::Written);
    assert_eq!(registry.put_live(session, Epoch(2), &live(2), LONG).await.unwrap(), Fenced::Written);
    assert_eq!(registry.put_live(session, Epoch(1), &live(9), LONG).await.unwrap(), Fenced::Stale(Epoch(2)));
    assert_eq!(registry.live(session).await.unwrap(), Some(live(2)));
    let bytes = Bytes::from_static(&[0, 159, 146, 150, 255]);
    assert_eq!(registry.put_resume(session, Epoch(2), bytes.clone(), LONG).await.unwrap(), Fenced::Written);
    assert_eq!(registry.put_resume(session, Epoch(1), Bytes::new(), LONG).await.unwrap(), Fenced::Stale(Epoch(2)));
    assert_eq!(registry.resume(session).await.unwrap(), Some((Epoch(2), bytes)));
    // A new owner fences the old one before its own first write of them.
    registry.put_owner(session, &owner(3), LONG).await.unwrap();
    assert_eq!(registry.put_live(session, Epoch(2), &live(3), LONG).await.unwrap(), Fenced::Stale(Epoch(3)));
    assert_eq!(registry.put_resume(session, Epoch(2), Bytes::new(), LONG).await.unwrap(), Fenced::Stale(Epoch(3)));
    assert_eq!(registry.put_live(session, Epoch(3), &live(3), SHORT).await.unwrap(), Fenced::Written);
    eventually!(engine, "live state ages out", registry.live(session).await.unwrap().is_none());
}

async fn batches_are_bounded_and_taken_once(engine: &dyn Engine) {
    let (registry, session) = (engine.registry(), SessionId::fresh());
    assert_eq!(registry.take_batch(session).await.unwrap(), Bytes::new());
    assert_eq!(registry.push_batch(session, Bytes::from_static(&[0, 1, 2, 3]), 8, LONG).await.unwrap(), 4);
    assert_eq!(registry.push_batch(session, Bytes::from_static(&[4, 5, 6, 7]), 8, LONG).await.unwrap(), 8);
    assert_eq!(registry.push_batch(session, Bytes::from_static(&[8, 255]), 8, LONG).await.unwrap(), 8);
    assert_eq!(registry.push_batch(session, Bytes::from_static(&[10, 11]), 7, LONG).await.unwrap(), 6);
    let kept = [6, 7, 8, 255, 10, 11];
    assert_eq!(registry.take_batch(session).await.unwrap(), Bytes::copy_from_slice(&kept));
    assert_eq!(registry.take_batch(session).await.unwrap(), Bytes::new());
    assert_eq!(registry.push_batch(session, Bytes::from_static(&[1, 2]), 0, LONG).await.unwrap(), 0);
    registry.push_batch(session, Bytes::from_static(&[1, 2]), 8, SHORT).await.unwrap();
    eventually!(engine, "the batch ages out", {
        // Only taking shows what is held: what was still there is put back, for less than a tick.
        let held = registry.take_batch(session).await.unwrap();
        let aged = held.is_empty();
        if !aged {
            registry.push_batch(session, held, 8, Duration::from_millis(5)).await.unwrap();
        }
        aged
    });
}

async fn rates_count_in_windows(engine: &dyn Engine) {
    let (registry, key) = (engine.registry(), unique("key"));
    for left in [1, 0] {
        let rate = registry.rate(&key, 2, LONG).await.unwrap();
        assert!(rate.allowed && rate.remaining == left && rate.reset <= LONG && rate.reset > LONG / 2);
    }
    let rate = registry.rate(&key, 2, LONG).await.unwrap();
    assert!(!rate.allowed && rate.remaining == 0);
    assert!(registry.rate(&unique("other"), 2, LONG).await.unwrap().allowed);
    let short = unique("short");
    assert!(registry.rate(&short, 1, SHORT).await.unwrap().allowed);
    eventually!(engine, "a new window", registry.rate(&short, 1, SHORT).await.unwrap().allowed);
    assert!(!registry.rate(&unique("none"), 0, LONG).await.unwrap().allowed);
}

async fn quotas_have_places(engine: &dyn Engine) {
    let (registry, tenant) = (engine.registry(), TenantId::fresh());
    let sessions: Vec<SessionId> = (0..3).map(|_| SessionId::fresh()).collect();
    assert!(registry.take_quota(tenant, sessions[0], 2, LONG).await.unwrap());
    assert!(registry.take_quota(tenant, sessions[1], 2, SHORT).await.unwrap());
    assert!(!registry.take_quota(tenant, sessions[2], 2, LONG).await.unwrap());
    assert!(registry.take_quota(tenant, sessions[0], 2, LONG).await.unwrap(), "taking again is free");
    assert!(registry.take_quota(TenantId::fresh(), sessions[2], 1, LONG).await.unwrap(), "tenants are apart");
    eventually!(engine, "a forgotten place is free", registry.take_quota(tenant, sessions[2], 2, LONG).await.unwrap());
    registry.release_quota(tenant, sessions[0]).await.unwrap();
    assert!(registry.take_quota(tenant, sessions[1], 2, LONG).await.unwrap());
    assert!(!registry.take_quota(tenant, SessionId::fresh(), 2, LONG).await.unwrap());
}

async fn revocations_only_grow(engine: &dyn Engine) {
    let (registry, session) = (engine.registry(), SessionId::fresh());
    assert_eq!(registry.revoked_join(session).await.unwrap(), None);
    registry.revoke_join(session, 3, LONG).await.unwrap();
    registry.revoke_join(session, 1, SHORT).await.unwrap();
    assert_eq!(registry.revoked_join(session).await.unwrap(), Some(3));
    registry.revoke_join(session, 12, LONG).await.unwrap();
    assert_eq!(registry.revoked_join(session).await.unwrap(), Some(12));
    let other = SessionId::fresh();
    registry.revoke_join(other, 0, SHORT).await.unwrap();
    assert_eq!(registry.revoked_join(other).await.unwrap(), Some(0));
    eventually!(engine, "a revocation ages out", registry.revoked_join(other).await.unwrap().is_none());
}

async fn it_may_be_emptied_at_any_moment(engine: &dyn Engine) {
    let (registry, session, tenant) = (engine.registry(), SessionId::fresh(), TenantId::fresh());
    for _ in 0..2 {
        registry.put_node(&node("n"), LONG).await.unwrap();
        assert_eq!(registry.put_owner(session, &owner(1), LONG).await.unwrap(), Fenced::Written);
        registry.put_live(session, Epoch(1), &live(1), LONG).await.unwrap();
        registry.put_resume(session, Epoch(1), Bytes::from_static(b"r"), LONG).await.unwrap();
        registry.push_batch(session, Bytes::from_static(b"ab"), 8, LONG).await.unwrap();
        registry.put_socket(session, &NodeId("e".into()), ConnectionId::fresh(), LONG).await.unwrap();
        assert!(registry.take_quota(tenant, session, 1, LONG).await.unwrap());
        engine.lose_everything().await;
        registry.check().await.unwrap();
        assert_eq!(registry.nodes().await.unwrap(), []);
        assert_eq!(registry.owner(session).await.unwrap(), None);
        assert_eq!(registry.live(session).await.unwrap(), None);
        assert_eq!(registry.resume(session).await.unwrap(), None);
        assert_eq!(registry.socket(session).await.unwrap(), None);
        assert_eq!(registry.take_batch(session).await.unwrap(), Bytes::new());
        registry.remove_owner(session, Epoch(1)).await.unwrap();
        registry.remove_socket(session, 1).await.unwrap();
        registry.release_quota(tenant, session).await.unwrap();
    }
}

async fn sessions_are_apart(engine: &dyn Engine) {
    let registry = engine.registry();
    let (one, two) = (SessionId::fresh(), SessionId::fresh());
    registry.put_owner(one, &owner(9), LONG).await.unwrap();
    assert_eq!(registry.put_live(two, Epoch(1), &live(1), LONG).await.unwrap(), Fenced::Written);
    assert_eq!(registry.owner(two).await.unwrap(), None);
    assert_eq!(registry.live(one).await.unwrap(), None);
}

async fn many_claims_at_once_leave_the_highest(engine: &dyn Engine) {
    let (registry, session) = (engine.registry(), SessionId::fresh());
    let edge = NodeId("edge".into());
    let claims = (1..=50).map(|epoch| {
        let (registry, edge) = (registry.clone(), edge.clone());
        tokio::spawn(async move {
            registry.put_owner(session, &owner(epoch), LONG).await.unwrap();
            registry.put_socket(session, &edge, ConnectionId::fresh(), LONG).await.unwrap().0
        })
    });
    let mut generations: Vec<u64> =
        futures::future::join_all(claims).await.into_iter().map(|claim| claim.unwrap()).collect();
    assert_eq!(registry.owner(session).await.unwrap(), Some(owner(50)));
    generations.sort_unstable();
    let newest = registry.socket(session).await.unwrap().map(|socket| socket.generation);
    assert_eq!(newest, generations.last().copied());
    generations.dedup();
    assert_eq!(generations.len(), 50, "no generation is given twice");
}
