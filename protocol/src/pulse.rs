//! Whether this node still works, so that one that does not can give up its lease.
//!
//! Whoever the node is not whole without marks its progress between two pieces of its work: the root supervisor, whoever
//! reads the partitions. A runtime whose threads are all blocked sets no mark, and runs no heartbeat either; one task
//! that hangs misses its own. Where one thread is blocked for good, its actor can be neither used nor killed: the root
//! supervisor says so here, and the node is lost although it breathes.

use crate::clock::SharedClock;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// A node's sign of life.
#[derive(Clone)]
pub struct Pulse {
    clock: SharedClock,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    marks: HashMap<u64, Last>,
    next: u64,
    lost: Option<String>,
}

/// A mark as it was set last.
struct Last {
    whose: &'static str,
    at: Instant,
    /// So much later it counts as hung.
    late: Duration,
}

/// Where one of a node's tasks marks its progress, for as long as this is kept.
pub struct Mark {
    pulse: Pulse,
    id: u64,
}

impl Pulse {
    /// Of a node of which nothing is expected yet.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, inner: Arc::default() }
    }

    /// From now on `whose` marks are expected, none later than `late` after the one before.
    pub fn mark(&self, whose: &'static str, late: Duration) -> Mark {
        let at = self.clock.now();
        let mut inner = self.inner.lock();
        inner.next += 1;
        let id = inner.next;
        inner.marks.insert(id, Last { whose, at, late });
        Mark { pulse: self.clone(), id }
    }

    /// It never will be whole again.
    pub fn lose(&self, why: String) {
        self.inner.lock().lost.get_or_insert(why);
    }

    /// Why nothing may be promised in this node's name; none while it works.
    pub fn stopped(&self) -> Option<String> {
        let (inner, now) = (self.inner.lock(), self.clock.now());
        inner.lost.clone().or_else(|| {
            let waits = |last: &Last| now.saturating_duration_since(last.at);
            let late = inner.marks.values().find(|last| waits(last) > last.late)?;
            Some(format!("no progress of the {} for {} ms", late.whose, waits(late).as_millis()))
        })
    }

    /// Why it never will be whole again, where that is so.
    pub fn lost(&self) -> Option<String> {
        self.inner.lock().lost.clone()
    }
}

impl Mark {
    /// It got on with its work.
    pub fn beat(&self) {
        let now = self.pulse.clock.now();
        if let Some(last) = self.pulse.inner.lock().marks.get_mut(&self.id) {
            last.at = now;
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.pulse.inner.lock().marks.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const LATE: Duration = Duration::from_secs(3);

    fn pulse() -> (Pulse, ManualClock) {
        let clock = ManualClock::at(chrono::DateTime::UNIX_EPOCH);
        (Pulse::new(Arc::new(clock.clone())), clock)
    }

    #[test]
    fn it_stops_when_nothing_moves_and_comes_back_unless_it_is_lost() {
        let (pulse, clock) = pulse();
        let mark = pulse.mark("root supervisor", LATE);
        clock.advance(LATE);
        assert_eq!(pulse.stopped(), None);
        clock.advance(Duration::from_millis(1));
        assert!(pulse.stopped().is_some() && pulse.lost().is_none());
        mark.beat();
        assert_eq!(pulse.stopped(), None);
        pulse.lose("a thread is blocked".into());
        mark.beat();
        assert_eq!(pulse.stopped().as_deref(), Some("a thread is blocked"));
    }

    #[test]
    fn one_that_hangs_is_not_made_good_by_another_that_does_not() {
        let (pulse, clock) = pulse();
        let (root, reader) = (pulse.mark("root supervisor", LATE), pulse.mark("reader", LATE * 2));
        for _ in 0..3 {
            clock.advance(LATE);
            root.beat();
        }
        assert_eq!(pulse.stopped().as_deref(), Some("no progress of the reader for 9000 ms"));
        // what ends in good order is not waited for
        drop(reader);
        assert_eq!(pulse.stopped(), None);
    }
}
