//! A session that is over its bound reads its own audio from the log, at its own pace, until it has caught up.

use super::{AUDIO, Inner, Live};
use crate::session::message::SessionMessage;
use maya_protocol::{
    audio::CandidateMessage,
    bus::{BusError, StartAt},
    ids::SessionId,
};
use std::{sync::Arc, time::Duration};

/// The pause before a reading that failed is tried again, and between looks whether its session is still there.
const AGAIN: Duration = Duration::from_millis(500);

/// What a session has missed.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// The last message that the node's reader left in the log, while the session catches up.
    behind: Option<u64>,
    /// All before this was handed to the session.
    next: u64,
}

impl Lag {
    /// A session that begins at that place of the log, which the node's reader has not passed.
    pub(super) fn at(next: u64) -> Self {
        Self { behind: None, next }
    }
    /// A session that begins at that place by itself: the node's reader had passed all before `reached`, or does not
    /// read the partition.
    pub(super) fn apart(next: u64, reached: Option<u64>) -> Self {
        Self { behind: Some(reached.map_or(u64::MAX, |reached| reached.saturating_sub(1))), next }
    }
    /// Whether the node's reader leaves this message: the session has it, or reads it itself.
    pub(super) fn skip(&mut self, offset: u64) -> bool {
        if offset < self.next {
            return true;
        }
        if let Some(behind) = &mut self.behind {
            *behind = offset.max(*behind);
            return true;
        }
        self.next = offset + 1;
        false
    }
    /// The session begins to read by itself from that message on.
    pub(super) fn begin(&mut self, offset: u64) {
        self.behind = Some(offset);
        self.next = offset;
    }
    /// The session has read that message by itself; `true` if it has caught up with the node's reader.
    fn caught(&mut self, offset: u64) -> bool {
        self.next = offset + 1;
        let done = self.behind.is_none_or(|behind| offset >= behind);
        if done {
            self.behind = None;
        }
        done
    }
}

impl Inner {
    /// Reads a session's own audio from there, until it has caught up with the node's reader; for as long as it lives,
    /// where the node does not read its partition.
    pub(super) fn read_apart(self: &Arc<Self>, session: SessionId, live: &Live, from: u64) {
        let (this, live) = (self.clone(), live.clone());
        self.tasks.spawn(async move {
            let mut from = from;
            while let Err(error) = this.catch_up(session, &live, &mut from).await {
                tracing::warn!(session = %session, error = %error, "cannot read the missed audio");
                tokio::time::sleep(AGAIN).await;
                if live.is_gone() {
                    return;
                }
            }
        });
    }

    async fn catch_up(&self, session: SessionId, live: &Live, from: &mut u64) -> Result<(), BusError> {
        let mut reader = self.parts.bus.reader(AUDIO).await?;
        reader.assign(live.partition, StartAt::Offset(*from)).await?;
        loop {
            // a session that has gone must not keep a reader for ever
            let delivery = match tokio::time::timeout(AGAIN, reader.next()).await {
                Ok(delivery) => delivery?,
                Err(_) if live.is_gone() => return Ok(()),
                Err(_) => continue,
            };
            let offset = delivery.offset;
            *from = offset + 1;
            let Ok(message) = CandidateMessage::from_record(&delivery.record) else { continue };
            if message.session != session {
                continue;
            }
            // here the session may be waited for: nobody else is
            let Ok(permit) = live.room.clone().acquire_owned().await else { return Ok(()) };
            let hear = SessionMessage::Hear { message: Box::new(message), offset, permit: Some(permit) };
            if live.probe.cast(&live.actor, hear).is_err() || live.lag.lock().caught(offset) {
                return Ok(());
            }
        }
    }
}

impl Live {
    pub(super) fn is_gone(&self) -> bool {
        self.actor.get_status() >= ractor::ActorStatus::Stopping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_nodes_reader_had_passed_is_read_apart() {
        let mut lag = Lag::apart(10, Some(16));
        assert!(!lag.caught(10), "12 and 14 passed by before the session was here");
        assert!(!lag.caught(12));
        assert!(lag.skip(18), "the node's reader goes on and leaves it");
        assert!(!lag.caught(14));
        assert!(lag.caught(18));
        assert!(!lag.skip(20));
        let mut alone = Lag::apart(10, None);
        assert!(!alone.caught(1000));
        assert!(alone.skip(2000), "it reads by itself for ever");
    }

    #[test]
    fn every_message_is_handed_over_once_and_in_order() {
        let mut lag = Lag::at(5);
        assert!(lag.skip(4), "before the session began");
        assert!(!lag.skip(5));
        assert!(!lag.skip(6));
        lag.begin(6);
        assert!(lag.skip(7));
        assert!(lag.skip(8));
        assert!(!lag.caught(6));
        assert!(!lag.caught(7));
        assert!(lag.skip(9));
        assert!(!lag.caught(8));
        assert!(lag.caught(9));
        assert!(!lag.skip(10));
        assert!(lag.skip(10), "again");
    }
}
