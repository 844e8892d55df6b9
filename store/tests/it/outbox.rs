//! What is committed is published, what is not is not, and a key's events keep their order.

use crate::{
    bus::RecordingBus,
    fixture::{self, SOON},
};
use maya_protocol::{
    event::header,
    ids::{EventId, InterviewId},
};
use maya_store::{Store, outbox::Relay};
use std::collections::HashMap;
use tokio_util::sync::CancellationToken;

async fn waiting(store: &Store) -> i64 {
    let mut tx = store.system().await.unwrap();
    fixture::count(&mut tx, "select count(*) from outbox where published_at is null").await
}

fn ids(bus: &RecordingBus) -> Vec<EventId> {
    bus.published().iter().map(|record| header(&record.headers, "ce_id").unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn committed_is_published_and_rolled_back_is_not() {
    let (store, bus) = (fixture::store().await, RecordingBus::shared());
    let tenant = fixture::tenant(&store).await;
    let (kept, dropped) = (fixture::event(tenant, InterviewId::fresh()), fixture::event(tenant, InterviewId::fresh()));
    let mut tx = store.tenant(tenant).await.unwrap();
    tx.publish(&kept, None).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.tenant(tenant).await.unwrap();
    tx.publish(&dropped, None).await.unwrap();
    drop(tx);
    let relay = Relay::new(store.clone(), bus.clone());
    assert_eq!(relay.relay_once().await.unwrap(), Some(1));
    assert_eq!(relay.relay_once().await.unwrap(), Some(0));
    assert_eq!(ids(&bus), [kept.id]);
    let record = &bus.published()[0];
    assert_eq!((&record.key, record.payload.clone()), (&kept.key(), kept.json()));
    assert_eq!(maya_protocol::event::Event::decode(kept.topic(), &record.headers, &record.payload).unwrap(), kept);
}

#[tokio::test]
async fn two_relays_keep_each_keys_order_and_publish_nothing_twice() {
    let (store, bus) = (fixture::store().await, RecordingBus::shared());
    let tenant = fixture::tenant(&store).await;
    let keys: Vec<InterviewId> = (0..20).map(|_| InterviewId::fresh()).collect();
    let stop = CancellationToken::new();
    let relays: Vec<_> =
        (0..2).map(|_| tokio::spawn(Relay::new(store.clone(), bus.clone()).run(stop.clone()))).collect();
    let mut written: HashMap<String, Vec<EventId>> = HashMap::new();
    for round in 0..15 {
        for key in &keys {
            let event = fixture::event(tenant, *key);
            written.entry(event.key()).or_default().push(event.id);
            let mut tx = store.tenant(tenant).await.unwrap();
            tx.publish(&event, None).await.unwrap();
            tx.commit().await.unwrap();
        }
        if round == 5 {
            bus.refuse(30);
        }
    }
    maya_testkit::eventually(SOON, || async { (waiting(&store).await == 0).then_some(()) }).await;
    stop.cancel();
    for relay in relays {
        relay.await.unwrap();
    }
    let mut published: HashMap<String, Vec<EventId>> = HashMap::new();
    for (record, id) in bus.published().iter().zip(ids(&bus)) {
        published.entry(record.key.clone()).or_default().push(id);
    }
    assert_eq!(published, written);
}

#[tokio::test]
async fn a_bus_that_is_away_delays_and_loses_nothing() {
    let (store, bus) = (fixture::store().await, RecordingBus::shared());
    let tenant = fixture::tenant(&store).await;
    let key = InterviewId::fresh();
    let events: Vec<_> = (0..5).map(|_| fixture::event(tenant, key)).collect();
    let mut tx = store.tenant(tenant).await.unwrap();
    for event in &events {
        tx.publish(event, None).await.unwrap();
    }
    tx.commit().await.unwrap();
    bus.refuse(1);
    let relay = Relay::new(store.clone(), bus.clone());
    // the first of the key is refused, so none of the key goes
    assert_eq!(relay.relay_once().await.unwrap(), Some(0));
    assert_eq!(waiting(&store).await, 5);
    let stop = CancellationToken::new();
    bus.refuse(3);
    let running = tokio::spawn(relay.run(stop.clone()));
    maya_testkit::eventually(SOON, || async { (waiting(&store).await == 0).then_some(()) }).await;
    stop.cancel();
    running.await.unwrap();
    assert_eq!(ids(&bus), events.iter().map(|event| event.id).collect::<Vec<_>>());
}
