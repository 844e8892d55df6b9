//! Which node reads which partition: computed by every node alike from the node list, with no coordinator.
//!
//! A consumer group would need its session time-out (6 s at a managed cluster's floor) to see a silent loss;
//! a node list ages out in two heartbeats. Rendezvous hashing moves only the lost node's partitions.

use crate::ids::NodeId;
use sha2::{Digest, Sha256};

/// The node that reads a partition; none where there is no node.
pub fn reader_of(partition: u32, nodes: &[NodeId]) -> Option<&NodeId> {
    nodes.iter().max_by_key(|node| {
        let digest = Sha256::new().chain_update(node.0.as_bytes()).chain_update(partition.to_le_bytes()).finalize();
        (u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes")), &node.0)
    })
}

/// The partitions that `me` reads.
pub fn partitions_of(me: &NodeId, nodes: &[NodeId], partitions: u32) -> Vec<u32> {
    (0..partitions).filter(|&partition| reader_of(partition, nodes) == Some(me)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_partition_has_one_reader_and_a_loss_moves_only_the_lost(count in 1usize..6, lost in 0usize..6) {
            let nodes: Vec<NodeId> = (0..count).map(|n| NodeId(format!("n{n}"))).collect();
            let all: usize = nodes.iter().map(|node| partitions_of(node, &nodes, 100).len()).sum();
            prop_assert_eq!(all, 100);
            let gone = &nodes[lost % count];
            let left: Vec<NodeId> = nodes.iter().filter(|node| *node != gone).cloned().collect();
            for partition in 0..100 {
                let before = reader_of(partition, &nodes);
                if before != Some(gone) {
                    prop_assert_eq!(reader_of(partition, &left), before);
                }
            }
        }
    }
}
