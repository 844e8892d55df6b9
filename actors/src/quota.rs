//! What providers have said about how much they take: while a quota is used up, a node begins no new session.
//!
//! The sessions that live go on, each by its own pauses and without the provider where that must be: a quota is the
//! account's, so that another node would be refused as well, and moving them would help nobody.

use maya_protocol::clock::SharedClock;
use maya_providers::ProviderError;
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// For how long a refusal holds that does not say so.
const UNSAID: Duration = Duration::from_secs(10);
/// A refusal is believed for no longer: a provider that named a day would keep out who comes tomorrow.
const LONGEST: Duration = Duration::from_secs(60);

/// The quotas of this node's providers.
#[derive(Clone)]
pub struct Quotas {
    clock: SharedClock,
    used_up_until: Arc<Mutex<Option<Instant>>>,
}

impl Quotas {
    /// None is used up.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, used_up_until: Arc::default() }
    }

    /// A provider failed: taken notice of where a quota is why.
    pub fn heed(&self, error: &ProviderError) {
        let ProviderError::Quota { retry_after, .. } = error else { return };
        metrics::counter!("maya_provider_quota_refusals_total").increment(1);
        let until = self.clock.now() + retry_after.unwrap_or(UNSAID).min(LONGEST);
        let mut used_up_until = self.used_up_until.lock();
        *used_up_until = (*used_up_until).max(Some(until));
    }

    /// Whether a provider would refuse another session now.
    pub fn are_used_up(&self) -> bool {
        self.used_up_until.lock().is_some_and(|until| self.clock.now() < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::clock::ManualClock;

    #[test]
    fn a_refusal_holds_for_as_long_as_it_says_and_no_longer_than_a_minute() {
        let clock = ManualClock::at(chrono::DateTime::UNIX_EPOCH);
        let quotas = Quotas::new(Arc::new(clock.clone()));
        let refused = |seconds: Option<u64>| ProviderError::Quota {
            provider: "stt",
            retry_after: seconds.map(Duration::from_secs),
        };
        quotas.heed(&ProviderError::retry("stt", "a reset is no quota"));
        assert!(!quotas.are_used_up());
        for (said, holds) in [(Some(3), 3), (None, 10), (Some(86_400), 60)] {
            quotas.heed(&refused(said));
            clock.advance(Duration::from_secs(holds) - Duration::from_millis(1));
            assert!(quotas.are_used_up(), "{said:?}");
            clock.advance(Duration::from_millis(1));
            assert!(!quotas.are_used_up(), "{said:?}");
        }
        // a shorter one takes nothing back
        quotas.heed(&refused(Some(30)));
        quotas.heed(&refused(Some(1)));
        clock.advance(Duration::from_secs(2));
        assert!(quotas.are_used_up());
    }
}
