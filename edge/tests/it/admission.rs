//! Who is let in, and how the others are told.

use crate::{replaced::knows_of_each_other, support::*};
use maya_edge::EdgeSettings;
use maya_protocol::{
    audio::AgentBody,
    clock::{Clock, SystemClock},
    ids::{Epoch, NodeId, SessionId, TenantId},
    registry::{OwnerRecord, Registry},
    session::{LiveState, Phase},
};
use std::time::Duration;

#[tokio::test]
async fn a_bad_token_is_refused_before_anything_exists() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let ticket = platform.session();
    let claims = &ticket.claims;
    let invalid = (401, "join_token_invalid".to_owned());
    let query =
        |session: &str, tenant: &str, token: &str| format!("sessionId={session}&tenantId={tenant}&token={token}");
    let (session, tenant) = (claims.session.to_string(), claims.tenant.to_string());
    assert_eq!(refused(&edge, &query(&session, &tenant, "nonsense")).await, invalid);
    assert_eq!(refused(&edge, &query(&session, &tenant, "")).await, invalid);
    assert_eq!(refused(&edge, &query(&SessionId::fresh().to_string(), &tenant, &ticket.token)).await, invalid);
    assert_eq!(refused(&edge, &query(&session, &TenantId::fresh().to_string(), &ticket.token)).await, invalid);
    assert_eq!(refused(&edge, &query("unknown", &tenant, &ticket.token)).await, invalid);
    let missing = (400, "missing_parameter".to_owned());
    assert_eq!(refused(&edge, &format!("tenantId={tenant}&token={}", ticket.token)).await, missing);
    assert_eq!(refused(&edge, &format!("sessionId={session}&token={}", ticket.token)).await, missing);
    assert_eq!(get(&edge, &format!("/ws?{}", ticket.query())).await.0, 400, "plain HTTP");
    assert_eq!(platform.registry.socket(claims.session).await.unwrap(), None);
    assert_eq!(edge.edge.sockets(), 0);
}

#[tokio::test]
async fn an_expired_link_opens_only_a_session_that_was_joined() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let ticket = platform.session_until(1_000_000_000);
    assert_eq!(refused(&edge, &ticket.query()).await, (401, "join_token_expired".into()));
    let owner = OwnerRecord { node: NodeId::fresh(), epoch: Epoch(1) };
    platform.registry.put_owner(ticket.session(), &owner, Duration::from_secs(60)).await.unwrap();
    drop(ticket.open(&edge).await);
    live(&platform, ticket.session(), Phase::Ended).await;
    assert_eq!(refused(&edge, &ticket.query()).await, (401, "join_token_expired".into()), "joined, but over");
}

#[tokio::test]
async fn a_link_is_good_when_the_interview_opens() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let early = platform.session_between(Some(3_999_999_999), 4_000_000_000);
    assert_eq!(refused(&edge, &early.query()).await, (403, "join_too_early".into()));
    drop(platform.session_between(Some(1_000_000_000), 4_000_000_000).open(&edge).await);
}

#[tokio::test]
async fn a_withdrawn_link_is_refused_and_its_next_issue_is_not() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let ticket = platform.session();
    platform.registry.revoke_join(ticket.session(), 0, Duration::from_secs(60)).await.unwrap();
    drop(ticket.open(&edge).await);
    platform.registry.revoke_join(ticket.session(), 1, Duration::from_secs(60)).await.unwrap();
    assert_eq!(refused(&edge, &ticket.query()).await, (401, "join_token_revoked".into()));
}

#[tokio::test]
async fn a_full_or_leaving_edge_says_so() {
    let platform = Platform::new().await;
    let edge = platform.edge(EdgeSettings { max_sockets: 1, ..quick() }).await;
    let (first, second) = (platform.session(), platform.session());
    let mut interviewer = platform.interviewer().await;
    let mut client = first.open(&edge).await;
    assert_eq!(refused(&edge, &second.query()).await, (503, "overloaded".into()));
    interviewer.joined(&first).await;

    assert_eq!(get(&edge, "/health").await.0, 200);
    edge.edge.drain();
    assert!(edge.edge.is_draining());
    assert_eq!(get(&edge, "/health").await.0, 503);
    assert_eq!(refused(&edge, &second.query()).await, (503, "overloaded".into()));
    client.send(serde_json::json!({"type": "LEAVE"})).await;
    assert_eq!(interviewer.next(first.session()).await.body, maya_protocol::audio::CandidateBody::Leave);
    let shutdown = tokio::spawn(async move { edge.edge.shutdown(DEADLINE).await });
    assert_eq!(client.closed().await, 1001);
    assert_eq!(interviewer.next(first.session()).await.body, maya_protocol::audio::CandidateBody::Left);
    soon("the shutdown", shutdown).await.unwrap();
}

#[tokio::test]
async fn an_edge_that_goes_away_cuts_nobody_short() {
    let platform = Platform::new().await;
    let mut interviewer = platform.interviewer().await;
    let other = platform.edge(quick()).await;
    let edge = platform.edge(quick()).await;
    knows_of_each_other(&[&other, &edge]).await;
    let (speaking, answering, silent) = (platform.session(), platform.session(), platform.session());
    let mut clients = Vec::new();
    let mut speakers = Vec::new();
    for (ticket, phase) in [(&speaking, Phase::Speaking), (&answering, Phase::Listening), (&silent, Phase::Thinking)] {
        let mut client = ticket.open(&edge).await;
        let speaker = interviewer.joined(ticket).await;
        speaker.say(state(phase)).await;
        client.next_of("STATE").await;
        clients.push(client);
        speakers.push(speaker);
    }
    let shutdown = tokio::spawn(async move { edge.edge.shutdown(DEADLINE).await });
    let [mut heard, mut heard_out, mut waiting] = <[Client; 3]>::try_from(clients).ok().unwrap();
    assert_eq!(waiting.closed().await, 1001, "at once: neither speaks");
    speakers[0].words("the rest").await;
    assert_eq!(heard.next().await["text"], "the rest");
    speakers[0].say(state(Phase::Listening)).await;
    speakers[1].say(state(Phase::Thinking)).await;
    assert_eq!(heard.next().await["state"], "LISTENING");
    assert_eq!(heard.closed().await, 1001, "when she has said it");
    assert_eq!(heard_out.closed().await, 1001, "when the answer is over");
    soon("the shutdown", shutdown).await.unwrap();
    drop(other);
}

fn state(phase: Phase) -> AgentBody {
    AgentBody::State { phase, reason: None, remaining_seconds: 60 }
}

#[tokio::test]
async fn a_session_that_is_over_is_told_without_an_interviewer() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let ticket = platform.session();
    live(&platform, ticket.session(), Phase::Ended).await;
    let mut client = ticket.open(&edge).await;
    assert_eq!(client.error().await, "session_ended");
    assert_eq!(client.next_of("STATE").await["state"], "ENDED");
    assert_eq!(client.closed().await, 1000);
}

#[tokio::test]
async fn a_session_that_ended_unheard_is_told_by_the_edge() {
    let platform = Platform::new().await;
    let edge = platform.edge(EdgeSettings { socket_ttl: Duration::from_millis(300), ..quick() }).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut client = ticket.open(&edge).await;
    interviewer.joined(&ticket).await;
    // what it said on the way was lost with the bus
    live(&platform, ticket.session(), Phase::Ended).await;
    assert_eq!(client.next_of("STATE").await["state"], "ENDED");
    assert_eq!(client.closed().await, 1000);
}

pub async fn live(platform: &Platform, session: SessionId, phase: Phase) {
    let live = LiveState { phase, remaining_seconds: 77, last_activity_at: SystemClock.utc(), turns: 0, version: 1 };
    platform.registry.put_live(session, Epoch(1), &live, Duration::from_secs(60)).await.unwrap();
}
