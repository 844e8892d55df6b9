//! Whether a member is in its group. librdkafka is to come back by itself after any absence of the cluster; after a freeze
//! it sometimes does not (an unknown client found groups that stayed empty for ten minutes, with nothing in the log). So
//! a member that has not been whole for a while is replaced by whoever reads it.

use parking_lot::Mutex;
use rdkafka::statistics::ConsumerGroup;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How often librdkafka tells of a group; it tells nothing where its queue is not served any more.
pub(super) const TOLD_EVERY: Duration = Duration::from_secs(2);

/// When a member was last known to be in its group.
#[derive(Debug, Clone)]
pub(super) struct Membership {
    whole: Arc<Mutex<Instant>>,
    patience: Duration,
}

impl Membership {
    /// Of one that joins now, and may be away for `patience` at a time.
    pub(super) fn new(patience: Duration) -> Self {
        Self { whole: Arc::new(Mutex::new(Instant::now())), patience }
    }

    /// What librdkafka tells.
    pub(super) fn told(&self, group: &ConsumerGroup) {
        if group.state == "up" && group.join_state == "steady" {
            *self.whole.lock() = Instant::now();
        }
    }

    /// Returns when it has been away for too long.
    pub(super) async fn lost(&self) {
        loop {
            let until = *self.whole.lock() + self.patience;
            if Instant::now() >= until {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(state: &str, join_state: &str) -> ConsumerGroup {
        ConsumerGroup { state: state.into(), join_state: join_state.into(), ..ConsumerGroup::default() }
    }

    #[tokio::test]
    async fn a_member_that_stays_away_is_lost_and_one_that_comes_back_is_not() {
        let membership = Membership::new(Duration::from_millis(50));
        let ago = Instant::now() - Duration::from_secs(60);
        *membership.whole.lock() = ago;
        for (state, join_state) in [("wait-coord", "steady"), ("up", "wait-join")] {
            membership.told(&group(state, join_state));
            assert_eq!(*membership.whole.lock(), ago, "{state}, {join_state}");
        }
        membership.told(&group("up", "steady"));
        assert!(membership.whole.lock().elapsed() < Duration::from_secs(60));
        membership.lost().await;
        assert!(membership.whole.lock().elapsed() >= Duration::from_millis(50), "not before its patience is over");
    }
}
