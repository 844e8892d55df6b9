//! What goes up a socket, in order, from `Joined` to `Left`.

use crate::support::*;
use futures::StreamExt;
use maya_edge::{EdgeSettings, webm::Demuxer};
use maya_protocol::{
    audio::{AgentBody, CandidateBody, Codec, opus_packets},
    bus::StartAt,
    event::header,
    ids::TurnId,
    session::Phase,
    topic::Topic,
    wire,
};
use serde_json::json;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

const RECORDED: &[u8] = include_bytes!("../fixtures/mono32.webm");
const INDEX: &str = include_str!("../fixtures/mono32.index.txt");

#[tokio::test]
async fn every_message_comes_once_and_in_order() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let id = ticket.session();
    let mut client = ticket.open(&edge).await;
    let joined = interviewer.joined(&ticket).await;
    assert!(joined.trace.is_some(), "one trace a connection");
    client.send(json!({"type": "CONSENT", "sessionId": id, "recording": false, "textVersion": "4"})).await;
    client.send(json!({"type": "PLAYBACK", "sessionId": id, "turnId": "t3", "sentence": 1, "playedMs": 250})).await;
    let pcm: Vec<u8> = (0..6_400u32).map(|n| n as u8).collect();
    client.send(json!({"type": "AUDIO", "sessionId": id, "data": wire::encode(&pcm), "sampleRate": 16000})).await;
    client.send(json!({"type": "LEAVE", "sessionId": id})).await;
    client.socket.close(None).await.unwrap();

    let expected = [
        CandidateBody::Consent { recording: false, text_version: "4".into() },
        CandidateBody::Played { turn_id: TurnId(3), sentence: 1, played_ms: 250 },
        CandidateBody::Batch { sample_rate: 16_000, data: pcm.into() },
        CandidateBody::Leave,
        CandidateBody::Left,
    ];
    for (sequence, body) in (1..).zip(expected) {
        let message = interviewer.next(id).await;
        assert_eq!((message.body, message.sequence, message.connection), (body, sequence, joined.connection));
        assert_eq!(message.trace, joined.trace);
    }
    soon("the end", async {
        while edge.edge.sockets() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn recorded_chunks_come_out_as_their_opus_packets() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut client = ticket.open(&edge).await;
    interviewer.joined(&ticket).await;
    client.send(json!({"type": "AUDIO", "streaming": "start"})).await;
    let mut rest = RECORDED;
    for line in INDEX.lines() {
        let Some(length) = line.split(' ').nth(2).and_then(|bytes| bytes.parse().ok()) else { continue };
        let (chunk, after) = rest.split_at(length);
        rest = after;
        client.send(json!({"type": "AUDIO", "streaming": "chunk", "data": wire::encode(chunk)})).await;
    }
    client.send(json!({"type": "AUDIO", "streaming": "end"})).await;

    let start = interviewer.next(ticket.session()).await.body;
    assert_eq!(start, CandidateBody::AudioStart { codec: Codec::Opus, sample_rate: 48_000 });
    let mut packets = Vec::new();
    loop {
        match interviewer.next(ticket.session()).await.body {
            CandidateBody::Audio { codec: Codec::Opus, data, .. } => {
                packets.extend(opus_packets(&data).map(<[u8]>::to_vec));
            }
            CandidateBody::AudioEnd => break,
            other => panic!("{other:?}"),
        }
    }
    let mut expected = Vec::new();
    Demuxer::default().push(RECORDED, |packet| expected.push(packet.to_vec())).unwrap();
    assert!(packets.len() > 100);
    assert_eq!(packets, expected);
}

#[tokio::test]
async fn a_client_that_stops_sending_in_a_stream_is_told_of() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut client = ticket.open(&edge).await;
    interviewer.joined(&ticket).await;
    let start = json!({"type": "AUDIO", "streaming": "start", "encoding": "LINEAR16", "sampleRate": 16_000});
    client.send(start).await;
    client.send(json!({"type": "AUDIO", "streaming": "chunk", "data": wire::encode(&[0; 3_200])})).await;
    assert!(matches!(interviewer.next(ticket.session()).await.body, CandidateBody::AudioStart { .. }));
    let last = interviewer.next(ticket.session()).await;
    assert!(matches!(last.body, CandidateBody::Audio { .. }));
    for seconds in [1, 2] {
        let told = interviewer.next(ticket.session()).await;
        assert_eq!(told.body, CandidateBody::Quiet);
        let quiet = (told.captured_at - last.captured_at).to_std().unwrap();
        assert!(quiet >= Duration::from_secs(seconds), "{quiet:?}");
    }
}

#[tokio::test]
async fn video_goes_to_the_recorder_in_pieces_and_only_with_consent() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let ticket = platform.session();
    let mut reader = platform.bus.reader(Topic::CandidateVideo.into()).await.unwrap();
    reader.assign(ticket.claims.partition, StartAt::Latest).await.unwrap();
    let mut client = ticket.open(&edge).await;
    let video: Vec<u8> = (0..600_000u32).map(|n| (n / 7) as u8).collect();
    let frame = json!({"type": "VIDEO", "data": wire::encode(&video)});
    client.send(frame.clone()).await;
    assert_eq!(client.error().await, "consent_required");
    client.send(json!({"type": "CONSENT", "recording": true, "textVersion": "1"})).await;
    client.send(frame).await;
    let mut received = Vec::new();
    for sequence in 0..3 {
        let record = soon("video", reader.next()).await.unwrap().record;
        assert!(record.payload.len() <= 256 * 1024);
        assert_eq!(header(&record.headers, "sequence"), Some(&*sequence.to_string()));
        assert_eq!(header(&record.headers, "tenant"), Some(&*ticket.claims.tenant.to_string()));
        assert_eq!(header(&record.headers, "session"), Some(&*ticket.session().to_string()));
        received.extend_from_slice(&record.payload);
    }
    assert!(received == video);
}

#[tokio::test]
async fn the_edge_says_waiting_only_where_nobody_else_speaks() {
    let platform = Platform::new().await;
    let edge = platform.edge(EdgeSettings { waiting_after: Duration::from_millis(300), ..quick() }).await;
    let mut interviewer = platform.interviewer().await;
    let (lonely, greeted) = (platform.session(), platform.session());
    let (mut alone, mut met) = (lonely.open(&edge).await, greeted.open(&edge).await);
    let speaker = interviewer.joined(&greeted).await;
    speaker.say(AgentBody::State { phase: Phase::Greeting, reason: None, remaining_seconds: 9 }).await;
    let waiting = alone.next().await;
    assert_eq!((&waiting["state"], &waiting["remainingSeconds"]), (&"WAITING".into(), &1_200.into()));
    assert_eq!(met.next().await["state"], "GREETING");
    speaker.words("after").await;
    assert_eq!(met.next().await["text"], "after", "no WAITING in between");
}

#[tokio::test]
async fn a_join_that_nobody_answers_is_said_again() {
    let platform = Platform::new().await;
    let edge = platform.edge(EdgeSettings { join_again: Duration::from_millis(100), ..quick() }).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut client = ticket.open(&edge).await;
    let speaker = interviewer.joined(&ticket).await;
    for _ in 0..2 {
        let again = interviewer.next(ticket.session()).await;
        assert_eq!((again.body, again.connection), (CandidateBody::Joined, speaker.connection));
        // whoever said so may be gone with its queue
        let reason = Some("busy".to_owned());
        speaker.say(AgentBody::State { phase: Phase::Waiting, reason, remaining_seconds: 0 }).await;
        assert_eq!(client.next_of("STATE").await["state"], "WAITING");
    }
}

#[tokio::test]
async fn a_socket_that_answers_pings_lives_and_a_silent_one_is_dropped() {
    let platform = Platform::new().await;
    let (ping_every, silence_limit) = (Duration::from_millis(100), Duration::from_millis(600));
    let edge = platform.edge(EdgeSettings { ping_every, silence_limit, ..quick() }).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut client = ticket.open(&edge).await;
    interviewer.joined(&ticket).await;
    // Reading answers pings: twelve of them take twice the limit.
    let mut pings = 0;
    while pings < 12 {
        match soon("a ping", client.socket.next()).await.unwrap().unwrap() {
            Message::Ping(_) => pings += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(edge.edge.sockets(), 1);
    // Not reading, it answers none.
    assert_eq!(interviewer.next(ticket.session()).await.body, CandidateBody::Left);
}
