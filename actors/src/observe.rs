//! Every actor's cheap, serialisable snapshot, and the node's tree made of them.
//!
//! A probe holds counters and the actor's own word for what it does; no transcript, no audio, no name, no secret.

use dashmap::DashMap;
use maya_protocol::{
    clock::SharedClock,
    tree::{ActorView, Busy, Failure, SessionView},
};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// An actor that has made no progress for this long while work waits is stuck.
const STUCK: Duration = Duration::from_secs(5);

/// What an actor tells of itself.
#[derive(Debug)]
pub struct Probe {
    id: u64,
    kind: &'static str,
    name: String,
    started: Instant,
    clock: SharedClockDebug,
    phase: Mutex<&'static str>,
    sent: AtomicU64,
    handled: AtomicU64,
    restarts: AtomicU32,
    last_failure: Mutex<Option<Failure>>,
    /// When the oldest waiting message may have come: the later of the last progress and the first message after idleness.
    waiting_since: Mutex<Option<Instant>>,
    session: Mutex<Option<SessionView>>,
}

struct SharedClockDebug(SharedClock);
impl std::fmt::Debug for SharedClockDebug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Probe {
    /// A message was put into the mailbox.
    pub fn sent(&self) {
        if self.sent.fetch_add(1, Ordering::Relaxed) == self.handled.load(Ordering::Relaxed) {
            *self.waiting_since.lock() = Some(self.clock.0.now());
        }
    }
    /// A message was handled.
    pub fn handled(&self) {
        let handled = self.handled.fetch_add(1, Ordering::Relaxed) + 1;
        let waits = self.sent.load(Ordering::Relaxed) > handled;
        *self.waiting_since.lock() = waits.then(|| self.clock.0.now());
    }
    /// What the actor does now.
    pub fn phase(&self, phase: &'static str) {
        *self.phase.lock() = phase;
    }
    /// The actor's child (or the actor itself) failed and was started again.
    pub fn restarted(&self, reason: String) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.failed(reason);
    }
    /// Something failed without a restart.
    pub fn failed(&self, reason: String) {
        *self.last_failure.lock() = Some(Failure { at: self.clock.0.utc(), reason });
    }
    /// Of a session's actor.
    pub fn session(&self, view: SessionView) {
        *self.session.lock() = Some(view);
    }

    fn view(&self, children: Vec<ActorView>) -> ActorView {
        let now = self.clock.0.now();
        let waiting = self.waiting_since.lock().map(|since| now.saturating_duration_since(since));
        let mailbox = self.sent.load(Ordering::Relaxed).saturating_sub(self.handled.load(Ordering::Relaxed));
        ActorView {
            id: format!("{}-{}", self.kind, self.id),
            kind: self.kind.to_owned(),
            name: self.name.clone(),
            phase: (*self.phase.lock()).to_owned(),
            age_ms: now.saturating_duration_since(self.started).as_millis() as u64,
            mailbox,
            oldest_ms: waiting.map_or(0, |waiting| waiting.as_millis() as u64),
            handled: self.handled.load(Ordering::Relaxed),
            restarts: self.restarts.load(Ordering::Relaxed),
            last_failure: self.last_failure.lock().clone(),
            busy: match waiting {
                None => Busy::Idle,
                Some(waiting) if waiting >= STUCK => Busy::Stuck,
                Some(_) => Busy::Busy,
            },
            session: self.session.lock().clone(),
            children,
        }
    }
}

/// Each probe with its supervisor's.
type Probes = Arc<DashMap<u64, (Option<u64>, Arc<Probe>)>>;

/// The probes of a process, by who supervises whom.
#[derive(Clone)]
pub struct Observer {
    clock: SharedClock,
    next: Arc<AtomicU64>,
    probes: Probes,
}

/// A probe that leaves the tree when its actor does.
#[derive(Clone)]
pub struct Observed {
    probe: Arc<Probe>,
    _leaves: Arc<Leaves>,
}
struct Leaves {
    id: u64,
    probes: Probes,
}
impl Drop for Leaves {
    fn drop(&mut self) {
        self.probes.remove(&self.id);
    }
}
impl std::ops::Deref for Observed {
    type Target = Probe;
    fn deref(&self) -> &Probe {
        &self.probe
    }
}

impl Observer {
    /// An empty tree.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, next: Arc::default(), probes: Arc::default() }
    }

    /// Adds an actor under its supervisor. `name` carries ids only.
    pub fn observe(&self, parent: Option<&Observed>, kind: &'static str, name: String) -> Observed {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let probe = Arc::new(Probe {
            id,
            kind,
            name,
            started: self.clock.now(),
            clock: SharedClockDebug(self.clock.clone()),
            phase: Mutex::new("starting"),
            sent: AtomicU64::new(0),
            handled: AtomicU64::new(0),
            restarts: AtomicU32::new(0),
            last_failure: Mutex::new(None),
            waiting_since: Mutex::new(None),
            session: Mutex::new(None),
        });
        self.probes.insert(id, (parent.map(|parent| parent.probe.id), probe.clone()));
        Observed { probe, _leaves: Arc::new(Leaves { id, probes: self.probes.clone() }) }
    }

    /// The tree under its root, if there is one.
    pub fn tree(&self) -> Option<ActorView> {
        let mut children: std::collections::HashMap<Option<u64>, Vec<Arc<Probe>>> = std::collections::HashMap::new();
        for entry in self.probes.iter() {
            let (parent, probe) = entry.value();
            children.entry(*parent).or_default().push(probe.clone());
        }
        for siblings in children.values_mut() {
            siblings.sort_by_key(|probe| probe.id);
        }
        fn build(probe: &Probe, children: &std::collections::HashMap<Option<u64>, Vec<Arc<Probe>>>) -> ActorView {
            let below = children.get(&Some(probe.id)).map(Vec::as_slice).unwrap_or_default();
            probe.view(below.iter().map(|child| build(child, children)).collect())
        }
        children.get(&None).and_then(|roots| roots.first()).map(|root| build(root, &children))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::clock::ManualClock;

    #[test]
    fn the_tree_shows_who_lives_and_who_waits() {
        let clock = ManualClock::at(chrono::DateTime::UNIX_EPOCH);
        let observer = Observer::new(Arc::new(clock.clone()));
        let root = observer.observe(None, "node", "n".into());
        let session = observer.observe(Some(&root), "session", "s".into());
        session.sent();
        clock.advance(Duration::from_secs(6));
        let tree = observer.tree().unwrap();
        assert_eq!((tree.children[0].mailbox, tree.children[0].busy), (1, Busy::Stuck));
        session.handled();
        assert_eq!(observer.tree().unwrap().children[0].busy, Busy::Idle);
        drop(session);
        assert!(observer.tree().unwrap().children.is_empty());
    }
}
