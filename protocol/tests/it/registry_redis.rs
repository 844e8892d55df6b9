//! What only Redis has: it can hang, vanish, refuse and come back.

use crate::{
    registry::Engine,
    support::{Fault, faulty, in_time, nobody, unique},
};
use async_trait::async_trait;
use maya_protocol::{
    ids::{Epoch, NodeId, SessionId},
    registry::{OwnerRecord, Registry, RegistryError, SharedRegistry, redis::RedisRegistry},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What a caller may wait for a Redis that does not answer.
const BOUND: Duration = Duration::from_millis(600);

pub struct Redis {
    registry: SharedRegistry,
    env: String,
    server: &'static maya_testkit::Redis,
}

impl Redis {
    pub async fn start() -> Self {
        let (env, server) = (unique("test"), maya_testkit::redis().await);
        let registry = RedisRegistry::connect(&server.url(), &env).unwrap();
        Self { registry: Arc::new(registry), env, server }
    }
    pub async fn start_tls() -> Self {
        let (env, server) = (unique("test"), maya_testkit::redis_tls().await);
        let registry = RedisRegistry::connect_trusting(&server.url(), server.ca_file(), &env).unwrap();
        Self { registry: Arc::new(registry), env, server }
    }
}

#[async_trait]
impl Engine for Redis {
    fn registry(&self) -> SharedRegistry {
        self.registry.clone()
    }
    async fn tick(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    /// Our environment alone: other tests use the same server.
    async fn lose_everything(&self) {
        let mut connection = self.server.client().get_multiplexed_async_connection().await.unwrap();
        let pattern = format!("maya:{}:*", self.env);
        let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap();
        for key in keys {
            let () = redis::cmd("DEL").arg(key).query_async(&mut connection).await.unwrap();
        }
    }
}

fn owner() -> OwnerRecord {
    OwnerRecord { node: NodeId("n".into()), epoch: Epoch(1) }
}

async fn unavailable_in_time(registry: &RedisRegistry) {
    for _ in 0..3 {
        let started = Instant::now();
        let error = registry.put_owner(SessionId::fresh(), &owner(), Duration::from_secs(1)).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unavailable(_)), "{error}");
        assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
        assert!(registry.check().await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_hanging_or_resetting_redis_is_unavailable_in_time() {
    for address in [nobody().await, faulty(Fault::Hang).await, faulty(Fault::Reset).await] {
        let registry = RedisRegistry::connect(&format!("redis://{address}"), "test").unwrap();
        unavailable_in_time(&registry).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_unavailable_and_not_shown() {
    let url = maya_testkit::redis().await.url();
    let address = url.trim_start_matches("redis://").rsplit('@').next().unwrap();
    let registry = RedisRegistry::connect(&format!("redis://nobody:wr0ng@{address}"), "test").unwrap();
    let error = registry.check().await.unwrap_err();
    assert!(!error.to_string().contains("wr0ng"), "{error}");
}

#[tokio::test]
async fn a_url_that_makes_no_sense_is_refused() {
    assert!(matches!(RedisRegistry::connect("http://x", "test"), Err(RegistryError::Invalid(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_authority_is_not_ours_is_refused_with_the_reason() {
    let (server, other) = tokio::join!(maya_testkit::Redis::start_tls(), maya_testkit::Redis::start_tls());
    let wrong = RedisRegistry::connect_trusting(&server.url(), other.ca_file(), "test").unwrap();
    let unknown = RedisRegistry::connect(&server.url(), "test").unwrap();
    for registry in [wrong, unknown] {
        let error = registry.check().await.unwrap_err();
        assert!(matches!(error, RegistryError::Invalid(_)), "{error}");
        assert!(error.to_string().contains("not trusted"), "{error}");
    }
    let right = RedisRegistry::connect_trusting(&server.url(), server.ca_file(), "test").unwrap();
    right.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_holds_no_authority_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for ca_file in [folder.path().join("absent"), file("empty", ""), file("text", "certificate"), file("cut", cut)] {
        let refused = RedisRegistry::connect_trusting("rediss://127.0.0.1:1", &ca_file, "test");
        assert!(matches!(refused, Err(RegistryError::Invalid(_))), "{}", ca_file.display());
    }
    let server = maya_testkit::redis_tls().await;
    let in_clear = server.url().replace("rediss://", "redis://");
    assert!(matches!(
        RedisRegistry::connect_trusting(&in_clear, server.ca_file(), "test"),
        Err(RegistryError::Invalid(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_speak_tls_is_unavailable_in_time() {
    let ca_file = maya_testkit::redis_tls().await.ca_file();
    let plain = maya_testkit::redis().await.url().replace("redis://", "");
    for address in [plain, nobody().await, faulty(Fault::Hang).await, faulty(Fault::Reset).await] {
        let registry = RedisRegistry::connect_trusting(&format!("rediss://{address}"), ca_file, "test").unwrap();
        unavailable_in_time(&registry).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_back_empty_is_used_again() {
    let server = maya_testkit::Redis::start().await;
    let registry = RedisRegistry::connect(&server.url(), "test").unwrap();
    let session = SessionId::fresh();
    registry.put_owner(session, &owner(), Duration::from_secs(60)).await.unwrap();
    // All data and all scripts, in the middle of work.
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
    let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut connection).await.unwrap();
    assert_eq!(registry.owner(session).await.unwrap(), None);
    registry.put_owner(session, &owner(), Duration::from_secs(60)).await.unwrap();
    // Every connection cut.
    let _: Result<i64, _> =
        redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").query_async(&mut connection).await;
    in_time("recovery", async {
        while !registry.owner(session).await.is_ok_and(|found| found == Some(owner())) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(server);
    unavailable_in_time(&registry).await;
}
