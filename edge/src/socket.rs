//! One socket's life: registered, read by one task, written by another, watched by this one, signed off.

pub(crate) mod outbox;
mod reader;
mod writer;

use crate::{Shared, admission::Admitted, connection::Connection, metric, publisher::Publisher};
use fastwebsockets::WebSocket;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use maya_protocol::{
    audio::{CandidateBody, ErrorCode},
    ids::{ConnectionId, SessionId},
    registry::SocketRecord,
    session::{LiveState, Phase},
    trace,
    wire::Down,
};
use reader::Heard;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// How long either task may take to end after the other has.
const PARTING: Duration = Duration::from_secs(2);

type Socket = WebSocket<TokioIo<Upgraded>>;

/// Carries a socket from its upgrade to its end.
pub(crate) async fn run(shared: Arc<Shared>, admitted: Admitted, socket: Socket) {
    let claims = &admitted.claims;
    let (generation, id) = register(&shared, &admitted).await;
    let (limit, clock) = (shared.settings.queue_bytes, shared.clock.clone());
    let ids = (claims.session, claims.tenant, claims.partition);
    let (bus, numbers) = (shared.bus.clone(), (id, generation));
    let publisher = Arc::new(Publisher::new(bus, clock.clone(), &shared.settings, ids, numbers));
    let connection = Arc::new(Connection::new(claims.session, numbers, publisher.clone(), limit, clock.clone()));
    tracing::info!(session.id = %claims.session, connection.id = %id, generation, "socket opened");
    metrics::gauge!(metric::SOCKETS).increment(1);

    let heard = Heard::new(clock.clone());
    let (mut read_half, write_half) = tokio::io::split(socket.into_inner());
    let mut writer = tokio::spawn(trace::carry(writer::run(shared.clone(), connection.clone(), write_half)));
    let reason = if admitted.live.as_ref().is_some_and(|live| live.phase == Phase::Ended) {
        connection.error(ErrorCode::SessionEnded, "the interview is over", false);
        say_ended(&connection);
        reader::drain(&mut read_half).await;
        part(&mut writer).await;
        "ended_before"
    } else {
        if let Some(loser) = shared.hub.insert(connection.clone()) {
            loser.replace();
        }
        let reason = if publisher.publish_surely(CandidateBody::Joined).await.is_ok() {
            let reading = reader::run(shared.clone(), connection.clone(), publisher.clone(), heard.clone(), read_half);
            let mut reader = tokio::spawn(trace::carry(reading));
            let sides = (&mut reader, &mut writer);
            let reason = watch(&shared, &admitted, &connection, &publisher, &heard, sides).await;
            part(&mut reader).await;
            reason
        } else {
            connection.error(ErrorCode::Overloaded, "the interview cannot be reached now", true);
            connection.outbox.close(1013, "overloaded");
            reader::drain(&mut read_half).await;
            "unreachable"
        };
        part(&mut writer).await;
        shared.hub.remove(&connection);
        let _ = publisher.publish_surely(CandidateBody::Left).await;
        let _ = shared.registry.remove_socket(claims.session, generation).await;
        reason
    };
    metrics::gauge!(metric::SOCKETS).decrement(1);
    metrics::counter!(metric::ENDED, "reason" => reason).increment(1);
    tracing::info!(session.id = %claims.session, connection.id = %id, reason, "socket closed");
}

/// Gives a task a moment to end by itself, then ends it.
async fn part(task: &mut JoinHandle<&'static str>) {
    if !task.is_finished() && tokio::time::timeout(PARTING, &mut *task).await.is_err() {
        task.abort();
        let _ = task.await;
    }
}

/// Takes the session's next generation, and tells the edge of the socket that loses it.
async fn register(shared: &Arc<Shared>, admitted: &Admitted) -> (u64, ConnectionId) {
    let (session, id) = (admitted.claims.session, ConnectionId::fresh());
    for attempt in 1..=3u64 {
        let put = shared.registry.put_socket(session, &shared.node, id, shared.settings.socket_ttl);
        match tokio::time::timeout(Duration::from_secs(1), put).await {
            Ok(Ok((generation, replaced))) => {
                if let Some(old) = replaced.filter(|old| old.edge != shared.node) {
                    let shared = shared.clone();
                    tokio::spawn(trace::carry(async move { tell_replaced(&shared, session, old, generation).await }));
                }
                return (generation, id);
            }
            Ok(Err(error)) => tracing::warn!(%error, "could not register a socket"),
            Err(_) => tracing::warn!("could not register a socket in time"),
        }
        tokio::time::sleep(Duration::from_millis(100 * attempt)).await;
    }
    // No registry takes a session away from its candidate. The wall clock gives a number above any counted one, and
    // the refresh writes it when the registry is back.
    (shared.clock.utc().timestamp_millis().unsigned_abs(), id)
}

async fn tell_replaced(shared: &Shared, session: SessionId, old: SocketRecord, generation: u64) {
    // A lost call costs a third of the record's life: then the other edge sees the newer generation by itself.
    if let Some(address) = shared.nodes.lately(&old.edge)
        && let Err(error) = shared.peers.replaced(&address, session, generation).await
    {
        tracing::debug!(%error, "could not tell a peer of a replaced socket");
    }
}

/// The interview is over: says so as an interviewer would, without bothering one.
fn say_ended(connection: &Connection) {
    let session_id = connection.session;
    connection.say(&Down::State { session_id, state: Phase::Ended, reason: None, remaining_seconds: 0 });
    connection.outbox.close(1000, "the interview is over");
}

/// Watches over the two tasks until one ends, or the socket must.
async fn watch(
    shared: &Shared,
    admitted: &Admitted,
    connection: &Connection,
    publisher: &Publisher,
    heard: &Heard,
    (reader, writer): (&mut JoinHandle<&'static str>, &mut JoinHandle<&'static str>),
) -> &'static str {
    let settings = &shared.settings;
    let session = admitted.claims.session;
    let record =
        SocketRecord { edge: shared.node.clone(), connection: connection.id, generation: connection.generation };
    let mut look =
        tokio::time::interval(settings.stall_limit.min(settings.silence_limit).min(Duration::from_secs(4)) / 4);
    let mut refresh = tokio::time::interval(settings.socket_ttl / 3);
    refresh.reset();
    let waiting = tokio::time::sleep(settings.waiting_after);
    tokio::pin!(waiting);
    let mut join_again = tokio::time::interval(settings.join_again);
    join_again.reset();
    let (mut waited, mut seen_over) = (false, false);
    loop {
        tokio::select! {
            ended = &mut *reader => {
                connection.outbox.close(1000, "");
                return ended.unwrap_or("reader_failed");
            }
            ended = &mut *writer => {
                // Nobody will answer any more; what is still in the pipe is of no use.
                return ended.unwrap_or("writer_failed");
            }
            () = connection.kill.cancelled() => {
                reader.abort();
                writer.abort();
                return "killed";
            }
            () = &mut waiting, if !waited => {
                waited = true;
                if connection.phase().is_none() {
                    let remaining_seconds = remaining(shared, admitted).await;
                    connection.say(&Down::State {
                        session_id: session, state: Phase::Waiting, reason: None, remaining_seconds,
                    });
                }
            }
            // who was to answer the join, or kept its place in the queue, may be gone; a session that has it takes no notice
            _ = join_again.tick(), if matches!(connection.phase(), None | Some(Phase::Waiting)) => {
                publisher.tell(CandidateBody::Joined);
            }
            _ = look.tick() => {
                connection.look_for_trouble(shared);
                publisher.tell_quiet();
                let reason = if heard.silent_for() > settings.silence_limit {
                    "silent"
                } else if connection.outbox.full_for() > settings.stall_limit {
                    "never_reads"
                } else {
                    continue;
                };
                reader.abort();
                writer.abort();
                return reason;
            }
            _ = refresh.tick() => {
                match shared.registry.refresh_socket(session, &record, settings.socket_ttl).await {
                    Ok(true) => {}
                    Ok(false) => connection.replace(),
                    Err(error) => tracing::debug!(%error, "could not refresh a socket's record"),
                }
                // its last words may have been lost on their way; seen twice, they were
                let over = is_over(shared, session).await;
                if over && seen_over {
                    say_ended(connection);
                }
                seen_over = over;
            }
        }
    }
}

/// Whether the interviewer has said that the session is over.
async fn is_over(shared: &Shared, session: SessionId) -> bool {
    matches!(shared.registry.live(session).await, Ok(Some(LiveState { phase: Phase::Ended, .. })))
}

/// Interview time left, as far as an edge can know.
async fn remaining(shared: &Shared, admitted: &Admitted) -> u64 {
    let live = match &admitted.live {
        Some(live) => Some(live.clone()),
        None => shared.registry.live(admitted.claims.session).await.ok().flatten(),
    };
    let planned = u64::from(admitted.page.duration_minutes.unwrap_or_default()) * 60;
    live.map_or(planned, |LiveState { remaining_seconds, .. }| remaining_seconds)
}
