//! The way back: this edge's share of the partitions, read and handed to the sockets, here or on a peer.

mod forward;

pub(crate) use forward::Forwarder;

use crate::{Shared, metric};
use maya_protocol::{
    audio::AgentMessage,
    bus::{Asked, Bounds, BusError, Delivery, PartitionReader, assignment::partitions_of},
    topic::{Channel, Topic},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::task::JoinHandle;

/// Topics whose messages go to candidates.
const TOPICS: [Topic; 2] = [Topic::AgentSpoken, Topic::CandidateTranscribed];

/// So long without a turn of its loop, and a reading counts as hung: it comes round with every look at the nodes.
const LATE: Duration = Duration::from_secs(15);

/// Starts reading; when this returns, whatever is published from now on reaches its socket.
pub(crate) async fn start(shared: &Arc<Shared>, forwarder: Forwarder) -> Result<Vec<JoinHandle<()>>, BusError> {
    let mut tasks = Vec::new();
    for topic in TOPICS {
        let channel = Channel::Main(topic);
        let mut share = Share {
            shared: shared.clone(),
            channel,
            partitions: shared.bus.partitions(channel).await?,
            reader: shared.bus.reader(channel).await?,
            asked: Asked::default(),
            held: BTreeSet::new(),
            behind: BTreeMap::new(),
            forwarder: forwarder.clone(),
        };
        let first = shared.nodes.other_edges(&shared.node).is_empty();
        share.follow_list().await?;
        while !share.asked.is_empty() {
            let (partition, bounds) = share.asked.next().await;
            share.begin(partition, bounds?, if first { Begin::Now } else { Begin::LittleBack }).await?;
        }
        tasks.push(tokio::spawn(share.run()));
    }
    Ok(tasks)
}

/// Where to begin reading a partition.
#[derive(Clone, Copy)]
enum Begin {
    /// Nobody's messages are on their way.
    Now,
    /// Its last reader may have left some; connections know what they had.
    LittleBack,
}

/// This edge's share of one topic.
struct Share {
    shared: Arc<Shared>,
    channel: Channel,
    partitions: u32,
    reader: Box<dyn PartitionReader>,
    /// What the partitions hold that are about to be read: asked beside the reading, which a slow answer must not stop.
    asked: Asked<Bounds>,
    held: BTreeSet<u32>,
    /// Of the partitions that were begun a little back: where the news begin.
    behind: BTreeMap<u32, u64>,
    forwarder: Forwarder,
}

impl Share {
    async fn run(mut self) {
        let mut changes = self.shared.nodes.changes();
        let mark = self.shared.pulse.mark(self.channel.name(), LATE);
        loop {
            mark.beat();
            let changed = tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.follow_list().await
                }
                (partition, bounds) = self.asked.next() => match bounds {
                    Ok(bounds) => self.begin(partition, bounds, Begin::LittleBack).await,
                    // it is asked again with the next list
                    Err(error) => Err(error),
                },
                delivery = self.reader.next() => {
                    match delivery {
                        Ok(delivery) => self.hand_on(delivery).await,
                        Err(BusError::Closed) => return,
                        Err(error) => {
                            tracing::warn!(%error, topic = self.channel.name(), "could not read");
                            tokio::time::sleep(Duration::from_millis(200)).await;
                        }
                    }
                    Ok(())
                }
            };
            if let Err(error) = changed {
                tracing::warn!(%error, topic = self.channel.name(), "could not take over partitions");
            }
        }
    }

    /// Leaves what the last list of nodes gives to others, and asks what this edge's new partitions hold: all, where
    /// there never was a list.
    async fn follow_list(&mut self) -> Result<(), BusError> {
        let wanted: BTreeSet<u32> = match self.shared.nodes.edges(&self.shared.node) {
            Some(edges) => partitions_of(&self.shared.node, &edges, self.partitions).into_iter().collect(),
            None => (0..self.partitions).collect(),
        };
        self.asked.retain(|partition| wanted.contains(&partition));
        for partition in wanted.difference(&self.held).copied() {
            let (bus, channel) = (self.shared.bus.clone(), self.channel);
            self.asked.ask(partition, async move { bus.bounds(channel, partition).await });
        }
        for partition in self.held.difference(&wanted).copied().collect::<Vec<_>>() {
            self.reader.unassign(partition).await?;
            self.held.remove(&partition);
            self.behind.remove(&partition);
        }
        self.shared.partitions_held.store(self.held.len(), Ordering::Relaxed);
        Ok(())
    }

    async fn begin(&mut self, partition: u32, bounds: Bounds, begin: Begin) -> Result<(), BusError> {
        let start = match begin {
            Begin::Now => bounds.high,
            Begin::LittleBack => {
                self.behind.insert(partition, bounds.high);
                bounds.high.saturating_sub(self.shared.settings.look_back).max(bounds.low)
            }
        };
        self.reader.assign_at(partition, start).await?;
        self.held.insert(partition);
        self.shared.partitions_held.store(self.held.len(), Ordering::Relaxed);
        Ok(())
    }

    /// To the socket if it is here; otherwise the forwarder finds it, so that no look-up holds the partition up.
    async fn hand_on(&mut self, delivery: Delivery) {
        let since = self.shared.clock.now();
        match AgentMessage::from_record(&delivery.record) {
            Ok(message) => {
                if let Some(message) = self.shared.hub.deliver(message, delivery.offset, since) {
                    if self.is_behind(&delivery) {
                        self.forwarder.catch_up(message, delivery.offset).await;
                    } else {
                        self.forwarder.forward(message, delivery.offset);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, topic = self.channel.name(), "a message could not be read");
                metrics::counter!(metric::DROPPED, "reason" => "unreadable").increment(1);
            }
        }
    }

    /// Whether this was published before its partition came to this edge.
    fn is_behind(&mut self, delivery: &Delivery) -> bool {
        let Some(partition) = delivery.record.partition else { return false };
        let behind = self.behind.get(&partition).is_some_and(|news| delivery.offset < *news);
        if !behind {
            self.behind.remove(&partition);
        }
        behind
    }
}
