//! The partitions that this node reads: what the node list gives it, and what its own sessions still need.

use super::{AUDIO, Here, Inner, found};
use crate::parts::Parts;
use futures::FutureExt;
use maya_protocol::{
    bus::{
        Asked, BusError, PartitionReader,
        assignment::{self, Share},
    },
    registry::{NodeRecord, Roster},
    tree::NodeState,
};
use maya_store::placements::LogPosition;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// How often the node list is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often sessions without an owner here are looked for, besides at each change of what is read.
const FIND: Duration = Duration::from_secs(1);

/// The interviewers that take audio, each with what it wants of it; nothing while no list is known.
pub(super) type Shares = Option<Vec<Share>>;

/// Where a partition is read from.
struct Begin {
    offset: u64,
    incarnation: String,
}

/// The reading of a node's partitions. Nothing that it waits for may make it deaf: where a partition begins is asked
/// beside it, and the node list is followed beside it.
pub(super) struct Reading {
    inner: Arc<Inner>,
    reader: Box<dyn PartitionReader>,
    count: u32,
    list: watch::Receiver<Shares>,
    asked: Asked<Begin>,
    assigned: HashSet<u32>,
}

impl Reading {
    /// Reads what the list gives this node now.
    pub(super) async fn start(inner: Arc<Inner>, list: watch::Receiver<Shares>) -> Result<Self, BusError> {
        let bus = &inner.parts.bus;
        let (reader, count) = (bus.reader(AUDIO).await?, bus.partitions(AUDIO).await?);
        let mut reading = Self { inner, reader, count, list, asked: Asked::default(), assigned: HashSet::new() };
        reading.follow_list().await?;
        while !reading.asked.is_empty() {
            let (partition, begin) = reading.asked.next().await;
            reading.begin(partition, begin?).await?;
        }
        Ok(reading)
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut find = tokio::time::interval(FIND);
        find.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let Parts { pulse, settings, .. } = &self.inner.parts;
        // it comes round with every look, whatever it reads
        let mark = pulse.mark("reader", settings.frozen + FIND * 2);
        loop {
            mark.beat();
            // `true`: what was just given to this node may have lost its owner
            let changed = tokio::select! {
                () = stop.cancelled() => return,
                _ = find.tick() => {
                    self.inner.find(self.own());
                    Ok(false)
                }
                Ok(()) = self.list.changed() => self.follow_list().await,
                (partition, begin) = self.asked.next() => match begin {
                    Ok(begin) => self.begin(partition, begin).await.map(|()| self.asked.is_empty()),
                    // it is asked again with the next list
                    Err(error) => Err(error),
                },
                delivery = self.reader.next() => {
                    match delivery {
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
                    }
                    Ok(false)
                }
            };
            match changed {
                Ok(true) => find.reset_immediately(),
                Ok(false) => {}
                Err(error) => tracing::warn!(error = %error, "cannot change the partitions that are read"),
            }
        }
    }

    /// The partitions that the node list gives this node.
    fn own(&self) -> Vec<u32> {
        let kept = &self.inner.kept;
        self.assigned.iter().copied().filter(|partition| !kept.contains_key(partition)).collect()
    }

    /// Leaves what the list gives to others, and asks where to begin what it gives to this node; `true` if some of that
    /// was read on for a session and is this node's own again.
    async fn follow_list(&mut self) -> Result<bool, BusError> {
        // while nothing is known the last assignment stands
        let Some(mut shares) = self.list.borrow_and_update().clone() else { return Ok(false) };
        let inner = self.inner.clone();
        if shares.is_empty() {
            // before this node's own record is there
            shares.push(Share::full(inner.parts.node.clone()));
        }
        let wanted: HashSet<u32> =
            assignment::partitions_of(&inner.parts.node, &shares, self.count).into_iter().collect();
        self.asked.retain(|partition| wanted.contains(&partition));
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
        let new = wanted.difference(&self.assigned).copied().filter(|partition| !self.asked.contains(*partition));
        self.ask(new.collect());
        Ok(inner.kept.len() < before)
    }

    /// Asks where these partitions are to be read from: the lowest position of its live sessions, or a little back, so
    /// that a join that nobody read is not lost.
    fn ask(&mut self, partitions: Vec<u32>) {
        if partitions.is_empty() {
            return;
        }
        let positions = {
            let (store, partitions) = (self.inner.parts.store.clone(), partitions.clone());
            // where they are not known each session reads what it lacks by itself
            async move { Arc::new(found::positions(&store, &partitions).await.unwrap_or_default()) }.boxed().shared()
        };
        for partition in partitions {
            let (bus, positions) = (self.inner.parts.bus.clone(), positions.clone());
            self.asked.ask(partition, async move {
                let bounds = bus.bounds(AUDIO, partition).await?;
                let positions = positions.await;
                let known = |position: &&LogPosition| position.incarnation == bounds.incarnation;
                let lowest =
                    positions.get(&partition).into_iter().flatten().filter(known).map(|known| known.offset).min();
                let back = bounds.high.saturating_sub(found::LOOK_BACK);
                let offset = lowest.unwrap_or(back).min(back).max(bounds.low);
                Ok(Begin { offset, incarnation: bounds.incarnation })
            });
        }
    }

    async fn begin(&mut self, partition: u32, begin: Begin) -> Result<(), BusError> {
        self.inner.incarnations.insert(partition, begin.incarnation);
        self.inner.reached.insert(partition, begin.offset);
        self.reader.assign_at(partition, begin.offset).await?;
        self.assigned.insert(partition);
        Ok(())
    }
}

/// The interviewers that take audio.
pub(super) fn shares(nodes: &[NodeRecord]) -> Vec<Share> {
    let serves =
        |node: &&NodeRecord| node.state == NodeState::Serving && node.roles.iter().any(|role| role == "interviewer");
    nodes.iter().filter(serves).map(|node| Share { node: node.id.clone(), weight: node.weight }).collect()
}

impl Inner {
    /// Follows the node list.
    pub(super) async fn follow(
        self: Arc<Self>,
        mut roster: Roster,
        told: watch::Sender<Shares>,
        stop: CancellationToken,
    ) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => {}
            }
            if let Some(nodes) = roster.look().await {
                self.owners.saw(&nodes);
                // at every look, changed or not: what was read on for a session may be left meanwhile
                told.send_replace(Some(shares(&nodes)));
            }
        }
    }

    /// Whether a session of that partition lives here, or is being started.
    fn lives_in(&self, partition: u32) -> bool {
        self.here.iter().any(|entry| match entry.value() {
            Here::Live(live) => live.partition == partition,
            Here::Starting(starting) => starting.partition == partition,
        })
    }
}
