//! A map whose entries die.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// The dead are swept when there may be as many of them as of the living; small maps are left alone.
const SWEEP_FROM: usize = 64;

/// A map whose entries die at their time.
pub(super) struct Expiring<K, V> {
    entries: HashMap<K, (Instant, V)>,
    sweep_at: usize,
}

impl<K, V> Default for Expiring<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), sweep_at: SWEEP_FROM }
    }
}

impl<K: Eq + Hash, V> Expiring<K, V> {
    pub(super) fn put(&mut self, key: K, value: V, now: Instant, ttl: Duration) {
        // A time-to-live without an end is a year.
        let dies = now.checked_add(ttl).unwrap_or(now + Duration::from_secs(365 * 24 * 3600));
        self.entries.insert(key, (dies, value));
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, (dies, _)| *dies > now);
            self.entries.shrink_to(SWEEP_FROM);
            self.sweep_at = (2 * self.entries.len()).max(SWEEP_FROM);
        }
    }
    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Instant) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).filter(|(dies, _)| *dies > now).map(|(_, value)| value)
    }
    pub(super) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q, now: Instant) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.entries.get_mut(key).filter(|(dies, _)| *dies > now).map(|(_, value)| value)
    }
    /// How long an entry still lives.
    pub(super) fn left<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Instant) -> Duration
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).map_or(Duration::ZERO, |(dies, _)| dies.saturating_duration_since(now))
    }
    pub(super) fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }
    /// Removes an entry and returns it if it was alive.
    pub(super) fn remove_live(&mut self, key: &K, now: Instant) -> Option<V> {
        self.entries.remove(key).filter(|(dies, _)| *dies > now).map(|(_, value)| value)
    }
    pub(super) fn values(&self, now: Instant) -> impl Iterator<Item = &V> {
        self.entries.values().filter(move |(dies, _)| *dies > now).map(|(_, value)| value)
    }
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;

    #[test]
    fn the_dead_are_swept() {
        let mut map = Expiring::default();
        let start = Instant::now();
        for n in 0..10_000u64 {
            map.put(n, (), start + Duration::from_secs(n), Duration::from_secs(1));
        }
        assert!(map.entries.len() <= SWEEP_FROM);
    }
}
