//! The one task that reads a socket. It never gives up a read half-way (`read_frame` is not cancel-safe): it is ended
//! with its socket, or not at all.

use crate::{
    Shared,
    connection::Connection,
    metric,
    publisher::{Behind, Publisher},
    uplink::{Outcome, Uplink},
};
use fastwebsockets::{Frame, OpCode, Role, WebSocketError, WebSocketRead, after_handshake_split};
use maya_protocol::{
    audio::{CandidateBody, ErrorCode},
    clock::SharedClock,
};
use parking_lot::Mutex;
use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf, sink};

/// How much of what a client still sends after a fatal error is read away, and for how long: closing on unread bytes
/// resets the connection, and the client would lose the error.
const DRAIN: (u64, Duration) = (64 << 20, Duration::from_secs(2));

/// When a socket was last heard.
#[derive(Clone)]
pub(super) struct Heard {
    at: Arc<Mutex<Instant>>,
    clock: SharedClock,
}

impl Heard {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { at: Arc::new(Mutex::new(clock.now())), clock }
    }
    pub(super) fn silent_for(&self) -> Duration {
        self.clock.now().saturating_duration_since(*self.at.lock())
    }
    fn now(&self) {
        *self.at.lock() = self.clock.now();
    }
}

/// A stream that notes when bytes come: a large frame on a slow line is not silence.
struct Listened<R> {
    inner: R,
    heard: Heard,
}

impl<R: AsyncRead + Unpin> AsyncRead for Listened<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.heard.now();
        }
        poll
    }
}

/// What a read came to.
enum Read {
    Text(String),
    Binary,
    Closed(&'static str),
    TooLarge,
}

/// Reads until the socket ends; returns why.
pub(super) async fn run<R: AsyncRead + Unpin + Send>(
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    publisher: Arc<Publisher>,
    heard: Heard,
    read_half: R,
) -> &'static str {
    let mut stream = Listened { inner: read_half, heard };
    let mut uplink = Uplink::new(connection.session, shared.settings.max_frame_bytes);
    let ended = {
        let (mut socket, _) = after_handshake_split(&mut stream, sink(), Role::Server);
        socket.set_auto_close(false);
        socket.set_auto_pong(false);
        let limit = shared.settings.max_large_frame_bytes;
        socket.set_max_message_size(limit + 1);
        loop {
            match read(&mut socket, &connection, limit).await {
                Read::Closed(reason) => break reason,
                Read::TooLarge => {
                    connection.error(ErrorCode::TooLarge, "the message is too large", false);
                    break "too_large";
                }
                Read::Binary => {
                    connection.error(ErrorCode::BadMessage, "binary frames belong to the maya.v2 subprotocol", false);
                }
                Read::Text(text) => {
                    let outcome = uplink.accept(&text);
                    if take(&connection, &publisher, &mut uplink, outcome).await == Some(ErrorCode::TooLarge) {
                        break "too_large";
                    }
                }
            }
        }
    };
    if ended == "too_large" {
        connection.outbox.close(1009, "too_large");
        drain(&mut stream).await;
    }
    ended
}

/// Reads away what a client still sends while its last frames are written.
pub(super) async fn drain<R: AsyncRead + Unpin>(stream: &mut R) {
    let (most, long) = DRAIN;
    let _ = tokio::time::timeout(long, tokio::io::copy(&mut stream.take(most), &mut sink())).await;
}

/// Publishes what a frame came to and answers what was wrong with it; returns the error it ended with, if any.
async fn take(
    connection: &Connection,
    publisher: &Publisher,
    uplink: &mut Uplink,
    outcome: Outcome,
) -> Option<ErrorCode> {
    for body in outcome.bodies {
        let start = matches!(body, CandidateBody::AudioStart { .. });
        let audio = start || matches!(body, CandidateBody::Audio { .. } | CandidateBody::Batch { .. });
        if let Err(Behind) = publisher.publish(body).await {
            if start {
                uplink.forget_stream();
            }
            let code = if audio { ErrorCode::AudioBacklog } else { ErrorCode::Overloaded };
            connection.error(code, "the message was dropped: too much is on its way", true);
        }
    }
    if let Some(video) = outcome.video
        && let Err(Behind) = publisher.publish_video(video).await
    {
        connection.error(ErrorCode::AudioBacklog, "the video was dropped: too much is on its way", true);
    }
    let refusal = outcome.refusal?;
    connection.error(refusal.code, refusal.message, false);
    Some(refusal.code)
}

/// Reads one whole message of at most `limit` bytes, however many frames it comes in; answers pings.
async fn read<R: AsyncRead + Unpin>(socket: &mut WebSocketRead<R>, connection: &Connection, limit: usize) -> Read {
    let mut parts: Option<(OpCode, Vec<u8>)> = None;
    loop {
        // Never called: pings and closes are answered here, through the outbox.
        let mut obliged = |_: Frame<'_>| -> Ready<Result<(), io::Error>> { ready(Ok(())) };
        let frame = match socket.read_frame(&mut obliged).await {
            Ok(frame) => frame,
            Err(WebSocketError::FrameTooLarge) => return Read::TooLarge,
            Err(WebSocketError::UnexpectedEOF | WebSocketError::IoError(_)) => return Read::Closed("lost"),
            Err(WebSocketError::InvalidUTF8) => return violation(connection, 1007),
            Err(_) => return violation(connection, 1002),
        };
        metrics::counter!(metric::FRAMES, "direction" => "up").increment(1);
        metrics::counter!(metric::BYTES, "direction" => "up").increment(frame.payload.len() as u64);
        let (opcode, whole) = match (frame.opcode, &mut parts) {
            (OpCode::Ping, _) => {
                connection.outbox.pong(frame.payload.to_vec());
                continue;
            }
            (OpCode::Pong, _) => continue,
            (OpCode::Close, _) => return Read::Closed("left"),
            (OpCode::Continuation, Some((opcode, whole))) => {
                if whole.len() + frame.payload.len() > limit {
                    return Read::TooLarge;
                }
                whole.extend_from_slice(&frame.payload);
                if !frame.fin {
                    continue;
                }
                (*opcode, std::mem::take(whole))
            }
            (OpCode::Text | OpCode::Binary, None) if !frame.fin => {
                parts = Some((frame.opcode, frame.payload.to_vec()));
                continue;
            }
            (OpCode::Text | OpCode::Binary, None) => (frame.opcode, frame.payload.to_vec()),
            _ => return violation(connection, 1002),
        };
        return match (opcode, String::from_utf8(whole)) {
            (OpCode::Binary, _) => Read::Binary,
            (_, Ok(text)) => Read::Text(text),
            (_, Err(_)) => violation(connection, 1007),
        };
    }
}

/// The client broke the WebSocket protocol itself; there is no going on.
fn violation(connection: &Connection, code: u16) -> Read {
    connection.outbox.close(code, "protocol error");
    Read::Closed("violation")
}
