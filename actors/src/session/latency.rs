//! Where a turn's time goes, from the candidate's last sound to Maya's first.

use maya_protocol::{clock::SharedClock, tree::StageLatency};
use std::time::{Duration, Instant};

/// The stages of the turn under way, and of the last one that was answered.
pub(crate) struct Latency {
    clock: SharedClock,
    heard: Option<(Instant, Duration, Duration)>,
    worded: Option<Instant>,
    last: StageLatency,
}

impl Latency {
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self { clock, heard: None, worded: None, last: StageLatency::default() }
    }

    /// The words of a turn are known: its sound ended that long ago, of which recognising took so much.
    pub(crate) fn heard(&mut self, silent: Duration, recognising: Duration) {
        self.heard = Some((self.clock.now(), silent, recognising));
        self.worded = None;
    }

    /// A sentence of the reply is worded.
    pub(crate) fn worded(&mut self) {
        if self.heard.is_some() && self.worded.is_none() {
            self.worded = Some(self.clock.now());
        }
    }

    /// The first audio of the reply leaves; `true` if this turn was measured.
    pub(crate) fn answered(&mut self) -> bool {
        let (Some((heard, silent, recognising)), Some(worded)) = (self.heard.take(), self.worded.take()) else {
            return false;
        };
        let now = self.clock.now();
        let ms = |duration: Duration| duration.as_millis() as u64;
        let llm = worded.saturating_duration_since(heard);
        let tts = now.saturating_duration_since(worded);
        self.last = StageLatency {
            endpoint: ms(silent),
            stt: ms(recognising),
            llm: ms(llm),
            tts: ms(tts),
            total: ms(silent + recognising + llm + tts),
        };
        for (stage, time) in [
            ("endpoint", silent),
            ("stt", recognising),
            ("llm", llm),
            ("tts", tts),
            ("total", silent + recognising + llm + tts),
        ] {
            metrics::histogram!("maya_turn_stage_seconds", "stage" => stage).record(time.as_secs_f64());
        }
        true
    }

    pub(crate) fn last(&self) -> StageLatency {
        self.last
    }
}
