//! The candidate against a server that plays Maya, with scripted voices.

use super::{voice::samples, *};
use futures::{SinkExt as _, StreamExt as _};
use maya_protocol::{
    audio::HEARING_RATE,
    clock::system,
    ids::{SessionId, TurnId},
    session::Phase,
    wire::{Audio, Down, Streaming, Up, decode, encode},
};
use maya_providers::testing::modem;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

struct Maya {
    socket: WebSocketStream<TcpStream>,
    session: SessionId,
    turn: u32,
    heard: Vec<String>,
    marks: usize,
    frames: usize,
}

impl Maya {
    async fn send(&mut self, message: &Down) {
        self.socket.send(Message::text(serde_json::to_string(message).unwrap())).await.unwrap();
    }
    async fn state(&mut self, state: Phase) {
        let reason = (state == Phase::Ended).then(|| "completed".to_owned());
        self.send(&Down::State { session_id: self.session, state, reason, remaining_seconds: 60 }).await;
    }
    async fn say(&mut self, text: &str, ms_per_char: u32) {
        let pcm = modem::encode(text, 24_000, ms_per_char);
        let turn_id = TurnId(self.turn);
        self.turn += 1;
        self.state(Phase::Speaking).await;
        for (part, piece) in pcm.chunks(4_800).enumerate() {
            let data: Vec<u8> = piece.iter().flat_map(|s| s.to_le_bytes()).collect();
            let frame = Down::AgentResponse {
                session_id: self.session,
                turn_id,
                sentence: 0,
                part: part as u32,
                text: text.to_owned(),
                data: encode(&data),
                sample_rate: 24_000,
                last: false,
            };
            self.send(&frame).await;
        }
        let last = Down::AgentResponse {
            session_id: self.session,
            turn_id,
            sentence: 0,
            part: 99,
            text: String::new(),
            data: String::new(),
            sample_rate: 24_000,
            last: true,
        };
        self.send(&last).await;
    }
    /// Listens until an utterance of modem speech is over, and returns it.
    async fn listen(&mut self) -> String {
        let mut decoder = modem::Decoder::default();
        let mut quiet = 0;
        while let Some(Ok(message)) = self.socket.next().await {
            let Message::Text(text) = message else { continue };
            match serde_json::from_str(&text).unwrap() {
                Up::Audio(audio) if audio.streaming == Some(Streaming::Chunk) => {
                    self.frames += 1;
                    let pcm: Vec<i16> = samples(&decode(&audio.data.unwrap()).unwrap()).collect();
                    quiet = if pcm.iter().all(|s| *s == 0) { quiet + 1 } else { 0 };
                    decoder.push(&pcm);
                    if quiet >= 2 && !decoder.text().is_empty() {
                        break;
                    }
                }
                Up::Playback { .. } => self.marks += 1,
                _ => {}
            }
        }
        let said = decoder.text();
        let utterance_id = TurnId(self.turn);
        self.turn += 1;
        self.heard.push(said.clone());
        self.send(&Down::Transcript { session_id: self.session, utterance_id, text: said.clone(), r#final: true })
            .await;
        said
    }
    async fn end(mut self) -> Self {
        self.state(Phase::Ended).await;
        self.socket.close(None).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
        self
    }
}

async fn maya(listener: TcpListener, session: SessionId) -> Maya {
    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    let first = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(matches!(serde_json::from_str(&first).unwrap(), Up::Consent { recording: true, .. }));
    Maya { socket, session, turn: 0, heard: Vec::new(), marks: 0, frames: 0 }
}

async fn server() -> (TcpListener, SessionId, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let session = SessionId::fresh();
    let at = listener.local_addr().unwrap();
    let join = format!("http://{at}/join?sessionId={session}&tenantId=t&token=x").parse().unwrap();
    (listener, session, join)
}

#[tokio::test]
async fn it_waits_its_turn_speaks_and_records() {
    let (listener, session, join) = server().await;
    let playing = tokio::spawn(async move {
        let mut maya = maya(listener, session).await;
        maya.say("Hello. Who are you?", 20).await;
        // LISTENING comes early here: the candidate must hear her out all the same
        maya.state(Phase::Listening).await;
        for question in ["And then?", "Anything to add?"] {
            maya.listen().await;
            maya.say(question, 5).await;
            maya.state(Phase::Listening).await;
        }
        maya.listen().await;
        maya.end().await
    });
    let lines = Voice::Scripted.speak_all(&["I am Zoë.".into(), "Then I went on.".into()]).await.unwrap();
    let mut candidate = Candidate::new(join, lines);
    candidate.afterwards = Voice::Scripted.speak_all(&[NOTHING_TO_ADD.into()]).await.unwrap().pop();
    let report = candidate.hold(system()).await.unwrap();
    let maya = playing.await.unwrap();

    assert_eq!(maya.heard, ["I am Zoë.", "Then I went on.", NOTHING_TO_ADD]);
    assert!(maya.marks >= 2);
    assert!(report.ended && report.reason.as_deref() == Some("completed"));
    let [first, second, third] = &report.lines[..] else { panic!("{:?}", report.lines) };
    assert!(first.started_ms >= 20 * 19 + 400, "it heard her out: {}", first.started_ms);
    assert_eq!(first.utterances[0].text, "I am Zoë.");
    assert_eq!((first.reply, second.reply, third.reply), (Some(TurnId(2)), Some(TurnId(4)), None));
    assert!(second.first_audio_ms.unwrap() >= 100 && report.median_first_audio_ms().is_some());
    let paced = first.ended_ms - first.started_ms;
    let length = (modem::encode("I am Zoë.", HEARING_RATE, modem::MS_PER_CHARACTER).len() / 16) as u64;
    assert!(paced + 200 >= length, "real-time pace: {paced} of {length}");
    assert_eq!(report.maya[0].text, "Hello. Who are you?");
    assert_eq!(modem::decode(&report.maya[0].pcm, 24_000), "Hello. Who are you?");
    assert_eq!(modem::decode(&report.recording, 24_000), "Hello. Who are you?And then?Anything to add?");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["lines"][0]["utterances"][0]["utteranceId"], "t1");
    assert!(json["events"].as_array().unwrap().iter().any(|e| e["type"] == "AGENT_RESPONSE" && e["turnId"] == "t0"));
}

#[tokio::test]
async fn it_interrupts_and_is_cleared() {
    let (listener, session, join) = server().await;
    let playing = tokio::spawn(async move {
        let mut maya = maya(listener, session).await;
        maya.say("Hi.", 5).await;
        maya.state(Phase::Listening).await;
        maya.listen().await;
        maya.say("A long story that nobody wants to hear to its end.", 60).await;
        let said = maya.listen().await;
        let turn_id = TurnId(2);
        maya.send(&Down::AgentClear { session_id: session, turn_id }).await;
        maya.end().await;
        said
    });
    let lines = Voice::Scripted.speak_all(&["Yes.".into(), "Stop.".into()]).await.unwrap();
    let mut candidate = Candidate::new(join, lines);
    candidate.interrupt_after = Some(Duration::from_millis(300));
    let report = candidate.hold(system()).await.unwrap();
    assert_eq!(playing.await.unwrap(), "Stop.");
    assert!(report.interruption_ms.is_some());
    let story = report.maya.iter().find(|turn| turn.turn_id == TurnId(2)).unwrap();
    assert!(story.cleared && story.pcm.len() < 24 * 3_000);
}

#[tokio::test]
async fn a_lost_connection_is_opened_again_at_another_edge_and_what_nobody_heard_is_said_again() {
    let (first, session, join) = server().await;
    let (second, _, other) = server().await;
    let playing = tokio::spawn(async move {
        let mut one = maya(first, session).await;
        one.say("Hello. Who are you?", 5).await;
        one.state(Phase::Listening).await;
        // dies in the middle of the answer, as a killed process does
        let mut loud = 0;
        while loud < 3 {
            let Some(Ok(Message::Text(text))) = one.socket.next().await else { continue };
            let Up::Audio(Audio { data: Some(data), .. }) = serde_json::from_str(&text).unwrap() else { continue };
            loud += usize::from(decode(&data).unwrap().iter().any(|byte| *byte != 0));
        }
        drop(one);
        let mut two = maya(second, session).await;
        two.state(Phase::Listening).await;
        two.listen().await;
        two.say("And then?", 5).await;
        two.state(Phase::Listening).await;
        two.listen().await;
        two.end().await
    });
    let lines = ["I am Zoë, and I came to tell a long story.", "Then I went on."].map(str::to_owned);
    let mut candidate = Candidate::new(join, Voice::Scripted.speak_all(&lines).await.unwrap());
    candidate.edges = vec![other];
    candidate.reconnect_for = Duration::from_secs(30);
    let report = candidate.hold(system()).await.unwrap();
    assert_eq!(playing.await.unwrap().heard, lines);
    assert!(report.ended);
    let said: Vec<_> = report.lines.iter().map(|line| (line.text.as_deref().unwrap(), line.reply.is_some())).collect();
    assert_eq!(said, [(&*lines[0], false), (&*lines[0], true), (&*lines[1], false)]);
    let told = |what: fn(&What) -> bool| report.events.iter().filter(|event| what(&event.what)).count();
    assert_eq!(told(|what| matches!(what, What::Joined { .. })), 2);
    assert_eq!(told(|what| matches!(what, What::Cut { .. })), 1);
}

#[tokio::test]
async fn a_line_that_may_have_been_lost_is_said_again_once_maya_listens_for_a_while() {
    let (first, session, join) = server().await;
    let (second, _, other) = server().await;
    let playing = tokio::spawn(async move {
        let mut one = maya(first, session).await;
        one.say("Hello. Who are you?", 5).await;
        one.state(Phase::Listening).await;
        let mut decoder = modem::Decoder::default();
        while decoder.text() != "I am Zoë." {
            let Some(Ok(Message::Text(text))) = one.socket.next().await else { continue };
            let Up::Audio(Audio { data: Some(data), .. }) = serde_json::from_str(&text).unwrap() else { continue };
            decoder.push(&samples(&decode(&data).unwrap()).collect::<Vec<_>>());
        }
        // a pause of the speaker: the last sample is out
        one.socket.next().await.unwrap().unwrap();
        drop(one);
        let mut two = maya(second, session).await;
        two.state(Phase::Listening).await;
        two.listen().await;
        two.end().await
    });
    let lines = Voice::Scripted.speak_all(&["I am Zoë.".into(), "Then I went on.".into()]).await.unwrap();
    let mut candidate = Candidate::new(join, lines);
    candidate.edges = vec![other];
    candidate.reconnect_for = Duration::from_secs(30);
    let report = candidate.hold(system()).await.unwrap();
    assert_eq!(playing.await.unwrap().heard, ["I am Zoë."]);
    assert!(report.lines.len() >= 2 && report.lines[1].text.as_deref() == Some("I am Zoë."), "{:?}", report.lines);
}

#[tokio::test]
async fn who_has_nothing_to_say_stays_silent_and_a_refusal_is_said() {
    let (listener, session, join) = server().await;
    let playing = tokio::spawn(async move {
        let mut maya = maya(listener, session).await;
        maya.say("Hi.", 5).await;
        maya.state(Phase::Listening).await;
        while maya.frames < 10 {
            let Some(Ok(Message::Text(text))) = maya.socket.next().await else { continue };
            if let Up::Audio(Audio { streaming: Some(Streaming::Chunk), data: Some(data), .. }) =
                serde_json::from_str(&text).unwrap()
            {
                assert!(decode(&data).unwrap().iter().all(|byte| *byte == 0));
                maya.frames += 1;
            }
        }
        maya.end().await;
    });
    let mut candidate = Candidate::new(join, Vec::new());
    candidate.afterwards = Voice::Scripted.speak_all(&[NOTHING_TO_ADD.into()]).await.unwrap().pop();
    let report = candidate.hold(system()).await.unwrap();
    playing.await.unwrap();
    assert!(report.lines.is_empty() && report.ended);

    let (listener, _, join) = server().await;
    let refusing = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await.unwrap();
        let answer = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
    });
    let error = Candidate::new(join, Vec::new()).hold(system()).await.unwrap_err();
    assert!(error.to_string().contains("401"), "{error}");
    refusing.await.unwrap();
}
