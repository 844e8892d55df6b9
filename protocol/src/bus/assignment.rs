//! Which node reads which partition: computed by every node alike from the node list, with no coordinator.
//!
//! A consumer group would need its session time-out (6 s at a managed cluster's floor) to see a silent loss;
//! a node list ages out in two heartbeats. Rendezvous hashing moves only the lost node's partitions. A node draws once
//! for each unit of its weight, so that one which grows full gives some of its partitions away and moves no others.

use crate::ids::NodeId;
use sha2::{Digest, Sha256};

/// The weight of a node with nothing to do.
pub const FULL_WEIGHT: u8 = 8;

/// A node that reads, and how much of the whole it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The node.
    pub node: NodeId,
    /// Up to [`FULL_WEIGHT`]; a node of none reads only where all have none.
    pub weight: u8,
}

impl Share {
    /// A node like all others.
    pub fn full(node: NodeId) -> Self {
        Self { node, weight: FULL_WEIGHT }
    }
}

/// The node that reads a partition; none where there is no node.
pub fn reader_of(partition: u32, shares: &[Share]) -> Option<&NodeId> {
    let nobody_wants = shares.iter().all(|share| share.weight == 0);
    let draws = |share: &Share| if nobody_wants { 1 } else { share.weight };
    let best = |share: &Share| (0..draws(share)).map(|draw| drawn(&share.node, partition, draw)).max();
    let wanting = shares.iter().filter_map(|share| best(share).map(|best| (best, &share.node)));
    wanting.max().map(|(_, node)| node)
}

fn drawn(node: &NodeId, partition: u32, draw: u8) -> u64 {
    let digest = Sha256::new()
        .chain_update(node.0.as_bytes())
        .chain_update(partition.to_le_bytes())
        .chain_update([draw])
        .finalize();
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

/// The partitions that `me` reads.
pub fn partitions_of(me: &NodeId, shares: &[Share], partitions: u32) -> Vec<u32> {
    (0..partitions).filter(|&partition| reader_of(partition, shares) == Some(me)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shares(weights: &[u8]) -> Vec<Share> {
        weights.iter().enumerate().map(|(n, &weight)| Share { node: NodeId(format!("n{n}")), weight }).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn every_partition_has_one_reader_and_a_loss_moves_only_the_lost(
            weights in proptest::collection::vec(0u8..=FULL_WEIGHT, 1..6), lost: proptest::sample::Index,
        ) {
            let all = shares(&weights);
            let read: usize = all.iter().map(|share| partitions_of(&share.node, &all, 50).len()).sum();
            prop_assert_eq!(read, 50);
            let gone = &all[lost.index(all.len())];
            let left: Vec<Share> = all.iter().filter(|share| *share != gone).cloned().collect();
            let still_wanted = left.iter().any(|share| share.weight > 0);
            for partition in 0..50 {
                let before = reader_of(partition, &all);
                if still_wanted && before != Some(&gone.node) {
                    prop_assert_eq!(reader_of(partition, &left), before);
                }
            }
        }

        #[test]
        fn a_node_that_fills_gives_away_and_nothing_else_moves(
            weights in proptest::collection::vec(1u8..=FULL_WEIGHT, 2..6), fills: proptest::sample::Index,
        ) {
            let before = shares(&weights);
            let mut after = before.clone();
            let fills = fills.index(before.len());
            after[fills].weight -= 1;
            for partition in 0..50 {
                let (old, new) = (reader_of(partition, &before), reader_of(partition, &after));
                prop_assert!(old == new || old == Some(&before[fills].node));
            }
        }
    }

    #[test]
    fn a_share_is_about_its_weight() {
        let all = shares(&[8, 8, 4]);
        let read: Vec<usize> = all.iter().map(|share| partitions_of(&share.node, &all, 1000).len()).collect();
        assert!(
            (350..450).contains(&read[0]) && (350..450).contains(&read[1]) && (150..250).contains(&read[2]),
            "{read:?}"
        );
        let all = shares(&[0, 0]);
        assert!(reader_of(3, &all).is_some(), "someone reads, whoever it is");
        let all = shares(&[0, 1]);
        assert!((0..50).all(|partition| reader_of(partition, &all) == Some(&all[1].node)));
    }
}
