//! The partitions that this node reads: what the node list gives it, and what its own sessions still need.

use super::{AUDIO, Here, Inner, found, owners::YOUNG};
use maya_protocol::{
    bus::{
        BusError, PartitionReader, StartAt,
        assignment::{self, Share},
    },
    registry::NodeRecord,
    tree::NodeState,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often the node list is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often sessions without an owner here are looked for, besides at each change of what is read.
const FIND: Duration = Duration::from_secs(1);

/// The reading of a node's partitions.
pub(super) struct Reading {
    inner: Arc<Inner>,
    reader: Box<dyn PartitionReader>,
    count: u32,
    assigned: HashSet<u32>,
}

impl Reading {
    pub(super) async fn start(inner: Arc<Inner>) -> Result<Self, BusError> {
        let bus = &inner.parts.bus;
        let (reader, count) = (bus.reader(AUDIO).await?, bus.partitions(AUDIO).await?);
        let mut reading = Self { inner, reader, count, assigned: HashSet::new() };
        reading.assign().await?;
        Ok(reading)
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut find = tokio::time::interval(FIND);
        find.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = find.tick() => self.inner.find(self.own()),
                _ = look.tick() => match self.assign().await {
                    // what was just given to this node may have lost its owner
                    Ok(true) => find.reset_immediately(),
                    Ok(false) => {}
                    Err(error) => tracing::warn!(error = %error, "cannot change the partitions that are read"),
                },
                delivery = self.reader.next() => match delivery {
                    Ok(delivery) => {
                        if let Some(partition) = delivery.record.partition {
                            self.inner.reached.insert(partition, delivery.offset + 1);
                        }
                        self.inner.receive(delivery);
                    }
                    Err(error) => {
                        tracing::warn!(error = %error, "cannot read audio");
                        tokio::time::sleep(LOOK).await;
                    }
                },
            }
        }
    }

    /// The partitions that the node list gives this node.
    fn own(&self) -> Vec<u32> {
        let kept = &self.inner.kept;
        self.assigned.iter().copied().filter(|partition| !kept.contains_key(partition)).collect()
    }

    /// Reads what the node list gives this node; `true` if that is more than before.
    async fn assign(&mut self) -> Result<bool, BusError> {
        let inner = self.inner.clone();
        // while the registry is away the last assignment stands
        let Ok(nodes) = inner.parts.registry.nodes().await else { return Ok(false) };
        inner.owners.saw(&nodes);
        // one that was emptied hears of the nodes one by one: until all have beaten again the last assignment stands
        let young = inner.parts.registry.age().await.is_ok_and(|age| age < YOUNG);
        if young && !self.assigned.is_empty() {
            return Ok(false);
        }
        let mut shares = shares(&nodes);
        if shares.is_empty() {
            // before this node's own record is there
            shares.push(Share::full(inner.parts.node.clone()));
        }
        let wanted: HashSet<u32> =
            assignment::partitions_of(&inner.parts.node, &shares, self.count).into_iter().collect();
        for partition in self.assigned.difference(&wanted).copied().collect::<Vec<_>>() {
            // a session hears on here until it has been handed over
            if inner.lives_in(partition) {
                inner.kept.insert(partition, ());
                continue;
            }
            self.reader.unassign(partition).await?;
            self.assigned.remove(&partition);
            inner.kept.remove(&partition);
            inner.reached.remove(&partition);
        }
        let before = inner.kept.len();
        inner.kept.retain(|partition, ()| !wanted.contains(partition));
        let new: Vec<u32> = wanted.difference(&self.assigned).copied().collect();
        if new.is_empty() {
            return Ok(inner.kept.len() < before);
        }
        let starts = inner.starts(&new).await;
        for partition in new {
            let start = starts.get(&partition).copied().unwrap_or(StartAt::Latest);
            if let StartAt::Offset(offset) = start {
                inner.reached.insert(partition, offset);
            }
            self.reader.assign(partition, start).await?;
            self.assigned.insert(partition);
        }
        Ok(true)
    }
}

/// The interviewers that take audio, each with what it wants of it.
fn shares(nodes: &[NodeRecord]) -> Vec<Share> {
    let serves =
        |node: &&NodeRecord| node.state == NodeState::Serving && node.roles.iter().any(|role| role == "interviewer");
    nodes.iter().filter(serves).map(|node| Share { node: node.id.clone(), weight: node.weight }).collect()
}

impl Inner {
    /// Whether a session of that partition lives here, or is being started.
    fn lives_in(&self, partition: u32) -> bool {
        self.here.iter().any(|entry| match entry.value() {
            Here::Live(live) => live.partition == partition,
            Here::Starting(starting) => starting.partition == partition,
        })
    }

    /// Where each newly assigned partition is read from: the lowest position of its live sessions, or a little back,
    /// so that a join that nobody read is not lost.
    async fn starts(&self, partitions: &[u32]) -> HashMap<u32, StartAt> {
        let positions = found::positions(&self.parts.store, partitions).await.unwrap_or_default();
        let mut starts = HashMap::new();
        for &partition in partitions {
            let Ok(bounds) = self.parts.bus.bounds(AUDIO, partition).await else { continue };
            let back = bounds.high.saturating_sub(found::LOOK_BACK);
            let position = positions
                .get(&partition)
                .into_iter()
                .flatten()
                .filter(|position| position.incarnation == bounds.incarnation)
                .map(|position| position.offset)
                .min();
            starts.insert(partition, StartAt::Offset(position.unwrap_or(back).min(back).max(bounds.low)));
            self.incarnations.insert(partition, bounds.incarnation);
        }
        starts
    }
}
