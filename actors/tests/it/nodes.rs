//! Two interviewer nodes over one bus, one registry and one real PostgreSQL: who owns a session, and how it goes over.

mod candidate;
mod ground;

use crate::support::PATIENCE;
use candidate::Candidate;
use ground::{Approved, Ground, TestNode, eventually};
use maya_protocol::{ids::Epoch, interview::Speaker, registry::Registry, session::Phase};
use maya_providers::ProviderError;
use std::time::Duration;

/// A session on a node, whose candidate has been greeted.
async fn listening() -> (Ground, TestNode, Approved, Candidate) {
    let ground = Ground::new().await;
    let one = ground.node("one").await;
    let session = ground.session().await;
    let mut candidate = Candidate::joins(&ground, &session).await;
    candidate.until(Phase::Listening).await;
    (ground, one, session, candidate)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listening_session_goes_over_and_nothing_is_said_again() {
    let (ground, one, session, mut candidate) = listening().await;
    let greeting = candidate.said();
    let two = ground.node_that_reads(session.partition, &one).await;
    eventually("the other node owns it", || async { two.placement.sessions() == 1 && one.placement.sessions() == 0 })
        .await;
    candidate.says("I removed a lock.").await;
    candidate.until_transcribed("I removed a lock.").await;
    candidate.until(Phase::Listening).await;
    assert!(candidate.said().starts_with(&greeting), "{:?}", candidate.said());
    candidate.no_sentence_came_twice();
    let owner = ground.placement(&session).await;
    assert_eq!((owner.owner, owner.epoch), (Some(two.id()), Epoch(2)));
    ground.stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speaking_session_is_waited_for() {
    let ground = Ground::new().await;
    let one = ground.node("one").await;
    let session = ground.session().await;
    let mut candidate = Candidate::joins(&ground, &session).await;
    candidate.until(Phase::Greeting).await;
    let two = ground.node_that_reads(session.partition, &one).await;
    candidate.until(Phase::Listening).await;
    eventually("the other node owns it", || async { two.placement.sessions() == 1 }).await;
    let epochs = candidate.epochs_that_spoke();
    assert_eq!(epochs, [Epoch(1)], "the greeting was said to its end where it began");
    candidate.says("I wrote it down.").await;
    candidate.until_transcribed("I wrote it down.").await;
    candidate.no_sentence_came_twice();
    ground.stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_drains_is_left_by_its_sessions() {
    let (ground, one, _session, mut candidate) = listening().await;
    one.drain().await;
    one.placement.drained(Duration::from_millis(300)).await;
    assert_eq!(one.placement.sessions(), 1, "nobody else is there: it stays");
    let two = ground.node("two").await;
    tokio::time::timeout(PATIENCE, one.placement.drained(PATIENCE)).await.expect("it is left");
    eventually("it lives on", || async { two.placement.sessions() == 1 }).await;
    candidate.says("And then I tested it.").await;
    candidate.until_transcribed("And then I tested it.").await;
    candidate.no_sentence_came_twice();
    ground.stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_loses_its_session_and_writes_nothing_after() {
    let (ground, one, session, mut candidate) = listening().await;
    let two = ground.node("two").await;
    // it answers nobody and beats no more, but goes on hearing and speaking: as a node that wakes up late
    one.falls_silent().await;
    eventually("the epoch is taken", || async { ground.placement(&session).await.owner == Some(two.id()) }).await;
    candidate.says("I kept both running.").await;
    candidate.until_transcribed("I kept both running.").await;
    candidate.until(Phase::Listening).await;
    let turns = ground.turns(&session).await;
    let answers: Vec<&str> =
        turns.iter().filter(|turn| turn.speaker == Speaker::Candidate).map(|turn| turn.text.as_str()).collect();
    assert_eq!(answers, ["I kept both running."], "once, whoever heard it");
    eventually("it sees that it was", || async { one.placement.sessions() == 0 }).await;
    ground.stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_lost_while_the_registry_is_away_is_found_by_calling_it() {
    let (ground, one, session, mut candidate) = listening().await;
    let two = ground.node_that_does_not_read(session.partition, &one).await;
    ground.registry_line.away(true);
    one.falls_silent().await;
    eventually("the epoch is taken", || async { ground.placement(&session).await.owner == Some(two.id()) }).await;
    candidate.says("I kept a list on paper.").await;
    candidate.until_transcribed("I kept a list on paper.").await;
    candidate.until(Phase::Listening).await;
    ground.registry_line.away(false);
    ground.stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_without_a_leader_makes_no_node_deaf_to_the_others() {
    let (ground, one, session, mut candidate) = listening().await;
    let two = ground.node_that_does_not_read(session.partition, &one).await;
    ground.bus_line.leaderless(Some(ground.partition_of(&two, &one)));
    two.falls_silent().await;
    eventually("its record is gone", || async { ground.registry.nodes().await.unwrap().len() == 1 }).await;
    // it is asked for the lost node's partitions by now, and one answers never
    for answer in ["I asked again.", "Then I waited.", "And it came back."] {
        candidate.says(answer).await;
        candidate.until_transcribed(answer).await;
        candidate.until(Phase::Listening).await;
    }
    ground.bus_line.leaderless(None);
    ground.stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_registry_moves_nothing() {
    let ground = Ground::new().await;
    let (one, two) = (ground.node("one").await, ground.node("two").await);
    let session = ground.session().await;
    let mut candidate = Candidate::joins(&ground, &session).await;
    candidate.until(Phase::Listening).await;
    let before = ground.placement(&session).await;
    for _ in 0..3 {
        ground.registry.lose_everything();
        let age = ground.registry.age().await.unwrap();
        eventually("the nodes beat again", || async {
            ground.registry.age().await.unwrap() > age + Duration::from_millis(700)
                && ground.registry.nodes().await.unwrap().len() == 2
        })
        .await;
    }
    candidate.says("I measured first.").await;
    candidate.until_transcribed("I measured first.").await;
    let after = ground.placement(&session).await;
    assert_eq!((after.owner, after.epoch), (before.owner, before.epoch));
    ground.stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_moved_where_an_operator_wants_it_and_stays_there() {
    let (ground, one, session, mut candidate) = listening().await;
    let two = ground.node_that_does_not_read(session.partition, &one).await;
    one.placement.move_session(session.id, Some(two.id())).await.expect("it is moved");
    eventually("it is there", || async { two.placement.sessions() == 1 }).await;
    candidate.says("I asked the team.").await;
    candidate.until_transcribed("I asked the team.").await;
    candidate.until(Phase::Listening).await;
    assert_eq!(ground.placement(&session).await.owner, Some(two.id()), "though the other reads its partition");
    assert!(one.placement.move_session(session.id, None).await.is_err(), "it does not live here any more");
    candidate.no_sentence_came_twice();
    ground.stop([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_node_lets_a_candidate_wait_and_say_why() {
    let ground = Ground::new().await.with_room_for(1);
    let one = ground.node("one").await;
    let (first, second) = (ground.session().await, ground.session().await);
    let mut talking = Candidate::joins(&ground, &first).await;
    talking.until(Phase::Listening).await;
    eventually("it is full", || async { one.placement.weight() == 0 }).await;
    let mut waiting = Candidate::joins(&ground, &second).await;
    assert_eq!(waiting.until(Phase::Waiting).await.as_deref(), Some("busy"));
    talking.leaves().await;
    waiting.until(Phase::Listening).await;
    ground.stop([one]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_provider_refuses_begins_no_session_and_goes_on_with_those_it_has() {
    let (ground, one, _, mut talking) = listening().await;
    let retry_after = Some(Duration::from_secs(2));
    one.quotas.heed(&ProviderError::Quota { provider: "scripted", retry_after });
    let second = ground.session().await;
    let mut waiting = Candidate::joins(&ground, &second).await;
    assert_eq!(waiting.until(Phase::Waiting).await.as_deref(), Some("provider_quota"));
    talking.says("I looked at the plan first.").await;
    talking.until_transcribed("I looked at the plan first.").await;
    waiting.until(Phase::Listening).await;
    assert!(!one.quotas.are_used_up(), "no sooner than the provider said");
    ground.stop([one]).await;
}

/// Stops in order.
impl Ground {
    async fn stop<const N: usize>(self, nodes: [TestNode; N]) {
        for node in nodes {
            node.stop().await;
        }
    }
}
