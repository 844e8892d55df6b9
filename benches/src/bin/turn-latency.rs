//! What the platform itself adds to a turn: voices and ears by script, which take no time of their own, everything
//! else as it is (sockets, bus, database, actors).
//!
//! Each candidate is a plain WebSocket client that speaks at the pace of real speech. A turn is measured from its
//! `end` to the first audio of Maya's reply. Candidates begin one after another, evenly over the length of an answer, as
//! people who know nothing of each other; with `--together` all of them end every answer at the same moment, which
//! measures how a burst queues. `--kafka` starts a broker of its own and puts the bus on it.

use anyhow::{Result, bail, ensure};
use clap::Parser;
use maya_benches::{
    candidate::{self, FRAME, Socket, What},
    figures::{self, Durations},
    http::Connection,
    site::Site,
};
use maya_protocol::clock::{self, SharedClock};
use maya_testkit::Kafka;
use serde_json::json;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio_tungstenite::tungstenite::Message;

const LINE: &str = "I read the query plan, saw a full scan, and added an index.";

/// Measures turns.
#[derive(Parser)]
struct Args {
    /// Interviews held at the same time.
    #[arg(long, default_value_t = 20)]
    sessions: usize,
    /// Measured turns of each.
    #[arg(long, default_value_t = 8)]
    turns: usize,
    /// All candidates speak at the same time.
    #[arg(long)]
    together: bool,
    /// The bus on a real Kafka (SASL_SSL, SCRAM-SHA-512), started from the cache on this machine.
    #[arg(long)]
    kafka: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let clock = clock::system();
    let mut site = Site::new()?;
    let broker = if args.kafka { Some(Kafka::start().await) } else { None };
    if let Some(broker) = &broker {
        site.on_kafka(broker)?;
    }
    let maya = site.serve("").await?;
    let (address, key) = (maya.address("gateway")?, site.tenant()?);
    let links = candidate::approved_many(&address, &key, args.sessions).await?;

    let line: Arc<[Message]> = candidate::speech(LINE).into();
    let answer = FRAME * line.len() as u32;
    let apart = if args.together { Duration::ZERO } else { answer / args.sessions.max(1) as u32 };
    let mut candidates = Vec::new();
    for link in links {
        candidates.push(tokio::spawn(candidate(link, args.turns, line.clone(), clock.clone())));
        tokio::time::sleep(apart).await;
    }
    let mut added = Durations::default();
    for candidate in candidates {
        added.extend(candidate.await??);
    }
    let bus = if args.kafka { "Kafka" } else { "the embedded bus" };
    println!("end of speech to first audio over {bus}, {} sessions: {}", args.sessions, added.summary());
    let metrics = Connection::open(&address, &key).await?.metrics().await?;
    for (stage, count, mean) in stages(&metrics) {
        println!("  stage {stage}: mean {mean:.2} ms of {count}");
    }
    println!("load average {}", figures::load());
    maya.stop().await
}

/// Holds an interview for that many turns.
async fn candidate(join: String, turns: usize, line: Arc<[Message]>, clock: SharedClock) -> Result<Durations> {
    let mut socket = Socket::open(&join, clock.clone()).await?;
    let (mut added, mut ended, mut played) = (Durations::default(), None, HashMap::<(String, u32), u64>::new());
    while added.len() < turns {
        let heard = socket.next().await?;
        match heard.what {
            What::State(state) if state == "LISTENING" => {
                socket.send(candidate::start()).await?;
                for frame in line.iter() {
                    tokio::time::sleep(FRAME).await;
                    socket.send(frame.clone()).await?;
                }
                socket.send(candidate::end()).await?;
                ended = Some(clock.now());
            }
            What::State(state) if state == "ENDED" => bail!("the interview ended after {} turns", added.len()),
            What::Speech { turn, sentence, ms } => {
                if ms > 0
                    && let Some(ended) = ended.take()
                {
                    added.push(heard.at - ended);
                }
                // heard at once, so that nobody waits for it
                let played = played.entry((turn.clone(), sentence)).or_default();
                *played += ms;
                let heard = json!({"type": "PLAYBACK", "turnId": turn, "sentence": sentence, "playedMs": *played});
                socket.say(&heard).await?;
            }
            _ => {}
        }
    }
    socket.say(&json!({"type": "LEAVE"})).await?;
    ensure!(!added.is_empty(), "no turn was held");
    Ok(added)
}

/// The server's own view: each stage's count and mean in milliseconds.
fn stages(metrics: &str) -> Vec<(&'static str, u64, f64)> {
    let value = |name: &str, stage: &str| -> f64 {
        let line = format!("maya_turn_stage_seconds_{name}{{stage=\"{stage}\"}} ");
        metrics.lines().find_map(|text| text.strip_prefix(&line)?.parse().ok()).unwrap_or_default()
    };
    let stages = ["endpoint", "stt", "llm", "tts"];
    stages
        .map(|stage| {
            (stage, value("count", stage) as u64, 1000.0 * value("sum", stage) / value("count", stage).max(1.0))
        })
        .into()
}
