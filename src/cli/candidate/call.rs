//! The connection under a conversation: opened, lost, and opened again with the same token, at whichever edge answers.

use super::{Candidate, link, microphone::TICK_MS, report::Report, talk::Talk};
use anyhow::Context as _;
use futures::{SinkExt as _, StreamExt as _};
use maya_protocol::{clock::SharedClock, wire::Up};
use std::time::Duration;
use tokio::{
    net::TcpStream,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};
use url::Url;

const CONNECT: Duration = Duration::from_secs(15);
/// The same where another edge can be tried.
const CONNECT_AGAIN: Duration = Duration::from_secs(3);
/// The first pause between two attempts; it doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// An edge pings every 15 s: one of which nothing comes for so long is not there, whatever TCP says.
const SILENCE: Duration = Duration::from_secs(20);
const LARGEST: usize = 16 << 20;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(super) async fn hold(candidate: Candidate, clock: SharedClock) -> anyhow::Result<Report> {
    let link = link::parse(&candidate.join)?;
    let mut doors = vec![link.socket.clone()];
    for edge in &candidate.edges {
        doors.push(link.through(edge)?);
    }
    let patience = candidate.reconnect_for;
    let mut at = 0;
    let mut socket = match open(&doors[at], CONNECT).await {
        // who knows of no other edge is told at once
        Err(error) if doors.len() > 1 && !error.is::<Refused>() => {
            timeout(patience, reach(&doors, &mut at)).await.ok().flatten().ok_or(error)?
        }
        opened => opened?,
    };
    let mut talk = Talk::new(candidate, link.session, clock.clone());
    loop {
        let code = converse(&mut talk, socket, &doors[at]).await?;
        if !talk.parted(code) {
            break;
        }
        let Ok(Some(found)) = timeout(patience, reach(&doors, &mut at)).await else { break };
        socket = found;
    }
    Ok(talk.finish())
}

/// Tries one edge after the other, the one that was lost last of all, until one answers; none where one says no.
async fn reach(doors: &[Url], at: &mut usize) -> Option<Socket> {
    let mut pause = PAUSE;
    loop {
        for _ in 0..doors.len() {
            *at = (*at + 1) % doors.len();
            match open(&doors[*at], CONNECT_AGAIN).await {
                Ok(socket) => return Some(socket),
                Err(error) if error.is::<Refused>() => return None,
                Err(_) => {}
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The token is good for nothing there: waiting cures nothing.
#[derive(Debug, thiserror::Error)]
#[error("the join was refused: {0}")]
struct Refused(tungstenite::http::StatusCode);

async fn open(door: &Url, patience: Duration) -> anyhow::Result<Socket> {
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    let connect = tokio_tungstenite::connect_async_with_config(door.as_str(), Some(config), true);
    // the error names neither the address nor the token in it
    let (socket, _) =
        timeout(patience, connect).await.context("joining took too long")?.map_err(|error| match error {
            tungstenite::Error::Http(response) if response.status().is_client_error() => {
                Refused(response.status()).into()
            }
            tungstenite::Error::Http(response) => {
                anyhow::anyhow!("the edge cannot take anybody in: {}", response.status())
            }
            tungstenite::Error::Io(error) => anyhow::Error::new(error).context("the edge does not answer"),
            other => anyhow::anyhow!("the edge speaks no WebSocket there: {other}"),
        })?;
    Ok(socket)
}

/// Talks until the connection ends; its close code.
async fn converse(talk: &mut Talk, socket: Socket, door: &Url) -> anyhow::Result<Option<u16>> {
    let (mut up, mut down) = socket.split();
    let edge = format!("{}:{}", door.host_str().unwrap_or_default(), door.port_or_known_default().unwrap_or_default());
    let consent = talk.joined(edge);
    // a socket that is closed under us is told by its other half
    let _ = up.send(text(&consent)?).await;
    let mut ticks = interval(Duration::from_millis(TICK_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut code = None;
    let silence = tokio::time::sleep(SILENCE);
    tokio::pin!(silence);
    loop {
        tokio::select! {
            message = down.next() => {
                silence.set(tokio::time::sleep(SILENCE));
                match message {
                    Some(Ok(Message::Text(text))) => talk.receive(&text)?,
                    Some(Ok(Message::Close(frame))) => {
                        code = frame.map(|frame| frame.code.into());
                        break;
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                }
            },
            () = &mut silence => break,
            _ = ticks.tick() => {
                if talk.is_over() {
                    break;
                }
                for message in talk.tick() {
                    // a peer that takes nothing any more must not keep us from noticing it
                    if !matches!(timeout(SILENCE, up.send(text(&message)?)).await, Ok(Ok(()))) {
                        break;
                    }
                }
            }
        }
    }
    let _ = timeout(CONNECT_AGAIN, up.close()).await;
    Ok(code)
}

fn text(message: &Up) -> anyhow::Result<Message> {
    Ok(Message::text(serde_json::to_string(message)?))
}
