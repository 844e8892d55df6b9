//! What a live session costs while nobody speaks: resident memory (the slope over the number of sessions) and CPU.
//!
//! An interviewer node in this process (scripted voices, embedded bus and registry, private PostgreSQL outside), no
//! sockets. Each session is joined, greets, and listens. Maya's audio is kept short, and what the bus has room for
//! (16 MiB a topic, whatever the number of sessions) is filled beforehand, so that it does not count. The node's budget
//! is wide open: what a session costs is asked, not how many are let in.

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Parser;
use maya_actors::{
    observe::Observer,
    parts::{InterviewSettings, Parts, Senses},
    placement::{Budget, Placement},
    quota::Quotas,
    session::asides::Asides,
};
use maya_benches::{
    figures,
    listeners::{count_listening, join, rows},
    site::database,
};
use maya_protocol::{
    audio::{AgentBody, AgentMessage},
    bus::{SharedBus, TopicSettings, embedded::EmbeddedBus},
    clock,
    ids::{ConnectionId, Epoch, NodeId, SessionId, TenantId, TurnId},
    pulse::Pulse,
    rpc::Peers,
};
use maya_providers::{
    plan_follower::PlanFollower,
    testing::{EnergyVad, ModemStt, ModemTts, ScriptedEndOfTurn},
};
use maya_store::{Store, StoreSettings};
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const PARTITIONS: u32 = 100;
/// Candidates who have joined and not yet been greeted to the end: more at once would only wait for the database.
const AT_ONCE: usize = 100;
/// How long no session may come to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures live sessions.
#[derive(Parser)]
struct Args {
    /// How many live sessions, one measurement after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 400, 1000])]
    sessions: Vec<usize>,
    /// Over how many seconds the idle CPU is measured.
    #[arg(long, default_value_t = 15)]
    idle: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let (folder, postgres) = database(false).await?;
    let clock = clock::system();
    let store = Store::connect(&StoreSettings::new(postgres.url()), clock.clone()).await?;
    store.migrate().await?;
    let topics = TopicSettings { media_partitions: PARTITIONS, ..TopicSettings::default() };
    let bus: SharedBus = EmbeddedBus::open(&folder.path().join("bus"), topics, clock.clone())?;
    bus.ensure_topics(true).await?;
    fill(&bus)?;

    let stop = CancellationToken::new();
    let node = NodeId::fresh();
    let parts = Parts {
        node: node.clone(),
        store: store.clone(),
        bus: bus.clone(),
        registry: Arc::new(maya_protocol::registry::embedded::EmbeddedRegistry::new(clock.clone())),
        clock: clock.clone(),
        observer: Observer::new(node, clock.clone()),
        rng: Arc::new(Mutex::new(StdRng::seed_from_u64(1))),
        pulse: Pulse::new(clock.clone()),
        quotas: Quotas::new(clock.clone()),
        asides: Asides::default(),
        senses: Senses {
            hears: Arc::new(ModemStt::default()),
            speaks: Arc::new(ModemTts::default().with_ms_per_char(1)),
            notices: Arc::new(EnergyVad),
            judges: Arc::new(ScriptedEndOfTurn::default()),
            thinks: Arc::new(PlanFollower),
        },
        // nobody speaks: that must not end the interviews
        settings: InterviewSettings {
            silence: Duration::from_secs(3600),
            budget: Budget {
                sessions: u32::MAX,
                lag: Duration::from_secs(3600),
                memory: u64::MAX,
                tenant_sessions: u32::MAX,
            },
            ..InterviewSettings::default()
        },
    };
    let placement = Placement::start(parts, Peers::new("bench")?, stop.clone()).await?;
    let mut listening = count_listening(&bus, stop.clone()).await?;

    let (tenant, sessions) =
        rows(postgres.url(), args.sessions.iter().copied().max().unwrap_or_default(), PARTITIONS).await?;
    let pid = std::process::id();
    let mut points = vec![(0.0, figures::resident(pid)? as f64)];
    let mut joined = 0;
    for wanted in args.sessions {
        let began = clock.now();
        while joined < wanted {
            let next = wanted.min(joined + AT_ONCE / 2);
            for &session in &sessions[joined..next] {
                bus.send(join(tenant, session, PARTITIONS, &clock).to_record())?;
            }
            joined = next;
            let enough = if joined == wanted { wanted } else { joined.saturating_sub(AT_ONCE / 2) };
            let come = listening.wait_for(|listening| *listening >= enough);
            tokio::time::timeout(PATIENCE, come).await.context("not every session came to listen")??;
        }
        let joining = clock.now() - began;
        // what was only needed for the start is gone
        tokio::time::sleep(Duration::from_secs(3)).await;
        let before = figures::cpu(pid)?;
        tokio::time::sleep(Duration::from_secs(args.idle)).await;
        let share = (figures::cpu(pid)? - before).as_secs_f64() / args.idle as f64;
        let resident = figures::resident(pid)? as f64;
        println!(
            "{joined} sessions ({} live, the last of them after {:.1} s): {:.1} MiB resident, idle CPU {:.1} % of a core, load {}",
            placement.sessions(),
            joining.as_secs_f64(),
            resident / f64::from(1 << 20),
            share * 100.0,
            figures::load(),
        );
        points.push((joined as f64, resident));
    }
    println!(
        "a session: {:.0} KiB (least squares); load average {}",
        figures::slope(&points[1..]) / 1024.0,
        figures::load()
    );

    stop.cancel();
    placement.stop().await;
    bus.close().await;
    store.close().await;
    postgres.stop().await?;
    Ok(())
}

/// Fills what the bus keeps of Maya's audio, with messages that no reader wants.
fn fill(bus: &SharedBus) -> Result<()> {
    for partition in 0..PARTITIONS {
        for _ in 0..6 {
            let speech = AgentBody::Speech {
                turn_id: TurnId(0),
                sentence: 0,
                part: 0,
                text: String::new(),
                last: true,
                pcm: Bytes::from(vec![1; 48_000]),
            };
            let message = AgentMessage {
                session: SessionId::fresh(),
                tenant: TenantId::fresh(),
                partition,
                epoch: Epoch(1),
                connection: ConnectionId::fresh(),
                trace: None,
                body: speech,
            };
            bus.send(message.to_record())?;
        }
    }
    Ok(())
}
