//! The recogniser's streams: one at a time, replaced when it dies and before it comes to its limit.
//!
//! What no words were made of yet is fed again to the next stream, so that a stream may end at any sample.

use super::{SpeechToTextMessage, SpeechToTextState};
use crate::{
    session::message::EarEvent,
    supervise::{Restart, Restarts, STREAM},
};
use maya_protocol::trace;
use maya_providers::{
    ProviderError,
    stt::{SttInput, SttStream},
};
use ractor::ActorRef;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long a recogniser may take no audio before its stream counts as dead.
const FEED_PATIENCE: Duration = Duration::from_secs(2);
/// The longest pause that a quota may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Where the words come from.
pub(super) struct Recogniser {
    stream: Option<SttStream>,
    /// Which stream's events count.
    number: u64,
    opened: Instant,
    restarts: Restarts,
    /// A pause before the next stream is running.
    waits: bool,
    /// It took no audio and was let go of: nothing else will tell.
    lost: bool,
}

impl Recogniser {
    pub(super) fn new(now: Instant) -> Self {
        Self { stream: None, number: 0, opened: now, restarts: Restarts::new(STREAM), waits: false, lost: false }
    }
    /// Whether events of that stream count.
    pub(super) fn is_current(&self, number: u64) -> bool {
        self.number == number
    }
    /// Whether the next stream is waited for.
    pub(super) fn waits(&self) -> bool {
        self.waits
    }
    /// It gave words: earlier failures are forgotten.
    pub(super) fn works(&mut self) {
        self.restarts.forgive();
    }
    /// Lets go of the stream; what it still says is ignored.
    fn drop_stream(&mut self) {
        self.stream = None;
        self.number += 1;
    }
}

impl SpeechToTextState {
    /// Opens a stream if there is none.
    pub(super) async fn ensure_stream(&mut self, myself: &ActorRef<SpeechToTextMessage>) {
        let is_open = self.recogniser.stream.as_ref().is_some_and(|stream| !stream.input.is_closed());
        if is_open || self.recogniser.waits {
            return;
        }
        self.recogniser.drop_stream();
        self.args.probe.provider("opening");
        let number = self.recogniser.number;
        let opening = self.args.parts.senses.hears.open(&self.args.config);
        let opened = timeout(self.args.parts.settings.stream_opens, opening).await;
        match opened.unwrap_or_else(|_| Err(ProviderError::retry("stt", "no stream in time"))) {
            Ok(mut stream) => {
                let (_, nothing) = tokio::sync::mpsc::channel(1);
                let mut events = std::mem::replace(&mut stream.events, nothing);
                let myself = myself.clone();
                tokio::spawn(trace::carry(async move {
                    while let Some(event) = events.recv().await {
                        let failed = event.is_err();
                        if myself.cast(SpeechToTextMessage::Recognised { stream: number, event }).is_err() || failed {
                            return;
                        }
                    }
                    let gone = Err(ProviderError::retry("stt", "the stream ended"));
                    let _ = myself.cast(SpeechToTextMessage::Recognised { stream: number, event: gone });
                }));
                self.recogniser.opened = self.args.parts.clock.now();
                self.recogniser.stream = Some(stream);
                self.args.probe.provider("open");
            }
            Err(error) => {
                self.args.probe.provider("failed");
                let _ = myself.cast(SpeechToTextMessage::Recognised { stream: number, event: Err(error) });
            }
        }
    }

    /// A stream failed: another one follows after a pause, as long as words are waited for.
    pub(super) async fn stream_died(&mut self, myself: &ActorRef<SpeechToTextMessage>, error: ProviderError) {
        self.args.parts.quotas.heed(&error);
        self.recogniser.drop_stream();
        self.args.probe.restarted(error.to_string());
        self.args.probe.provider("failed");
        metrics::counter!("maya_stt_stream_failures_total").increment(1);
        if (self.closing.is_empty() && self.open.is_none()) || self.recogniser.waits {
            return;
        }
        let now = self.args.parts.clock.now();
        let restart = match error {
            // the same words again would be the same refusal
            ProviderError::Fatal { .. } | ProviderError::Blocked { .. } => Restart::Never,
            _ => self.recogniser.restarts.failed(now, &mut *self.args.parts.rng.lock()),
        };
        match restart {
            Restart::After(pause) => {
                let asked = match error {
                    ProviderError::Quota { retry_after, .. } => retry_after.unwrap_or_default().min(LONGEST_PAUSE),
                    _ => Duration::ZERO,
                };
                self.recogniser.waits = true;
                myself.send_after(pause.max(asked), || SpeechToTextMessage::Reopen);
            }
            Restart::Never => {
                // give up on these words, and say so
                self.recogniser.restarts.forgive();
                self.closing.clear();
                self.open = None;
                self.batch.stream_spoke(false);
                self.tell(EarEvent::NotUnderstood);
            }
        }
    }

    /// Another stream takes over: it is fed the audio of every turn that still waits for words.
    pub(super) async fn reopen(&mut self, myself: &ActorRef<SpeechToTextMessage>) {
        self.recogniser.waits = false;
        self.ensure_stream(myself).await;
        let now = self.args.parts.clock.now();
        let waiting: Vec<Vec<i16>> = self.closing.iter().map(|closing| closing.open.pcm.clone()).collect();
        for pcm in waiting {
            self.feed_all(pcm).await;
            self.feed(SttInput::Finish).await;
        }
        self.closing.iter_mut().for_each(|closing| closing.since = now);
        if let Some(pcm) = self.open.as_ref().map(|open| open.pcm.clone()) {
            self.feed_all(pcm).await;
        }
    }

    /// A piece may have been closed with no sound after it.
    async fn feed_all(&mut self, pcm: Vec<i16>) {
        if !pcm.is_empty() {
            self.feed(SttInput::Audio(pcm)).await;
        }
    }

    /// Replaces a stream before its provider ends it: between two turns where there is time for that, within one where
    /// there is not.
    pub(super) async fn renew_stream(&mut self, myself: &ActorRef<SpeechToTextMessage>, now: Instant) {
        let Some(limit) = self.args.parts.senses.hears.stream_limit() else { return };
        if self.recogniser.stream.is_none() {
            return;
        }
        let age = now.saturating_duration_since(self.recogniser.opened);
        let between = self.open.is_none() && self.closing.is_empty();
        if between && age >= limit.mul_f32(0.7) {
            self.recogniser.drop_stream();
            self.args.probe.provider("closed");
        } else if age >= limit.mul_f32(0.9) {
            self.replace_stream(myself).await;
        }
    }

    /// Lets go of a stream and feeds the next one what no words were made of.
    pub(super) async fn replace_stream(&mut self, myself: &ActorRef<SpeechToTextMessage>) {
        self.recogniser.drop_stream();
        self.reopen(myself).await;
    }

    /// A stream that took no audio is replaced.
    pub(super) async fn miss_stream(&mut self, myself: &ActorRef<SpeechToTextMessage>) {
        if std::mem::take(&mut self.recogniser.lost) {
            self.stream_died(myself, ProviderError::retry("stt", "the recogniser does not keep up")).await;
        }
    }

    pub(super) async fn feed(&mut self, input: SttInput) {
        let Some(stream) = &self.recogniser.stream else { return };
        // a recogniser that does not keep up for seconds counts as dead: its stream is dropped and replaced
        match timeout(FEED_PATIENCE, stream.input.send(input)).await {
            Ok(Ok(())) => {}
            // it ended, and what it says last tells why
            Ok(Err(_)) => self.recogniser.stream = None,
            Err(_) => {
                self.recogniser.drop_stream();
                self.recogniser.lost = true;
            }
        }
    }
}
