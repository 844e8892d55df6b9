//! Each frame of the contract, and each way to get it wrong.

use super::*;
use maya_protocol::audio::{Codec, opus_packets};
use proptest::prelude::*;
use serde_json::{Value, json};

fn uplink() -> Uplink {
    Uplink::new(SessionId::fresh(), 256 * 1024)
}
fn code(outcome: &Outcome) -> Option<ErrorCode> {
    outcome.refusal.as_ref().map(|refusal| refusal.code)
}
fn refused(uplink: &mut Uplink, frame: &str) -> Option<ErrorCode> {
    let outcome = uplink.accept(frame);
    assert!(outcome.bodies.is_empty());
    code(&outcome)
}
fn start(encoding: &str, rate: Value) -> String {
    json!({"type": "AUDIO", "streaming": "start", "encoding": encoding, "sampleRate": rate}).to_string()
}
fn chunk(data: &[u8]) -> String {
    json!({"type": "AUDIO", "streaming": "chunk", "data": wire::encode(data)}).to_string()
}
const END: &str = r#"{"type":"AUDIO","streaming":"end"}"#;

#[test]
fn each_bad_frame_has_its_code() {
    use ErrorCode::*;
    let mut uplink = uplink();
    let other = SessionId::fresh();
    let cases = [
        ("nonsense".to_owned(), BadMessage),
        ("[1]".into(), BadMessage),
        (r#"{"streaming":"start"}"#.into(), BadMessage),
        (r#"{"type":7}"#.into(), BadMessage),
        (r#"{"type":"DANCE"}"#.into(), UnknownType),
        (r#"{"type":"AUDIO","streaming":"middle"}"#.into(), BadMessage),
        (r#"{"type":"AUDIO"}"#.into(), BadMessage),
        (r#"{"type":"AUDIO","streaming":"chunk"}"#.into(), BadMessage),
        (format!(r#"{{"type":"LEAVE","sessionId":"{other}"}}"#), BadMessage),
        (r#"{"type":"PLAYBACK","turnId":"7","sentence":0,"playedMs":1}"#.into(), BadMessage),
        (r#"{"type":"AUDIO","data":"AAA=","sampleRate":NaN}"#.into(), BadMessage),
        (r#"{"type":"AUDIO","data":"AAA=","sampleRate":"NaN"}"#.into(), BadAudio),
        (r#"{"type":"AUDIO","data":"AAA=","sampleRate":16000.5}"#.into(), BadAudio),
        (r#"{"type":"AUDIO","data":"AAA=","sampleRate":-1}"#.into(), BadAudio),
        (r#"{"type":"AUDIO","data":"AAA=","sampleRate":0}"#.into(), BadAudio),
        (r#"{"type":"AUDIO","data":"AAA=","sampleRate":192000}"#.into(), BadAudio),
        (r#"{"type":"AUDIO","data":"AAAA"}"#.into(), BadAudio),
        (r#"{"type":"AUDIO","data":"***"}"#.into(), BadAudio),
        (r#"{"type":"AUDIO","encoding":"WEBM_OPUS","data":"AAA="}"#.into(), BadAudio),
        (chunk(&[0, 0]), NotStarted),
        (END.to_owned(), NotStarted),
        (r#"{"type":"VIDEO","data":"AAAA"}"#.into(), ConsentRequired),
        (format!(r#"{{"type":"LEAVE","x":"{}"}}"#, "x".repeat(256 * 1024)), TooLarge),
        ("x".repeat(256 * 1024 + 1), TooLarge),
    ];
    for (frame, expected) in cases {
        assert_eq!(refused(&mut uplink, &frame), Some(expected), "{}", &frame[..frame.len().min(80)]);
    }
    assert_eq!(uplink.accept(r#"{"type":"LEAVE"}"#).bodies, [CandidateBody::Leave], "and it goes on");
}

#[test]
fn samples_are_cut_between_samples() {
    let mut uplink = uplink();
    uplink.accept(&start("LINEAR16", 16_000.into()));
    let pcm: Vec<u8> = (0..150_000u32).map(|n| n as u8).collect();
    let outcome = uplink.accept(&chunk(&pcm));
    let pieces: Vec<Bytes> = outcome
        .bodies
        .into_iter()
        .map(|body| match body {
            CandidateBody::Audio { codec: Codec::Linear16, sample_rate: 16_000, data } => data,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(pieces.iter().all(|piece| piece.len() <= 64 * 1024 && piece.len() % 2 == 0));
    assert_eq!(pieces.concat(), pcm);
    assert_eq!(refused(&mut uplink, &chunk(&[1])), Some(ErrorCode::BadAudio), "an odd piece is dropped");
    assert_eq!(uplink.accept(END).bodies, [CandidateBody::AudioEnd]);
}

#[test]
fn a_broken_stream_says_so_once_and_starts_again() {
    const RECORDED: &[u8] = include_bytes!("../../tests/fixtures/mono32.webm");
    let mut uplink = uplink();
    let opening = start("WEBM_OPUS", 48_000.into());
    assert!(code(&uplink.accept(&opening)).is_none());
    assert!(code(&uplink.accept(&chunk(&RECORDED[..3_000]))).is_none());
    assert_eq!(code(&uplink.accept(&chunk(&[0; 100]))), Some(ErrorCode::BadAudio));
    assert_eq!(uplink.accept(&chunk(&RECORDED[3_000..])), Outcome::default());
    assert_eq!(uplink.accept(END), CandidateBody::AudioEnd.into());

    uplink.accept(&opening);
    let outcome = uplink.accept(&chunk(RECORDED));
    assert!(code(&outcome).is_none());
    let CandidateBody::Audio { codec: Codec::Opus, data, .. } = &outcome.bodies[0] else { panic!("{outcome:?}") };
    assert!(opus_packets(data).count() > 100);
    assert_eq!(uplink.accept(END), CandidateBody::AudioEnd.into(), "a recorder's own end is not a cut");

    uplink.accept(&opening);
    uplink.accept(&chunk(&RECORDED[..RECORDED.len() / 2]));
    let cut = uplink.accept(END);
    assert_eq!((cut.bodies.as_slice(), code(&cut)), (&[CandidateBody::AudioEnd][..], Some(ErrorCode::BadAudio)));
}

#[test]
fn video_follows_the_latest_consent() {
    let mut uplink = uplink();
    uplink.accept(r#"{"type":"CONSENT","recording":true,"textVersion":"3"}"#);
    let video = json!({"type": "VIDEO", "data": wire::encode(&vec![7; 400_000])}).to_string();
    assert_eq!(uplink.accept(&video).video.map(|video| video.len()), Some(400_000));
    uplink.accept(r#"{"type":"CONSENT","recording":false,"textVersion":"3"}"#);
    assert_eq!(refused(&mut uplink, &video), Some(ErrorCode::ConsentRequired));
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}", fields in proptest::collection::vec("(type|AUDIO|streaming|start|chunk|data|AAAA|:|,|\"|\\{|\\})", 0..30)) {
        let mut uplink = uplink();
        uplink.accept(&text);
        uplink.accept(&fields.concat());
    }
}
