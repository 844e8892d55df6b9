//! Bounded restarts: so many within a window, each after a longer, jittered pause.

use rand::Rng;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How often, and how fast, something is started again.
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

/// What to do about something that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Start it again after this pause.
    After(Duration),
    /// It failed too often.
    Never,
}

/// The recent restarts of one thing, or of a group that is restarted together.
#[derive(Debug, Clone)]
pub struct Restarts {
    policy: Policy,
    recent: VecDeque<Instant>,
}

impl Restarts {
    /// None yet.
    pub fn new(policy: Policy) -> Self {
        Self { policy, recent: VecDeque::new() }
    }

    /// It failed.
    pub fn failed(&mut self, now: Instant, rng: &mut impl Rng) -> Restart {
        while self.recent.front().is_some_and(|at| now.saturating_duration_since(*at) > self.policy.window) {
            self.recent.pop_front();
        }
        if self.recent.len() >= self.policy.most {
            return Restart::Never;
        }
        let doubled = self.policy.first_pause.saturating_mul(1 << self.recent.len().min(16));
        self.recent.push_back(now);
        let pause = doubled.min(self.policy.longest_pause);
        // jitter of half the pause, so that what fell together does not rise together
        Restart::After(pause.mul_f64(rng.random_range(0.5..=1.0)))
    }

    /// It works again: what was is forgotten.
    pub fn forgive(&mut self) {
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::LIVE_CHILD;
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
                if let Restart::After(pause) = restarts.failed(now, &mut rng) {
                    prop_assert!(pause <= LIVE_CHILD.longest_pause);
                    done.push(now);
                }
                let recent = done.iter().filter(|at| now.duration_since(**at) <= LIVE_CHILD.window).count();
                prop_assert!(recent <= LIVE_CHILD.most);
            }
        }
    }

    #[test]
    fn a_quiet_window_forgives_and_so_does_success() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut restarts = Restarts::new(LIVE_CHILD);
        let now = SystemClock.now();
        for _ in 0..LIVE_CHILD.most {
            assert!(matches!(restarts.failed(now, &mut rng), Restart::After(_)));
        }
        assert_eq!(restarts.failed(now, &mut rng), Restart::Never);
        let later = now + LIVE_CHILD.window * 2;
        assert!(matches!(restarts.failed(later, &mut rng), Restart::After(_)));
        for _ in 1..LIVE_CHILD.most {
            restarts.failed(later, &mut rng);
        }
        assert_eq!(restarts.failed(later, &mut rng), Restart::Never);
        restarts.forgive();
        assert!(matches!(restarts.failed(later, &mut rng), Restart::After(_)));
    }

    #[test]
    fn pauses_grow() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut restarts = Restarts::new(Policy { most: 20, ..LIVE_CHILD });
        let now = SystemClock.now();
        let pauses: Vec<_> = (0..12).map(|_| restarts.failed(now, &mut rng)).collect();
        let Restart::After(first) = pauses[0] else { panic!("{pauses:?}") };
        let Restart::After(last) = pauses[11] else { panic!("{pauses:?}") };
        assert!(first <= LIVE_CHILD.first_pause && last >= LIVE_CHILD.longest_pause / 2, "{pauses:?}");
    }
}
