//! What was read goes to its session; the reader never waits on one.

use super::{Here, Inner, Live, Starting};
use crate::session::message::SessionMessage;
use maya_protocol::{
    audio::{CandidateBody, CandidateMessage},
    bus::Delivery,
    trace::{self, TraceContext},
};
use std::{sync::Arc, time::Duration};

/// For how long a session that is not ours is not looked up again.
const NOT_OURS: Duration = Duration::from_secs(1);

impl Inner {
    /// Hands a message to its session; never waits.
    pub(super) fn receive(self: &Arc<Self>, delivery: Delivery) {
        let message = match CandidateMessage::from_record(&delivery.record) {
            Ok(message) => message,
            Err(error) => {
                metrics::counter!("maya_audio_unreadable_total").increment(1);
                return tracing::warn!(error = %error, "an audio message does not read");
            }
        };
        let session = message.session;
        let offset = delivery.offset;
        match self.here.get_mut(&session).as_deref_mut() {
            Some(Here::Live(live)) => {
                let live = live.clone();
                return self.hand(&live, message, offset);
            }
            Some(Here::Starting(starting)) => return starting.waiting.push((message, offset)),
            None => {}
        }
        let joins = message.body == CandidateBody::Joined;
        let now = self.parts.clock.now();
        let refused = self.not_ours.get(&session).is_some_and(|at| now.saturating_duration_since(*at) < NOT_OURS);
        // what was just given away is its new owner's: between the release and the claim it looks like nobody's
        let given = self.given.contains_key(&session) || self.kept.contains_key(&message.partition);
        if self.draining.is_cancelled() || given || (refused && !joins) {
            return;
        }
        let (partition, trace) = (message.partition, message.trace.map(TraceContext::child));
        let waiting = vec![(message, offset)];
        if self.expect(session, Starting { partition, waiting, reached: Some(offset), ..Starting::default() }) {
            let this = self.clone();
            self.tasks.spawn(trace::within(trace, async move { this.begin(session).await }));
        }
    }

    /// Gives a live session a message, or leaves it in the log while the session is over its bound.
    pub(super) fn hand(self: &Arc<Self>, live: &Live, message: CandidateMessage, offset: u64) {
        let mut lag = live.lag.lock();
        if message.body == CandidateBody::Joined || is_audio(&message.body) {
            live.probe.audio_came(message.captured_at, message.body == CandidateBody::Joined);
        }
        if lag.skip(offset) {
            return;
        }
        match live.room.clone().try_acquire_owned() {
            Ok(permit) => {
                let hear = SessionMessage::Hear { message: Box::new(message), offset, permit: Some(permit) };
                let _ = live.probe.cast(&live.actor, hear);
            }
            Err(_) => {
                metrics::counter!("maya_sessions_lagging_total").increment(1);
                lag.begin(offset);
                drop(lag);
                self.read_apart(message.session, live, offset);
            }
        }
    }
}

/// Whether the ear is to hear it.
fn is_audio(body: &CandidateBody) -> bool {
    matches!(body, CandidateBody::Audio { .. } | CandidateBody::Batch { .. })
}
