//! Every bad input has its typed answer, and none hurts another session.

use crate::support::*;
use futures::SinkExt;
use maya_protocol::{audio::CandidateBody, wire};
use serde_json::json;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

const RECORDED: &[u8] = include_bytes!("../fixtures/mono32.webm");

/// A session beside the bad one, which must notice nothing.
struct Bystander {
    ticket: Ticket,
    client: Client,
    speaker: Speaker,
    interviewer: Interviewer,
}

impl Bystander {
    async fn join(platform: &Platform, edge: &TestEdge) -> Self {
        let ticket = platform.session();
        let mut interviewer = platform.interviewer().await;
        let client = ticket.open(edge).await;
        let speaker = interviewer.joined(&ticket).await;
        Self { ticket, client, speaker, interviewer }
    }
    async fn is_well(&mut self) {
        self.client.send(json!({"type": "PLAYBACK", "turnId": "t0", "sentence": 0, "playedMs": 1})).await;
        let heard = self.interviewer.next(self.ticket.session()).await;
        assert!(matches!(heard.body, CandidateBody::Played { .. }));
        self.speaker.words("still here").await;
        assert_eq!(self.client.next_of("TRANSCRIPT").await["text"], "still here");
    }
}

#[tokio::test]
async fn each_has_its_code_and_the_socket_stays_open() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let mut bystander = Bystander::join(&platform, &edge).await;
    let ticket = platform.session();
    let mut interviewer = platform.interviewer().await;
    let mut client = ticket.open(&edge).await;
    interviewer.joined(&ticket).await;

    let chunk = |data: &[u8]| json!({"type": "AUDIO", "streaming": "chunk", "data": wire::encode(data)}).to_string();
    let start = json!({"type": "AUDIO", "streaming": "start"}).to_string();
    let cases: Vec<(Vec<String>, &str)> = vec![
        (vec!["{".into()], "bad_message"),
        (vec!["\"AUDIO\"".into()], "bad_message"),
        (vec![r#"{"type":"DANCE"}"#.into()], "unknown_type"),
        (vec![r#"{"type":"AUDIO","data":"AAA=","sampleRate":NaN}"#.into()], "bad_message"),
        (vec![r#"{"type":"AUDIO","data":"AAA=","sampleRate":"NaN"}"#.into()], "bad_audio"),
        (vec![r#"{"type":"AUDIO","data":"AAA=","sampleRate":1e999}"#.into()], "bad_audio"),
        (vec![r#"{"type":"AUDIO","data":"AAAA","sampleRate":16000}"#.into()], "bad_audio"),
        (vec![chunk(b"xx")], "not_started"),
        (vec![start.clone(), chunk(b"this is not WebM at all")], "bad_audio"),
        (vec![start.clone(), chunk(&RECORDED[..4_000]), chunk(&RECORDED[4_500..9_000]), chunk(b"more")], "bad_audio"),
        (vec![start.clone(), chunk(&RECORDED[..4_001]), r#"{"type":"AUDIO","streaming":"end"}"#.into()], "bad_audio"),
        (vec![r#"{"type":"VIDEO","data":"AAAA"}"#.into()], "consent_required"),
        (vec![json!({"type": "LEAVE", "sessionId": bystander.ticket.session()}).to_string()], "bad_message"),
    ];
    for (frames, code) in cases {
        for frame in &frames {
            client.send_text(frame.clone()).await;
        }
        assert_eq!(client.error().await, code, "{:.80}", frames[0]);
        bystander.is_well().await;
    }
    client.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(client.error().await, "bad_message");

    // Whole again after all that: nothing but the stream is remembered.
    client.send_text(start).await;
    client.send_text(chunk(RECORDED)).await;
    client.send(json!({"type": "LEAVE"})).await;
    loop {
        if interviewer.next(ticket.session()).await.body == CandidateBody::Leave {
            break;
        }
    }
    bystander.is_well().await;
}

#[tokio::test]
async fn too_large_is_told_and_closed() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let mut bystander = Bystander::join(&platform, &edge).await;
    let ordinary = json!({"type": "CONSENT", "recording": true, "textVersion": "x".repeat(300_000)}).to_string();
    let batch = |bytes: usize| json!({"type": "AUDIO", "data": wire::encode(&vec![0; bytes])}).to_string();
    for frame in [ordinary, batch(4 << 20)] {
        let mut client = platform.session().open(&edge).await;
        // The server may close before the whole frame is out.
        let _ = client.socket.send(Message::text(frame)).await;
        assert_eq!(client.error().await, "too_large");
        assert_eq!(client.closed().await, 1009);
        bystander.is_well().await;
    }
    // In many frames of a bearable size, it is still one message.
    let mut client = platform.session().open(&edge).await;
    for n in 0..5 {
        let opcode = if n == 0 { OpCode::Data(Data::Text) } else { OpCode::Data(Data::Continue) };
        let frame = Frame::message(vec![b'x'; 1 << 20], opcode, false);
        if client.socket.send(Message::Frame(frame)).await.is_err() {
            break;
        }
    }
    assert_eq!(client.error().await, "too_large");
    assert_eq!(client.closed().await, 1009);

    // A batch within its limit is taken.
    let ticket = platform.session();
    let mut interviewer = platform.interviewer().await;
    let mut client = ticket.open(&edge).await;
    interviewer.joined(&ticket).await;
    client.send_text(batch(2 << 20)).await;
    let mut bytes = 0;
    while bytes < 2 << 20 {
        let CandidateBody::Batch { data, .. } = interviewer.next(ticket.session()).await.body else { panic!() };
        bytes += data.len();
    }
    bystander.is_well().await;
}
