//! From audio to turns: frames are judged, the open turn's audio goes to the recogniser, its words come back.

use super::{SpeechToTextMessage, SpeechToTextState};
use crate::session::{
    endpointing::{Action, is_unfinished},
    message::EarEvent,
};
use maya_protocol::{audio::HEARING_RATE, trace};
use maya_providers::{
    ProviderError,
    stt::{SttEvent, SttInput},
    vad::FRAME,
};
use ractor::ActorRef;
use std::time::{Duration, Instant};

/// Audio kept from before a turn was noticed: 320 ms.
const PRE_ROLL: usize = HEARING_RATE as usize * 32 / 100;
/// What the end-of-turn model looks at: 8 s.
const JUDGED: usize = HEARING_RATE as usize * 8;
/// Longest open turn: three minutes; the recogniser gets no more of it.
const LONGEST: usize = HEARING_RATE as usize * 180;
/// How long the recogniser may take for the words of a turn that is over.
const FINAL_PATIENCE: Duration = Duration::from_secs(8);
/// Streams in a row that may die over one turn.
const MOST_FAILURES: u32 = 4;

/// The turn that is being heard.
pub(super) struct Open {
    /// Its audio, to be fed again to another stream, to be judged, to be looked at for words.
    pcm: Vec<i16>,
    /// Place in the log where it began.
    began_at: u64,
    /// Words of its earlier pieces, which sounded unfinished.
    earlier: String,
}

/// A turn that is over and waits for its words.
pub(super) struct Closing {
    open: Open,
    forced: bool,
    silent: Duration,
    since: Instant,
    offset: u64,
    covered: Option<(u64, u64)>,
    /// It was nothing: its words are not wanted.
    dropped: bool,
}

impl SpeechToTextState {
    pub(super) async fn listen(&mut self, myself: &ActorRef<SpeechToTextMessage>, pcm: &[i16]) {
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend_from_slice(pcm);
        let mut frames = rest.chunks_exact(FRAME);
        for frame in frames.by_ref() {
            let frame: &[i16; FRAME] = frame.try_into().expect("chunks_exact gives whole frames");
            self.keep(frame).await;
            let probability = self.detector.probability(frame);
            let action = self.endpointing.frame(probability);
            self.act(myself, action).await;
        }
        self.rest = frames.remainder().to_vec();
    }

    /// The last samples of a stream, which do not fill a frame, are heard with silence after them.
    pub(super) async fn flush(&mut self, myself: &ActorRef<SpeechToTextMessage>) {
        if !self.rest.is_empty() {
            let silence = vec![0; FRAME - self.rest.len()];
            self.listen(myself, &silence).await;
        }
    }

    /// Gives a frame to the open turn, or keeps it in case one begins.
    async fn keep(&mut self, frame: &[i16; FRAME]) {
        match &mut self.open {
            Some(open) if open.pcm.len() < LONGEST => {
                open.pcm.extend_from_slice(frame);
                self.feed(SttInput::Audio(frame.to_vec())).await;
            }
            Some(_) => metrics::counter!("maya_audio_over_longest_turn_total").increment(1),
            None => {
                self.before.extend(frame);
                let over = self.before.len().saturating_sub(PRE_ROLL);
                self.before.drain(..over);
            }
        }
    }

    pub(super) async fn act(&mut self, myself: &ActorRef<SpeechToTextMessage>, action: Option<Action>) {
        match action {
            None => {}
            Some(Action::Onset) => {
                self.turn += 1;
                self.tell(EarEvent::Onset);
                if self.open.is_some() {
                    // a sound whose words are still looked at goes on
                    return;
                }
                let (earlier, began_at) = match self.held.take() {
                    Some(held) => (held.earlier, held.began_at),
                    None => (String::new(), self.last_offset),
                };
                let pcm: Vec<i16> = self.before.drain(..).collect();
                self.ensure_stream(myself).await;
                self.feed(SttInput::Audio(pcm.clone())).await;
                self.open = Some(Open { pcm, began_at, earlier });
                self.args.probe.phase("hearing");
            }
            Some(Action::Drop) => {
                self.close(true, true).await;
                self.tell(EarEvent::Offset);
            }
            Some(Action::Interruption) => self.tell(EarEvent::Interruption),
            Some(Action::Finish { forced }) => {
                if self.open.is_none() {
                    // a turn that only waited for a better ending has it now
                    self.release_held();
                } else {
                    self.close(forced, false).await;
                }
            }
            Some(Action::JudgeTurn) => {
                let Some(open) = &self.open else { return };
                let pcm = open.pcm[open.pcm.len().saturating_sub(JUDGED)..].to_vec();
                let (judges, turn, myself) = (self.args.parts.senses.judges.clone(), self.turn, myself.clone());
                tokio::spawn(trace::carry(async move {
                    // without an answer the longest silence decides
                    if let Ok(probability) = judges.probability(pcm).await {
                        let _ = myself.cast(SpeechToTextMessage::Judged { turn, probability });
                    }
                }));
            }
            Some(Action::CheckWords(sound)) => {
                let Some(open) = &self.open else { return };
                let (pcm, config) = (open.pcm.clone(), self.args.config.clone());
                let (hears, turn, myself) = (self.args.parts.senses.hears.clone(), self.turn, myself.clone());
                tokio::spawn(trace::carry(async move {
                    let text = hears.recognize(&config, pcm).await.unwrap_or_default();
                    let _ = myself.cast(SpeechToTextMessage::Words { turn, text, sound });
                }));
            }
        }
    }

    /// The open turn is over; its words are asked for.
    async fn close(&mut self, forced: bool, dropped: bool) {
        let Some(open) = self.open.take() else { return };
        self.args.probe.phase("listening");
        self.closing.push_back(Closing {
            open,
            forced,
            silent: self.endpointing.silent(),
            since: self.args.parts.clock.now(),
            offset: self.last_offset + 1,
            covered: self.last_covered,
            dropped,
        });
        self.feed(SttInput::Finish).await;
    }

    pub(super) fn recognised(&mut self, _myself: &ActorRef<SpeechToTextMessage>, event: SttEvent) {
        match event {
            SttEvent::Interim(text) => {
                if let Some(open) = &self.open {
                    self.tell(EarEvent::Interim(joined(&open.earlier, &text)));
                }
            }
            SttEvent::Final(text) => {
                self.stream_failures = 0;
                if let Some(closing) = self.closing.pop_front() {
                    self.closed(closing, text);
                }
            }
        }
    }

    /// The words of a turn that was over are known.
    fn closed(&mut self, closing: Closing, text: String) {
        if closing.dropped {
            return;
        }
        let text = joined(&closing.open.earlier, &text);
        if !closing.forced && is_unfinished(&text) && self.open.is_none() {
            // it goes on: what comes next belongs to it, or the longest silence ends it
            self.held = Some(Held {
                earlier: text,
                began_at: closing.open.began_at,
                spoken: closing.open.pcm.len(),
                since: closing.since.checked_sub(closing.silent).unwrap_or(closing.since),
                offset: closing.offset,
                covered: closing.covered,
            });
            return;
        }
        self.batch.stream_spoke(!text.trim().is_empty());
        let now = self.args.parts.clock.now();
        self.tell(EarEvent::Utterance {
            text,
            spoken: length(closing.open.pcm.len()),
            silent: closing.silent,
            recognising: now.saturating_duration_since(closing.since),
            covered: closing.covered,
            offset: closing.offset,
        });
    }

    /// What sounded unfinished is taken as it is.
    pub(super) fn release_held(&mut self) {
        let Some(held) = self.held.take() else { return };
        self.batch.stream_spoke(true);
        let now = self.args.parts.clock.now();
        self.tell(EarEvent::Utterance {
            text: held.earlier,
            spoken: length(held.spoken),
            silent: now.saturating_duration_since(held.since),
            recognising: Duration::ZERO,
            covered: held.covered,
            offset: held.offset,
        });
    }

    /// Turns whose words do not come, and unfinished ones that nothing follows.
    pub(super) async fn check_closing(&mut self, myself: &ActorRef<SpeechToTextMessage>, now: Instant) {
        let waited = self.held.as_ref().map(|held| now.saturating_duration_since(held.since));
        if self.open.is_none() && waited.is_some_and(|waited| waited >= self.args.parts.settings.max_silence) {
            self.release_held();
        }
        let late =
            self.closing.front().is_some_and(|closing| now.saturating_duration_since(closing.since) > FINAL_PATIENCE);
        if late {
            self.stream_died(myself, ProviderError::retry("stt", "no words in time")).await;
        }
    }

    pub(super) async fn ensure_stream(&mut self, myself: &ActorRef<SpeechToTextMessage>) {
        if self.stream.as_ref().is_some_and(|stream| !stream.input.is_closed()) {
            return;
        }
        self.stream_number += 1;
        let number = self.stream_number;
        self.args.probe.provider("opening");
        match self.args.parts.senses.hears.open(&self.args.config).await {
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
                self.stream = Some(stream);
                self.args.probe.provider("open");
            }
            Err(error) => {
                self.args.probe.failed(error.to_string());
                self.args.probe.provider("failed");
                self.stream = None;
                let _ = myself.cast(SpeechToTextMessage::Recognised { stream: number, event: Err(error) });
            }
        }
    }

    /// Another stream takes over: it is fed the audio of every turn that still waits for words.
    pub(super) async fn stream_died(&mut self, myself: &ActorRef<SpeechToTextMessage>, error: ProviderError) {
        self.stream = None;
        self.args.probe.restarted(error.to_string());
        self.args.probe.provider("failed");
        metrics::counter!("maya_stt_stream_failures_total").increment(1);
        if self.closing.is_empty() && self.open.is_none() {
            return;
        }
        self.stream_failures += 1;
        if self.stream_failures > MOST_FAILURES {
            // give up on these words, and say so
            self.stream_failures = 0;
            self.closing.clear();
            self.open = None;
            return self.tell(EarEvent::BadAudio);
        }
        self.replace_stream(myself).await;
    }

    /// Opens another stream and feeds it the audio of every turn that still waits for words.
    pub(super) async fn replace_stream(&mut self, myself: &ActorRef<SpeechToTextMessage>) {
        self.stream = None;
        self.ensure_stream(myself).await;
        let waiting: Vec<Vec<i16>> = self.closing.iter().map(|closing| closing.open.pcm.clone()).collect();
        let now = self.args.parts.clock.now();
        for pcm in waiting {
            self.feed(SttInput::Audio(pcm)).await;
            self.feed(SttInput::Finish).await;
        }
        self.closing.iter_mut().for_each(|closing| closing.since = now);
        if let Some(pcm) = self.open.as_ref().map(|open| open.pcm.clone()) {
            self.feed(SttInput::Audio(pcm)).await;
        }
    }

    async fn feed(&mut self, input: SttInput) {
        let Some(stream) = &self.stream else { return };
        // a recogniser that does not keep up for seconds counts as dead: its stream is dropped and replaced
        let sent = tokio::time::timeout(Duration::from_secs(2), stream.input.send(input)).await;
        if !matches!(sent, Ok(Ok(()))) {
            self.stream = None;
        }
    }
}

/// A turn that sounded unfinished when its sound stopped.
pub(super) struct Held {
    earlier: String,
    began_at: u64,
    spoken: usize,
    since: Instant,
    offset: u64,
    covered: Option<(u64, u64)>,
}

fn joined(earlier: &str, text: &str) -> String {
    match (earlier.trim(), text.trim()) {
        ("", text) => text.to_owned(),
        (earlier, "") => earlier.to_owned(),
        (earlier, text) => format!("{} {text}", earlier.trim_end_matches(['.', '…', ','])),
    }
}

fn length(samples: usize) -> Duration {
    Duration::from_millis(samples as u64 * 1000 / u64::from(HEARING_RATE))
}
