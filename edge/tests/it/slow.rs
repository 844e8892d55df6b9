//! A client that never reads costs its own socket and nothing else.

use crate::support::*;
use bytes::Bytes;
use maya_edge::EdgeSettings;
use maya_protocol::{
    audio::{AgentBody, CandidateBody},
    ids::TurnId,
};
use std::time::Duration;

fn speech(turn: u32, sentence: u32, part: u32) -> AgentBody {
    let (turn_id, pcm) = (TurnId(turn), Bytes::from(vec![0; 150_000]));
    AgentBody::Speech { turn_id, sentence, part, text: "…".into(), last: false, pcm }
}

#[tokio::test]
async fn a_client_that_never_reads_is_dropped_alone() {
    let platform = Platform::new().await;
    let settings = EdgeSettings { queue_bytes: 1 << 20, stall_limit: Duration::from_millis(500), ..quick() };
    let edge = platform.edge(settings).await;
    let mut interviewer = platform.interviewer().await;
    let (deaf, well) = (platform.session(), platform.session());
    let _client = deaf.open(&edge).await;
    let to_deaf = interviewer.joined(&deaf).await;
    let mut client = well.open(&edge).await;
    let to_well = interviewer.joined(&well).await;
    let flood = tokio::spawn(async move {
        for part in 0.. {
            to_deaf.say(speech(0, 0, part)).await;
            tokio::task::yield_now().await;
        }
    });
    let left = tokio::spawn(async move {
        assert_eq!(interviewer.next(deaf.session()).await.body, CandidateBody::Left);
    });
    let mut said = 0;
    while !left.is_finished() {
        to_well.words("hello").await;
        assert_eq!(client.next().await["text"], "hello");
        said += 1;
    }
    soon("the drop", left).await.unwrap();
    flood.abort();
    assert!(said > 0);
    assert_eq!(edge.edge.sockets(), 1);
}

#[tokio::test]
async fn a_clear_drops_what_is_queued_of_its_turn() {
    let platform = Platform::new().await;
    let edge = platform.edge(EdgeSettings { queue_bytes: 64 << 20, ..quick() }).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut client = ticket.open(&edge).await;
    let speaker = interviewer.joined(&ticket).await;
    // Of the same partition: what it hears was read after what was said before.
    let marker = std::iter::repeat_with(|| platform.session())
        .find(|other| other.claims.partition == ticket.claims.partition)
        .unwrap();
    let mut marked = marker.open(&edge).await;
    let to_marked = interviewer.joined(&marker).await;
    // More than the pipe holds while nobody reads, less than the bus keeps.
    let parts = 90;
    for part in 0..parts {
        speaker.say(speech(2, 0, part)).await;
    }
    speaker.say(AgentBody::Clear { turn_id: TurnId(2), barged_in_at: None }).await;
    speaker.say(speech(2, 0, parts)).await;
    speaker.say(speech(4, 0, 0)).await;
    to_marked.say(speech(0, 0, 0)).await;
    marked.next_of("AGENT_RESPONSE").await;
    let mut heard = 0;
    loop {
        let frame = client.next().await;
        match frame["type"].as_str().unwrap() {
            "AGENT_RESPONSE" => {
                assert_eq!(frame["part"], heard, "in order");
                heard += 1;
            }
            "AGENT_CLEAR" => break,
            other => panic!("{other}"),
        }
    }
    assert!(heard < parts, "all {heard} parts were written before the clear");
    let next = client.next().await;
    assert_eq!((&next["turnId"], &next["part"]), (&"t4".into(), &0.into()), "nothing of the turn follows");
}
