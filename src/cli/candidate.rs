//! A test candidate: a real WebSocket client, written from the contract alone, that waits its turn, speaks at real-time
//! pace and records Maya.

mod call;
mod floor;
mod hearing;
mod link;
mod microphone;
mod report;
mod resample;
mod talk;
pub mod voice;

pub use report::{Event, MayaTurn, Report, What};
pub use resample::resample;
pub use voice::{Sound, Utterance, Voice};

use anyhow::Context as _;
use maya_protocol::{audio::SPEAKING_RATE, clock::SharedClock};
use std::{path::Path, sync::Arc, time::Duration};
use url::Url;

/// How the microphone is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// It streams all the time; Maya finds the end of a turn herself.
    #[default]
    Open,
    /// It streams while the candidate speaks, and says `end`.
    PushToTalk,
    /// The same, then the whole speech again as a batch: the incumbent client's order.
    ThenBatch,
}

/// Hears of every event as it happens.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// What a candidate will do.
#[derive(Clone)]
pub struct Candidate {
    /// The join link.
    pub join: Url,
    /// Other edges of the same platform; where a connection is lost, they are tried in turn.
    pub edges: Vec<Url>,
    /// How long another connection is looked for when one is lost; zero: not at all.
    pub reconnect_for: Duration,
    /// What it says, in this order; nothing at all if there is nothing.
    pub lines: Vec<Utterance>,
    /// What it says to every question after that; none: it stays silent.
    pub afterwards: Option<Utterance>,
    /// How the microphone is used.
    pub mode: Mode,
    /// Speaks its next line over Maya's first reply when that has been heard for so long.
    pub interrupt_after: Option<Duration>,
    /// After the line of this number (from 0), no frame at all is sent until Maya answers.
    pub stop_frames_after_line: Option<usize>,
    /// Whether it agrees to be recorded.
    pub recording: bool,
    /// Sends PLAYBACK marks.
    pub marks: bool,
    /// Sends LEAVE and goes when the interview takes longer.
    pub limit: Duration,
    /// Hears of every event.
    pub observer: Option<Observer>,
}

/// What a candidate says when its lines are used up.
pub const NOTHING_TO_ADD: &str = "I have nothing to add, thank you.";

impl Candidate {
    /// A candidate with an open microphone that says these lines.
    pub fn new(join: Url, lines: Vec<Utterance>) -> Self {
        Self {
            join,
            edges: Vec::new(),
            reconnect_for: Duration::ZERO,
            lines,
            afterwards: None,
            mode: Mode::default(),
            interrupt_after: None,
            stop_frames_after_line: None,
            recording: true,
            marks: true,
            limit: Duration::from_secs(4 * 3600),
            observer: None,
        }
    }
    /// Joins and holds the interview to its end.
    pub async fn hold(self, clock: SharedClock) -> anyhow::Result<Report> {
        call::hold(self, clock).await
    }
}

/// Writes audio at 24 kHz.
pub fn write_wav(path: &Path, pcm: &[i16]) -> anyhow::Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SPEAKING_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).with_context(|| path.display().to_string())?;
    for sample in pcm {
        writer.write_sample(*sample)?;
    }
    Ok(writer.finalize()?)
}

#[cfg(test)]
mod tests;
