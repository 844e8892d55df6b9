//! What an interviewer says, as the candidate's client sees it.

use crate::support::*;
use bytes::Bytes;
use maya_protocol::{
    audio::{AgentBody, CandidateBody, ErrorCode},
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
    speaker.say(AgentBody::Clear { turn_id: TurnId(0), barged_in_at: None }).await;
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
    new.say(AgentBody::TakeOver { node: None }).await;
    old.say(state(2)).await;
    new.say(state(3)).await;
    assert_eq!(client.next().await["remainingSeconds"], 1);
    assert_eq!(client.next().await["remainingSeconds"], 3);
}

/// A part of Maya's turn 2.
fn part(sentence: u32, part: u32) -> AgentBody {
    let pcm = Bytes::from_static(&[1, 2, 3, 4]);
    AgentBody::Speech { turn_id: TurnId(2), sentence, part, text: String::new(), last: false, pcm }
}
fn whole(sentence: u32, parts: u32) -> AgentBody {
    AgentBody::Whole { turn_id: TurnId(2), sentence, parts }
}
fn written(sentence: u32) -> CandidateBody {
    CandidateBody::Written { turn_id: TurnId(2), sentence, again: false }
}
/// The next frame, as far as it matters here: its type, the sentence and the part.
async fn next(client: &mut Client) -> (String, Option<u64>, Option<u64>) {
    let frame = client.next().await;
    (frame["type"].as_str().unwrap().to_owned(), frame["sentence"].as_u64(), frame["part"].as_u64())
}
fn response(sentence: u64, part: u64) -> (String, Option<u64>, Option<u64>) {
    ("AGENT_RESPONSE".to_owned(), Some(sentence), Some(part))
}

#[tokio::test]
async fn what_is_wholly_written_is_reported_and_not_repeated_by_the_next_owner() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut client = ticket.open(&edge).await;
    let old = interviewer.joined(&ticket).await;
    let new = Speaker { epoch: Epoch(2), ..old.clone() };
    for body in [part(0, 0), part(0, 1), whole(0, 2)] {
        old.say(body).await;
    }
    assert_eq!(interviewer.next(ticket.session()).await.body, written(0));
    for body in [AgentBody::TakeOver { node: None }, part(0, 0), part(0, 1), whole(0, 2), part(1, 0), whole(1, 1)] {
        new.say(body).await;
    }
    for expected in [response(0, 0), response(0, 1), response(1, 0)] {
        assert_eq!(next(&mut client).await, expected);
    }
    let dropped = CandidateBody::Written { turn_id: TurnId(2), sentence: 0, again: true };
    for expected in [dropped, written(1)] {
        assert_eq!(interviewer.next(ticket.session()).await.body, expected, "the new owner is told too");
    }
}

#[tokio::test]
async fn a_cut_sentence_is_cleared_and_begins_anew() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut client = ticket.open(&edge).await;
    let old = interviewer.joined(&ticket).await;
    let new = Speaker { epoch: Epoch(2), ..old.clone() };
    old.say(part(0, 0)).await;
    assert_eq!(next(&mut client).await, response(0, 0));
    for body in [AgentBody::TakeOver { node: None }, part(0, 0)] {
        new.say(body).await;
    }
    old.say(part(0, 1)).await;
    new.say(part(0, 1)).await;
    let cleared = ("AGENT_CLEAR".to_owned(), None, None);
    for expected in [cleared, response(0, 0), response(0, 1)] {
        assert_eq!(next(&mut client).await, expected);
    }
}

#[tokio::test]
async fn on_a_new_connection_everything_may_be_said() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut first = ticket.open(&edge).await;
    let before = interviewer.joined(&ticket).await;
    before.say(part(0, 0)).await;
    before.say(whole(0, 1)).await;
    assert_eq!(next(&mut first).await, response(0, 0));
    assert_eq!(interviewer.next(ticket.session()).await.body, written(0));
    first.socket.close(None).await.unwrap();
    assert_eq!(interviewer.next(ticket.session()).await.body, CandidateBody::Left);
    let mut second = ticket.open(&edge).await;
    let joined = interviewer.next(ticket.session()).await;
    assert_eq!(joined.body, CandidateBody::Joined);
    let after = Speaker { connection: joined.connection, ..before };
    after.say(part(0, 0)).await;
    assert_eq!(next(&mut second).await, response(0, 0), "what it hears again, the session decides");
}
