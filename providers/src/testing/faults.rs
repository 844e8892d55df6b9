//! Faults on demand: which call fails, and how.

use crate::ProviderError;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused at once, may pass.
    Retry,
    /// Refused at once, over a quota.
    Quota(Option<Duration>),
    /// Refused at once, for good.
    Fatal,
    /// Refused at once by a content filter.
    Blocked,
    /// Never answers.
    Hang,
    /// Answers that many pieces, then nothing more and no end.
    StallAfter(usize),
    /// Answers that many pieces, then fails and ends.
    DieAfter(usize),
    /// Answers with nonsense.
    Garbage,
}

/// How long a provider takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    /// Until the first piece.
    pub first: Duration,
    /// Between pieces.
    pub between: Duration,
}

/// A schedule of faults, shared by the clones of it; calls are counted from 0.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    inner: Arc<Mutex<Schedule>>,
}

#[derive(Debug, Default)]
struct Schedule {
    calls: u64,
    at: HashMap<u64, Fault>,
    always: Option<Fault>,
    chance: Option<(StdRng, f64, Vec<Fault>)>,
}

impl Faults {
    /// All goes well.
    pub fn none() -> Self {
        Self::default()
    }
    /// Every call fails so, until [`Faults::heal`].
    pub fn always(fault: Fault) -> Self {
        let faults = Self::default();
        faults.inner.lock().always = Some(fault);
        faults
    }
    /// A share (0 to 1) of the calls fails with one of the given faults; the same seed gives the same schedule.
    pub fn seeded(seed: u64, share: f64, kinds: Vec<Fault>) -> Self {
        let faults = Self::default();
        if !kinds.is_empty() {
            faults.inner.lock().chance = Some((StdRng::seed_from_u64(seed), share.clamp(0.0, 1.0), kinds));
        }
        faults
    }
    /// The n-th call fails so.
    pub fn on_call(self, n: u64, fault: Fault) -> Self {
        self.inner.lock().at.insert(n, fault);
        self
    }
    /// The call after those made so far fails so.
    pub fn on_next_call(&self, fault: Fault) {
        let mut schedule = self.inner.lock();
        let next = schedule.calls;
        schedule.at.insert(next, fault);
    }
    /// From now on all goes well.
    pub fn heal(&self) {
        let mut schedule = self.inner.lock();
        (schedule.at, schedule.always, schedule.chance) = (HashMap::new(), None, None);
    }
    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.inner.lock().calls
    }
    /// Counts a call and says what is to go wrong with it.
    pub fn next(&self) -> Option<Fault> {
        let mut schedule = self.inner.lock();
        let n = schedule.calls;
        schedule.calls += 1;
        if let Some(fault) = schedule.at.get(&n) {
            return Some(*fault);
        }
        if schedule.always.is_some() {
            return schedule.always;
        }
        let (rng, share, kinds) = schedule.chance.as_mut()?;
        rng.random_bool(*share).then(|| kinds[rng.random_range(0..kinds.len())])
    }
    /// Begins a call: refuses or hangs where that is its fault, otherwise hands on what is to go wrong later.
    pub(super) async fn begin(&self, provider: &'static str, latency: Latency) -> Result<Option<Fault>, ProviderError> {
        let fault = self.next();
        match fault {
            Some(Fault::Retry) => Err(ProviderError::retry(provider, "scripted fault")),
            Some(Fault::Quota(retry_after)) => Err(ProviderError::Quota { provider, retry_after }),
            Some(Fault::Blocked) => Err(ProviderError::Blocked { provider }),
            Some(Fault::Fatal) => Err(ProviderError::fatal(provider, "scripted fault")),
            Some(Fault::Hang) => std::future::pending().await,
            later => {
                pause(latency.first).await;
                Ok(later)
            }
        }
    }
}

/// Waits, where there is something to wait for.
pub(super) async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

/// Applies a fault and a pace to a stream of pieces.
pub(super) fn bend<T: Send + 'static>(
    provider: &'static str,
    items: BoxStream<'static, Result<T, ProviderError>>,
    fault: Option<Fault>,
    between: Duration,
    garble: fn(T) -> T,
) -> BoxStream<'static, Result<T, ProviderError>> {
    stream::unfold((Some(items), 0usize), move |(items, n)| async move {
        let mut items = items?;
        match fault {
            Some(Fault::StallAfter(after)) if n >= after => std::future::pending().await,
            Some(Fault::DieAfter(after)) if n >= after => {
                return Some((Err(ProviderError::retry(provider, "scripted death")), (None, n)));
            }
            _ => {}
        }
        if n > 0 {
            pause(between).await;
        }
        let item = items.next().await?;
        let item = if fault == Some(Fault::Garbage) { item.map(garble) } else { item };
        Some((item, (Some(items), n + 1)))
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_kept_and_a_seed_repeats() {
        let faults = Faults::none().on_call(1, Fault::Fatal);
        assert_eq!([faults.next(), faults.next(), faults.next()], [None, Some(Fault::Fatal), None]);
        faults.on_next_call(Fault::Hang);
        assert_eq!(faults.clone().next(), Some(Fault::Hang));
        assert_eq!(faults.calls(), 4);

        let kinds = vec![Fault::Retry, Fault::Garbage];
        let run = |seed| {
            let faults = Faults::seeded(seed, 0.5, kinds.clone());
            (0..64).map(|_| faults.next()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let faults = Faults::always(Fault::Retry);
        assert_eq!(faults.next(), Some(Fault::Retry));
        faults.heal();
        assert_eq!(faults.next(), None);
    }

    #[tokio::test]
    async fn a_stream_dies_stalls_and_garbles_where_it_should() {
        let pieces = || stream::iter([1, 2, 3].map(Ok)).boxed();
        let run = |fault| bend("test", pieces(), fault, Duration::ZERO, |n| -n);
        let all = |results: Vec<Result<i32, ProviderError>>| results.into_iter().map(Result::ok).collect::<Vec<_>>();
        assert_eq!(all(run(None).collect().await), [Some(1), Some(2), Some(3)]);
        assert_eq!(all(run(Some(Fault::DieAfter(1))).collect().await), [Some(1), None]);
        assert_eq!(all(run(Some(Fault::Garbage)).collect().await), [Some(-1), Some(-2), Some(-3)]);
        let mut stalled = run(Some(Fault::StallAfter(2)));
        assert_eq!(all(stalled.by_ref().take(2).collect().await), [Some(1), Some(2)]);
        assert!(futures::poll!(stalled.next()).is_pending());
    }
}
