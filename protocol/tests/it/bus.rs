//! The contract of [`Bus`], against every engine.

use crate::support::{DEADLINE, in_time, next_of, publish_numbered, read_of, record, text, unique};
use async_trait::async_trait;
use bytes::Bytes;
use maya_protocol::{
    bus::{BusError, MAX_EVENT_PAYLOAD, MAX_MEDIA_PAYLOAD, SharedBus, StartAt, read_range},
    topic::{Channel, Topic, partition_of},
};
use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// An engine under test.
#[async_trait]
pub trait Engine: Send + Sync {
    /// The bus, its topics created.
    fn bus(&self) -> SharedBus;
    /// Lets retention take all that a partition holds now.
    async fn expire(&self, channel: Channel, partition: u32);
    /// A bus of its own, that the test may close.
    async fn another(&self) -> SharedBus;
}

macro_rules! contract {
    ($($test:ident,)*) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(&crate::bus_embedded::Embedded::start().await).await; })*
        }
        mod kafka {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(&crate::bus_kafka::Kafka::start().await).await; })*
        }
    };
}
contract! {
    a_message_arrives_as_it_was_sent,
    the_key_decides_the_partition_as_in_java,
    order_within_a_key,
    media_keeps_its_order_without_waiting,
    readers_start_where_they_are_told,
    a_range_is_read_to_its_end,
    an_assigned_partition_can_be_taken_up_again_elsewhere,
    nothing_of_an_unassigned_partition_is_read,
    reading_waits_and_can_be_cancelled,
    a_passed_offset_starts_at_the_oldest_kept,
    a_restarted_member_skips_nothing,
    a_leaving_members_partitions_go_on,
    groups_do_not_share_with_each_other,
    oversized_messages_are_refused,
    unknown_topics_and_partitions_are_named,
    a_closed_bus_says_so,
    bounds_count_what_is_there,
}

async fn a_message_arrives_as_it_was_sent(engine: &dyn Engine) {
    let bus = engine.bus();
    let key = unique("whole");
    let mut sent = record(Topic::InfoNeeded, &key, "");
    sent.partition = Some(7);
    sent.payload = Bytes::from_static(&[0, 255, 1, 2]);
    sent.headers = vec![("ce_id".into(), Bytes::from_static(b"1")), ("keyid".into(), Bytes::new())];
    let position = bus.publish(sent.clone()).await.unwrap();
    assert_eq!(position.partition, 7);
    let mut reader = bus.reader(Topic::InfoNeeded.into()).await.unwrap();
    reader.assign(7, StartAt::Offset(position.offset)).await.unwrap();
    let read = in_time("the message", reader.next()).await.unwrap();
    assert_eq!(read.record, sent);
    assert_eq!(read.offset, position.offset);
}

async fn the_key_decides_the_partition_as_in_java(engine: &dyn Engine) {
    let bus = engine.bus();
    for channel in [Topic::InfoNeeded, Topic::CandidateSpoken] {
        let partitions = bus.partitions(channel.into()).await.unwrap();
        for key in ["21", "foobar", "a-little-bit-long-string"] {
            let position = bus.publish(record(channel, key, "")).await.unwrap();
            assert_eq!(position.partition, partition_of(key, partitions), "{key}");
        }
    }
    let dead = bus.publish(record(Channel::DeadLetter(Topic::InfoNeeded), "foobar", "")).await.unwrap();
    assert_eq!(dead.partition, 0);
}

async fn order_within_a_key(engine: &dyn Engine) {
    let bus = engine.bus();
    let key = unique("order");
    // At the same time, in a known order: each future is polled once before the next is made.
    let mut publishing = futures::stream::FuturesOrdered::new();
    for number in 0..100 {
        let mut publish = Box::pin({
            let (bus, record) = (bus.clone(), record(Topic::TurnRecorded, &key, number));
            async move { bus.publish(record).await }
        });
        match futures::poll!(&mut publish) {
            std::task::Poll::Ready(done) => drop(done.unwrap()),
            std::task::Poll::Pending => publishing.push_back(publish),
        }
    }
    use futures::TryStreamExt;
    let positions: Vec<_> = in_time("publish", publishing.try_collect()).await.unwrap();
    assert!(positions.windows(2).all(|pair| pair[0].offset < pair[1].offset));
    let mut group = bus.join(&unique("group"), &[Topic::TurnRecorded.into()]).await.unwrap();
    for number in 0..100 {
        let delivery = next_of(group.as_mut(), &key).await;
        assert_eq!(text(&delivery), number.to_string());
    }
}

async fn media_keeps_its_order_without_waiting(engine: &dyn Engine) {
    let bus = engine.bus();
    let key = unique("media");
    let partition = partition_of(&key, bus.partitions(Topic::AgentSpoken.into()).await.unwrap());
    let mut reader = bus.reader(Topic::AgentSpoken.into()).await.unwrap();
    reader.assign(partition, StartAt::Latest).await.unwrap();
    for number in 0..500 {
        bus.send(record(Topic::AgentSpoken, &key, number)).unwrap();
    }
    for number in 0..500 {
        assert_eq!(text(&read_of(reader.as_mut(), &key).await), number.to_string());
    }
}

async fn readers_start_where_they_are_told(engine: &dyn Engine) {
    let bus = engine.bus();
    for topic in [Topic::InterviewApproved, Topic::CandidateTranscribed] {
        let key = unique("start");
        let first = publish_numbered(&bus, topic, &key, 0..5).await;
        for (start, expected) in
            [(StartAt::Earliest, "0"), (StartAt::Offset(first.offset), "0"), (StartAt::Offset(first.offset + 1), "1")]
        {
            let mut reader = bus.reader(topic.into()).await.unwrap();
            reader.assign(first.partition, start).await.unwrap();
            assert_eq!(text(&read_of(reader.as_mut(), &key).await), expected, "{start:?}");
        }
        let mut reader = bus.reader(topic.into()).await.unwrap();
        reader.assign(first.partition, StartAt::Latest).await.unwrap();
        // The start is fixed when `assign` returns: what is published after it is read, nothing before it.
        publish_numbered(&bus, topic, &key, 5..6).await;
        assert_eq!(text(&read_of(reader.as_mut(), &key).await), "5");
    }
}

async fn a_range_is_read_to_its_end(engine: &dyn Engine) {
    let bus = engine.bus();
    let key = unique("range");
    let topic: Channel = Topic::InfoNeeded.into();
    let first = publish_numbered(&bus, topic, &key, 0..6).await;
    let places = first.offset + 1..first.offset + 6;
    let mut read = Vec::new();
    let reading = read_range(bus.as_ref(), topic, first.partition, places.clone(), |delivery| {
        assert!(places.contains(&delivery.offset));
        // other tests write here too
        read.extend((delivery.record.key == key).then(|| text(&delivery)));
    });
    in_time("the range", reading).await.unwrap();
    assert_eq!(read[0], "1");
    let nothing = read_range(bus.as_ref(), topic, first.partition, 3..3, |delivery| panic!("{delivery:?}"));
    in_time("nothing", nothing).await.unwrap();
}

async fn an_assigned_partition_can_be_taken_up_again_elsewhere(engine: &dyn Engine) {
    let bus = engine.bus();
    let key = unique("again");
    let first = publish_numbered(&bus, Topic::CandidateSpoken, &key, 0..20).await;
    let mut reader = bus.reader(Topic::CandidateSpoken.into()).await.unwrap();
    for _ in 0..3 {
        reader.assign(first.partition, StartAt::Offset(first.offset)).await.unwrap();
        for number in 0..8 {
            assert_eq!(text(&read_of(reader.as_mut(), &key).await), number.to_string());
        }
    }
    reader.assign(first.partition, StartAt::Latest).await.unwrap();
    publish_numbered(&bus, Topic::CandidateSpoken, &key, 20..21).await;
    assert_eq!(text(&read_of(reader.as_mut(), &key).await), "20");
}

async fn nothing_of_an_unassigned_partition_is_read(engine: &dyn Engine) {
    let bus = engine.bus();
    let key = unique("unassign");
    let to = |partition: u32, number: usize| {
        let mut record = record(Topic::SessionCommand, &key, number);
        record.partition = Some(partition);
        record
    };
    let mut reader = bus.reader(Topic::SessionCommand.into()).await.unwrap();
    reader.assign(0, StartAt::Latest).await.unwrap();
    reader.assign(1, StartAt::Latest).await.unwrap();
    for number in 0..50 {
        bus.publish(to(0, number)).await.unwrap();
    }
    assert_eq!(read_of(reader.as_mut(), &key).await.record.partition, Some(0));
    reader.unassign(0).await.unwrap();
    bus.publish(to(0, 99)).await.unwrap();
    for number in 100..103 {
        bus.publish(to(1, number)).await.unwrap();
        let delivery = in_time("partition 1", reader.next()).await.unwrap();
        assert_eq!((delivery.record.partition, text(&delivery)), (Some(1), number.to_string()));
    }
    reader.unassign(0).await.unwrap();
}

async fn reading_waits_and_can_be_cancelled(engine: &dyn Engine) {
    let bus = engine.bus();
    let key = unique("cancel");
    let mut idle = bus.reader(Topic::SkillValidationRequested.into()).await.unwrap();
    assert!(futures::poll!(Box::pin(idle.next())).is_pending(), "nothing is assigned");
    let partition = partition_of(&key, bus.partitions(Topic::SkillValidationRequested.into()).await.unwrap());
    let mut reader = bus.reader(Topic::SkillValidationRequested.into()).await.unwrap();
    reader.assign(partition, StartAt::Latest).await.unwrap();
    let mut group = bus.join(&unique("group"), &[Topic::SkillValidationRequested.into()]).await.unwrap();
    let (mut read, mut grouped) = (vec![], vec![]);
    let started = Instant::now();
    let mut sent = 0;
    while read.len() < 40 || grouped.len() < 40 {
        assert!(started.elapsed() < DEADLINE, "read {} and {}", read.len(), grouped.len());
        if sent < 40 {
            bus.publish(record(Topic::SkillValidationRequested, &key, sent)).await.unwrap();
            sent += 1;
        }
        // Cancelled at any moment, it must neither lose nor repeat.
        for _ in 0..3 {
            if let Ok(delivery) = tokio::time::timeout(Duration::from_micros(500), reader.next()).await {
                read.push(delivery.unwrap());
            }
            if let Ok(delivery) = tokio::time::timeout(Duration::from_micros(500), group.next()).await {
                grouped.push(delivery.unwrap());
            }
        }
        read.retain(|delivery| delivery.record.key == key);
        grouped.retain(|delivery| delivery.record.key == key);
    }
    let expected: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    assert_eq!(read.iter().map(text).collect::<Vec<_>>(), expected);
    assert_eq!(grouped.iter().map(text).collect::<Vec<_>>(), expected);
}

async fn a_passed_offset_starts_at_the_oldest_kept(engine: &dyn Engine) {
    let bus = engine.bus();
    let key = unique("passed");
    let channel = Channel::Main(Topic::AssessmentReady);
    let group = unique("group");
    let first = publish_numbered(&bus, channel, &key, 0..5).await;
    let mut member = bus.join(&group, &[channel]).await.unwrap();
    let delivery = next_of(member.as_mut(), &key).await;
    member.commit(&delivery).await.unwrap();
    drop(member);
    engine.expire(channel, first.partition).await;
    let bounds = bus.bounds(channel, first.partition).await.unwrap();
    assert_eq!((bounds.low, bounds.high), (first.offset + 5, first.offset + 5));
    publish_numbered(&bus, channel, &key, 5..7).await;
    for start in [StartAt::Earliest, StartAt::Offset(first.offset), StartAt::Offset(first.offset + 1_000_000)] {
        let mut reader = bus.reader(channel).await.unwrap();
        reader.assign(first.partition, start).await.unwrap();
        assert_eq!(text(&read_of(reader.as_mut(), &key).await), "5", "{start:?}");
    }
    let mut member = bus.join(&group, &[channel]).await.unwrap();
    assert_eq!(text(&next_of(member.as_mut(), &key).await), "5", "the group's place was passed as well");
}

async fn a_restarted_member_skips_nothing(engine: &dyn Engine) {
    let bus = engine.bus();
    for topic in [Topic::PlanCreated, Topic::CandidateVideo] {
        let (key, group) = (unique("restart"), unique("group"));
        publish_numbered(&bus, topic, &key, 0..10).await;
        let mut member = bus.join(&group, &[topic.into()]).await.unwrap();
        let mut sixth = None;
        for number in 0..10 {
            let delivery = next_of(member.as_mut(), &key).await;
            assert_eq!(text(&delivery), number.to_string(), "reading begins at the oldest");
            if number == 5 {
                sixth = Some(delivery);
            }
        }
        member.commit(&sixth.unwrap()).await.unwrap();
        drop(member);
        let mut member = bus.join(&group, &[topic.into()]).await.unwrap();
        let first: usize = text(&next_of(member.as_mut(), &key).await).parse().unwrap();
        assert!((1..=6).contains(&first), "goes on at {first}");
        for number in first + 1..10 {
            assert_eq!(text(&next_of(member.as_mut(), &key).await), number.to_string());
        }
    }
}

/// What members of a group got: member and message.
fn consume(
    bus: SharedBus,
    group: String,
    member: usize,
    got: mpsc::UnboundedSender<(usize, String, u32)>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut consumer = bus.join(&group, &[Topic::SessionChanged.into()]).await.unwrap();
        loop {
            let delivery = consumer.next().await.unwrap();
            consumer.commit(&delivery).await.unwrap();
            if got.send((member, delivery.record.key.clone(), delivery.record.partition.unwrap())).is_err() {
                return;
            }
        }
    })
}

async fn a_leaving_members_partitions_go_on(engine: &dyn Engine) {
    let bus = engine.bus();
    let (prefix, group) = (unique("leave"), unique("group"));
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let members: Vec<_> = (0..3).map(|member| consume(bus.clone(), group.clone(), member, sender.clone())).collect();
    let mut missing = BTreeSet::new();
    let mut published = 0;
    let mut partitions: HashMap<usize, BTreeSet<u32>> = HashMap::new();
    let started = Instant::now();
    // Until each member has had something of ours.
    while partitions.len() < 3 {
        assert!(started.elapsed() < DEADLINE, "only {partitions:?} got messages");
        let key = format!("{prefix}-{published}");
        bus.publish(record(Topic::SessionChanged, &key, "")).await.unwrap();
        missing.insert(key);
        published += 1;
        while let Ok((member, key, partition)) = receiver.try_recv() {
            if missing.remove(&key) {
                partitions.entry(member).or_default().insert(partition);
            }
        }
    }
    // One leaves in good order, one is cut off in the middle of whatever it does.
    members[0].abort();
    for _ in 0..60 {
        let key = format!("{prefix}-{published}");
        bus.publish(record(Topic::SessionChanged, &key, "")).await.unwrap();
        missing.insert(key);
        published += 1;
    }
    members[1].abort();
    in_time("all messages", async {
        while !missing.is_empty() {
            let (_, key, _) = receiver.recv().await.unwrap();
            missing.remove(&key);
        }
    })
    .await;
    members[2].abort();
}

async fn groups_do_not_share_with_each_other(engine: &dyn Engine) {
    let bus = engine.bus();
    let key = unique("groups");
    publish_numbered(&bus, Topic::InterviewCompleted, &key, 0..3).await;
    for group in ["gateway", "assessor"] {
        let mut member = bus.join(&unique(group), &[Topic::InterviewCompleted.into()]).await.unwrap();
        for number in 0..3 {
            assert_eq!(text(&next_of(member.as_mut(), &key).await), number.to_string());
        }
    }
}

async fn oversized_messages_are_refused(engine: &dyn Engine) {
    let bus = engine.bus();
    for (topic, limit) in [(Topic::CandidateVideo, MAX_MEDIA_PAYLOAD), (Topic::InfoNeeded, MAX_EVENT_PAYLOAD)] {
        let mut record = record(topic, &unique("large"), "");
        record.payload = Bytes::from(vec![7; limit]);
        bus.publish(record.clone()).await.unwrap();
        record.payload = Bytes::from(vec![7; limit + 1]);
        assert!(matches!(bus.publish(record.clone()).await, Err(BusError::TooLarge(_))));
        assert!(matches!(bus.send(record.clone()), Err(BusError::TooLarge(_))));
        record.payload = Bytes::new();
        record.headers = vec![("h".into(), Bytes::from(vec![0; 40_000]))];
        let error = bus.publish(record).await.unwrap_err();
        assert!(matches!(error, BusError::TooLarge(_)) && !error.is_retryable());
    }
}

async fn unknown_topics_and_partitions_are_named(engine: &dyn Engine) {
    let bus = engine.bus();
    // Media topics have no dead letters.
    let nowhere = Channel::DeadLetter(Topic::CandidateVideo);
    let name = |error: BusError| match error {
        BusError::NoTopic(name) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name(bus.publish(record(nowhere, "k", "")).await.unwrap_err()), nowhere.name());
    assert_eq!(name(bus.send(record(nowhere, "k", "")).unwrap_err()), nowhere.name());
    assert_eq!(name(bus.partitions(nowhere).await.unwrap_err()), nowhere.name());
    assert_eq!(name(bus.bounds(nowhere, 0).await.unwrap_err()), nowhere.name());
    assert_eq!(name(bus.reader(nowhere).await.err().unwrap()), nowhere.name());
    assert_eq!(name(bus.join("g", &[nowhere]).await.err().unwrap()), nowhere.name());
    let mut far = record(Topic::InfoNeeded, "k", "");
    far.partition = Some(4711);
    assert_eq!(name(bus.publish(far).await.unwrap_err()), "interview.info_needed[4711]");
    let mut reader = bus.reader(Topic::InfoNeeded.into()).await.unwrap();
    assert!(matches!(reader.assign(4711, StartAt::Latest).await, Err(BusError::NoTopic(_))));
    assert!(matches!(bus.bounds(Topic::InfoNeeded.into(), 4711).await, Err(BusError::NoTopic(_))));
}

async fn a_closed_bus_says_so(engine: &dyn Engine) {
    let bus = engine.another().await;
    bus.check().await.unwrap();
    let mut reader = bus.reader(Topic::AgentSpoken.into()).await.unwrap();
    reader.assign(0, StartAt::Latest).await.unwrap();
    let mut member = bus.join(&unique("group"), &[Topic::InfoNeeded.into()]).await.unwrap();
    let waiting = tokio::spawn(async move {
        loop {
            if let Err(error) = member.next().await {
                return error;
            }
        }
    });
    let reading = tokio::spawn(async move { reader.next().await.unwrap_err() });
    bus.send(record(Topic::AgentSpoken, "k", "")).unwrap_or_default();
    in_time("close", bus.close()).await;
    assert!(matches!(in_time("member", waiting).await.unwrap(), BusError::Closed));
    // The last message may have come first.
    if let Ok(error) = in_time("reader", reading).await {
        assert!(matches!(error, BusError::Closed));
    }
    assert!(matches!(bus.publish(record(Topic::InfoNeeded, "k", "")).await, Err(BusError::Closed)));
    assert!(matches!(bus.send(record(Topic::AgentSpoken, "k", "")), Err(BusError::Closed)));
    assert!(matches!(bus.check().await, Err(BusError::Closed)));
    assert!(matches!(bus.join("g", &[Topic::InfoNeeded.into()]).await.err(), Some(BusError::Closed)));
    in_time("closing again", bus.close()).await;
}

async fn bounds_count_what_is_there(engine: &dyn Engine) {
    let bus = engine.bus();
    let key = unique("bounds");
    let channel = Channel::Main(Topic::AssessmentCompleted);
    let first = publish_numbered(&bus, channel, &key, 0..4).await;
    let bounds = bus.bounds(channel, first.partition).await.unwrap();
    assert!(bounds.low <= first.offset && bounds.high >= first.offset + 4);
    assert!(!bounds.incarnation.is_empty());
    assert_eq!(bus.bounds(channel, first.partition).await.unwrap().incarnation, bounds.incarnation);
    let other = bus.bounds(Topic::PlanCreated.into(), 0).await.unwrap();
    assert_ne!(other.incarnation, bounds.incarnation);
}
