//! The report on a demo's interview: what was said, what was heard, how fast, and whether that is good enough.

use super::{
    Running, Script, checks,
    interview::{Held, Seen},
    words::{Aligned, Errors, align, total},
};
use crate::cli::candidate::{MayaTurn, NOTHING_TO_ADD, Voice, What, resample};
use anyhow::Context as _;
use maya_protocol::{
    audio::{HEARING_RATE, SPEAKING_RATE},
    tree::StageLatency,
};
use maya_providers::stt::SttConfig;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What is good enough.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Turns of the candidate at least.
    pub turns: usize,
    /// Of the candidate's lines, at most.
    pub word_error_rate: f64,
    /// Of Maya's words heard back, at most.
    pub maya_difference: f64,
    /// Median, at most.
    pub first_audio_ms: u64,
}
impl Limits {
    /// For a candidate of so many lines; from one who says nothing nothing is expected.
    pub fn of(lines: usize) -> Self {
        Self {
            turns: if lines == 0 { 0 } else { 5 },
            word_error_rate: 0.15,
            maya_difference: 0.20,
            first_audio_ms: 1_500,
        }
    }
}

/// One exchange.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnRow {
    /// From the candidate's last sample sent to the first audio of the reply, as the candidate measured it.
    pub first_audio_ms: Option<u64>,
    /// The same as the server splits it; it counts from the last word that it heard.
    pub stages: Option<StageLatency>,
    /// The line, what was recognised of it, and how far they are apart.
    #[serde(flatten)]
    pub line: Aligned,
}

/// One of Maya's turns.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MayaRow {
    /// When its first audio was heard, since the join.
    pub at_ms: u64,
    /// Whether it was interrupted: it is not compared then.
    pub cleared: bool,
    /// Her text, and what was heard of it.
    #[serde(flatten)]
    pub line: Aligned,
}

/// Everything.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoReport {
    /// Which interview.
    pub interview_id: String,
    /// What hears, speaks and thinks.
    pub senses: Vec<String>,
    /// The way it went.
    pub states: Vec<Seen>,
    /// What was asked for.
    pub plan: Value,
    /// Length of the conversation.
    pub duration_ms: u64,
    /// The candidate's lines.
    pub turns: Vec<TurnRow>,
    /// Maya's turns.
    pub maya: Vec<MayaRow>,
    /// Over the candidate's lines.
    pub candidate_errors: Errors,
    /// Over Maya's turns; absent where nothing hears.
    pub maya_errors: Option<Errors>,
    /// From the candidate's last sample to the reply's first audio.
    pub median_first_audio_ms: Option<u64>,
    /// Types of the webhooks, in order of arrival, and whether each verified.
    pub webhooks: Vec<(String, bool)>,
    /// The verdict.
    pub assessment: Value,
    /// Maya's voice as it was heard.
    pub audio: PathBuf,
    /// Whether the session was announced as ended.
    pub ended: bool,
    /// Errors that the socket reported.
    pub socket_errors: usize,
    /// What is good enough.
    pub limits: Limits,
    /// Why it is not; empty: it is.
    pub failures: Vec<String>,
    /// Maya's voice, 24 kHz.
    #[serde(skip)]
    pub(super) recording: Vec<i16>,
}

/// Makes the report; Maya's turns are heard back for it.
pub async fn make(script: &Script, held: Held, running: &Running) -> anyhow::Result<DemoReport> {
    let said: Vec<String> = held.candidate.lines.iter().filter_map(|line| line.text.clone()).collect();
    let recorded = held.transcript["turns"].as_array().map_or(&[][..], Vec::as_slice);
    let recognised: Vec<String> = recorded
        .iter()
        .filter(|turn| turn["speaker"] == "CANDIDATE")
        .filter_map(|turn| turn["text"].as_str().map(str::to_owned))
        .collect();
    let aligned = align(&said, &recognised);
    // the courtesy at the end is no line of the script
    let scripted = aligned.iter().filter(|line| line.said != NOTHING_TO_ADD || script.lines.contains(&line.said));
    let candidate_errors = if said.is_empty() {
        Errors { errors: recognised.iter().map(|text| text.split_whitespace().count()).sum(), words: 0 }
    } else {
        total(scripted)
    };
    let replied = held.candidate.lines.iter().filter(|line| line.first_audio_ms.is_some()).count();
    // the server's list may begin with the greeting and may lack the last turn: it is matched from its end
    let surplus = held.stages.len().saturating_sub(replied);
    let mut stages = held.stages.iter().skip(surplus).copied();
    let turns = held.candidate.lines.iter().zip(aligned);
    let turns: Vec<TurnRow> = turns
        .map(|(line, aligned)| TurnRow {
            first_audio_ms: line.first_audio_ms,
            stages: line.first_audio_ms.and_then(|_| stages.next()),
            line: aligned,
        })
        .collect();

    let mut maya = Vec::new();
    for turn in &held.candidate.maya {
        let heard = hear(turn, running).await.context("hearing Maya's voice back")?.unwrap_or_default();
        let line = align(std::slice::from_ref(&turn.text), &[heard]).pop().context("one line was aligned")?;
        maya.push(MayaRow { at_ms: turn.started_ms, cleared: turn.cleared, line });
    }
    let compared = maya.iter().filter(|row| !row.cleared).map(|row| &row.line);
    let maya_errors = running.ear.is_some().then(|| total(compared));

    let mut report = DemoReport {
        interview_id: held.interview_id,
        senses: running.senses.clone(),
        states: held.states,
        plan: held.plan,
        duration_ms: held.candidate.duration_ms,
        turns,
        maya,
        candidate_errors,
        maya_errors,
        median_first_audio_ms: held.candidate.median_first_audio_ms(),
        webhooks: held.webhooks.iter().map(|d| (d.kind().to_owned(), d.verified == Some(true))).collect(),
        assessment: held.assessment,
        audio: running.keep.join("maya.wav"),
        ended: held.candidate.ended,
        socket_errors: held.candidate.events.iter().filter(|event| matches!(event.what, What::Error { .. })).count(),
        limits: Limits::of(script.lines.len()),
        failures: Vec::new(),
        recording: held.candidate.recording,
    };
    report.failures = checks::failures(&report);
    Ok(report)
}

async fn hear(turn: &MayaTurn, running: &Running) -> anyhow::Result<Option<String>> {
    let Some(ear) = &running.ear else { return Ok(None) };
    let pcm = match running.voice {
        // tones are read at the rate they were made at
        Voice::Scripted => turn.pcm.clone(),
        _ => resample(&turn.pcm, SPEAKING_RATE, HEARING_RATE),
    };
    let config = SttConfig { language: "en-US".to_owned(), hints: Vec::new() };
    Ok(Some(ear.recognize(&config, pcm).await?))
}

impl DemoReport {
    /// Writes Maya's audio and the report itself.
    pub fn keep(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        crate::cli::candidate::write_wav(&self.audio, &self.recording)?;
        let path = folder.join("report.json");
        std::fs::write(&path, serde_json::to_vec_pretty(self)?).with_context(|| path.display().to_string())
    }

    /// Prints it for people.
    pub fn print(&self) {
        let percent = |errors: Errors| format!("{:.1} % of {} words", errors.rate() * 100.0, errors.words);
        println!("\n== The interview {}", self.interview_id);
        for sense in &self.senses {
            println!("   {sense}");
        }
        println!("\n== States");
        for seen in &self.states {
            println!("{:9.1} s  {}", seen.at_ms as f64 / 1000.0, seen.state);
        }
        println!("\n== What the candidate said, and what was recorded");
        for row in &self.turns {
            println!(
                "   said   {}\n   heard  {}   [{:.0} %]",
                row.line.said,
                row.line.recognised,
                row.line.errors.rate() * 100.0
            );
        }
        println!("   word error rate: {}", percent(self.candidate_errors));
        println!("\n== What Maya said, and what her audio says");
        for row in &self.maya {
            let note =
                if row.cleared { "interrupted".to_owned() } else { format!("{:.0} %", row.line.errors.rate() * 100.0) };
            println!("   text   {}\n   heard  {}   [{note}]", row.line.said, row.line.recognised);
        }
        match self.maya_errors {
            Some(errors) => println!("   difference: {}", percent(errors)),
            None => println!("   nothing here can hear it back"),
        }
        println!("\n== Latency of each turn, ms (client: last sample sent to first audio; server: from the last word)");
        println!(
            "   {:>4} {:>8} | {:>8} {:>6} {:>6} {:>6} {:>6}",
            "turn", "client", "endpoint", "stt", "llm", "tts", "total"
        );
        for (number, row) in self.turns.iter().enumerate() {
            let client = row.first_audio_ms.map_or("-".to_owned(), |ms| ms.to_string());
            let number = number + 1;
            match row.stages {
                Some(s) => println!(
                    "   {number:>4} {client:>8} | {:>8} {:>6} {:>6} {:>6} {:>6}",
                    s.endpoint, s.stt, s.llm, s.tts, s.total
                ),
                None => println!("   {number:>4} {client:>8} | {:>8} {:>6} {:>6} {:>6} {:>6}", "-", "-", "-", "-", "-"),
            }
        }
        if let Some(median) = self.median_first_audio_ms {
            println!("   median  {median}");
        }
        println!("\n== Assessment: {}", self.assessment["recommendation"].as_str().unwrap_or("-"));
        println!("   {}", self.assessment["summary"].as_str().unwrap_or_default());
        for skill in self.assessment["skills"].as_array().map_or(&[][..], Vec::as_slice) {
            println!("   {:<24} {}", skill["name"].as_str().unwrap_or_default(), skill["score"]);
        }
        for skill in self.assessment["notJudged"].as_array().map_or(&[][..], Vec::as_slice) {
            println!(
                "   {:<24} not judged: {}",
                skill["name"].as_str().unwrap_or_default(),
                skill["reason"].as_str().unwrap_or_default()
            );
        }
        println!("\n== Webhooks");
        for (kind, verified) in &self.webhooks {
            println!("   {kind:<32} {}", if *verified { "verified" } else { "NOT VERIFIED" });
        }
        println!("\n   Maya's voice: {}", self.audio.display());
        println!("   the conversation lasted {:.0} s", self.duration_ms as f64 / 1000.0);
        if self.failures.is_empty() {
            println!("\nPASSED");
        } else {
            println!("\nFAILED");
            for failure in &self.failures {
                println!("   {failure}");
            }
        }
    }
}
