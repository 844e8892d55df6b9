//! Candidates of measurements: their interviews, made and approved over the API, their speech, and their sockets.

use crate::{http::Connection, site::complete_interview};
use anyhow::{Context, Result, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::{
    SinkExt, StreamExt, TryStreamExt,
    stream::{self, SplitSink, SplitStream},
};
use maya_protocol::clock::SharedClock;
use maya_providers::testing::modem;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    time::{Duration, Instant},
};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

const INTERVIEWS: &str = "/api/v1/integration/interviews";
const RATE: u32 = 16_000;
/// How often a candidate sends a frame of audio.
pub const FRAME: Duration = Duration::from_millis(100);
/// Bytes of such a frame.
const FRAME_BYTES: usize = 3_200;
/// Interviews that are made at once.
const AT_ONCE: usize = 16;
/// Something must come from Maya within.
const PATIENCE: Duration = Duration::from_secs(60);

/// The join link of an interview whose plan was approved.
pub async fn approved(gateway: &mut Connection) -> Result<String> {
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

/// The join links of so many, made beside one another.
pub async fn approved_many(gateway: &str, key: &str, count: usize) -> Result<Vec<String>> {
    let makers = (0..AT_ONCE.min(count)).map(|maker| async move {
        let mut connection = Connection::open(gateway, key).await?;
        let mut links = Vec::new();
        for _ in (maker..count).step_by(AT_ONCE) {
            links.push(approved(&mut connection).await?);
        }
        anyhow::Ok(links)
    });
    let made: Vec<Vec<String>> = stream::iter(makers).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(made.concat())
}

/// Frames of an utterance, silence up to the end of the last one; ready to be sent by any candidate.
pub fn speech(text: &str) -> Vec<Message> {
    let samples = modem::encode(text, RATE, modem::MS_PER_CHARACTER);
    let mut pcm: Vec<u8> = samples.into_iter().flat_map(i16::to_le_bytes).collect();
    pcm.resize(pcm.len().next_multiple_of(FRAME_BYTES), 0);
    pcm.chunks(FRAME_BYTES).map(frame).collect()
}

/// A frame in which nobody speaks.
pub fn silence() -> Message {
    frame(&[0; FRAME_BYTES])
}

fn frame(pcm: &[u8]) -> Message {
    let data = BASE64_STANDARD.encode(pcm);
    Message::text(json!({"type": "AUDIO", "streaming": "chunk", "data": data}).to_string())
}

/// The candidate begins to stream.
pub fn start() -> Message {
    Message::text(
        json!({"type": "AUDIO", "streaming": "start", "encoding": "LINEAR16", "sampleRate": RATE}).to_string(),
    )
}

/// The candidate says that the turn is over.
pub fn end() -> Message {
    Message::text(json!({"type": "AUDIO", "streaming": "end"}).to_string())
}

/// A candidate's open socket.
pub struct Socket {
    up: SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>,
    down: SplitStream<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    clock: SharedClock,
}

/// What came from Maya, and when.
#[derive(Debug)]
pub struct Heard {
    /// By this process's clock, before it was read.
    pub at: Instant,
    /// What it is.
    pub what: What,
}

/// What came from Maya.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// She does something else now, e.g. `LISTENING`.
    State(String),
    /// A frame of her speech.
    Speech {
        /// The frame's turn.
        turn: String,
        /// The frame's sentence.
        sentence: u32,
        /// Of its audio; 0 where it has none.
        ms: u64,
    },
    /// What is not yet played of that turn is dropped.
    Clear(String),
    /// Anything that measurements do not care for.
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Down<'a> {
    r#type: Cow<'a, str>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    turn_id: Option<String>,
    #[serde(default)]
    sentence: u32,
    #[serde(default, borrow)]
    data: Option<Cow<'a, str>>,
}

impl What {
    /// Reads a frame; an `ERROR` is one.
    fn read(text: &str) -> Result<Self> {
        let down: Down<'_> = serde_json::from_str(text)?;
        let turn = down.turn_id.unwrap_or_default();
        Ok(match &*down.r#type {
            "STATE" => Self::State(down.state.unwrap_or_default()),
            "AGENT_RESPONSE" => {
                // base64 of PCM, 24 kHz
                let ms = down.data.map_or(0, |data| data.len() as u64 * 3 / 4 / 48);
                Self::Speech { turn, sentence: down.sentence, ms }
            }
            "AGENT_CLEAR" => Self::Clear(turn),
            "ERROR" => bail!("{text}"),
            _ => Self::Other,
        })
    }
}

impl Socket {
    /// Opens what a join link leads to; without Nagle's delay, as in a browser.
    pub async fn open(join: &str, clock: SharedClock) -> Result<Self> {
        let address = join.replacen("http", "ws", 1).replacen("/join?", "/ws?", 1);
        let (socket, _) = tokio_tungstenite::connect_async_with_config(address, None, true).await?;
        let (up, down) = socket.split();
        Ok(Self { up, down, clock })
    }

    /// Sends a frame that is there already.
    pub async fn send(&mut self, frame: Message) -> Result<()> {
        Ok(self.up.send(frame).await?)
    }

    /// Sends JSON.
    pub async fn say(&mut self, message: &Value) -> Result<()> {
        self.send(Message::text(message.to_string())).await
    }

    /// The next that comes. Cancel-safe.
    pub async fn next(&mut self) -> Result<Heard> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.down.next()).await.context("silence")?;
            let at = self.clock.now();
            match message.context("the socket was closed")?? {
                Message::Text(text) => return Ok(Heard { at, what: What::read(&text)? }),
                Message::Close(close) => bail!("the socket was closed: {close:?}"),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_as_what_they_are() {
        let read = |text| What::read(text).unwrap();
        assert_eq!(
            read(r#"{"type":"STATE","state":"LISTENING","remainingSeconds":9}"#),
            What::State("LISTENING".into())
        );
        assert_eq!(read(r#"{"type":"AGENT_CLEAR","sessionId":"s","turnId":"t3"}"#), What::Clear("t3".into()));
        let data = BASE64_STANDARD.encode(vec![0; 4_800]);
        let speech = format!(r#"{{"type":"AGENT_RESPONSE","turnId":"t1","sentence":2,"data":"{data}","last":false}}"#);
        assert_eq!(read(&speech), What::Speech { turn: "t1".into(), sentence: 2, ms: 100 });
        assert_eq!(read(r#"{"type":"TRANSCRIPT","text":"a \"b\""}"#), What::Other);
        assert!(What::read(r#"{"type":"ERROR","code":"internal"}"#).is_err());
    }

    #[test]
    fn speech_is_whole_frames() {
        // 12 ms a character
        assert_eq!(speech("Twenty characters...").len(), 3);
    }
}
