//! Consumer groups inside the process: members share partitions, a partition goes on at its committed offset.

use super::{Shared, share::share, topics::Log};
use crate::{
    bus::{BusError, Delivery, GroupConsumer},
    topic::{Carries, Channel},
};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::Notify;

type Slot = (Channel, u32);

/// All groups of the process.
#[derive(Default)]
pub(super) struct Groups {
    groups: Mutex<HashMap<String, Arc<Mutex<Group>>>>,
}

/// A group; it outlives its members, for it knows where media topics were read to.
#[derive(Default)]
struct Group {
    members: HashMap<u64, Membership>,
    joined: u64,
    holders: HashMap<Slot, u64>,
    committed: HashMap<Slot, u64>,
}

struct Membership {
    channels: Vec<Arc<Log>>,
    woken: Arc<Notify>,
    /// Counts the divisions; a member that sees a new one looks up its share.
    generation: u64,
}

impl Group {
    /// Divides anew after someone came or went.
    fn divide(&mut self) {
        let mut logs: HashMap<Channel, (Arc<Log>, Vec<u64>)> = HashMap::new();
        for (id, member) in &self.members {
            for log in &member.channels {
                logs.entry(log.channel()).or_insert_with(|| (log.clone(), vec![])).1.push(*id);
            }
        }
        let mut holders = HashMap::new();
        for (channel, (log, mut members)) in logs {
            members.sort_unstable();
            let slots: Vec<Slot> = (0..log.partitions()).map(|partition| (channel, partition)).collect();
            holders.extend(share(&slots, &members, &self.holders));
        }
        self.holders = holders;
        for member in self.members.values_mut() {
            member.generation += 1;
            member.woken.notify_one();
        }
    }
}

/// A member of a group.
pub(super) struct Member {
    shared: Arc<Shared>,
    name: String,
    group: Arc<Mutex<Group>>,
    id: u64,
    generation: u64,
    /// What it holds, and the next offset of each; `None` until the first look at it.
    share: Vec<(Slot, Arc<Log>, Option<u64>)>,
    turn: usize,
    woken: Arc<Notify>,
}

impl Member {
    pub(super) fn join(shared: Arc<Shared>, name: &str, channels: &[Channel]) -> Result<Self, BusError> {
        let channels =
            channels.iter().map(|channel| shared.topics.get(*channel)).collect::<Result<Vec<_>, BusError>>()?;
        let woken = Arc::new(Notify::new());
        for log in &channels {
            log.waiters().add(&woken);
        }
        let group = shared.groups.groups.lock().entry(name.to_owned()).or_default().clone();
        let id = {
            let mut group = group.lock();
            group.joined += 1;
            let id = group.joined;
            group.members.insert(id, Membership { channels, woken: woken.clone(), generation: 0 });
            group.divide();
            id
        };
        Ok(Self { shared, name: name.to_owned(), group, id, generation: 0, share: vec![], turn: 0, woken })
    }

    /// Takes up a new division: keeps the place in what stays, begins at the committed offset in what is new.
    fn refresh(&mut self) -> Result<(), BusError> {
        let group = self.group.lock();
        let membership = &group.members[&self.id];
        if membership.generation == self.generation {
            return Ok(());
        }
        self.generation = membership.generation;
        let kept: HashMap<Slot, Option<u64>> = self.share.drain(..).map(|(slot, _, next)| (slot, next)).collect();
        for log in &membership.channels {
            for partition in 0..log.partitions() {
                let slot = (log.channel(), partition);
                if group.holders.get(&slot) == Some(&self.id) {
                    self.share.push((slot, log.clone(), kept.get(&slot).copied().flatten()));
                }
            }
        }
        Ok(())
    }

    fn start(&self, slot: Slot, log: &Log) -> Result<u64, BusError> {
        let committed = self.group.lock().committed.get(&slot).copied();
        let committed = match committed {
            None if matches!(log, Log::Durable(_)) => self.shared.durable.committed(&self.name, slot.0, slot.1)?,
            other => other,
        };
        Ok(committed
            .map_or_else(|| log.bounds(slot.1).0, |next| log.resolve(slot.1, crate::bus::StartAt::Offset(next))))
    }

    fn ready(&mut self) -> Result<Option<Delivery>, BusError> {
        self.refresh()?;
        for _ in 0..self.share.len() {
            self.turn = (self.turn + 1) % self.share.len();
            let (slot, log, next) = &self.share[self.turn];
            let from = match next {
                Some(next) => *next,
                None => self.start(*slot, log)?,
            };
            let delivery = log.read(slot.1, from)?;
            self.share[self.turn].2 = Some(delivery.as_ref().map_or(from, |delivery| delivery.offset + 1));
            if delivery.is_some() {
                return Ok(delivery);
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl GroupConsumer for Member {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        loop {
            self.shared.check_open()?;
            if let Some(delivery) = self.ready()? {
                return Ok(delivery);
            }
            tokio::select! {
                () = self.woken.notified() => {}
                () = self.shared.closed.cancelled() => {}
            }
        }
    }

    async fn commit(&mut self, delivery: &Delivery) -> Result<(), BusError> {
        let channel = delivery.record.channel;
        let partition = delivery.record.partition.unwrap_or_default();
        let next = delivery.offset + 1;
        let mut group = self.group.lock();
        if group.holders.get(&(channel, partition)) != Some(&self.id) {
            return Ok(());
        }
        group.committed.insert((channel, partition), next);
        if channel.topic().carries() == Carries::Events {
            // Under the lock, so that the store sees commits in the order they were made.
            self.shared.durable.commit(&self.name, channel, partition, next)?;
        }
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut group = self.group.lock();
        group.members.remove(&self.id);
        group.divide();
    }
}
