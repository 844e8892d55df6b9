//! What keeps Maya from a candidate is told by their edge, and what she does once it is over.

use crate::{backlog::Jammed, replaced::knows_of_each_other, support::*};
use maya_edge::EdgeSettings;
use maya_protocol::{
    audio::AgentBody,
    clock::{Clock, SystemClock},
    ids::{Epoch, NodeId},
    operation::Operation,
    registry::{NodeRecord, Registry},
    rpc::{ActError, Peers},
    session::Phase,
    tree::NodeState,
    wire,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

fn interviewer(id: &str) -> NodeRecord {
    NodeRecord {
        id: NodeId(id.to_owned()),
        roles: vec!["interviewer".to_owned()],
        zone: None,
        version: "test".to_owned(),
        state: NodeState::Serving,
        rpc: "127.0.0.1:1".to_owned(),
        load: 0,
        weight: 8,
        started_at: SystemClock.utc(),
    }
}

/// The candidate's next state, and why.
async fn state(client: &mut Client) -> (String, Option<String>) {
    let frame = client.next_of("STATE").await;
    (frame["state"].as_str().unwrap().to_owned(), frame["reason"].as_str().map(str::to_owned))
}

fn is(phase: &str, reason: Option<&str>) -> (String, Option<String>) {
    (phase.to_owned(), reason.map(str::to_owned))
}

fn says(phase: Phase) -> AgentBody {
    AgentBody::State { phase, reason: None, remaining_seconds: 60 }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_lost_interviewer_is_told_until_another_speaks_or_it_is_back() {
    let platform = Platform::new().await;
    let (one, two) = (interviewer("one"), interviewer("two"));
    platform.registry.put_node(&one, MINUTE).await.unwrap();
    let edge = platform.edge(quick()).await;
    let mut bus = platform.interviewer().await;
    let ticket = platform.session();
    let mut client = ticket.open(&edge).await;
    let speaker = bus.joined(&ticket).await;
    speaker.say(AgentBody::TakeOver { node: Some(one.id.clone()) }).await;
    speaker.say(says(Phase::Listening)).await;
    assert_eq!(state(&mut client).await, is("LISTENING", None));

    platform.registry.remove_node(&one.id).await.unwrap();
    assert_eq!(state(&mut client).await, is("SUSPENDED", Some("interviewer_lost")));
    platform.registry.put_node(&one, MINUTE).await.unwrap();
    assert_eq!(state(&mut client).await, is("LISTENING", None), "it was only frozen");

    platform.registry.remove_node(&one.id).await.unwrap();
    assert_eq!(state(&mut client).await, is("SUSPENDED", Some("interviewer_lost")));
    platform.registry.put_node(&two, MINUTE).await.unwrap();
    let next = Speaker { epoch: Epoch(2), ..speaker.clone() };
    next.say(AgentBody::TakeOver { node: Some(two.id.clone()) }).await;
    next.say(says(Phase::Speaking)).await;
    // between the marker and her first word the edge may repeat what she did before
    let mut told = state(&mut client).await;
    while told == is("LISTENING", None) {
        told = state(&mut client).await;
    }
    assert_eq!(told, is("SPEAKING", None));
}

#[tokio::test]
async fn a_bus_that_takes_nothing_is_told_until_it_does() {
    let platform = Platform::new().await;
    let jammed = Arc::new(Jammed::over(platform.bus.clone()));
    let edge = platform.edge_on(jammed.clone(), quick()).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut client = ticket.open(&edge).await;
    interviewer.joined(&ticket).await.say(says(Phase::Listening)).await;
    assert_eq!(state(&mut client).await, is("LISTENING", None));
    jammed.jam(Some(ticket.session()));
    client.send(json!({"type": "AUDIO", "data": wire::encode(&[1; 3_200])})).await;
    assert_eq!(state(&mut client).await, is("SUSPENDED", Some("bus_away")));
    jammed.jam(None);
    assert_eq!(state(&mut client).await, is("LISTENING", None));
}

#[tokio::test]
async fn a_bus_that_does_not_answer_is_told_though_nothing_waits_for_it() {
    let platform = Platform::new().await;
    let jammed = Arc::new(Jammed::over(platform.bus.clone()));
    let edge = platform.edge_on(jammed.clone(), quick()).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut client = ticket.open(&edge).await;
    interviewer.joined(&ticket).await.say(says(Phase::Speaking)).await;
    assert_eq!(state(&mut client).await, is("SPEAKING", None));
    jammed.answers(false);
    assert_eq!(state(&mut client).await, is("SUSPENDED", Some("bus_away")));
    jammed.answers(true);
    assert_eq!(state(&mut client).await, is("SPEAKING", None));
}

#[tokio::test]
async fn an_operator_drains_an_edge_where_its_candidates_can_go_elsewhere() {
    let platform = Platform::new().await;
    let mut interviewer = platform.interviewer().await;
    let edge = platform.edge(EdgeSettings { calm_within: MINUTE, ..quick() }).await;
    let (peers, drain) = (Peers::new("s3cret").unwrap(), serde_json::to_value(Operation::Drain).unwrap());
    let refused = peers.act(&edge.record.rpc, &drain).await.unwrap().unwrap_err();
    assert!(matches!(refused, ActError::Refused(_)) && !edge.edge.is_draining(), "{refused}");

    let other = platform.edge(quick()).await;
    knows_of_each_other(&[&edge, &other]).await;
    let (speaking, silent) = (platform.session(), platform.session());
    let mut heard = speaking.open(&edge).await;
    let speaks = interviewer.joined(&speaking).await;
    let mut waiting = silent.open(&edge).await;
    let thinks = interviewer.joined(&silent).await;
    speaks.say(says(Phase::Speaking)).await;
    thinks.say(says(Phase::Thinking)).await;
    assert_eq!(state(&mut heard).await, is("SPEAKING", None));
    assert_eq!(state(&mut waiting).await, is("THINKING", None));
    assert_eq!(peers.act(&edge.record.rpc, &drain).await.unwrap(), Ok(Value::Null));
    assert!(edge.edge.is_draining());
    assert_eq!(waiting.closed().await, 1001);
    speaks.words("the rest").await;
    assert_eq!(heard.next().await["text"], "the rest", "nobody is cut short");
    speaks.say(says(Phase::Listening)).await;
    assert_eq!(heard.closed().await, 1001);
}
