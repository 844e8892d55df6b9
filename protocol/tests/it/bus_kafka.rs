//! What only Kafka has: a broker that can refuse, hang and go away, and four ways to log in.

use crate::{
    bus::Engine,
    support::{Fault, faulty, in_time, nobody, publish_numbered, read_of, record, text, unique},
};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use maya_protocol::{
    bus::{
        Bus, BusError, SharedBus, StartAt, TopicSettings,
        kafka::{BearerToken, KafkaBus, KafkaSettings, SaslMechanism, SecurityProtocol, TokenSource},
    },
    topic::{Channel, Topic},
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, OnceCell, watch};

pub struct Kafka {
    bus: SharedBus,
}

impl Kafka {
    pub async fn start() -> Self {
        Self { bus: connect(plaintext().await).await }
    }
}

/// Topics have few partitions here: the test broker is small, and so is each test's patience.
async fn plaintext() -> KafkaSettings {
    KafkaSettings {
        brokers: maya_testkit::kafka().await.plaintext.clone(),
        topics: TopicSettings { media_partitions: 6, replication: 1 },
        client_id: unique("test"),
        ..KafkaSettings::default()
    }
}

async fn sasl(mechanism: SaslMechanism) -> KafkaSettings {
    let kafka = maya_testkit::kafka().await;
    KafkaSettings {
        brokers: kafka.sasl_ssl.clone(),
        security_protocol: SecurityProtocol::SaslSsl,
        sasl_mechanism: Some(mechanism),
        username: Some(kafka.username.to_string()),
        password: Some(kafka.password.to_string()),
        ca_file: Some(kafka.ca_file.clone()),
        ..plaintext().await
    }
}

async fn connect(settings: KafkaSettings) -> SharedBus {
    static CREATED: OnceCell<()> = OnceCell::const_new();
    let bus = in_time("connect", KafkaBus::connect(settings)).await.unwrap();
    CREATED.get_or_init(|| async { in_time("topics", bus.ensure_topics(true)).await.unwrap() }).await;
    bus.partitions(Topic::InfoNeeded.into()).await.unwrap();
    bus
}

async fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", &maya_testkit::kafka().await.plaintext).create().unwrap()
}

#[async_trait]
impl Engine for Kafka {
    fn bus(&self) -> SharedBus {
        self.bus.clone()
    }
    async fn expire(&self, channel: Channel, partition: u32) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(channel.name(), partition as i32, Offset::End).unwrap();
        admin().await.delete_records(&offsets, &AdminOptions::new()).await.unwrap();
    }
    async fn another(&self) -> SharedBus {
        connect(plaintext().await).await
    }
}

/// Asserts that a bus publishes and reads.
async fn works(bus: &SharedBus) {
    let key = unique("works");
    let first = publish_numbered(bus, Topic::InfoNeeded, &key, 0..3).await;
    let mut reader = bus.reader(Topic::InfoNeeded.into()).await.unwrap();
    reader.assign(first.partition, StartAt::Offset(first.offset)).await.unwrap();
    assert_eq!(text(&read_of(reader.as_mut(), &key).await), "0");
    let mut member = bus.join(&unique("group"), &[Topic::InfoNeeded.into()]).await.unwrap();
    crate::support::next_of(member.as_mut(), &key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_and_scram_log_in() {
    for mechanism in [SaslMechanism::Plain, SaslMechanism::ScramSha512] {
        let bus = connect(sasl(mechanism).await).await;
        works(&bus).await;
        bus.close().await;
    }
}

/// An unsecured JWS, as a test broker takes it.
struct Unsecured {
    given: watch::Sender<usize>,
    lifetime: Duration,
}

impl Unsecured {
    fn lasting(lifetime: Duration) -> Self {
        Self { given: watch::Sender::new(0), lifetime }
    }
}

#[async_trait]
impl TokenSource for Unsecured {
    async fn token(&self) -> Result<BearerToken, String> {
        self.given.send_modify(|given| *given += 1);
        let now = Utc::now();
        let expires_at: DateTime<Utc> = now + TimeDelta::from_std(self.lifetime).unwrap();
        let claims = serde_json::json!({ "sub": "maya", "iat": now.timestamp(), "exp": expires_at.timestamp() });
        let part = |json: String| URL_SAFE_NO_PAD.encode(json);
        Ok(BearerToken {
            value: format!("{}.{}.", part(r#"{"alg":"none"}"#.into()), part(claims.to_string())),
            principal: "maya".into(),
            expires_at,
            lifetime: self.lifetime,
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_log_in_and_are_renewed() {
    // Not shorter: a broker refuses to renew a login that is younger than a second, and librdkafka lets a token come
    // within a fifth of its end.
    let source = Arc::new(Unsecured::lasting(Duration::from_secs(10)));
    let settings = KafkaSettings { token_source: Some(source.clone()), ..sasl(SaslMechanism::OAuthBearer).await };
    let bus = connect(settings).await;
    works(&bus).await;
    // At the third token the first one is past its end: whatever works now has logged in again.
    in_time("renewal", source.given.subscribe().wait_for(|given| *given >= 3)).await.unwrap();
    works(&bus).await;
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_may_create_topics() {
    let source = Arc::new(Unsecured::lasting(Duration::from_secs(60)));
    let settings = KafkaSettings { token_source: Some(source), ..sasl(SaslMechanism::OAuthBearer).await };
    let bus = connect(settings).await;
    let _alone = TOPICS.lock().await;
    delete(Channel::DeadLetter(Topic::AssessmentReady), &bus).await;
    in_time("creation", bus.ensure_topics(true)).await.unwrap();
    bus.publish(record(Channel::DeadLetter(Topic::AssessmentReady), "k", "")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_named_at_once() {
    connect(plaintext().await).await;
    for mechanism in [SaslMechanism::Plain, SaslMechanism::ScramSha512] {
        let settings = KafkaSettings { password: Some("wr0ng".into()), ..sasl(mechanism).await };
        let started = Instant::now();
        let error = KafkaBus::connect(settings).await.err().unwrap();
        assert!(matches!(error, BusError::Auth(_)), "{error:?}");
        assert!(!error.is_retryable() && !error.to_string().contains("wr0ng"));
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_of_unknown_authority_is_refused() {
    let settings = KafkaSettings { ca_file: None, ..sasl(SaslMechanism::Plain).await };
    let error = KafkaBus::connect(settings).await.err().unwrap();
    assert!(matches!(error, BusError::Auth(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_hanging_or_resetting_broker_is_unavailable_in_time() {
    for brokers in [nobody().await, faulty(Fault::Hang).await, faulty(Fault::Reset).await] {
        let settings =
            KafkaSettings { brokers, request_timeout: Duration::from_millis(1500), ..KafkaSettings::default() };
        let started = Instant::now();
        let error = KafkaBus::connect(settings).await.err().unwrap();
        assert!(matches!(error, BusError::Unavailable(_)) && error.is_retryable(), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn media_that_nobody_takes_has_a_bound() {
    let bus = connect(KafkaSettings { media_queue_bytes: 1024 * 1024, ..plaintext().await }).await;
    let mut piece = record(Topic::CandidateVideo, "k", "");
    piece.payload = Bytes::from(vec![0; 256 * 1024]);
    let refused = (0..1000).find_map(|_| bus.send(piece.clone()).err());
    assert!(matches!(refused, Some(BusError::Backlog)), "{refused:?}");
    // Who waits gets through.
    in_time("publish", bus.publish(piece)).await.unwrap();
}

/// Tests that take topics away do so one after another: each creates whatever is missing.
static TOPICS: Mutex<()> = Mutex::const_new(());

/// Deletes a topic, and waits until the cluster says so.
async fn delete(channel: Channel, bus: &SharedBus) {
    admin().await.delete_topics(&[channel.name()], &AdminOptions::new()).await.unwrap();
    in_time("deletion", async {
        while bus.partitions(channel).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_named_and_its_successor_is_another() {
    let bus = connect(plaintext().await).await;
    let channel = Channel::DeadLetter(Topic::AssessmentCompleted);
    let before = bus.bounds(channel, 0).await.unwrap();
    let _alone = TOPICS.lock().await;
    delete(channel, &bus).await;
    let BusError::NoTopic(names) = bus.ensure_topics(false).await.unwrap_err() else { panic!("wrong error") };
    assert!(names.split(", ").any(|name| name == channel.name()), "{names}");
    in_time("creation", bus.ensure_topics(true)).await.unwrap();
    assert_ne!(bus.bounds(channel, 0).await.unwrap().incarnation, before.incarnation);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_created_as_the_table_says() {
    let bus = connect(plaintext().await).await;
    assert_eq!(bus.partitions(Topic::InfoNeeded.into()).await.unwrap(), 12);
    assert_eq!(bus.partitions(Topic::CandidateSpoken.into()).await.unwrap(), 6);
    let topics = [(Topic::InfoNeeded, "604800000"), (Topic::CandidateSpoken, "7200000")];
    for (topic, retention) in topics {
        let resource = rdkafka::admin::ResourceSpecifier::Topic(topic.name());
        let configs = admin().await.describe_configs([&resource], &AdminOptions::new()).await.unwrap();
        let config = configs[0].as_ref().unwrap();
        assert_eq!(config.get("retention.ms").unwrap().value.as_deref(), Some(retention));
        assert_eq!(config.get("cleanup.policy").unwrap().value.as_deref(), Some("delete"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_come_back_after_a_broker_that_froze() {
    const GROUPS: usize = 6;
    let broker = maya_testkit::Kafka::start().await;
    let settings = KafkaSettings {
        brokers: broker.plaintext.clone(),
        topics: TopicSettings { media_partitions: 2, replication: 1 },
        session_timeout: Duration::from_secs(2),
        membership_patience: Duration::from_secs(10),
        ..KafkaSettings::default()
    };
    let bus: SharedBus = in_time("connect", KafkaBus::connect(settings)).await.unwrap();
    in_time("topics", bus.ensure_topics(true)).await.unwrap();
    let topic: Channel = Topic::InfoNeeded.into();
    let (heard, hearing) = watch::channel([None; GROUPS]);
    for group in 0..GROUPS {
        let (bus, heard) = (bus.clone(), heard.clone());
        tokio::spawn(async move {
            loop {
                let Ok(mut member) = bus.join(&format!("group-{group}"), &[topic]).await else { continue };
                // as an intake does: whatever ends the reading, another member follows
                while let Ok(delivery) = member.next().await {
                    member.commit(&delivery).await.unwrap();
                    let number: usize = text(&delivery).parse().unwrap();
                    heard.send_modify(|heard| heard[group] = Some(number));
                }
            }
        });
    }
    let all = async |number: usize| {
        publish_numbered(&bus, topic, "key", number..number + 1).await;
        let wanted = |heard: &[Option<usize>; GROUPS]| heard.iter().all(|last| last.is_some_and(|last| last >= number));
        let mut hearing = hearing.clone();
        let heard = tokio::time::timeout(Duration::from_secs(90), hearing.wait_for(wanted)).await.is_ok();
        assert!(heard, "message {number}: {:?}", hearing.borrow());
    };
    all(0).await;
    broker.freeze();
    // longer than a session: every member is thrown out
    tokio::time::sleep(Duration::from_secs(8)).await;
    broker.thaw();
    all(1).await;
}
