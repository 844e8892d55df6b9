//! Time as an argument: the one place that reads the machine's clocks.

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Where a component gets its time from.
pub trait Clock: Send + Sync + 'static {
    /// Monotonic time, for durations and deadlines within this process.
    fn now(&self) -> Instant;
    /// Wall-clock time, for records; never compared between machines.
    fn utc(&self) -> DateTime<Utc>;
}

/// A clock shared by the parts of a process.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[allow(clippy::disallowed_methods, reason = "this is the clock")]
impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
    fn utc(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// The system clock, ready to be shared.
pub fn system() -> SharedClock {
    Arc::new(SystemClock)
}

/// A clock that moves only when a test says so.
#[derive(Debug, Clone)]
pub struct ManualClock {
    inner: Arc<Mutex<(Instant, DateTime<Utc>)>>,
}

impl ManualClock {
    /// Starts at the given wall time.
    pub fn at(utc: DateTime<Utc>) -> Self {
        Self { inner: Arc::new(Mutex::new((SystemClock.now(), utc))) }
    }
    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        let mut inner = self.inner.lock();
        inner.0 += by;
        inner.1 += TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.inner.lock().0
    }
    fn utc(&self) -> DateTime<Utc> {
        self.inner.lock().1
    }
}
