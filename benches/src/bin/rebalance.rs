//! What it costs when an interviewer leaves in good order and comes back: three interviewer processes on a real Kafka,
//! Redis and PostgreSQL, live sessions in which nobody speaks, without sockets. One process is told to stop (SIGTERM);
//! then another one is started.
//!
//! A trigger writes down each change of an owner. Of a session is measured from its release by the old owner to the
//! claim of the new one, and to the first message of the new one on `audio.agent.spoken` (it waits for that process to
//! read the turns and build the actors). Who lost a session gets no figures.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use clap::Parser;
use maya_benches::{
    figures::{self, Durations},
    listeners::{count_listening, follow, join, rows},
    site::{Maya, Site, database},
};
use maya_protocol::{
    bus::{
        SharedBus,
        kafka::{KafkaBus, KafkaSettings},
    },
    clock,
    ids::{Epoch, NodeId, SessionId},
    registry::{Registry, redis::RedisRegistry},
    topic::{Channel, Topic},
};
use maya_testkit::{Kafka, Redis};
use sqlx::{Connection as _, PgConnection};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long sessions may take to come to listen, or to move.
const PATIENCE: Duration = Duration::from_secs(120);
/// No session has moved for this long: all is settled. Longer than a node's record lives and its list is read.
const SETTLED: Duration = Duration::from_secs(5);
/// Candidates who join at once.
const AT_ONCE: usize = 50;

/// Measures a leave and a coming.
#[derive(Parser)]
struct Args {
    /// Live sessions on the three.
    #[arg(long, default_value_t = 1000)]
    sessions: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let clock = clock::system();
    let (kafka, redis) = tokio::join!(Kafka::start(), Redis::start());
    let (_folder, postgres) = database(true).await?;
    let mut site = Site::new()?;
    site.on_parts(postgres.url(), &redis.url());
    // nobody speaks: that must not end the interviews
    site.set("MAYA_INTERVIEW__SILENCE_SECONDS", 3600);
    site.on_kafka(&kafka)?;
    let mut nodes = Vec::new();
    for number in 0..3 {
        nodes.push(site.serve_apart(&format!("interviewer-{number}"), "interviewer").await?);
    }

    let settings = KafkaSettings { brokers: kafka.plaintext.clone(), ..KafkaSettings::default() };
    let bus: SharedBus = KafkaBus::connect(settings).await?;
    let stop = CancellationToken::new();
    let (spoke, mut spoken) = watch::channel(Spoken::new());
    let now = clock.clone();
    follow(&bus, stop.clone(), move |message| {
        let at = now.utc();
        spoke.send_if_modified(|spoken| {
            let before = spoken.len();
            spoken.entry((message.session, message.epoch)).or_insert(at);
            spoken.len() > before
        });
    })
    .await?;
    let mut listening = count_listening(&bus, stop.clone()).await?;
    let partitions = bus.partitions(Channel::Main(Topic::CandidateSpoken)).await?;
    let (tenant, sessions) = rows(postgres.url(), args.sessions, partitions).await?;
    let mut moves = Moves::watch(postgres.url()).await?;
    let registry = RedisRegistry::connect(&redis.url(), "development")?;
    let edge = NodeId::fresh();
    for (number, &session) in sessions.iter().enumerate() {
        let mut message = join(tenant, session, partitions, &clock);
        let put = registry.put_socket(session, &edge, message.connection, Duration::from_secs(3600));
        message.stream = put.await?.0;
        bus.send(message.to_record())?;
        let come = listening.wait_for(|listening| *listening + AT_ONCE > number);
        tokio::time::timeout(PATIENCE, come).await.context("not every session came to listen")??;
    }
    let come = listening.wait_for(|listening| *listening == args.sessions);
    tokio::time::timeout(PATIENCE, come).await.context("not every session came to listen")??;
    moves.settle().await?;
    println!("{} sessions listen on three nodes ({}); load {}", args.sessions, moves.spread().await?, figures::load());

    let victim = nodes.remove(0);
    let gone = victim.node().to_owned();
    let (owned, from) = (moves.of(&gone).await?, clock.utc());
    ensure!(owned > 0, "the one that is to leave has no session");
    let began = clock.now();
    victim.stop().await?;
    let ended = clock.now() - began;
    ensure!(moves.of(&gone).await? == 0, "it has gone and still owns sessions");
    moves.settle().await?;
    let left = moves.since(from).await?;
    println!("{} -> 2 nodes: {} sessions of the one that was stopped", nodes.len() + 1, owned);
    report(&left, from, &mut spoken).await?;
    println!("  the process was gone after {:.2} s", ended.as_secs_f64());
    moves.none_is_lost(args.sessions, &nodes).await?;

    let from = clock.utc();
    nodes.push(site.serve_apart("interviewer-3", "interviewer").await?);
    let ready = clock.utc();
    moves.settle().await?;
    let came = moves.since(from).await?;
    println!("2 -> 3 nodes: the new one was ready after {:.2} s", seconds(from, ready));
    report(&came, ready, &mut spoken).await?;
    moves.none_is_lost(args.sessions, &nodes).await?;
    println!("no session was lost; {}; load {}", moves.spread().await?, figures::load());

    stop.cancel();
    bus.close().await;
    for node in nodes.into_iter().rev() {
        // the last one has nobody to give its sessions to
        node.stop().await?;
    }
    postgres.stop().await?;
    Ok(())
}

/// When an owner was first heard.
type Spoken = HashMap<(SessionId, Epoch), DateTime<Utc>>;

/// A change of a session's owner.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Move {
    session: Uuid,
    owner: Option<String>,
    epoch: i64,
    at: DateTime<Utc>,
}

/// A session that was given to another node.
#[derive(Debug, Clone, PartialEq)]
struct Given {
    session: SessionId,
    epoch: Epoch,
    released: DateTime<Utc>,
    claimed: DateTime<Utc>,
}

/// Each release with the claim that followed, in the order of the claims; and how many were claimed without one.
fn given(moves: &[Move]) -> (Vec<Given>, usize) {
    let mut released = HashMap::new();
    let (mut given, mut seized) = (Vec::new(), 0);
    for Move { session, owner, epoch, at } in moves {
        if owner.is_none() {
            released.insert(*session, *at);
        } else if let Some(released) = released.remove(session) {
            let (session, epoch) = (SessionId(*session), Epoch(*epoch as u64));
            given.push(Given { session, epoch, released, claimed: *at });
        } else {
            seized += 1;
        }
    }
    (given, seized)
}

fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).to_std().unwrap_or_default().as_secs_f64()
}

async fn report(moves: &[Move], from: DateTime<Utc>, spoken: &mut watch::Receiver<Spoken>) -> Result<()> {
    let (given, seized) = given(moves);
    let between = |from: DateTime<Utc>, to: DateTime<Utc>| (to - from).to_std().unwrap_or_default();
    let mut owned: Durations = given.iter().map(|one| between(one.released, one.claimed)).collect();
    // of one that has moved on meanwhile the first owner may never have said anything
    let last: HashMap<SessionId, Epoch> = given.iter().map(|one| (one.session, one.epoch)).collect();
    let all = spoken.wait_for(|spoken| last.iter().all(|(session, epoch)| spoken.contains_key(&(*session, *epoch))));
    let spoke = tokio::time::timeout(PATIENCE, all).await.context("a session never spoke again")??;
    let speaks = given.iter().filter_map(|one| Some((one, spoke.get(&(one.session, one.epoch))?)));
    let mut speaks: Durations = speaks.map(|(one, at)| between(one.released, *at)).collect();
    let last = given.last().map_or(0.0, |last| seconds(from, last.claimed));
    println!("  {} were given away, the last of them had its new owner after {last:.2} s", given.len());
    if seized > 0 {
        println!("  {seized} more were claimed without being given away");
    }
    println!("  without an owner: {}", owned.summary());
    println!("  from the release to the new owner's first message: {}", speaks.summary());
    Ok(())
}

/// What the placements say, and said.
struct Moves(PgConnection);

impl Moves {
    /// From here on each change of an owner is written down.
    async fn watch(url: &str) -> Result<Self> {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(
            "create unlogged table public.bench_moves (session uuid, owner text, epoch bigint, at timestamptz);
             create function public.bench_move() returns trigger language plpgsql security definer as $$
             begin
                 insert into public.bench_moves values (new.session_id, new.owner, new.epoch, clock_timestamp());
                 return null;
             end $$;
             create trigger bench_move after update of owner on placements for each row
             when (old.owner is distinct from new.owner) execute function public.bench_move()",
        )
        .execute(&mut connection)
        .await?;
        Ok(Self(connection))
    }
    async fn since(&mut self, from: DateTime<Utc>) -> Result<Vec<Move>> {
        let all = "select session, owner, epoch, at from public.bench_moves where at >= $1 order by at";
        Ok(sqlx::query_as(all).bind(from).fetch_all(&mut self.0).await?)
    }
    /// Waits until no session has moved for a while.
    async fn settle(&mut self) -> Result<()> {
        let moved = "select count(*) from public.bench_moves where at > clock_timestamp() - make_interval(secs => $1)";
        let settled = async {
            // what has just begun has not moved anything yet
            tokio::time::sleep(SETTLED).await;
            loop {
                let query = sqlx::query_scalar::<_, i64>(moved).bind(SETTLED.as_secs_f64());
                if query.fetch_one(&mut self.0).await? == 0 {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.context("sessions move without end")?
    }
    /// How many sessions a node owns.
    async fn of(&mut self, node: &str) -> Result<i64> {
        let count = "select count(*) from placements where state = 'LIVE' and owner = $1";
        Ok(sqlx::query_scalar(count).bind(node).fetch_one(&mut self.0).await?)
    }
    /// Sessions of each node.
    async fn spread(&mut self) -> Result<String> {
        let spread = "select coalesce(owner, 'nobody'), count(*) from placements where state = 'LIVE' group by 1";
        let spread: Vec<(String, i64)> = sqlx::query_as(spread).fetch_all(&mut self.0).await?;
        let spread: BTreeMap<String, i64> = spread.into_iter().collect();
        Ok(spread.into_values().map(|count| count.to_string()).collect::<Vec<_>>().join(" + "))
    }
    /// Every session lives, on one of these.
    async fn none_is_lost(&mut self, sessions: usize, nodes: &[Maya]) -> Result<()> {
        let nodes: Vec<&str> = nodes.iter().map(Maya::node).collect();
        let live = "select count(*) from placements where state = 'LIVE' and owner = any($1)";
        let live: i64 = sqlx::query_scalar(live).bind(nodes).fetch_one(&mut self.0).await?;
        ensure!(live as usize == sessions, "{} sessions were lost", sessions as i64 - live);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_and_the_next_claim_are_one_move() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let at = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap();
        let moved = |session, owner: Option<&str>, epoch, ms| Move {
            session,
            owner: owner.map(str::to_owned),
            epoch,
            at: at(ms),
        };
        let moves = [
            moved(one, Some("a"), 1, 0),
            moved(two, None, 4, 5),
            moved(one, None, 1, 10),
            moved(one, Some("b"), 2, 30),
            moved(two, Some("b"), 5, 40),
        ];
        let is = |session, epoch, released, claimed| Given {
            session: SessionId(session),
            epoch: Epoch(epoch),
            released: at(released),
            claimed: at(claimed),
        };
        assert_eq!(given(&moves), (vec![is(one, 2, 10, 30), is(two, 5, 5, 40)], 1));
    }
}
