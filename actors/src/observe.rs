//! Every actor's cheap, serialisable snapshot, and the node's tree made of them.
//!
//! A probe holds counters and the actor's own word for what it does; no transcript, no audio, no name, no secret. Nobody
//! pays for the tree while nobody looks: a look compares each probe with what it showed last and takes what changed.

mod changes;
mod probe;

pub use probe::{Ids, Probe};

use crate::history::History;
use changes::Looks;
use dashmap::DashMap;
use maya_protocol::{
    clock::SharedClock,
    ids::NodeId,
    supervision::{Happening, SupervisionEvent},
    tree::{ActorView, Busy, nest},
};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

type Probes = Arc<DashMap<u64, Arc<Probe>>>;

/// The probes of a process, by who supervises whom.
#[derive(Clone)]
pub struct Observer {
    clock: SharedClock,
    history: History,
    next: Arc<AtomicU64>,
    probes: Probes,
    looks: Arc<Mutex<Looks>>,
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
    looks: Arc<Mutex<Looks>>,
}
impl Drop for Leaves {
    fn drop(&mut self) {
        self.probes.remove(&self.id);
        self.looks.lock().gone(self.id);
    }
}
/// An actor at work; dropped when that piece of work is done.
pub struct Working(Arc<Probe>);
impl Drop for Working {
    fn drop(&mut self) {
        self.0.rests();
    }
}

/// An actor that makes no progress with what it is at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Frozen {
    pub id: u64,
    pub parent: Option<u64>,
    pub kind: &'static str,
    pub name: String,
}

impl Observed {
    /// The actor begins a piece of work, and is at it until the answer is dropped.
    pub fn work(&self) -> Working {
        self.probe.works();
        Working(self.probe.clone())
    }
}
impl std::ops::Deref for Observed {
    type Target = Probe;
    fn deref(&self) -> &Probe {
        &self.probe
    }
}

impl Observer {
    /// An empty tree of that node.
    pub fn new(node: NodeId, clock: SharedClock) -> Self {
        Self {
            looks: Arc::new(Mutex::new(Looks::new(clock.utc()))),
            history: History::new(node),
            clock,
            next: Arc::default(),
            probes: Arc::default(),
        }
    }

    /// What happened on this node.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Adds an actor under its supervisor, within the same session. `name` carries ids only.
    pub fn observe(&self, parent: Option<&Observed>, kind: &'static str, name: String) -> Observed {
        self.add(parent, kind, name, None)
    }

    /// Adds a session's actor.
    pub fn session(&self, parent: &Observed, ids: Ids) -> Observed {
        self.add(Some(parent), "session", ids.session.to_string(), Some(ids))
    }

    fn add(&self, parent: Option<&Observed>, kind: &'static str, name: String, ids: Option<Ids>) -> Observed {
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let parent = parent.map(|parent| &*parent.probe);
        let probe = Arc::new(Probe::new(id, parent, kind, name, ids, self.clock.clone(), self.history.clone()));
        self.probes.insert(id, probe.clone());
        Observed { probe, _leaves: Arc::new(Leaves { id, probes: self.probes.clone(), looks: self.looks.clone() }) }
    }

    /// Keeps in the history what happened to the node itself.
    pub fn note(&self, what: Happening, reason: &str) {
        let history = &self.history;
        history.tell(SupervisionEvent {
            at: self.clock.utc(),
            node: history.node.clone(),
            session: None,
            interview: None,
            epoch: None,
            actor: "node".to_owned(),
            what,
            reason: maya_protocol::supervision::plain(reason),
        });
    }

    /// Keeps in the history who is stuck, once for each time, and measures the tree.
    pub fn tell_stuck(&self) {
        let now = self.clock.now();
        let (mut stuck, mut oldest, mut lag) = (0, 0, 0);
        for entry in self.probes.iter() {
            let (busy, waiting) = entry.value().busy(now);
            oldest = oldest.max(waiting);
            lag = lag.max(entry.value().audio_lag());
            if busy == Busy::Stuck {
                stuck += 1;
                entry.value().tell_stuck(waiting);
            }
        }
        metrics::gauge!("maya_actors").set(self.probes.len() as f64);
        metrics::gauge!("maya_actors_stuck").set(f64::from(stuck));
        metrics::gauge!("maya_mailbox_oldest_seconds").set(oldest as f64 / 1000.0);
        metrics::gauge!("maya_audio_lag_seconds").set(lag as f64 / 1000.0);
    }

    /// Those that have made no progress for that long with what they are at.
    pub fn frozen(&self, limit: Duration) -> Vec<Frozen> {
        let now = self.clock.now();
        let frozen = self.probes.iter().filter(|entry| entry.works_for(now).is_some_and(|since| since >= limit));
        frozen.map(|entry| entry.frozen()).collect()
    }

    /// The tree under its root, if there is one.
    pub fn tree(&self) -> Option<ActorView> {
        let now = self.clock.now();
        let mut probes: Vec<Arc<Probe>> = self.probes.iter().map(|entry| entry.value().clone()).collect();
        probes.sort_by_key(|probe| probe.id());
        nest(probes.iter().map(|probe| probe.view(now)).collect())
    }
}

#[cfg(test)]
mod tests;
