//! What waits to be written to one socket: bounded in bytes, so that a client that never reads costs a bound and no more.

use crate::metric;
use chrono::{DateTime, Utc};
use maya_protocol::{clock::SharedClock, ids::TurnId};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// One thing to write.
#[derive(Debug, PartialEq)]
pub(crate) enum Item {
    /// A text frame, with the sentence that it is of and when it was taken off the bus, where it was.
    Text { text: String, of: Option<(TurnId, u32)>, since: Option<Instant> },
    /// Nothing to write: all before it is, and with that a sentence.
    Whole(TurnId, u32),
    /// Nothing to write: all before it is, and with that the AGENT_CLEAR of a barge-in that was decided then.
    BargedIn(DateTime<Utc>),
    /// The answer to a ping.
    Pong(Vec<u8>),
    /// The last frame.
    Close { code: u16, reason: &'static str },
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<Item>,
    bytes: usize,
    /// Only the latest ping need be answered (RFC 6455, 5.5.3), so pings cannot fill the queue.
    pong: Option<Vec<u8>>,
    full_since: Option<Instant>,
    closing: bool,
}

/// The queue between whoever speaks to a socket and its writer.
pub(crate) struct Outbox {
    inner: Mutex<Inner>,
    wake: Notify,
    limit: usize,
    clock: SharedClock,
}

impl Outbox {
    pub(crate) fn new(limit: usize, clock: SharedClock) -> Self {
        Self { inner: Mutex::default(), wake: Notify::new(), limit, clock }
    }

    /// Queues a text frame; `false` where it was dropped, because the queue is full or closing.
    pub(crate) fn push(&self, text: String, of: Option<(TurnId, u32)>, since: Option<Instant>) -> bool {
        let mut inner = self.inner.lock();
        let dropped = if inner.closing {
            Some("closing")
        } else if inner.bytes + text.len() > self.limit {
            let now = self.clock.now();
            inner.full_since.get_or_insert(now);
            Some("full")
        } else {
            inner.bytes += text.len();
            inner.queue.push_back(Item::Text { text, of, since });
            None
        };
        drop(inner);
        match dropped {
            Some(reason) => metrics::counter!(metric::DROPPED, "reason" => reason).increment(1),
            None => self.wake.notify_one(),
        }
        dropped.is_none()
    }

    /// Marks a place with what is nothing to write.
    pub(crate) fn mark(&self, place: Item) {
        let mut inner = self.inner.lock();
        if !inner.closing {
            inner.queue.push_back(place);
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// Answers a ping.
    pub(crate) fn pong(&self, payload: Vec<u8>) {
        self.inner.lock().pong = Some(payload);
        self.wake.notify_one();
    }

    /// Closes after what is queued; the first code stands.
    pub(crate) fn close(&self, code: u16, reason: &'static str) {
        let mut inner = self.inner.lock();
        if !inner.closing {
            inner.closing = true;
            inner.queue.push_back(Item::Close { code, reason });
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// Drops what is queued of a turn.
    pub(crate) fn clear(&self, turn: TurnId) {
        self.take_out(|(of, _)| of == turn);
    }

    /// Drops what is queued of a sentence; returns how many of its frames that were.
    pub(crate) fn forget(&self, turn: TurnId, sentence: u32) -> u32 {
        self.take_out(|of| of == (turn, sentence))
    }

    fn take_out(&self, unwanted: impl Fn((TurnId, u32)) -> bool) -> u32 {
        let mut inner = self.inner.lock();
        let (mut frames, mut freed) = (0, 0);
        inner.queue.retain(|item| match item {
            Item::Text { text, of: Some(of), .. } if unwanted(*of) => {
                frames += 1;
                freed += text.len();
                false
            }
            Item::Whole(turn, sentence) => !unwanted((*turn, *sentence)),
            _ => true,
        });
        inner.bytes -= freed;
        self.relax(&mut inner);
        frames
    }

    /// For how long the queue has been full.
    pub(crate) fn full_for(&self) -> Duration {
        let since = self.inner.lock().full_since;
        since.map(|since| self.clock.now().saturating_duration_since(since)).unwrap_or_default()
    }

    /// The next thing to write; waits for one. Cancel-safe; one writer at a time.
    pub(crate) async fn next(&self) -> Item {
        loop {
            if let Some(item) = self.pop() {
                return item;
            }
            self.wake.notified().await;
        }
    }

    fn pop(&self) -> Option<Item> {
        let mut inner = self.inner.lock();
        if let Some(payload) = inner.pong.take() {
            return Some(Item::Pong(payload));
        }
        let item = inner.queue.pop_front()?;
        if let Item::Text { text, .. } = &item {
            inner.bytes -= text.len();
            self.relax(&mut inner);
        }
        Some(item)
    }

    /// Half empty is no longer full; less would let a client that reads a frame now and then hold its queue full.
    fn relax(&self, inner: &mut Inner) {
        if inner.bytes <= self.limit / 2 {
            inner.full_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::clock::ManualClock;
    use std::sync::Arc;

    fn outbox(limit: usize) -> (Outbox, ManualClock) {
        let clock = ManualClock::at("2026-11-27T10:00:00Z".parse().unwrap());
        (Outbox::new(limit, Arc::new(clock.clone())), clock)
    }

    #[test]
    fn a_clear_drops_only_its_turn_and_gives_the_room_back() {
        let (outbox, _) = outbox(10);
        assert!(outbox.push("aaaa".into(), Some((TurnId(1), 0)), None));
        outbox.mark(Item::Whole(TurnId(1), 0));
        assert!(outbox.push("bb".into(), None, None));
        assert!(outbox.push("cccc".into(), Some((TurnId(1), 1)), None));
        assert!(!outbox.push("d".into(), None, None));
        outbox.clear(TurnId(1));
        assert!(outbox.push("d".into(), None, None));
        let texts: Vec<_> = std::iter::from_fn(|| outbox.pop()).collect();
        let text = |text: &str| Item::Text { text: text.into(), of: None, since: None };
        assert_eq!(texts, [text("bb"), text("d")]);
    }

    #[test]
    fn one_sentence_is_dropped_and_the_others_of_its_turn_stay() {
        let (outbox, _) = outbox(10);
        let push = |text: &str, sentence| assert!(outbox.push(text.into(), Some((TurnId(1), sentence)), None));
        push("a", 0);
        outbox.mark(Item::Whole(TurnId(1), 0));
        push("b", 1);
        push("c", 1);
        outbox.mark(Item::Whole(TurnId(1), 1));
        assert_eq!(outbox.forget(TurnId(1), 1), 2);
        let left = Item::Text { text: "a".into(), of: Some((TurnId(1), 0)), since: None };
        let items: Vec<_> = std::iter::from_fn(|| outbox.pop()).collect();
        assert_eq!(items, [left, Item::Whole(TurnId(1), 0)]);
    }

    #[test]
    fn fullness_lasts_until_half_is_gone() {
        let (outbox, clock) = outbox(10);
        for _ in 0..3 {
            outbox.push("xxxx".into(), None, None);
        }
        clock.advance(Duration::from_secs(3));
        assert_eq!(outbox.full_for(), Duration::from_secs(3));
        outbox.pop();
        assert_eq!(outbox.full_for(), Duration::ZERO);
    }

    #[tokio::test]
    async fn nothing_follows_a_close_and_the_first_code_stands() {
        let (outbox, _) = outbox(100);
        outbox.push("last".into(), None, None);
        outbox.close(1000, "");
        outbox.close(4001, "late");
        assert!(!outbox.push("after".into(), None, None));
        assert!(matches!(outbox.next().await, Item::Text { .. }));
        assert_eq!(outbox.next().await, Item::Close { code: 1000, reason: "" });
    }
}
