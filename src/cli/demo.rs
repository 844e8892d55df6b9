//! `maya demo`: one whole spoken interview on the whole platform, over the doors that a customer has, and a report on it.

mod checks;
mod console;
mod interview;
mod report;
mod stages;
mod words;

use super::candidate::{NOTHING_TO_ADD, Voice, voice};
use anyhow::Context as _;
use clap::Args;
use maya_protocol::clock::SharedClock;
use maya_providers::stt::SpeechToText;
use serde_json::Value;
use std::{path::PathBuf, sync::Arc};
use url::Url;

/// `maya demo`
#[derive(Debug, Clone, Default, Args)]
pub struct Demo {
    /// The interview to be created, as `POST /integration/interviews` takes it
    #[arg(long, value_name = "FILE.json")]
    pub interview: Option<PathBuf>,
    /// What the candidate says, a line an answer
    #[arg(long, value_name = "FILE.txt")]
    pub speak: Option<PathBuf>,
    /// Prints the report as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Where Maya's audio and the report are kept [default: below the data dir]
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// A platform that runs, and a tenant on it.
#[derive(Clone)]
pub struct Running {
    /// The REST API.
    pub gateway: Url,
    /// The edge.
    pub edge: Url,
    /// Whose interview it is.
    pub tenant_id: String,
    /// An ADMIN's key.
    pub api_key: String,
    /// An OPERATOR's key, by which the stages of each turn are read.
    pub operator_key: Option<String>,
    /// What signs the deliveries to a `callbackUrl`.
    pub webhook_secret: String,
    /// The voice of the test candidate.
    pub voice: Voice,
    /// What hears Maya's recorded voice back.
    pub ear: Option<Arc<dyn SpeechToText>>,
    /// Where audio and report are kept.
    pub keep: PathBuf,
    /// For the report: what hears, speaks and thinks.
    pub senses: Vec<String>,
}

const INTERVIEW: &str = include_str!("../../demo/interview.json");
const ANSWERS: &str = include_str!("../../demo/answers.txt");

/// What is asked of whom, and what they answer.
pub struct Script {
    /// The body that creates the interview.
    pub interview: Value,
    /// The candidate's lines.
    pub lines: Vec<String>,
}

impl Demo {
    /// Reads the files, before anything is started.
    pub fn script(&self) -> anyhow::Result<Script> {
        let read = |path: &Option<PathBuf>, default: &str| match path {
            Some(path) => std::fs::read_to_string(path).with_context(|| path.display().to_string()),
            None => Ok(default.to_owned()),
        };
        let interview = read(&self.interview, INTERVIEW)?;
        let interview: Value = serde_json::from_str(&interview).context("the interview file")?;
        anyhow::ensure!(interview.is_object(), "the interview file: must be a JSON object");
        Ok(Script { interview, lines: voice::lines(&read(&self.speak, ANSWERS)?) })
    }

    /// Holds the interview on a running platform and reports on it. `Ok(false)`: it was held, and is not good enough.
    pub async fn run(&self, script: Script, running: Running, clock: SharedClock) -> anyhow::Result<bool> {
        let console = console::Console::new(self.json, clock.clone());
        let Running { gateway, edge, tenant_id, .. } = &running;
        console.step(&format!("the API is at {gateway}, the candidates' door at {edge}; the tenant is {tenant_id}"));
        let lines = running.voice.speak_all(&script.lines).await.context("giving the candidate a voice")?;
        let afterwards = match script.lines.is_empty() {
            true => None,
            false => running.voice.speak_all(&[NOTHING_TO_ADD.to_owned()]).await?.pop(),
        };
        let held = interview::hold(&script, lines, afterwards, &running, &console, &clock).await?;
        let report = report::make(&script, held, &running).await?;
        report.keep(&running.keep)?;
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            report.print();
        }
        Ok(report.failures.is_empty())
    }
}
