//! Whether this node still works, so that one that does not can give up its lease.
//!
//! The mark is set by the root supervisor between two pieces of its work. A runtime whose threads are all blocked sets
//! none, and runs no heartbeat either. Where one thread is blocked for good, its actor can be neither used nor killed:
//! the root supervisor says so here, and the node is lost although it breathes.

use maya_protocol::clock::SharedClock;
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A node's sign of life.
#[derive(Clone)]
pub struct Pulse {
    clock: SharedClock,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    last: Instant,
    lost: Option<String>,
}

/// The root supervisor marks its progress every second; so much later than that it counts as hung.
const LATE: Duration = Duration::from_secs(3);

impl Pulse {
    /// Alive now.
    pub fn new(clock: SharedClock) -> Self {
        let inner = Inner { last: clock.now(), lost: None };
        Self { clock, inner: Arc::new(Mutex::new(inner)) }
    }

    /// The root supervisor got on with its work.
    pub fn beat(&self) {
        self.inner.lock().last = self.clock.now();
    }

    /// It never will be whole again.
    pub fn lose(&self, why: String) {
        self.inner.lock().lost.get_or_insert(why);
    }

    /// Why nothing may be promised in this node's name; none while it works.
    pub fn stopped(&self) -> Option<String> {
        let inner = self.inner.lock();
        let late = self.clock.now().saturating_duration_since(inner.last);
        match &inner.lost {
            Some(why) => Some(why.clone()),
            None => (late > LATE).then(|| format!("no progress for {} ms", late.as_millis())),
        }
    }

    /// Why it never will be whole again, where that is so.
    pub fn lost(&self) -> Option<String> {
        self.inner.lock().lost.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::clock::ManualClock;

    #[test]
    fn it_stops_when_nothing_moves_and_comes_back_unless_it_is_lost() {
        let clock = ManualClock::at(chrono::DateTime::UNIX_EPOCH);
        let pulse = Pulse::new(Arc::new(clock.clone()));
        clock.advance(LATE);
        assert_eq!(pulse.stopped(), None);
        clock.advance(Duration::from_millis(1));
        assert!(pulse.stopped().is_some() && pulse.lost().is_none());
        pulse.beat();
        assert_eq!(pulse.stopped(), None);
        pulse.lose("a thread is blocked".into());
        pulse.beat();
        assert_eq!(pulse.stopped().as_deref(), Some("a thread is blocked"));
    }
}
