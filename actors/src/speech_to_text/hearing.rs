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

/// Audio kept from before a turn was noticed.
pub(super) const BEFORE: Duration = Duration::from_millis(320);
const PRE_ROLL: usize = HEARING_RATE as usize * BEFORE.as_millis() as usize / 1000;
/// What the end-of-turn model looks at: 8 s.
pub(super) const JUDGED: usize = HEARING_RATE as usize * 8;

/// The turn that is being heard.
pub(super) struct Open {
    /// Its audio, to be fed again to another stream, to be judged, to be looked at for words.
    pub(super) pcm: Vec<i16>,
    /// The end of the piece before it, which is judged with it.
    pub(super) tail: Vec<i16>,
    /// Words from before a pause, which sounded unfinished.
    pub(super) earlier: String,
}

/// A turn that is over and waits for its words.
pub(super) struct Closing {
    pub(super) open: Open,
    how: Closed,
    silent: Duration,
    pub(super) since: Instant,
    offset: u64,
    covered: Option<(u64, u64)>,
}

/// Why a turn, or a piece of it, waits for its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// The turn sounded finished: its words may say otherwise.
    Judged,
    /// It is over whatever its words are.
    Forced,
    /// It was nothing: its words are not wanted.
    Dropped,
    /// It goes on: this is a piece of it.
    GoesOn,
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
        self.cut_piece().await;
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
            Some(open) => {
                open.pcm.extend_from_slice(frame);
                self.feed(SttInput::Audio(frame.to_vec())).await;
            }
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
                let earlier = self.held.take().map(|held| held.earlier).unwrap_or_default();
                let pcm: Vec<i16> = self.before.drain(..).collect();
                self.ensure_stream(myself).await;
                self.feed(SttInput::Audio(pcm.clone())).await;
                self.open = Some(Open { pcm, tail: Vec::new(), earlier });
                self.args.probe.phase("hearing");
            }
            Some(Action::Drop) => {
                self.close(Closed::Dropped).await;
                self.tell(EarEvent::Offset);
            }
            Some(Action::Interruption) => self.tell(EarEvent::Interruption),
            Some(Action::Finish { forced }) => {
                if self.open.is_none() {
                    // a turn that only waited for a better ending has it now
                    self.release_held();
                } else {
                    self.close(if forced { Closed::Forced } else { Closed::Judged }).await;
                }
            }
            Some(Action::JudgeTurn) => {
                let Some(open) = &self.open else { return };
                let pcm = open.end(JUDGED);
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

    /// The open turn is over, or a piece of it; its words are asked for.
    pub(super) async fn close(&mut self, how: Closed) {
        let Some(open) = self.open.take() else { return };
        self.args.probe.phase("listening");
        self.closing.push_back(Closing {
            open,
            how,
            silent: self.endpointing.silent(),
            since: self.args.parts.clock.now(),
            offset: self.last_offset + 1,
            covered: self.last_covered,
        });
        self.feed(SttInput::Finish).await;
    }

    pub(super) async fn recognised(&mut self, myself: &ActorRef<SpeechToTextMessage>, event: SttEvent) {
        match event {
            SttEvent::Interim(text) => {
                // while a piece waits for its words, these may be either's
                if let Some(open) = &self.open
                    && self.closing.is_empty()
                    && is_plausible(&text, open.pcm.len())
                {
                    self.tell(EarEvent::Interim(joined(&open.earlier, &text)));
                }
            }
            SttEvent::Final(text)
                if self.closing.front().is_some_and(|closing| !is_plausible(&text, closing.open.pcm.len())) =>
            {
                self.stream_died(myself, ProviderError::retry("stt", "the words are none")).await;
            }
            SttEvent::Final(text) => {
                self.recogniser.works();
                if let Some(closing) = self.closing.pop_front() {
                    self.closed(closing, text);
                }
            }
        }
    }

    /// The words of a turn that was over are known.
    fn closed(&mut self, closing: Closing, text: String) {
        if closing.how == Closed::Dropped {
            // the sound was nothing, but words before it still wait for a better ending
            let earlier = closing.open.earlier.clone();
            if !earlier.is_empty() {
                self.held = Some(Held::new(closing, earlier));
            }
            return;
        }
        let text = joined(&closing.open.earlier, &text);
        if closing.how == Closed::Judged && is_unfinished(&text) && self.open.is_none() {
            // it goes on: what comes next belongs to it, or the longest silence ends it
            self.held = Some(Held::new(closing, text));
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
            goes_on: closing.how == Closed::GoesOn,
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
            goes_on: false,
        });
    }

    /// Turns whose words do not come, and unfinished ones that nothing follows.
    pub(super) async fn check_closing(&mut self, myself: &ActorRef<SpeechToTextMessage>, now: Instant) {
        let waited = self.held.as_ref().map(|held| now.saturating_duration_since(held.since));
        if self.open.is_none() && waited.is_some_and(|waited| waited >= self.args.parts.settings.max_silence) {
            self.release_held();
        }
        let late = self
            .closing
            .front()
            .is_some_and(|closing| now.saturating_duration_since(closing.since) > self.args.parts.settings.final_words);
        if late && !self.recogniser.waits() {
            self.stream_died(myself, ProviderError::retry("stt", "no words in time")).await;
        }
    }
}

/// A turn that sounded unfinished when its sound stopped.
pub(super) struct Held {
    earlier: String,
    spoken: usize,
    since: Instant,
    offset: u64,
    covered: Option<(u64, u64)>,
}

impl Held {
    fn new(closing: Closing, earlier: String) -> Self {
        Self {
            earlier,
            spoken: closing.open.pcm.len(),
            since: closing.since.checked_sub(closing.silent).unwrap_or(closing.since),
            offset: closing.offset,
            covered: closing.covered,
        }
    }
}

/// Whether these may be the words of that much audio: no noise of a broken stream, no more than anybody can say.
fn is_plausible(text: &str, samples: usize) -> bool {
    const CHARS_A_SECOND: usize = 200;
    let odd = |c: char| (c.is_control() && !c.is_whitespace()) || c == char::REPLACEMENT_CHARACTER;
    let most = 40 + samples * CHARS_A_SECOND / HEARING_RATE as usize;
    !text.contains(odd) && text.chars().count() <= most
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_broken_stream_are_told_from_speech() {
        assert!(is_plausible("", 0) && is_plausible("C'est la vie, 3.5 %!", 16_000));
        assert!(!is_plausible("a\u{0}b", 16_000) && !is_plausible("\u{fffd}", 16_000));
        assert!(!is_plausible(&"word ".repeat(100), 16_000));
    }
}
