//! What an interviewer says, as the candidate's client sees it.

use crate::support::*;
use bytes::Bytes;
use maya_protocol::{
    audio::{AgentBody, ErrorCode},
    ids::{Epoch, TurnId},
    session::Phase,
    wire,
};
use serde_json::json;

#[tokio::test]
async fn every_message_has_its_frame_and_close_comes_last() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let id = ticket.session();
    let mut client = ticket.open(&edge).await;
    let speaker = interviewer.joined(&ticket).await;
    speaker.say(AgentBody::State { phase: Phase::Speaking, reason: None, remaining_seconds: 60 }).await;
    let pcm = Bytes::from_static(&[1, 2, 3, 4]);
    let (turn_id, text) = (TurnId(2), "Hello.".to_owned());
    speaker.say(AgentBody::Speech { turn_id, sentence: 0, part: 0, text, last: true, pcm: pcm.clone() }).await;
    // Of another turn: its own would rightly drop what is still queued of it.
    speaker.say(AgentBody::Clear { turn_id: TurnId(0) }).await;
    let (code, message) = (ErrorCode::Internal, "sorry".to_owned());
    speaker.say(AgentBody::Error { code, message, retryable: true }).await;
    let reason = Some("all_questions_asked".to_owned());
    speaker.say(AgentBody::State { phase: Phase::Ended, reason, remaining_seconds: 0 }).await;
    speaker.say(AgentBody::Close).await;
    let expected = [
        json!({"type": "STATE", "sessionId": id, "state": "SPEAKING", "remainingSeconds": 60}),
        json!({"type": "AGENT_RESPONSE", "sessionId": id, "turnId": "t2", "sentence": 0, "part": 0, "text": "Hello.",
               "data": wire::encode(&pcm), "sampleRate": 24000, "last": true}),
        json!({"type": "AGENT_CLEAR", "sessionId": id, "turnId": "t0"}),
        json!({"type": "ERROR", "code": "internal", "message": "sorry", "retryable": true}),
        json!({"type": "STATE", "sessionId": id, "state": "ENDED", "reason": "all_questions_asked",
               "remainingSeconds": 0}),
    ];
    for frame in expected {
        assert_eq!(client.next().await, frame);
    }
    assert_eq!(client.closed().await, 1000);
}

#[tokio::test]
async fn an_owner_that_was_is_not_heard() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut client = ticket.open(&edge).await;
    let old = interviewer.joined(&ticket).await;
    let new = Speaker { epoch: Epoch(2), ..old.clone() };
    let state = |remaining_seconds| AgentBody::State { phase: Phase::Listening, reason: None, remaining_seconds };
    old.say(state(1)).await;
    new.say(AgentBody::TakeOver).await;
    old.say(state(2)).await;
    new.say(state(3)).await;
    assert_eq!(client.next().await["remainingSeconds"], 1);
    assert_eq!(client.next().await["remainingSeconds"], 3);
}
