//! The way back: this edge's share of the partitions, read and handed to the sockets, here or on a peer.

mod forward;

pub(crate) use forward::Forwarder;

use crate::{Shared, metric};
use maya_protocol::{
    audio::AgentMessage,
    bus::{BusError, Delivery, PartitionReader, StartAt, assignment::partitions_of},
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
            held: BTreeSet::new(),
            behind: BTreeMap::new(),
            forwarder: forwarder.clone(),
        };
        let first = shared.nodes.other_edges(&shared.node).is_empty();
        share.assign(if first { Begin::Now } else { Begin::LittleBack }).await?;
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
    held: BTreeSet<u32>,
    /// Of the partitions that were begun a little back: where the news begin.
    behind: BTreeMap<u32, u64>,
    forwarder: Forwarder,
}

impl Share {
    async fn run(mut self) {
        let mut changes = self.shared.nodes.changes();
        loop {
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // What could not be assigned is tried again at the next reading of the nodes.
                    if let Err(error) = self.assign(Begin::LittleBack).await {
                        tracing::warn!(%error, topic = self.channel.name(), "could not take over partitions");
                    }
                }
                delivery = self.reader.next() => match delivery {
                    Ok(delivery) => self.hand_on(delivery).await,
                    Err(BusError::Closed) => return,
                    Err(error) => {
                        tracing::warn!(%error, topic = self.channel.name(), "could not read");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                },
            }
        }
    }

    /// Reads what is this edge's by the last list of nodes; all, where there never was a list.
    async fn assign(&mut self, begin: Begin) -> Result<(), BusError> {
        let wanted: BTreeSet<u32> = match self.shared.nodes.edges(&self.shared.node) {
            Some(edges) => partitions_of(&self.shared.node, &edges, self.partitions).into_iter().collect(),
            None => (0..self.partitions).collect(),
        };
        let (lost, gained): (Vec<u32>, Vec<u32>) =
            (self.held.difference(&wanted).copied().collect(), wanted.difference(&self.held).copied().collect());
        for partition in gained {
            let start = match begin {
                Begin::Now => StartAt::Latest,
                Begin::LittleBack => {
                    let bounds = self.shared.bus.bounds(self.channel, partition).await?;
                    self.behind.insert(partition, bounds.high);
                    StartAt::Offset(bounds.high.saturating_sub(self.shared.settings.look_back).max(bounds.low))
                }
            };
            self.reader.assign(partition, start).await?;
            self.held.insert(partition);
        }
        for partition in lost {
            self.reader.unassign(partition).await?;
            self.held.remove(&partition);
            self.behind.remove(&partition);
        }
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
