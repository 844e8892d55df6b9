//! What live interviews cost: candidates on real sockets, each sending a frame of 100 ms all the time, speech or
//! silence, in a process of their own; voices and ears by script.
//!
//! A candidate speaks for six seconds, says that the turn is over, hears the reply out (about two seconds), and thinks
//! for up to four. Said are the CPU of each process of maya (PostgreSQL, broker and candidates apart) and the time from
//! the end of an answer to the first audio of the reply. A run in which an interview failed says nothing. With
//! `--barge-in` they speak over Maya as soon as she is heard, and the time from the session's decision to AGENT_CLEAR
//! at the socket is said, as the edge measured it (`maya_barge_in_seconds`).

use anyhow::{Context, Result, ensure};
use clap::Parser;
use maya_benches::{
    candidate,
    crowd::{self, Crowd, Orders, Outcome},
    figures::{self, Histogram},
    http::Connection,
    site::{Maya, Site, database},
};
use maya_protocol::clock;
use maya_testkit::{Kafka, Redis, free_ports};
use std::time::Duration;

const SENTENCE: &str = "I read the query plan, saw a full scan, and added an index. ";
/// Sentences of an answer: six seconds.
const SENTENCES: usize = 8;
/// A role each, with what is idle during an interview in one process.
const ROLES: [(&str, &str); 4] = [
    ("gateway", "gateway"),
    ("agents", "planner,assessor,recorder,notifier"),
    ("interviewer", "interviewer"),
    ("edge", "edge"),
];

/// Measures live interviews.
#[derive(Parser)]
struct Args {
    /// Interviews held at the same time.
    #[arg(long, default_value_t = 1000)]
    sessions: usize,
    /// How long is measured, after everyone was greeted.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How long they talk before.
    #[arg(long, default_value_t = 5)]
    settle: u64,
    /// Interviews that each candidate has, should one come to its end.
    #[arg(long, default_value_t = 1)]
    interviews: usize,
    /// The bus on a real Kafka (SASL_SSL, SCRAM-SHA-512), started from the cache on this machine.
    #[arg(long)]
    kafka: bool,
    /// Roles in processes of their own, over Kafka and Redis.
    #[arg(long)]
    roles: bool,
    /// The candidates speak over Maya.
    #[arg(long)]
    barge_in: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(crowd::ARGUMENT) {
        crowd::run().await;
        return Ok(());
    }
    let args = Args::parse();
    let clock = clock::system();
    let mut site = Site::new()?;
    let (_folder, postgres) = database(true).await?;
    site.set("MAYA_DATABASE__URL", postgres.url());
    let broker = if args.kafka || args.roles { Some(Kafka::start().await) } else { None };
    if let Some(broker) = &broker {
        site.on_kafka(broker)?;
    }
    let redis = if args.roles { Some(Redis::start().await) } else { None };
    if let Some(redis) = &redis {
        site.on_parts(postgres.url(), &redis.url());
    }
    let platform = Platform::start(&mut site, args.roles).await?;
    let (gateway, edge) = (platform.address("gateway")?, platform.address("edge")?);
    let key = site.tenant()?;

    let began = clock.now();
    let links = candidate::approved_many(&gateway, &key, args.sessions * args.interviews).await?;
    println!("{} interviews approved in {:.1} s", links.len(), (clock.now() - began).as_secs_f64());
    let orders = Orders {
        links: links.chunks(args.interviews.max(1)).map(<[String]>::to_vec).collect(),
        line: SENTENCE.repeat(if args.barge_in { 1 } else { SENTENCES }).trim_end().to_owned(),
        thinks_ms: if args.barge_in { 500 } else { 4_000 },
        interrupts: args.barge_in,
    };
    let began = clock.now();
    let mut crowd = Crowd::start(&orders)?;
    println!("all greeted after {:.1} s; load {}", (clock.now() - began).as_secs_f64(), figures::load());
    tokio::time::sleep(Duration::from_secs(args.settle)).await;

    let mut door = Connection::open(&edge, &key).await?;
    let barge_ins = async |door: &mut Connection| -> Result<Histogram> {
        Ok(Histogram::read(&door.metrics().await?, "maya_barge_in_seconds"))
    };
    let (barged_before, cpu_before) = (barge_ins(&mut door).await?, platform.cpu()?);
    let (crowd_before, busy_before) = (figures::cpu(crowd.pid())?, figures::busy());
    let began = clock.now();
    crowd.measure()?;
    tokio::time::sleep(Duration::from_secs(args.seconds)).await;
    let time = (clock.now() - began).as_secs_f64();
    let cpu_after = platform.cpu()?;
    let (crowd_used, busy) = (figures::cpu(crowd.pid())? - crowd_before, figures::busy() - busy_before);
    let barged = barge_ins(&mut door).await?.since(&barged_before);
    let outcome = crowd.end()?;

    let bus = if broker.is_some() { "Kafka" } else { "the embedded bus" };
    println!("{} sessions over {bus}, {time:.0} s, load {}:", args.sessions, figures::load());
    let mut all = 0.0;
    for ((name, before), (_, after)) in cpu_before.iter().zip(&cpu_after) {
        let used = (*after - *before).as_secs_f64();
        all += used;
        println!(
            "  {name}: {:.2} cores, {:.2} ms a session-second",
            used / time,
            per_session(used, time, args.sessions)
        );
    }
    println!(
        "  maya in all: {:.2} cores, {:.2} ms a session-second",
        all / time,
        per_session(all, time, args.sessions)
    );
    let crowd_used = crowd_used.as_secs_f64();
    let rest = busy.as_secs_f64() - all - crowd_used;
    println!("  candidates: {:.2} cores; everything else on the machine: {:.2} cores", crowd_used / time, rest / time);
    println!("  end of speech to first audio: {}", Outcome::durations(&outcome.added_us).summary());
    if outcome.late > 0 {
        println!("  {} frames were sent more than 100 ms late: the candidates themselves were held up", outcome.late);
    }
    if args.barge_in {
        println!("  barge-in, decision to AGENT_CLEAR at the socket: {}", barged.summary());
        println!(
            "  first frame over Maya to AGENT_CLEAR received: {}",
            Outcome::durations(&outcome.cleared_us).summary()
        );
        println!("  frames of a cleared turn after its AGENT_CLEAR: {}", outcome.after_clear);
    }
    ensure!(!outcome.added_us.is_empty(), "no turn was measured");
    drop(door);
    platform.stop().await?;
    postgres.stop().await?;
    Ok(())
}

/// CPU milliseconds a session and second.
fn per_session(cpu_seconds: f64, seconds: f64, sessions: usize) -> f64 {
    cpu_seconds * 1000.0 / seconds / sessions as f64
}

/// The processes of maya, by name.
struct Platform(Vec<(&'static str, Maya)>);

impl Platform {
    async fn start(site: &mut Site, apart: bool) -> Result<Self> {
        if !apart {
            return Ok(Self(vec![("maya", site.serve("").await?)]));
        }
        let [edge] = free_ports();
        site.set("MAYA_EDGE__LISTEN", format!("127.0.0.1:{edge}"));
        site.set("MAYA_EDGE__PUBLIC_URL", format!("http://127.0.0.1:{edge}"));
        let mut all = Vec::new();
        for (name, roles) in ROLES {
            all.push((name, site.serve_apart(name, roles).await?));
        }
        Ok(Self(all))
    }
    fn address(&self, role: &str) -> Result<String> {
        let found = self.0.iter().find_map(|(_, maya)| maya.address(role).ok());
        found.with_context(|| format!("{role} listens nowhere"))
    }
    /// CPU time of each so far.
    fn cpu(&self) -> Result<Vec<(&'static str, Duration)>> {
        self.0.iter().map(|(name, maya)| Ok((*name, figures::cpu(maya.pid())?))).collect()
    }
    async fn stop(self) -> Result<()> {
        for (_, maya) in self.0.into_iter().rev() {
            maya.stop().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_a_session_and_second() {
        assert_eq!(per_session(30.0, 60.0, 1000), 0.5);
    }
}
