//! A real interruption: speech over Maya's voice, from its first sample sent to AGENT_CLEAR at the socket, with the voices
//! and ears of this machine. (`load --barge-in` measures what comes after the decision, with scripted ones.)
//!
//! The candidate is `maya candidate`, in a process of its own, one interview after another.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use maya_benches::{
    candidate,
    figures::{self, Durations},
    site::Site,
};
use serde_json::Value;
use std::{process::Stdio, time::Duration};

/// What is said: an answer, and the words over the reply to it.
const LINES: &str = "I have worked on payment services for six years.\n\
                     Sorry to interrupt you, could you tell me first how long this will take today?\n";

/// Measures interruptions.
#[derive(Parser)]
struct Args {
    /// Interviews, one interruption each.
    #[arg(long, default_value_t = 5)]
    interviews: usize,
    /// How long Maya is heard before, in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    after: u64,
    /// Whose voice interrupts: `local` or `espeak`.
    #[arg(long, default_value = "local")]
    voice: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut site = Site::new()?;
    site.set("MAYA_VOICES__KIND", "local");
    let maya = site.serve("").await?;
    let links = candidate::approved_many(&maya.address("gateway")?, &site.tenant()?, args.interviews).await?;
    let lines = site.folder().join("lines.txt");
    std::fs::write(&lines, LINES)?;
    let mut cleared = Durations::default();
    for link in &links {
        cleared.push(interrupt(&site, link, &lines.display().to_string(), &args).await?);
    }
    println!("onset of speech over Maya to AGENT_CLEAR, {} voice: {}", args.voice, cleared.summary());
    println!("load average {}", figures::load());
    maya.stop().await
}

/// One interview up to its interruption and a little beyond.
async fn interrupt(site: &Site, link: &str, lines: &str, args: &Args) -> Result<Duration> {
    let after = args.after.to_string();
    let command = site.command(&[
        "candidate",
        "--join",
        link,
        "--speak",
        lines,
        "--voice",
        &args.voice,
        "--interrupt-after",
        &after,
        "--limit",
        "40",
        "--json",
    ])?;
    let mut command = tokio::process::Command::from(command);
    let output = command.stderr(Stdio::piped()).kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "maya candidate: {}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let ms = report["interruptionMs"].as_u64().context("nothing interrupted Maya")?;
    Ok(Duration::from_millis(ms))
}
