//! What no honest client sends, over the real edge of a whole platform: each has its answer, and hurts nobody else.

use crate::harness::*;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

const WEBM: &[u8] = include_bytes!("../../edge/tests/fixtures/mono32.webm");

/// A platform, a session of a good candidate, and one to be spoilt.
struct Stage {
    site: Site,
    maya: Maya,
    bystander: Interview,
    rest: Rest,
}

impl Stage {
    async fn set() -> Self {
        let site = Site::quick().await;
        let maya = site.serve("").await;
        let (_, rest) = site.customer(&maya).await;
        let bystander = rest.create(&short_interview()).await;
        Self { site, maya, bystander, rest }
    }

    async fn link(&self) -> Link {
        self.rest.create(&short_interview()).await.approved().await
    }
}

/// One parameter of a link changed.
fn with(link: &str, name: &str, value: &str) -> String {
    let mut url = url::Url::parse(link).unwrap();
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(key, old)| (key.to_string(), if key == name { value.to_owned() } else { old.to_string() }))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url.into()
}

async fn refused(join: &str) -> u16 {
    match Socket::open(join).await {
        Ok(_) => panic!("{join} was let in"),
        Err(status) => status,
    }
}

#[tokio::test]
async fn each_has_its_typed_answer_and_another_session_is_unhurt() {
    let stage = Stage::set().await;
    let good = stage.bystander.approved().await;
    let mut bystander = Socket::open(&good.join_url).await.expect("the link is good");
    let mut conversation = Conversation::new(&["I have worked with Rust for six years."]);
    assert!(conversation.talk(&mut bystander, |so_far| so_far.heard.len() == 1).await, "{conversation:?}");

    at_the_door(&stage).await;
    on_an_open_socket(&stage).await;
    truncated_webm(&stage).await;
    too_large(&stage).await;

    conversation.lines = vec!["And with PostgreSQL for four.".to_owned()];
    assert!(conversation.talk(&mut bystander, |so_far| so_far.heard.len() == 2).await, "{conversation:?}");
    assert!(conversation.errors.is_empty(), "{conversation:?}");
}

/// A bad token is refused before any state exists.
async fn at_the_door(stage: &Stage) {
    let link = stage.link().await;
    let unknown = "01a21d7f-3a9e-7210-8022-3ca20ad9ade9";
    assert_eq!(refused(&with(&link.join_url, "sessionId", unknown)).await, 401);
    assert_eq!(refused(&with(&link.join_url, "tenantId", unknown)).await, 401);
    assert_eq!(refused(&with(&link.join_url, "token", "a.b.c")).await, 401);
    let other = stage.link().await;
    assert_eq!(refused(&with(&link.join_url, "token", &other.token)).await, 401);
    let half = &link.token[..link.token.len() / 2];
    assert_eq!(refused(&with(&link.join_url, "token", half)).await, 401);
    // what is not there at all is a wrong request
    assert_eq!(refused(&format!("{}/join?sessionId={}", stage.maya.url("edge"), link.session_id)).await, 400);

    // a token that was good until the interview expired
    let mut body = short_interview();
    let clock = maya_protocol::clock::system();
    let end = clock.utc() + chrono::TimeDelta::seconds(4);
    body["expiresAt"] = json!(end.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
    let late = stage.rest.create(&body).await.approved().await;
    maya_testkit::eventually(DEADLINE, async || (clock.utc() > end).then_some(())).await;
    assert_eq!(refused(&late.join_url).await, 401);

    // another customer sees of this one exactly what nobody has
    let (_, stranger) = stage.site.customer(&stage.maya).await;
    let theirs = stranger.get(&stage.bystander.path("/session")).await;
    let nobodys = stranger.get(&format!("/integration/interviews/{unknown}/session")).await;
    assert_eq!((theirs.status, nobodys.status), (404, 404));
    assert_eq!(theirs.body["type"], nobodys.body["type"]);
}

/// A live socket answers and stays open.
async fn on_an_open_socket(stage: &Stage) {
    let link = stage.link().await;
    let mut socket = Socket::open(&link.join_url).await.expect("the link is good");
    let chunk = json!({"type": "AUDIO", "streaming": "chunk", "data": BASE64_STANDARD.encode([0; 640])});
    let cases: [(Value, &str); 7] = [
        (chunk, "not_started"),
        (json!({"type": "DANCE"}), "unknown_type"),
        (json!({"type": 7}), "bad_message"),
        (json!({"type": "AUDIO", "streaming": "start", "encoding": "MP3"}), "bad_message"),
        (json!({"type": "AUDIO", "data": "%%%", "sampleRate": 16000}), "bad_audio"),
        (json!({"type": "AUDIO", "data": "AAAA", "sampleRate": 0}), "bad_audio"),
        (json!({"type": "VIDEO", "data": BASE64_STANDARD.encode(WEBM)}), "consent_required"),
    ];
    for (message, code) in cases {
        socket.send(message.clone()).await;
        let error = socket.next_of("ERROR").await;
        assert_eq!(error["code"], code, "{message}: {error}");
        assert!(error["message"].is_string() && error["retryable"].is_boolean(), "{error}");
    }
    for frame in [Message::text("{"), Message::text("\"AUDIO\""), Message::text("[]")] {
        socket.raw(frame).await.unwrap();
        assert_eq!(socket.next_of("ERROR").await["code"], "bad_message");
    }
    let mut conversation = Conversation::new(&["It still works."]);
    assert!(conversation.talk(&mut socket, |so_far| so_far.heard.len() == 1).await, "{conversation:?}");
}

/// A browser's recording that breaks off within an element is what it was so far, and no more.
async fn truncated_webm(stage: &Stage) {
    let link = stage.link().await;
    let mut socket = Socket::open(&link.join_url).await.expect("the link is good");
    socket.send(json!({"type": "AUDIO", "streaming": "start", "encoding": "WEBM_OPUS", "sampleRate": 48000})).await;
    let half = &WEBM[..WEBM.len() / 2 + 7];
    for piece in half.chunks(4096) {
        socket.send(json!({"type": "AUDIO", "streaming": "chunk", "data": BASE64_STANDARD.encode(piece)})).await;
    }
    socket.send(json!({"type": "AUDIO", "streaming": "end"})).await;
    socket.send(json!({"type": "AUDIO", "streaming": "start", "encoding": "WEBM_OPUS", "sampleRate": 48000})).await;
    let noise: Vec<u8> = (0..2000u32).map(|n| (n * 131 % 251) as u8).collect();
    socket.send(json!({"type": "AUDIO", "streaming": "chunk", "data": BASE64_STANDARD.encode(noise)})).await;
    assert_eq!(socket.next_of("ERROR").await["code"], "bad_audio");
    let mut conversation = Conversation::new(&["It still works."]);
    let heard = |so_far: &Conversation| so_far.heard.values().any(|text| text == "It still works.");
    assert!(conversation.talk(&mut socket, heard).await, "{conversation:?}");
}

/// Too much at once ends the socket, with its own code.
async fn too_large(stage: &Stage) {
    let link = stage.link().await;
    let mut socket = Socket::open(&link.join_url).await.expect("the link is good");
    socket.send(json!({"type": "AUDIO", "streaming": "start", "encoding": "LINEAR16", "sampleRate": 16000})).await;
    let _ = socket.try_send(json!({"type": "AUDIO", "data": "A".repeat(9 << 20), "sampleRate": 16000})).await;
    let mut conversation = Conversation::default();
    conversation.talk(&mut socket, |so_far| so_far.close.is_some()).await;
    assert_eq!((conversation.errors.last().map(String::as_str), conversation.close), (Some("too_large"), Some(1009)));
    let mut again = Socket::open(&link.join_url).await.expect("the candidate may come again");
    again.next_of("STATE").await;
}
