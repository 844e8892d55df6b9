//! A candidate's WebSocket by hand: for what a polite client never does, and for interviews at no one's pace.

use super::soon;
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::{SinkExt, StreamExt, stream::SplitSink};
use maya_providers::testing::modem;
use serde_json::{Value, json};
use std::collections::HashMap;
use tokio::{net::TcpStream, sync::mpsc};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Error, Message},
};

/// 16 kHz, as the contract's LINEAR16 may be.
const RATE: u32 = 16_000;
/// What is said when the lines are used up.
const NOTHING_TO_ADD: &str = "I have nothing to add.";
/// Bytes of a chunk: 250 ms.
const CHUNK: usize = 8_000;

/// A connection. It reads by itself, so that pings are answered whatever the test waits for.
pub struct Socket {
    up: SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>,
    down: mpsc::UnboundedReceiver<Value>,
    session: String,
}

impl Socket {
    /// Opens a join link's socket; the status of a refusal.
    pub async fn open(join: &str) -> Result<Self, u16> {
        let url = url::Url::parse(join).expect("a join link is a URL");
        let session = url.query_pairs().find(|(name, _)| name == "sessionId");
        let session = session.map(|(_, id)| id.into_owned()).unwrap_or_default();
        let socket = join.replacen("http", "ws", 1).replacen("/join?", "/ws?", 1);
        let opened = soon("an answer to the upgrade", tokio_tungstenite::connect_async(socket)).await;
        let socket = match opened {
            Ok((socket, _)) => socket,
            Err(Error::Http(answer)) => return Err(answer.status().as_u16()),
            Err(error) => panic!("the edge does not answer: {error}"),
        };
        let (up, mut from_edge) = socket.split();
        let (sender, down) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) = from_edge.next().await {
                let told = match message {
                    Message::Text(text) => serde_json::from_str(&text).expect("the edge speaks JSON"),
                    Message::Close(frame) => {
                        json!({ "type": "CLOSED", "code": frame.map(|frame| u16::from(frame.code)) })
                    }
                    _ => continue,
                };
                if sender.send(told).is_err() {
                    return;
                }
            }
            let _ = sender.send(json!({ "type": "GONE" }));
        });
        Ok(Self { up, down, session })
    }

    /// Sends a message, with the session's id in it; an error where the connection is gone.
    pub async fn try_send(&mut self, mut message: Value) -> Result<(), Error> {
        message["sessionId"] = json!(self.session);
        self.raw(Message::text(message.to_string())).await
    }

    /// The same on a connection that must be there.
    pub async fn send(&mut self, message: Value) {
        self.try_send(message).await.expect("the socket is open");
    }

    /// Sends a frame as it is.
    pub async fn raw(&mut self, message: Message) -> Result<(), Error> {
        self.up.send(message).await
    }

    /// The next message. `CLOSED` is the closing frame, `GONE` a connection that is no more.
    pub async fn next(&mut self) -> Value {
        soon("a message", self.down.recv()).await.unwrap_or_else(|| json!({ "type": "GONE" }))
    }

    /// The next message of a type; what comes before it is passed over.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
            assert!(message["type"] != "GONE" && message["type"] != "CLOSED", "{message} while {kind} was awaited");
        }
    }

    /// Says something the way a client with a button does: start, all of it at once, end.
    pub async fn say(&mut self, text: &str) -> Result<(), Error> {
        self.try_send(json!({"type": "AUDIO", "streaming": "start", "encoding": "LINEAR16", "sampleRate": RATE}))
            .await?;
        let pcm: Vec<u8> =
            modem::encode(text, RATE, modem::MS_PER_CHARACTER).into_iter().flat_map(i16::to_le_bytes).collect();
        for piece in pcm.chunks(CHUNK) {
            let data = BASE64_STANDARD.encode(piece);
            self.try_send(json!({"type": "AUDIO", "streaming": "chunk", "data": data})).await?;
        }
        self.try_send(json!({"type": "AUDIO", "streaming": "end"})).await
    }
}

/// An interview as its candidate knows it, over as many connections as it takes.
///
/// Maya's audio is marked as heard as soon as it comes, so nobody waits for it.
#[derive(Debug, Default)]
pub struct Conversation {
    /// What is still to be said, the next one last.
    pub lines: Vec<String>,
    /// Says nothing when the lines are used up.
    pub is_quiet: bool,
    /// What was said, in order.
    pub said: Vec<String>,
    /// Final transcripts by utterance: acknowledged, so never to be lost.
    pub heard: HashMap<String, String>,
    /// Maya's sentences in order: turn, number, text.
    pub told: Vec<(String, u64, String)>,
    /// The last STATE's name and reason.
    pub state: String,
    pub reason: Option<String>,
    /// The code of the last closing frame.
    pub close: Option<u64>,
    /// Every ERROR's code.
    pub errors: Vec<String>,
    played: HashMap<(String, u64), u64>,
}

impl Conversation {
    /// With these lines to say, in this order.
    pub fn new(lines: &[&str]) -> Self {
        let lines = lines.iter().rev().map(|line| (*line).to_owned()).collect();
        Self { lines, ..Self::default() }
    }

    /// Talks until the condition holds or the connection is gone; whether it holds.
    pub async fn talk(&mut self, socket: &mut Socket, mut until: impl FnMut(&Self) -> bool) -> bool {
        loop {
            let message = socket.next().await;
            if message["type"] == "GONE" {
                return false;
            }
            // a send that fails is followed by GONE
            let _ = self.take(socket, &message).await;
            if until(self) {
                return true;
            }
        }
    }

    async fn take(&mut self, socket: &mut Socket, message: &Value) -> Result<(), Error> {
        let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
        match text("type").as_str() {
            "STATE" => {
                self.state = text("state");
                self.reason = message["reason"].as_str().map(str::to_owned);
                if self.state == "LISTENING" && !(self.is_quiet && self.lines.is_empty()) {
                    let line = self.lines.pop().unwrap_or_else(|| NOTHING_TO_ADD.to_owned());
                    self.said.push(line.clone());
                    socket.say(&line).await?;
                }
            }
            "AGENT_RESPONSE" => {
                let sentence = message["sentence"].as_u64().expect("a sentence has its number");
                let key = (text("turnId"), sentence);
                let data = BASE64_STANDARD.decode(text("data")).expect("audio is base64");
                let played = self.played.entry(key.clone()).or_default();
                *played += data.len() as u64 / 48;
                let played = *played;
                if !text("text").is_empty()
                    && !self.told.iter().any(|(turn, number, _)| (turn, *number) == (&key.0, key.1))
                {
                    self.told.push((key.0.clone(), sentence, text("text")));
                }
                socket
                    .try_send(json!({"type": "PLAYBACK", "turnId": key.0, "sentence": sentence, "playedMs": played}))
                    .await?;
            }
            "TRANSCRIPT" if message["final"] == true => {
                self.heard.insert(text("utteranceId"), text("text"));
            }
            "ERROR" => self.errors.push(text("code")),
            "CLOSED" => self.close = message["code"].as_u64(),
            _ => {}
        }
        Ok(())
    }
}
