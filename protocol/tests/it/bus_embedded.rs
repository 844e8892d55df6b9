//! What only the embedded bus promises: durability across a kill, a new life of media at every start, its bounds.

use crate::{
    bus::Engine,
    support::{in_time, publish_numbered, read_of, record, text, unique},
};
use async_trait::async_trait;
use bytes::Bytes;
use maya_protocol::{
    bus::{Bus, BusError, SharedBus, StartAt, TopicSettings, embedded::EmbeddedBus},
    clock::{ManualClock, system},
    topic::{Channel, Topic, partition_of},
};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

const CHILD_DIR: &str = "MAYA_TEST_BUS_DIR";

pub struct Embedded {
    bus: Arc<EmbeddedBus>,
    clock: ManualClock,
    dir: TempDir,
}

impl Embedded {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(chrono::Utc::now());
        let bus = EmbeddedBus::open(&dir.path().join("one"), TopicSettings::default(), Arc::new(clock.clone()));
        let bus = bus.unwrap();
        bus.ensure_topics(true).await.unwrap();
        Self { bus, clock, dir }
    }
}

#[async_trait]
impl Engine for Embedded {
    fn bus(&self) -> SharedBus {
        self.bus.clone()
    }
    async fn expire(&self, _: Channel, _: u32) {
        self.clock.advance(Duration::from_secs(8 * 24 * 3600));
        self.bus.trim().await.unwrap();
    }
    async fn another(&self) -> SharedBus {
        let bus = open(&self.dir.path().join("another"));
        bus.ensure_topics(true).await.unwrap();
        bus
    }
}

fn open(dir: &Path) -> Arc<EmbeddedBus> {
    EmbeddedBus::open(dir, TopicSettings::default(), system()).unwrap()
}

#[tokio::test]
async fn topics_exist_only_once_created() {
    let dir = tempfile::tempdir().unwrap();
    let bus = open(dir.path());
    let BusError::NoTopic(names) = bus.ensure_topics(false).await.unwrap_err() else { panic!("wrong error") };
    for channel in Channel::all() {
        assert!(names.split(", ").any(|name| name == channel.name()), "{} is not named", channel.name());
    }
    assert!(matches!(bus.publish(record(Topic::InfoNeeded, "k", "")).await, Err(BusError::NoTopic(_))));
    bus.ensure_topics(true).await.unwrap();
    bus.ensure_topics(false).await.unwrap();
    assert_eq!(bus.partitions(Topic::InfoNeeded.into()).await.unwrap(), 12);
}

#[tokio::test]
async fn a_restart_keeps_events_and_places_and_begins_media_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (key, group) = (unique("restart"), unique("group"));
    let bus: SharedBus = open(dir.path());
    bus.ensure_topics(true).await.unwrap();
    let first = publish_numbered(&bus, Topic::PlanCreated, &key, 0..5).await;
    publish_numbered(&bus, Topic::AgentSpoken, &key, 0..5).await;
    let spoken = partition_of(&key, 100);
    let events = bus.bounds(Topic::PlanCreated.into(), first.partition).await.unwrap();
    let media = bus.bounds(Topic::AgentSpoken.into(), spoken).await.unwrap();
    let mut member = bus.join(&group, &[Topic::PlanCreated.into()]).await.unwrap();
    let delivery = in_time("the first", member.next()).await.unwrap();
    member.commit(&delivery).await.unwrap();
    bus.close().await;
    drop((bus, member));

    let bus = open(dir.path());
    bus.ensure_topics(false).await.unwrap();
    assert_eq!(bus.bounds(Topic::PlanCreated.into(), first.partition).await.unwrap(), events);
    let again = bus.bounds(Topic::AgentSpoken.into(), spoken).await.unwrap();
    assert_ne!(again.incarnation, media.incarnation);
    assert_eq!((again.low, again.high), (0, 0));
    let mut member = bus.join(&group, &[Topic::PlanCreated.into()]).await.unwrap();
    assert_eq!(text(&in_time("the second", member.next()).await.unwrap()), "1");
    // A place from the former life of media means its oldest message.
    bus.publish(record(Topic::AgentSpoken, &key, "new")).await.unwrap();
    let mut reader = bus.reader(Topic::AgentSpoken.into()).await.unwrap();
    reader.assign(spoken, StartAt::Offset(media.high)).await.unwrap();
    assert_eq!(text(&read_of(reader.as_mut(), &key).await), "new");
}

#[tokio::test]
async fn offsets_go_on_after_retention_took_everything() {
    let engine = Embedded::start().await;
    let bus = engine.bus();
    let first = publish_numbered(&bus, Topic::PlanCreated, "k", 0..5).await;
    engine.expire(Topic::PlanCreated.into(), first.partition).await;
    bus.close().await;
    let Embedded { bus: held, dir, .. } = engine;
    drop((bus, held));
    let bus: SharedBus = open(&dir.path().join("one"));
    let bounds = bus.bounds(Topic::PlanCreated.into(), first.partition).await.unwrap();
    assert_eq!((bounds.low, bounds.high), (5, 5));
    assert_eq!(publish_numbered(&bus, Topic::PlanCreated, "k", 5..6).await.offset, 5);
}

#[tokio::test]
async fn the_store_belongs_to_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let _bus = open(dir.path());
    let second = EmbeddedBus::open(dir.path(), TopicSettings::default(), system());
    assert!(matches!(second.err(), Some(BusError::Invalid(_))));
}

#[tokio::test]
async fn events_that_nobody_waits_for_have_a_bound() {
    let engine = Embedded::start().await;
    let bus = engine.bus();
    let mut event = record(Topic::InfoNeeded, "k", "");
    event.payload = Bytes::from(vec![0; 1024 * 1024]);
    let refused = (0..1000).find_map(|_| bus.send(event.clone()).err());
    assert!(matches!(refused, Some(BusError::Backlog)));
    // Who waits gets through.
    in_time("publish", bus.publish(event)).await.unwrap();
}

/// Not a test of its own: the process that the next test kills. Publishes until it dies, saying each acknowledgement.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_publishes_until_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let bus = open(Path::new(&dir));
    bus.ensure_topics(true).await.unwrap();
    let publishers = (0..8).map(|publisher| {
        let bus = bus.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let text = format!("{publisher}-{number}");
                let position = bus.publish(record(Topic::InterviewApproved, &text, &text)).await.unwrap();
                println!("ack {text} {} {}", position.partition, position.offset);
            }
        })
    });
    futures::future::join_all(publishers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = 0;
    for round in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["bus_embedded::child_that_publishes_until_killed", "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD_DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut acknowledged: Vec<String> = vec![];
        while acknowledged.len() < 200 + 150 * round {
            let line = lines.next().expect("the child publishes");
            acknowledged.extend(line.split("ack ").nth(1).map(str::to_owned));
        }
        child.kill().unwrap();
        // What it said before it died counts too; its last line may be cut.
        let rest: Vec<String> = lines.filter_map(|line| line.split("ack ").nth(1).map(str::to_owned)).collect();
        acknowledged.extend(rest.iter().take(rest.len().saturating_sub(1)).cloned());
        child.wait().unwrap();

        let bus = open(dir.path());
        let mut kept = 0;
        for partition in 0..12 {
            kept += bus.bounds(Topic::InterviewApproved.into(), partition).await.unwrap().high;
        }
        for line in &acknowledged {
            let [text_sent, partition, offset] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let mut reader = bus.reader(Topic::InterviewApproved.into()).await.unwrap();
            let offset = offset.parse().unwrap();
            reader.assign(partition.parse().unwrap(), StartAt::Offset(offset)).await.unwrap();
            let read = in_time("an acknowledged message", reader.next()).await.unwrap();
            assert_eq!((read.offset, text(&read).as_str()), (offset, text_sent));
        }
        assert!(kept >= before + acknowledged.len() as u64);
        before = kept;
        bus.close().await;
    }
}
