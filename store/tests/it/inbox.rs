//! Applied once however often delivered; a slow or sick event holds up its own key only.

use crate::{
    bus::{RecordingBus, record},
    fixture::{self, SOON},
};
use async_trait::async_trait;
use bytes::Bytes;
use maya_protocol::{
    event::{Event, header},
    ids::{EventId, InterviewId, TenantId},
    topic::{Channel, Topic},
    trace::{self, TraceContext},
};
use maya_store::{
    Store,
    inbox::{self, Done, HandleError, Handler, Worker},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What the handler does with an event.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Apply,
    NotYet,
    Retry,
    Never,
    Hang,
    /// Applies, and is delivered the same once more as if it had not been marked.
    ApplyTwice,
}

struct Scripted {
    store: Store,
    script: Mutex<HashMap<EventId, Vec<Does>>>,
    seen: Mutex<Vec<EventId>>,
    applied: Mutex<Vec<EventId>>,
    traces: Mutex<Vec<Option<TraceContext>>>,
    lease: Duration,
    patience: Duration,
}

#[async_trait]
impl Handler for Scripted {
    fn consumer(&self) -> &'static str {
        "scripted"
    }
    fn topics(&self) -> &'static [Topic] {
        &[Topic::InfoNeeded, Topic::SessionCommand]
    }
    fn lease(&self) -> Duration {
        self.lease
    }
    fn patience(&self) -> Duration {
        self.patience
    }
    async fn handle(&self, event: &Event, done: Done) -> Result<(), HandleError> {
        self.seen.lock().unwrap().push(event.id);
        self.traces.lock().unwrap().push(trace::current());
        let does = {
            let mut script = self.script.lock().unwrap();
            script.get_mut(&event.id).filter(|steps| !steps.is_empty()).map_or(Does::Apply, |steps| steps.remove(0))
        };
        match does {
            Does::NotYet => return Err(HandleError::NotYet("wait".into())),
            Does::Retry => return Err(HandleError::Retry("again".into())),
            Does::Never => return Err(HandleError::Never("broken".into())),
            Does::Hang => std::future::pending().await,
            Does::Apply | Does::ApplyTwice => {}
        }
        for _ in 0..if does == Does::ApplyTwice { 2 } else { 1 } {
            let mut tx = self.store.tenant(event.tenant).await?;
            if done.mark(&mut tx).await? {
                self.applied.lock().unwrap().push(event.id);
            }
            tx.commit().await?;
        }
        Ok(())
    }
}

struct Running {
    store: Store,
    bus: Arc<RecordingBus>,
    handler: Arc<Scripted>,
    tenant: TenantId,
    stop: CancellationToken,
}

impl Running {
    async fn new(lease: Duration, patience: Duration) -> Self {
        let store = fixture::store().await;
        let tenant = fixture::tenant(&store).await;
        let handler = Arc::new(Scripted {
            store: store.clone(),
            script: Mutex::default(),
            seen: Mutex::default(),
            applied: Mutex::default(),
            traces: Mutex::default(),
            lease,
            patience,
        });
        let (bus, stop) = (RecordingBus::shared(), CancellationToken::new());
        tokio::spawn(inbox::run(store.clone(), bus.clone(), handler.clone(), stop.clone()));
        Self { store, bus, handler, tenant, stop }
    }
    fn event(&self, key: InterviewId, script: &[Does]) -> Event {
        let event = fixture::event(self.tenant, key);
        self.handler.script.lock().unwrap().insert(event.id, script.to_vec());
        event
    }
    fn applied(&self) -> Vec<EventId> {
        self.handler.applied.lock().unwrap().clone()
    }
    fn seen(&self, id: EventId) -> usize {
        self.handler.seen.lock().unwrap().iter().filter(|seen| **seen == id).count()
    }
    async fn until(&self, mut holds: impl FnMut(&Self) -> bool) {
        maya_testkit::eventually(SOON, || std::future::ready(holds(self).then_some(()))).await;
    }
    /// Rows of the inbox that are not done.
    async fn waiting(&self) -> i64 {
        let mut tx = self.store.system().await.unwrap();
        fixture::count(&mut tx, "select count(*) from inbox where done_at is null").await
    }
}
impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

const LEASE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_duplicate_delivery_is_applied_once_and_its_payload_is_forgotten() {
    let running = Running::new(LEASE, LEASE).await;
    let event = running.event(InterviewId::fresh(), &[Does::ApplyTwice]);
    running.bus.arrives(&event);
    running.bus.arrives(&event);
    let other = running.event(InterviewId::fresh(), &[]);
    running.bus.arrives(&other);
    running.bus.arrives(&event);
    running.until(|running| running.bus.committed() == 4 && running.applied().len() == 2).await;
    assert_eq!(running.applied().iter().filter(|id| **id == event.id).count(), 1);
    maya_testkit::eventually(SOON, || async { (running.waiting().await == 0).then_some(()) }).await;
    let mut tx = running.store.system().await.unwrap();
    assert_eq!(fixture::count(&mut tx, "select count(*) from inbox where payload <> ''").await, 0);
}

#[tokio::test]
async fn one_that_waits_holds_up_its_key_and_no_other() {
    let running = Running::new(LEASE, LEASE).await;
    let key = InterviewId::fresh();
    let first = running.event(key, &[Does::NotYet; 3]);
    let (second, other) = (running.event(key, &[]), running.event(InterviewId::fresh(), &[]));
    // another topic of the same interview goes on too: topics may overtake each other
    let overtaking = fixture::command(running.tenant, key);
    for event in [&first, &second, &other, &overtaking] {
        running.bus.arrives(event);
    }
    running.until(|running| running.applied().len() == 4).await;
    let applied = running.applied();
    let place = |event: &Event| applied.iter().position(|id| *id == event.id).unwrap();
    assert!(place(&other) < place(&first) && place(&overtaking) < place(&first));
    assert!(place(&first) < place(&second), "order within the key");
    assert_eq!(running.seen(first.id), 4);
}

#[tokio::test]
async fn what_may_pass_is_retried_and_what_never_will_becomes_a_dead_letter() {
    let running = Running::new(LEASE, LEASE).await;
    let key = InterviewId::fresh();
    let again = running.event(InterviewId::fresh(), &[Does::Retry, Does::Retry]);
    let (never, after) = (running.event(key, &[Does::Never]), running.event(key, &[]));
    for event in [&again, &never, &after] {
        running.bus.arrives(event);
    }
    // unreadable for good
    let mut garbage = record(&fixture::event(running.tenant, key));
    garbage.payload = Bytes::from_static(b"{");
    running.bus.arrives_as(garbage);
    running.until(|running| running.applied().len() == 2 && running.bus.published().len() == 2).await;
    assert_eq!(running.seen(again.id), 3);
    assert_eq!(running.seen(never.id), 1);
    for letter in running.bus.published() {
        assert_eq!(letter.channel, Channel::DeadLetter(Topic::InfoNeeded));
        assert_eq!(header(&letter.headers, "dlq-consumer"), Some("scripted"));
        assert!(header(&letter.headers, "dlq-error").is_some_and(|why| !why.is_empty()));
        assert_eq!(letter.key, key.to_string());
    }
    maya_testkit::eventually(SOON, || async { (running.waiting().await == 0).then_some(()) }).await;
}

#[tokio::test]
async fn a_later_version_stops_its_partition_and_is_not_lost() {
    let running = Running::new(LEASE, LEASE).await;
    let event = running.event(InterviewId::fresh(), &[]);
    let mut later = record(&event);
    later.headers.iter_mut().find(|(name, _)| name == "ce_dataversion").unwrap().1 = Bytes::from_static(b"9");
    running.bus.arrives(&running.event(InterviewId::fresh(), &[]));
    running.bus.arrives_as(later);
    running.until(|running| running.applied().len() == 1).await;
    assert_eq!(running.bus.committed(), 1);
    assert!(running.bus.published().is_empty());
}

#[tokio::test]
async fn work_that_goes_on_is_begun_by_nobody_else() {
    let running = Running::new(SHORT, LEASE).await;
    let event = running.event(InterviewId::fresh(), &[Does::Hang]);
    running.bus.arrives(&event);
    running.until(|running| running.seen(event.id) == 1).await;
    let wake = Arc::new(Notify::new());
    let second = Worker::new(running.store.clone(), running.bus.clone(), running.handler.clone(), wake);
    tokio::spawn(second.run(running.stop.clone()));
    // three leases have run out and were renewed
    let renewed = "select count(*) from inbox where next_attempt_at > received_at + interval '1200 milliseconds'";
    maya_testkit::eventually(SOON, || async {
        let mut tx = running.store.system().await.unwrap();
        (fixture::count(&mut tx, renewed).await == 1).then_some(())
    })
    .await;
    assert_eq!(running.seen(event.id), 1);
}

#[tokio::test]
async fn work_that_hangs_is_taken_up_after_its_lease() {
    let running = Running::new(SHORT, SHORT).await;
    let event = running.event(InterviewId::fresh(), &[Does::Hang]);
    running.bus.arrives(&event);
    running.until(|running| running.seen(event.id) == 1).await;
    // the first worker hangs for ever; another process looks
    let wake = Arc::new(Notify::new());
    let second = Worker::new(running.store.clone(), running.bus.clone(), running.handler.clone(), wake);
    tokio::spawn(second.run(running.stop.clone()));
    running.until(|running| running.applied() == [event.id]).await;
}

#[tokio::test]
async fn an_event_is_worked_on_within_the_trace_that_it_brings() {
    let running = Running::new(LEASE, LEASE).await;
    let (traced, plain) =
        (running.event(InterviewId::fresh(), &[]), running.event(InterviewId::fresh(), &[Does::Retry]));
    let brought = TraceContext::fresh();
    let traced = Event { trace: Some(brought), ..traced };
    running.bus.arrives(&traced);
    running.until(|running| running.applied().len() == 1).await;
    running.bus.arrives(&plain);
    running.until(|running| running.applied().len() == 2).await;
    let traces: Vec<TraceContext> = running.handler.traces.lock().unwrap().iter().map(|trace| trace.unwrap()).collect();
    assert!(traces[0].is_with(brought) && traces[0] != brought, "a piece of work of its own in the same trace");
    assert!(!traces[1].is_with(traces[2]), "work that nobody's trace asked for begins one");
}
