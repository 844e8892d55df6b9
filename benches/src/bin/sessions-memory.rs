//! What a live session costs while nobody speaks: resident memory (the slope over the number of sessions) and CPU.
//!
//! An interviewer node in this process (scripted voices, embedded bus and registry, private PostgreSQL outside), no
//! sockets. Each session is joined, greets, and listens. Maya's audio is kept short, and what the bus has room for
//! (16 MiB a topic, whatever the number of sessions) is filled beforehand, so that it does not count.

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Parser;
use maya_actors::{
    observe::Observer,
    parts::{InterviewSettings, Parts, Senses},
    placement::Placement,
    pulse::Pulse,
    session::asides::Asides,
};
use maya_benches::{
    figures,
    site::{cache, complete_interview},
};
use maya_embedded::{PrivatePostgres, postgres::Options};
use maya_protocol::{
    audio::{AgentBody, AgentMessage, CandidateBody, CandidateMessage},
    bus::{SharedBus, StartAt, TopicSettings, embedded::EmbeddedBus},
    clock,
    ids::{ConnectionId, Epoch, NodeId, SessionId, TenantId, TurnId},
    rpc::Peers,
    session::Phase,
    topic::{Channel, Topic, partition_of},
    trace::TraceContext,
};
use maya_providers::{
    plan_follower::PlanFollower,
    testing::{EnergyVad, ModemStt, ModemTts, ScriptedEndOfTurn},
};
use maya_store::{Store, StoreSettings};
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PARTITIONS: u32 = 100;

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
    let folder = tempfile::tempdir()?;
    let options = Options { durable: false, dies_with_us: true, ..Options::default() };
    let postgres = PrivatePostgres::start_with(&cache(), folder.path(), options).await?;
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
        asides: Asides::default(),
        senses: Senses {
            hears: Arc::new(ModemStt::default()),
            speaks: Arc::new(ModemTts::default().with_ms_per_char(1)),
            notices: Arc::new(EnergyVad),
            judges: Arc::new(ScriptedEndOfTurn::default()),
            thinks: Arc::new(PlanFollower),
        },
        // nobody speaks: that must not end the interviews
        settings: InterviewSettings { silence: Duration::from_secs(3600), ..InterviewSettings::default() },
    };
    let placement = Placement::start(parts, Peers::new("bench")?, stop.clone()).await?;
    let mut listening = count_listening(&bus, stop.clone()).await?;

    let (tenant, sessions) = rows(postgres.url(), args.sessions.iter().copied().max().unwrap_or_default()).await?;
    let pid = std::process::id();
    let mut points = vec![(0.0, figures::resident(pid)? as f64)];
    let mut joined = 0;
    for wanted in args.sessions {
        for &session in sessions.iter().take(wanted).skip(joined) {
            bus.send(join(tenant, session, &clock).to_record())?;
        }
        joined = joined.max(wanted);
        let all = listening.wait_for(|listening| *listening >= joined);
        tokio::time::timeout(Duration::from_secs(300), all).await.context("not every session came to listen")??;
        // what was only needed for the start is gone
        tokio::time::sleep(Duration::from_secs(3)).await;
        let before = figures::cpu(pid)?;
        tokio::time::sleep(Duration::from_secs(args.idle)).await;
        let share = (figures::cpu(pid)? - before).as_secs_f64() / args.idle as f64;
        let resident = figures::resident(pid)? as f64;
        println!(
            "{joined} sessions ({} live): {:.1} MiB resident, idle CPU {:.1} % of a core",
            placement.sessions(),
            resident / f64::from(1 << 20),
            share * 100.0
        );
        points.push((joined as f64, resident));
    }
    println!("a session: {:.0} KiB (least squares); load average {}", slope(&points[1..]) / 1024.0, figures::load());

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

/// How many sessions have said that they listen, from what edges are told.
async fn count_listening(bus: &SharedBus, stop: CancellationToken) -> Result<watch::Receiver<usize>> {
    let mut reader = bus.reader(Channel::Main(Topic::AgentSpoken)).await?;
    for partition in 0..PARTITIONS {
        reader.assign(partition, StartAt::Latest).await?;
    }
    let (count, counted) = watch::channel(0);
    tokio::spawn(async move {
        let mut listening = HashSet::new();
        loop {
            let delivery = tokio::select! {
                () = stop.cancelled() => return,
                delivery = reader.next() => delivery,
            };
            let Ok(delivery) = delivery else { return };
            let Ok(message) = AgentMessage::from_record(&delivery.record) else { continue };
            if let AgentBody::State { phase: Phase::Listening, .. } = message.body {
                listening.insert(message.session);
                count.send_replace(listening.len());
            }
        }
    });
    Ok(counted)
}

fn join(tenant: TenantId, session: SessionId, clock: &clock::SharedClock) -> CandidateMessage {
    CandidateMessage {
        session,
        tenant,
        partition: partition_of(&session.to_string(), PARTITIONS),
        connection: ConnectionId::fresh(),
        stream: 1,
        sequence: 0,
        captured_at: clock.utc(),
        trace: Some(TraceContext::fresh()),
        body: CandidateBody::Joined,
    }
}

/// Approved interviews with their plans and sessions, as the gateway leaves them. By the superuser's hand, since no
/// gateway runs here.
async fn rows(url: &str, count: usize) -> Result<(TenantId, Vec<SessionId>)> {
    let mut connection = PgConnection::connect(url).await?;
    let tenant = TenantId::fresh();
    sqlx::query("insert into tenants (tenant_id, name, webhook_secret) values ($1, 'Bench', '')")
        .bind(tenant.0)
        .execute(&mut connection)
        .await?;
    let sessions: Vec<SessionId> = (0..count).map(|_| SessionId::fresh()).collect();
    let ids: Vec<Uuid> = sessions.iter().map(|session| session.0).collect();
    let partition = |session: &SessionId| partition_of(&session.to_string(), PARTITIONS) as i32;
    let partitions: Vec<i32> = sessions.iter().map(partition).collect();
    sqlx::query(
        "with new as (
             select id, gen_random_uuid() as interview, partition from unnest($2::uuid[], $3::int[]) as given (id, partition)
         ), interview as (
             insert into interviews (id, tenant_id, state, brief, created_at, updated_at)
             select interview, $1, 'APPROVED', $4, now(), now() from new
         ), plan as (
             insert into plans (tenant_id, interview_id, version, plan, created_at) select $1, interview, 1, $5, now() from new
         ), session as (
             insert into sessions (id, tenant_id, interview_id, partition, plan_version, created_at)
             select id, $1, interview, partition, 1, now() from new
         )
         insert into placements (session_id, tenant_id, interview_id, partition) select id, $1, interview, partition from new",
    )
    .bind(tenant.0)
    .bind(ids)
    .bind(partitions)
    .bind(complete_interview())
    .bind(plan())
    .execute(&mut connection)
    .await?;
    Ok((tenant, sessions))
}

/// A plan of the size that the planner writes for half an hour.
fn plan() -> serde_json::Value {
    let question = |n: usize| {
        json!({
            "id": format!("q{n}"),
            "text": format!("Tell me about time number {n} when a system that you ran did something that you did not expect."),
            "difficulty": "APPLIED",
            "expectedSignals": ["names a concrete failure", "measured before changing anything", "says what it cost"],
            "followUps": ["What exactly failed?", "How did you know that?", "What did it cost you, and was it worth it?"],
            "signalKeywords": [["fail", "broke", "outage"], ["measur", "metric", "profil"], ["cost", "trade", "price"]]
        })
    };
    let section = |n: usize| {
        let questions: Vec<_> = (0..3).map(|q| question(n * 3 + q)).collect();
        json!({ "title": format!("Skill {n}"), "skill": format!("Skill {n}"), "minutes": 7, "questions": questions })
    };
    let level = |score: u32| json!({ "score": score, "shows": "Explains what was done, why, and what came of it, in their own words." });
    let rubric =
        |n: usize| json!({ "skill": format!("Skill {n}"), "mustHave": true, "scale": [level(1), level(3), level(5)] });
    let (sections, rubric): (Vec<_>, Vec<_>) = (0..4).map(|n| (section(n), rubric(n))).unzip();
    json!({ "sections": sections, "rubric": rubric, "warnings": [], "writtenBy": "bench" })
}

/// Of the straight line that fits the points best.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (over, under) = points
        .iter()
        .fold((0.0, 0.0), |(over, under), point| (over + (point.0 - x) * (point.1 - y), under + (point.0 - x).powi(2)));
    over / under
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_the_lines() {
        assert!((slope(&[(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)]) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_fixture_reads_as_what_it_is_meant_to_be() {
        let plan: maya_protocol::plan::Plan = serde_json::from_value(plan()).unwrap();
        assert_eq!(plan.questions().count(), 12);
        serde_json::from_value::<maya_protocol::interview::InterviewBrief>(complete_interview()).unwrap();
    }
}
