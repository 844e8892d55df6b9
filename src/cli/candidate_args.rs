//! `maya candidate`: the test candidate on the command line.

use super::candidate::{
    Candidate, Event, Mode, NOTHING_TO_ADD, Observer, Sound, Utterance, Voice, What, voice, write_wav,
};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use maya_protocol::clock::SharedClock;
use std::{fs::File, io::Write as _, path::PathBuf, sync::Arc, time::Duration};
use url::Url;

/// `maya candidate`
#[derive(Debug, Args)]
pub struct CandidateArgs {
    /// The join link
    #[arg(long, value_name = "URL")]
    join: Url,
    /// What to say, a line an answer; an empty file says nothing
    #[arg(long, value_name = "FILE", conflicts_with = "wav")]
    speak: Option<PathBuf>,
    /// A recording of what to say, cut at its pauses
    #[arg(long, value_name = "FILE")]
    wav: Option<PathBuf>,
    /// A browser's recording (WebM/Opus) to be streamed as one answer, with --timings
    #[arg(long, value_name = "FILE", requires = "timings", conflicts_with_all = ["speak", "wav"])]
    webm: Option<PathBuf>,
    /// JSON: [{"atMs", "bytes"}], the pieces of the WebM file in order
    #[arg(long, value_name = "FILE")]
    timings: Option<PathBuf>,
    /// Writes what was heard of Maya
    #[arg(long, value_name = "OUT.wav")]
    record: Option<PathBuf>,
    /// Prints the result as one JSON object
    #[arg(long)]
    json: bool,
    /// Appends every event as a line of JSON, as it happens
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Another edge of the same platform (http://host:port), to join again at when the connection is lost
    #[arg(long = "edge", value_name = "URL")]
    edges: Vec<Url>,
    /// How long to look for another connection when one is lost; 0: not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    reconnect: u64,
    /// Whose voice speaks the lines
    #[arg(long, value_enum, default_value_t = VoiceArg::Local)]
    voice: VoiceArg,
    /// What to do when the lines are used up
    #[arg(long, value_enum, default_value_t = Then::Say)]
    then: Then,
    /// How the microphone is used
    #[arg(long, value_enum, default_value_t = ModeArg::Open)]
    mode: ModeArg,
    /// Speaks over Maya's first reply when it was heard for so long
    #[arg(long, value_name = "MS")]
    interrupt_after: Option<u64>,
    /// Sends no frames after this line (from 0) until Maya answers
    #[arg(long, value_name = "LINE")]
    stop_frames_after_line: Option<usize>,
    /// Does not agree to be recorded
    #[arg(long)]
    no_recording: bool,
    /// Sends no PLAYBACK marks
    #[arg(long)]
    no_marks: bool,
    /// Leaves after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 4 * 3600)]
    limit: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum VoiceArg {
    /// The second voice of the models on this machine
    Local,
    /// Tones, for a platform with scripted voices
    Scripted,
    /// espeak-ng
    Espeak,
}
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Then {
    /// Says that there is nothing to add
    Say,
    /// Stays silent
    Silent,
}
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArg {
    /// Streams all the time
    Open,
    /// Streams while speaking, then says `end`
    PushToTalk,
    /// The same, then the whole speech as a batch
    Batch,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timing {
    at_ms: u64,
    bytes: usize,
}

impl CandidateArgs {
    /// Joins, holds the interview, and says how it went.
    pub async fn run(self, clock: SharedClock) -> anyhow::Result<()> {
        let (lines, afterwards) = self.lines().await?;
        let mut candidate = Candidate::new(self.join.clone(), lines);
        candidate.afterwards = afterwards;
        candidate.mode = match self.mode {
            ModeArg::Open => Mode::Open,
            ModeArg::PushToTalk => Mode::PushToTalk,
            ModeArg::Batch => Mode::ThenBatch,
        };
        candidate.interrupt_after = self.interrupt_after.map(Duration::from_millis);
        candidate.stop_frames_after_line = self.stop_frames_after_line;
        candidate.recording = !self.no_recording;
        candidate.marks = !self.no_marks;
        candidate.limit = Duration::from_secs(self.limit);
        candidate.edges.clone_from(&self.edges);
        candidate.reconnect_for = Duration::from_secs(self.reconnect);
        candidate.observer = Some(self.observer()?);
        let report = candidate.hold(clock).await?;
        if let Some(path) = &self.record {
            write_wav(path, &report.recording)?;
        }
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else if let Some(median) = report.median_first_audio_ms() {
            println!("median of first audio: {median} ms");
        }
        anyhow::ensure!(report.ended, "the socket closed before the interview's end ({:?})", report.close_code);
        Ok(())
    }

    fn observer(&self) -> anyhow::Result<Observer> {
        let log = match &self.log {
            Some(path) => {
                let file = File::options().create(true).append(true).open(path);
                Some(file.with_context(|| path.display().to_string())?)
            }
            None => None,
        };
        let prints = !self.json;
        Ok(Arc::new(move |event| {
            if prints {
                print(event);
            }
            if let Some(mut log) = log.as_ref() {
                let line = serde_json::to_string(event).unwrap_or_default();
                // one write: a killed candidate leaves whole lines
                if let Err(error) = log.write_all(format!("{line}\n").as_bytes()) {
                    tracing::warn!(error = %error, "the log cannot be written");
                }
            }
        }))
    }

    async fn lines(&self) -> anyhow::Result<(Vec<Utterance>, Option<Utterance>)> {
        if let (Some(webm), Some(timings)) = (&self.webm, &self.timings) {
            return Ok((vec![webm_utterance(webm, timings)?], None));
        }
        if let Some(path) = &self.wav {
            return Ok((voice::from_wav(path)?, None));
        }
        let Some(path) = &self.speak else { return Ok((Vec::new(), None)) };
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let lines = voice::lines(&text);
        if lines.is_empty() {
            return Ok((Vec::new(), None));
        }
        let voice = match self.voice {
            VoiceArg::Scripted => Voice::Scripted,
            VoiceArg::Espeak => Voice::Espeak,
            VoiceArg::Local => Voice::Synthesized(crate::platform::candidate_voice().await?),
        };
        let afterwards = match self.then {
            Then::Say => voice.speak_all(&[NOTHING_TO_ADD.to_owned()]).await?.pop(),
            Then::Silent => None,
        };
        Ok((voice.speak_all(&lines).await?, afterwards))
    }
}

fn webm_utterance(file: &PathBuf, timings: &PathBuf) -> anyhow::Result<Utterance> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let timings = std::fs::read(timings).with_context(|| timings.display().to_string())?;
    let timings: Vec<Timing> = serde_json::from_slice(&timings).context("the timings")?;
    let mut rest = &bytes[..];
    let mut pieces = Vec::with_capacity(timings.len());
    for timing in timings {
        let (piece, after) =
            rest.split_at_checked(timing.bytes).context("the timings name more bytes than there are")?;
        pieces.push((timing.at_ms, piece.to_vec()));
        rest = after;
    }
    Ok(Utterance { text: None, sound: Sound::WebM(pieces) })
}

fn print(event: &Event) {
    let line = match &event.what {
        What::State { state, remaining_seconds, reason } => {
            format!("{state} ({remaining_seconds} s left) {}", reason.as_deref().unwrap_or_default())
        }
        What::Transcript { text, r#final: true, .. } => format!("recorded: {text}"),
        What::AgentResponse { text, part: 0, .. } if !text.is_empty() => format!("Maya: {text}"),
        What::AgentClear { .. } => "Maya was interrupted".to_owned(),
        What::Error { code, message, .. } => format!("error {code}: {message}"),
        What::Saying { text, .. } => format!("saying: {}", text.as_deref().unwrap_or("(a recording)")),
        What::Lost { .. } => "the connection is lost".to_owned(),
        What::Joined { connection: 1.., .. } => "joined again".to_owned(),
        What::Closed { code } => format!("closed {}", code.map_or(String::new(), |code| code.to_string())),
        _ => return,
    };
    println!("{:7.1} s  {}", event.at_ms as f64 / 1000.0, line.trim_end());
}
