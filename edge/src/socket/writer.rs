//! The one task that writes to a socket.

use super::outbox::Item;
use crate::{Shared, connection::Connection, metric};
use fastwebsockets::{Frame, OpCode, Payload, Role, after_handshake_split};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncWrite, empty},
    time::{MissedTickBehavior, interval_at, timeout},
};

/// Writes what the outbox has and a ping now and then; returns why it ended.
pub(super) async fn run<W: AsyncWrite + Unpin>(
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    write_half: W,
) -> &'static str {
    let (_, mut socket) = after_handshake_split(empty(), write_half, Role::Server);
    let mut pings = pings(shared.settings.ping_every);
    loop {
        let item = tokio::select! {
            biased;
            item = connection.outbox.next() => Some(item),
            _ = pings.tick() => None,
        };
        let (frame, bytes) = match &item {
            None => (Frame::new(true, OpCode::Ping, None, Payload::Borrowed(b"")), 0),
            Some(Item::Whole(turn, sentence)) => {
                connection.written(*turn, *sentence);
                continue;
            }
            Some(Item::BargedIn(decided_at)) => {
                let took = (shared.clock.utc() - *decided_at).to_std().unwrap_or_default();
                metrics::histogram!(metric::BARGE_IN).record(took);
                continue;
            }
            Some(Item::Text { text, .. }) => (Frame::text(Payload::Borrowed(text.as_bytes())), text.len()),
            Some(Item::Pong(payload)) => (Frame::pong(Payload::Borrowed(payload)), payload.len()),
            Some(Item::Close { code, reason }) => (Frame::close(*code, reason.as_bytes()), 0),
        };
        let written = async {
            socket.write_frame(frame).await?;
            socket.flush().await
        };
        match timeout(shared.settings.stall_limit, written).await {
            Err(_) => return "never_reads",
            Ok(Err(_)) => return "write_failed",
            Ok(Ok(())) => {}
        }
        metrics::counter!(metric::FRAMES, "direction" => "down").increment(1);
        metrics::counter!(metric::BYTES, "direction" => "down").increment(bytes as u64);
        match item {
            Some(Item::Close { .. }) => return "closed",
            Some(Item::Text { since: Some(since), .. }) => {
                let took = shared.clock.now().saturating_duration_since(since);
                metrics::histogram!(metric::BUS_TO_SOCKET).record(took);
            }
            _ => {}
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "an interval begins at tokio's own time")]
fn pings(every: Duration) -> tokio::time::Interval {
    let mut pings = interval_at(tokio::time::Instant::now() + every, every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}
