//! One blow: waits for its moment, finds its victim, strikes, and sees to it that all is made whole again.

use super::{
    Shared,
    schedule::{Blow, Kind, Nuisance, Way},
};
use crate::report::{Bother, Fault};
use std::{sync::Arc, time::Duration};

/// A moment that does not come by then is not waited for.
const MOMENT: Duration = Duration::from_secs(45);
const LOOK: Duration = Duration::from_millis(3);
/// A victim that is alone is spared until another is back; this long at most.
const SPARE: Duration = Duration::from_secs(60);

/// Strikes once, and rests.
pub(super) async fn strike(shared: &Arc<Shared>, blow: &Blow) {
    for fallen in shared.fleet.fallen() {
        again(shared, fallen, Duration::ZERO);
    }
    let seat = moment(shared, blow).await;
    let watched = shared.seats[seat].lock().clone();
    let phase = watched.phase();
    let ms = blow.down_ms;
    let down = Duration::from_millis(ms);
    let (victim, hit) = match blow.kind {
        Kind::Kafka => (broker(shared, blow.pick % 3, down), Vec::new()),
        Kind::Redis => (redis(shared, down).await, Vec::new()),
        kind => {
            let victim = victim(shared, kind, seat, blow.pick).await;
            let hit = sessions_on(shared, victim).await;
            if !shared.fleet.kill(victim) {
                shared.complain(format!("{} was down already", shared.fleet.name(victim)));
            }
            again(shared, victim, down);
            (shared.fleet.name(victim).to_owned(), hit)
        }
    };
    let seen_ms = shared.now();
    let name = phase.map_or_else(|| "nothing".to_owned(), |phase| phase.to_string());
    eprintln!("{:7.1} s  kill {victim} in {name}, for {ms} ms", seen_ms as f64 / 1000.0);
    let fault = Fault { seen_ms, kind: blow.kind, victim, phase, wanted: blow.phase, hit, down_ms: ms };
    shared.faults.lock().push(fault);
    if let Some((after, what)) = blow.besides {
        let (shared, pick) = (shared.clone(), blow.pick);
        let healing = shared.healing.clone();
        healing.spawn(async move {
            tokio::time::sleep(Duration::from_millis(after)).await;
            bother(&shared, what, seat, pick).await;
        });
    }
    tokio::time::sleep(Duration::from_millis(blow.rest_ms)).await;
}

/// Waits until an interview is in the phase, and so long in it; which seat.
async fn moment(shared: &Shared, blow: &Blow) -> usize {
    let seats = shared.seats.len();
    let first = blow.pick % seats;
    let in_phase = |seat: usize| shared.seats[seat].lock().phase() == Some(blow.phase);
    let wait = async {
        let mut after = Duration::from_millis(blow.after_ms);
        loop {
            let Some(seat) = (0..seats).map(|at| (first + at) % seats).find(|seat| in_phase(*seat)) else {
                tokio::time::sleep(LOOK).await;
                continue;
            };
            let began = shared.clock.now();
            while in_phase(seat) && shared.clock.now() - began < after {
                tokio::time::sleep(LOOK).await;
            }
            if in_phase(seat) {
                return seat;
            }
            // the phase does not last so long
            after /= 2;
        }
    };
    tokio::time::timeout(MOMENT, wait).await.unwrap_or(first)
}

/// Who of a kind serves that seat; who of them comes by the draw, where nobody does.
async fn victim(shared: &Shared, kind: Kind, seat: usize, pick: usize) -> usize {
    let began = shared.clock.now();
    while shared.fleet.alive(kind) < 2 && shared.clock.now() - began < SPARE {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let watched = shared.seats[seat].lock().clone();
    let served = match kind {
        Kind::Interviewer => match &watched.session {
            Some(session) => owner(shared, session).await,
            None => None,
        },
        Kind::Edge => watched.edge().and_then(|edge| edge_at(shared, edge)),
        _ => None,
    };
    let places = shared.fleet.of(kind);
    served.unwrap_or(places[pick % places.len()])
}

async fn owner(shared: &Shared, session: &str) -> Option<usize> {
    let owner = sqlx::query_scalar::<_, Option<String>>("select owner from placements where session_id = $1::uuid")
        .bind(session)
        .fetch_optional(&shared.parts.database)
        .await;
    shared.fleet.with_node(&owner.ok()???)
}

fn edge_at(shared: &Shared, address: &str) -> Option<usize> {
    let door = shared.parts.edges.iter().find(|(_, door)| address.ends_with(&format!(":{door}")))?;
    shared.fleet.of(Kind::Edge).into_iter().find(|at| shared.fleet.member(*at).port == Some(door.0))
}

/// The interviews that a process serves.
async fn sessions_on(shared: &Shared, victim: usize) -> Vec<String> {
    let mut found = Vec::new();
    for seat in &shared.seats {
        let seat = seat.lock().clone();
        let serves = match shared.fleet.member(victim).kind {
            Kind::Interviewer => match &seat.session {
                Some(session) => owner(shared, session).await == Some(victim),
                None => false,
            },
            Kind::Edge => seat.edge().and_then(|edge| edge_at(shared, edge)) == Some(victim),
            _ => false,
        };
        found.extend(seat.interview.filter(|_| serves));
    }
    found
}

/// Starts a process again after a while.
fn again(shared: &Arc<Shared>, at: usize, after: Duration) {
    let (shared, healing) = (shared.clone(), shared.healing.clone());
    healing.spawn(async move {
        tokio::time::sleep(after).await;
        if let Err(error) = shared.fleet.begin(at).await {
            shared.complain(format!("{} does not start again: {error:#}", shared.fleet.name(at)));
        }
    });
}

/// Kills a broker, once the one before it is whole again.
fn broker(shared: &Arc<Shared>, number: usize, down: Duration) -> String {
    let (shared, healing) = (shared.clone(), shared.healing.clone());
    healing.spawn(async move {
        let mut kafka = shared.parts.kafka.lock().await;
        kafka.kill(number);
        tokio::time::sleep(down).await;
        kafka.begin(number);
        kafka.until_ready(number).await;
    });
    format!("kafka-{number}")
}

/// Kills the registry.
async fn redis(shared: &Arc<Shared>, down: Duration) -> String {
    let keeper = shared.clone();
    let (killed, is_killed) = tokio::sync::oneshot::channel();
    shared.healing.spawn(async move {
        let mut redis = keeper.parts.redis.lock().await;
        redis.kill();
        let _ = killed.send(());
        tokio::time::sleep(down).await;
        redis.restart().await;
    });
    let _ = is_killed.await;
    "redis".to_owned()
}

async fn bother(shared: &Shared, what: Nuisance, seat: usize, pick: usize) {
    let seen_ms = shared.now();
    eprintln!("{:7.1} s  besides: {what:?}", seen_ms as f64 / 1000.0);
    shared.bothers.lock().push(Bother { seen_ms, ms: what.ms() });
    match what {
        Nuisance::Flush => shared.parts.redis.lock().await.flush().await,
        Nuisance::Freeze { kind, ms } => {
            let victim = victim(shared, kind, seat, pick).await;
            shared.fleet.freeze(victim, Duration::from_millis(ms)).await;
        }
        Nuisance::Cut { way, harm, ms } => {
            let Some(links) = &shared.parts.links else { return };
            let name = match way {
                Way::ToEdge => format!("edge-{}", pick % shared.parts.edges.len()),
                Way::ToKafka => format!("kafka-{}", pick % 3),
                Way::ToRedis => "redis".to_owned(),
                Way::ToPostgres => "postgres".to_owned(),
            };
            // a way that is harmed already is harmed enough
            if links.harm(&name, harm).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                if let Err(error) = links.heal(&name).await {
                    shared.complain(format!("{name} stays harmed: {error:#}"));
                }
            }
        }
    }
}
