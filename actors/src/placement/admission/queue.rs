//! Who waits for a place: in order within a tenant, tenant by tenant. Pure.

use maya_protocol::ids::{SessionId, TenantId};
use std::collections::{HashMap, VecDeque};

/// How many may wait at one node.
const MOST: usize = 10_000;

/// The queue.
pub(super) struct Queue<T> {
    /// Tenants of which someone waits, the next first.
    turns: VecDeque<TenantId>,
    waiting: HashMap<TenantId, VecDeque<(SessionId, T)>>,
}
impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), waiting: HashMap::new() }
    }
}

impl<T> Queue<T> {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    /// A session waits from now on; one that does already keeps its place, with what it brings now. `false` if too many
    /// wait.
    pub(super) fn push(&mut self, tenant: TenantId, session: SessionId, what: T) -> bool {
        if let Some(known) = self.waiting.get_mut(&tenant).and_then(|of| of.iter_mut().find(|(id, _)| *id == session)) {
            known.1 = what;
            return true;
        }
        if self.len() >= MOST {
            return false;
        }
        let of = self.waiting.entry(tenant).or_default();
        if of.is_empty() {
            self.turns.push_back(tenant);
        }
        of.push_back((session, what));
        true
    }

    /// The next: the longest waiting of the tenant whose turn it is.
    pub(super) fn pop(&mut self) -> Option<(SessionId, T)> {
        let tenant = self.turns.pop_front()?;
        let of = self.waiting.get_mut(&tenant)?;
        let next = of.pop_front();
        if of.is_empty() {
            self.waiting.remove(&tenant);
        } else {
            self.turns.push_back(tenant);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn tenant(n: u8) -> TenantId {
        TenantId(Uuid::from_u128(u128::from(n)))
    }
    fn session(n: usize) -> SessionId {
        SessionId(Uuid::from_u128(n as u128))
    }

    proptest! {
        #[test]
        fn it_is_fair_and_loses_nobody(whose in proptest::collection::vec(0u8..4, 0..60)) {
            let mut queue = Queue::default();
            for (n, of) in whose.iter().enumerate() {
                prop_assert!(queue.push(tenant(*of), session(n), *of));
            }
            let mut left: HashMap<u8, usize> = HashMap::new();
            whose.iter().for_each(|of| *left.entry(*of).or_default() += 1);
            let mut served: HashMap<u8, usize> = HashMap::new();
            let mut last: HashMap<u8, SessionId> = HashMap::new();
            while let Some((id, of)) = queue.pop() {
                *served.entry(of).or_default() += 1;
                *left.get_mut(&of).unwrap() -= 1;
                prop_assert!(last.insert(of, id).is_none_or(|before| before.0 < id.0), "in order within a tenant");
                for (other, left) in &left {
                    prop_assert!(*left == 0 || served.get(other).copied().unwrap_or(0) + 1 >= served[&of], "{other} waits while {of} is served twice");
                }
            }
            prop_assert!(left.values().all(|left| *left == 0));
        }
    }

    #[test]
    fn who_asks_again_keeps_the_place() {
        let mut queue = Queue::default();
        queue.push(tenant(1), session(1), "first");
        queue.push(tenant(1), session(2), "other");
        queue.push(tenant(1), session(1), "again");
        assert_eq!((queue.len(), queue.pop()), (2, Some((session(1), "again"))));
    }
}
