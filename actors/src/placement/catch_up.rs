//! A session that is over its bound reads its own audio from the log, at its own pace, until it has caught up.

use super::{AUDIO, Inner, Live};
use crate::session::message::SessionMessage;
use maya_protocol::{audio::CandidateMessage, bus::StartAt, ids::SessionId};
use std::sync::Arc;

/// What a session has missed.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// The last message that the node's reader left in the log, while the session catches up.
    behind: Option<u64>,
    /// All before this was handed to the session.
    next: u64,
}

impl Lag {
    /// A session that begins at that place of the log.
    pub(super) fn at(next: u64) -> Self {
        Self { behind: None, next }
    }
    /// Whether the node's reader leaves this message: the session has it, or reads it itself.
    pub(super) fn skip(&mut self, offset: u64) -> bool {
        if offset < self.next {
            return true;
        }
        if let Some(behind) = &mut self.behind {
            *behind = offset;
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
    pub(super) async fn catch_up(self: Arc<Self>, session: SessionId, partition: u32, live: Live, from: u64) {
        let mut reader = match self.parts.bus.reader(AUDIO).await {
            Ok(reader) => reader,
            Err(error) => return tracing::warn!(session = %session, error = %error, "cannot read the missed audio"),
        };
        if let Err(error) = reader.assign(partition, StartAt::Offset(from)).await {
            return tracing::warn!(session = %session, error = %error, "cannot read the missed audio");
        }
        loop {
            let Ok(delivery) = reader.next().await else { return };
            let offset = delivery.offset;
            let Ok(message) = CandidateMessage::from_record(&delivery.record) else { continue };
            if message.session != session {
                continue;
            }
            // here the session may be waited for: nobody else is
            let Ok(permit) = live.room.clone().acquire_owned().await else { return };
            let hear = SessionMessage::Hear { message: Box::new(message), offset, permit: Some(permit) };
            if live.probe.cast(&live.actor, hear).is_err() || live.lag.lock().caught(offset) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
