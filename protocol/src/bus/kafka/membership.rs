//! Whether a member is in its group. librdkafka is to come back by itself after any absence of the cluster; after a freeze
//! it sometimes does not (an unknown client found groups that stayed empty for ten minutes, with nothing in the log). So
//! a member that has not been whole for a while is replaced by whoever reads it.

use rdkafka::statistics::ConsumerGroup;
use std::time::Duration;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// How often librdkafka tells of a group; it tells nothing where its queue is not served any more.
pub(super) const TOLD_EVERY: Duration = Duration::from_secs(2);

/// What is known of a member's place in its group.
#[derive(Debug, Clone)]
pub(super) struct Membership {
    /// Is sent each time that it is whole.
    whole: watch::Sender<()>,
    lost: CancellationToken,
}

impl Membership {
    /// Of one that may be away for `patience` at a time. The time is kept apart from whoever reads the member: a reader
    /// that often breaks its waiting off must not begin it anew.
    pub(super) fn watch(patience: Duration) -> Self {
        let (whole, mut told) = watch::channel(());
        let lost = CancellationToken::new();
        tokio::spawn({
            let lost = lost.clone();
            async move {
                while let Ok(told) = timeout(patience, told.changed()).await {
                    if told.is_err() {
                        // nobody reads it any more
                        return;
                    }
                }
                lost.cancel();
            }
        });
        Self { whole, lost }
    }

    /// What librdkafka tells.
    pub(super) fn told(&self, group: &ConsumerGroup) {
        if group.state == "up" && group.join_state == "steady" {
            self.whole.send_replace(());
        }
    }

    /// Returns when it has been away for too long. Cancel-safe.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(state: &str, join_state: &str) -> ConsumerGroup {
        ConsumerGroup { state: state.into(), join_state: join_state.into(), ..ConsumerGroup::default() }
    }

    #[tokio::test]
    async fn only_a_whole_member_is_not_lost() {
        let membership = Membership::watch(Duration::from_millis(200));
        let mut whole = membership.whole.subscribe();
        for (state, join_state) in [("wait-coord", "steady"), ("up", "wait-join")] {
            membership.told(&group(state, join_state));
            assert!(!whole.has_changed().unwrap(), "{state}, {join_state}");
        }
        membership.told(&group("up", "steady"));
        assert!(whole.has_changed().unwrap());
        whole.mark_unchanged();
        // nothing more is told of it
        membership.lost().await;
    }
    #[tokio::test]
    async fn a_reader_that_breaks_its_waiting_off_does_not_begin_it_anew() {
        let membership = Membership::watch(Duration::from_millis(200));
        let often = async {
            // as the recorder's ticks do
            while timeout(Duration::from_millis(20), membership.lost()).await.is_err() {}
        };
        timeout(Duration::from_secs(10), often).await.expect("it is lost however often it is asked");
    }
}
