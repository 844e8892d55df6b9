//! Who of a group reads what: a pure, sticky, even division.

use std::collections::HashMap;
use std::hash::Hash;

/// Divides `items` among `members`: counts differ by one at most, and whoever holds an item keeps it if that fits.
pub(super) fn share<I: Copy + Eq + Hash, M: Copy + Eq + Hash>(
    items: &[I],
    members: &[M],
    held: &HashMap<I, M>,
) -> HashMap<I, M> {
    let mut shares = HashMap::new();
    if members.is_empty() {
        return shares;
    }
    let (floor, mut extra) = (items.len() / members.len(), items.len() % members.len());
    let mut counts: HashMap<M, usize> = members.iter().map(|member| (*member, 0)).collect();
    for item in items {
        let Some(holder) = held.get(item) else { continue };
        let Some(count) = counts.get_mut(holder) else { continue };
        let over = *count == floor;
        if *count < floor || (over && extra > 0) {
            extra -= usize::from(over);
            *count += 1;
            shares.insert(*item, *holder);
        }
    }
    let left: Vec<I> = items.iter().copied().filter(|item| !shares.contains_key(item)).collect();
    for item in left {
        let least = members.iter().min_by_key(|member| counts[member]).expect("there is a member");
        *counts.get_mut(least).expect("every member is counted") += 1;
        shares.insert(item, *least);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn even_complete_and_sticky(
            items in 0u32..120,
            members in 1u32..7,
            leaver in 0u32..7,
        ) {
            let items: Vec<u32> = (0..items).collect();
            let before: Vec<u32> = (0..members).collect();
            let held = share(&items, &before, &HashMap::new());
            let after: Vec<u32> = before.iter().copied().filter(|member| *member != leaver).collect();
            let shares = share(&items, &after, &held);
            prop_assert_eq!(shares.len(), if after.is_empty() { 0 } else { items.len() });
            let counts: Vec<usize> =
                after.iter().map(|member| shares.values().filter(|holder| *holder == member).count()).collect();
            if let (Some(most), Some(least)) = (counts.iter().max(), counts.iter().min()) {
                prop_assert!(most - least <= 1);
            }
            // Who stays loses nothing when another leaves.
            for (item, holder) in &held {
                if after.contains(holder) {
                    prop_assert_eq!(shares[item], *holder);
                }
            }
        }
    }
}
