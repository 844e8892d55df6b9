//! Batch audio: pieces joined by a debounce; after a stream's `end` it is that stream's speech again, and makes a turn
//! only if the stream made none.

use super::{SpeechToTextMessage, SpeechToTextState};
use crate::session::message::EarEvent;
use maya_protocol::{audio::HEARING_RATE, trace};
use maya_providers::ProviderError;
use ractor::ActorRef;
use std::time::{Duration, Instant};

/// Longest batch speech that is kept: three minutes.
const LONGEST: usize = HEARING_RATE as usize * 180;

/// What a stream that ended has made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stream {
    /// No stream, or one that goes on: a batch is a speech of its own.
    #[default]
    None,
    /// It ended and its words are not known yet.
    Awaited,
    /// It ended with words: a batch repeats them.
    Spoke,
    /// It ended without words: a batch may hold them.
    Silent,
}

/// The batch audio of a session.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pcm: Vec<i16>,
    last_piece: Option<Instant>,
    stream: Stream,
    /// A turn of the stream that began last has words, whether it has ended or not.
    spoke: bool,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.pcm.is_empty()
    }
    pub(super) fn stream_began(&mut self) {
        self.stream = Stream::None;
        self.spoke = false;
    }
    /// A stream ended; `awaited` if a turn of it still waits for its words.
    pub(super) fn stream_ended(&mut self, awaited: bool) {
        self.stream = match (self.spoke, awaited) {
            // the pause after it ended the turn, long before the client did
            (true, _) => Stream::Spoke,
            (false, true) => Stream::Awaited,
            (false, false) => Stream::Silent,
        };
    }
    /// The words of a turn of the stream are known.
    pub(super) fn stream_spoke(&mut self, words: bool) {
        self.spoke |= words;
        if self.stream == Stream::Awaited {
            self.stream = if words { Stream::Spoke } else { Stream::Silent };
        }
        if self.stream == Stream::Spoke {
            self.pcm.clear();
        }
    }
    pub(super) fn piece(&mut self, pcm: Vec<i16>, now: Instant) {
        if self.stream == Stream::Spoke {
            metrics::counter!("maya_batch_repeats_total").increment(1);
            return;
        }
        let room = LONGEST.saturating_sub(self.pcm.len());
        self.pcm.extend_from_slice(&pcm[..pcm.len().min(room)]);
        self.last_piece = Some(now);
    }
    /// The whole speech, once no piece has come for the debounce.
    pub(super) fn due(&mut self, now: Instant, debounce: Duration) -> Option<Vec<i16>> {
        let quiet = self.last_piece.is_some_and(|last| now.saturating_duration_since(last) >= debounce);
        (quiet && !self.pcm.is_empty() && self.stream != Stream::Awaited).then(|| {
            self.last_piece = None;
            std::mem::take(&mut self.pcm)
        })
    }
}

impl SpeechToTextState {
    pub(super) fn recognise_batch(&mut self, myself: &ActorRef<SpeechToTextMessage>, pcm: Vec<i16>) {
        let hears = self.args.parts.senses.hears.clone();
        let config = self.args.config.clone();
        let myself = myself.clone();
        self.batch_spoken = Duration::from_millis(pcm.len() as u64 * 1000 / u64::from(HEARING_RATE));
        tokio::spawn(trace::carry(async move {
            let mut text = hears.recognize(&config, pcm.clone()).await;
            if text.as_ref().is_err_and(ProviderError::is_retryable) {
                text = hears.recognize(&config, pcm).await;
            }
            let _ = myself.cast(SpeechToTextMessage::BatchRecognised { text });
        }));
    }

    pub(super) fn batch_recognised(&mut self, text: Result<String, ProviderError>) {
        match text {
            Ok(text) => self.tell(EarEvent::Utterance {
                text,
                spoken: self.batch_spoken,
                silent: Duration::ZERO,
                recognising: Duration::ZERO,
                covered: self.last_covered,
                offset: self.last_offset + 1,
                goes_on: false,
            }),
            Err(error) => {
                self.args.probe.failed(error.to_string());
                self.tell(EarEvent::BadAudio);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::clock::{Clock, SystemClock};

    #[test]
    fn the_incumbents_order_makes_one_turn() {
        let now = SystemClock.now();
        let debounce = Duration::from_millis(1500);
        let mut batch = Batch::default();
        batch.stream_began();
        batch.stream_ended(true);
        batch.piece(vec![1; 10], now);
        assert_eq!(batch.due(now + debounce, debounce), None, "the stream's words are awaited");
        batch.stream_spoke(true);
        assert_eq!(batch.due(now + debounce * 2, debounce), None);
        batch.piece(vec![1; 10], now);
        assert!(batch.is_empty(), "later pieces of it repeat too");
        // a stream in which nothing was understood leaves the batch its words
        batch.stream_began();
        batch.stream_ended(true);
        batch.piece(vec![1; 10], now);
        batch.stream_spoke(false);
        assert_eq!(batch.due(now + debounce, debounce).map(|pcm| pcm.len()), Some(10));
    }

    #[test]
    fn a_turn_that_was_over_before_its_stream_ended_is_repeated_by_the_batch_too() {
        let now = SystemClock.now();
        let debounce = Duration::from_millis(1500);
        for cough in [false, true] {
            let mut batch = Batch::default();
            batch.stream_began();
            batch.stream_spoke(true);
            batch.stream_ended(cough);
            batch.piece(vec![1; 10], now);
            if cough {
                batch.stream_spoke(false);
            }
            assert_eq!(batch.due(now + debounce, debounce), None, "with a cough after it: {cough}");
            // the next stream is another speech
            batch.stream_began();
            batch.stream_ended(false);
            batch.piece(vec![1; 10], now);
            assert_eq!(batch.due(now + debounce, debounce).map(|pcm| pcm.len()), Some(10));
        }
    }

    #[test]
    fn pieces_are_joined_by_the_debounce() {
        let now = SystemClock.now();
        let debounce = Duration::from_millis(1500);
        let mut batch = Batch::default();
        batch.piece(vec![1; 10], now);
        batch.piece(vec![2; 10], now + Duration::from_millis(1000));
        assert_eq!(batch.due(now + Duration::from_millis(2000), debounce), None);
        assert_eq!(batch.due(now + Duration::from_millis(2500), debounce).map(|pcm| pcm.len()), Some(20));
        assert_eq!(batch.due(now + Duration::from_millis(9000), debounce), None);
    }
}
