//! What the platform itself adds to a turn: voices and ears by script, which take no time of their own, everything
//! else as it is (sockets, bus, database, actors).
//!
//! Each candidate is a plain WebSocket client that speaks at the pace of real speech. A turn is measured from its
//! `end` to the first audio of Maya's reply. Candidates begin one after another, evenly over the length of an answer, as
//! people who know nothing of each other; with `--together` all of them end every answer at the same moment, which
//! measures how a burst queues. `--kafka` starts a broker of its own and puts the bus on it.

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Parser;
use futures::{SinkExt, StreamExt};
use maya_benches::{
    figures::{self, Durations},
    http::Connection,
    site::{Site, complete_interview},
};
use maya_protocol::clock::{self, SharedClock};
use maya_providers::testing::modem;
use maya_testkit::Kafka;
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio_tungstenite::tungstenite::Message;

const INTERVIEWS: &str = "/api/v1/integration/interviews";
const RATE: u32 = 16_000;
/// Bytes of 100 ms.
const CHUNK: usize = 3_200;
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
    let mut gateway = Connection::open(&maya.address("gateway")?, &site.tenant()?).await?;
    let mut links = Vec::new();
    for _ in 0..args.sessions {
        links.push(approved(&mut gateway).await?);
    }

    let pcm: Arc<[u8]> =
        modem::encode(LINE, RATE, modem::MS_PER_CHARACTER).into_iter().flat_map(i16::to_le_bytes).collect();
    let answer = Duration::from_millis(100) * pcm.len().div_ceil(CHUNK) as u32;
    let apart = if args.together { Duration::ZERO } else { answer / args.sessions.max(1) as u32 };
    let mut candidates = Vec::new();
    for link in links {
        candidates.push(tokio::spawn(candidate(link, args.turns, pcm.clone(), clock.clone())));
        tokio::time::sleep(apart).await;
    }
    let mut added = Durations::default();
    for candidate in candidates {
        added.extend(candidate.await??);
    }
    let bus = if args.kafka { "Kafka" } else { "the embedded bus" };
    println!("end of speech to first audio over {bus}, {} sessions: {}", args.sessions, added.summary());
    let (_, metrics) = gateway.send(hyper::Method::GET, "/metrics", bytes::Bytes::new()).await?;
    for (stage, count, mean) in stages(&String::from_utf8_lossy(&metrics)) {
        println!("  stage {stage}: mean {mean:.2} ms of {count}");
    }
    println!("load average {}", figures::load());
    drop(gateway);
    maya.stop().await
}

/// The join link of an interview whose plan was approved.
async fn approved(gateway: &mut Connection) -> Result<String> {
    let made = gateway.post(INTERVIEWS, &complete_interview()).await?;
    let path = format!("{INTERVIEWS}/{}", made["id"].as_str().context("an interview has an id")?);
    let planned = async {
        while gateway.get(&path).await?["state"] != "PENDING" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(30), planned).await.context("no plan")??;
    gateway.post(&format!("{path}/plan/approve"), &json!({})).await?;
    let session = gateway.post(&format!("{path}/session"), &json!({})).await?;
    Ok(session["joinUrl"].as_str().context("a session has its link")?.to_owned())
}

/// Holds an interview for that many turns.
async fn candidate(join: String, turns: usize, pcm: Arc<[u8]>, clock: SharedClock) -> Result<Durations> {
    let url = url::Url::parse(&join)?;
    let session = url.query_pairs().find(|(name, _)| name == "sessionId").map(|(_, id)| id.into_owned());
    let session = session.context("a link names its session")?;
    let address = join.replacen("http", "ws", 1).replacen("/join?", "/ws?", 1);
    // without Nagle's delay, as in a browser
    let (socket, _) = tokio_tungstenite::connect_async_with_config(address, None, true).await?;
    let (mut up, mut down) = socket.split();
    let (mut added, mut ended, mut played) = (Durations::default(), None, HashMap::<String, u64>::new());
    let send = |mut message: Value| {
        message["sessionId"] = json!(session);
        Message::text(message.to_string())
    };
    while added.len() < turns {
        let message = tokio::time::timeout(Duration::from_secs(60), down.next()).await.context("silence")?;
        let message = message.context("the socket was closed")??;
        let received = clock.now();
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text)?;
        match message["type"].as_str().unwrap_or_default() {
            "STATE" if message["state"] == "LISTENING" => {
                let start = json!({"type": "AUDIO", "streaming": "start", "encoding": "LINEAR16", "sampleRate": RATE});
                up.send(send(start)).await?;
                for piece in pcm.chunks(CHUNK) {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    let data = BASE64_STANDARD.encode(piece);
                    up.send(send(json!({"type": "AUDIO", "streaming": "chunk", "data": data}))).await?;
                }
                up.send(send(json!({"type": "AUDIO", "streaming": "end"}))).await?;
                ended = Some(clock.now());
            }
            "STATE" if message["state"] == "ENDED" => bail!("the interview ended after {} turns", added.len()),
            "AGENT_RESPONSE" => {
                let data = message["data"].as_str().unwrap_or_default();
                if !data.is_empty()
                    && let Some(ended) = ended.take()
                {
                    added.push(received - ended);
                }
                // heard at once, so that nobody waits for it
                let ms = played.entry(format!("{}/{}", message["turnId"], message["sentence"])).or_default();
                *ms += data.len() as u64 * 3 / 4 / 48;
                let heard = json!({"type": "PLAYBACK", "turnId": message["turnId"], "sentence": message["sentence"], "playedMs": *ms});
                up.send(send(heard)).await?;
            }
            "ERROR" => bail!("{text}"),
            _ => {}
        }
    }
    up.send(send(json!({"type": "LEAVE"}))).await?;
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
