//! Restarts: bounded within a window, with jittered back-off; beyond the bound the failure goes up one level.
//!
//! `ractor-supervisor` was read and not taken: it restarts by name out of a process-global registry, in which two nodes
//! of one test process collide, and it decides inside actors, where this is a value that a property test can try.

use rand::Rng;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How a child is restarted.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Restarts within `window`, at most.
    pub most: usize,
    /// The window.
    pub window: Duration,
    /// The first pause; it doubles with each restart of the window.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

/// A child of a live interview: it is back within a breath, or the session degrades.
pub const LIVE_CHILD: Policy = Policy {
    most: 5,
    window: Duration::from_secs(60),
    first_pause: Duration::from_millis(20),
    longest_pause: Duration::from_secs(2),
};

/// A session within its node.
pub const SESSION: Policy = Policy {
    most: 5,
    window: Duration::from_secs(120),
    first_pause: Duration::from_millis(50),
    longest_pause: Duration::from_secs(5),
};

/// What to do about a failed child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Start it again after this pause.
    RestartAfter(Duration),
    /// It failed too often: the failure is the supervisor's now.
    Escalate,
}

/// The recent restarts of one child.
#[derive(Debug)]
pub struct Restarts {
    policy: Policy,
    recent: VecDeque<Instant>,
}

impl Restarts {
    /// None yet.
    pub fn new(policy: Policy) -> Self {
        Self { policy, recent: VecDeque::new() }
    }

    /// The child failed.
    pub fn failed(&mut self, now: Instant, rng: &mut impl Rng) -> Decision {
        while self.recent.front().is_some_and(|at| now.saturating_duration_since(*at) > self.policy.window) {
            self.recent.pop_front();
        }
        if self.recent.len() >= self.policy.most {
            return Decision::Escalate;
        }
        let doubled = self.policy.first_pause.saturating_mul(1 << self.recent.len().min(16));
        self.recent.push_back(now);
        let pause = doubled.min(self.policy.longest_pause);
        // jitter of half the pause, so that children that fell together do not rise together
        Decision::RestartAfter(pause.mul_f64(rng.random_range(0.5..=1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::clock::{Clock, SystemClock};
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    proptest! {
        #[test]
        fn restarts_are_bounded_in_every_window(gaps in proptest::collection::vec(0u64..40_000, 1..60), seed: u64) {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut restarts = Restarts::new(LIVE_CHILD);
            let mut now = SystemClock.now();
            let mut done: Vec<Instant> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if let Decision::RestartAfter(pause) = restarts.failed(now, &mut rng) {
                    prop_assert!(pause <= LIVE_CHILD.longest_pause);
                    done.push(now);
                }
                let recent = done.iter().filter(|at| now.duration_since(**at) <= LIVE_CHILD.window).count();
                prop_assert!(recent <= LIVE_CHILD.most);
            }
        }
    }

    #[test]
    fn a_quiet_window_forgives() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut restarts = Restarts::new(LIVE_CHILD);
        let now = SystemClock.now();
        for _ in 0..LIVE_CHILD.most {
            assert!(matches!(restarts.failed(now, &mut rng), Decision::RestartAfter(_)));
        }
        assert_eq!(restarts.failed(now, &mut rng), Decision::Escalate);
        let later = now + LIVE_CHILD.window * 2;
        assert!(matches!(restarts.failed(later, &mut rng), Decision::RestartAfter(_)));
    }
}
