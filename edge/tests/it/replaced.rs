//! A session has one socket: the newest, wherever it is.

use crate::support::*;
use maya_edge::EdgeSettings;
use maya_protocol::{
    audio::CandidateBody,
    bus::assignment::{Share, partitions_of},
    registry::Registry,
};
use std::time::Duration;

async fn is_replaced(client: &mut Client) {
    assert_eq!(client.error().await, "session_replaced");
    assert_eq!(client.closed().await, 4001);
}

#[tokio::test]
async fn a_second_socket_closes_the_first_and_keeps_its_record() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut first = ticket.open(&edge).await;
    let before = interviewer.joined(&ticket).await;
    let mut second = ticket.open(&edge).await;
    is_replaced(&mut first).await;
    let (mut joined, mut left) = (None, false);
    while joined.is_none() || !left {
        let message = interviewer.next(ticket.session()).await;
        match message.body {
            CandidateBody::Joined => joined = Some(message.connection),
            CandidateBody::Left => {
                assert_eq!(message.connection, before.connection);
                left = true;
            }
            other => panic!("{other:?}"),
        }
    }
    let record = platform.registry.socket(ticket.session()).await.unwrap().unwrap();
    assert_eq!(Some(record.connection), joined, "the older close removed nothing of the newer");
    before.words("to the old one").await;
    let after = Speaker { connection: record.connection, ..before };
    after.words("to the new one").await;
    assert_eq!(second.next().await["text"], "to the new one");
}

#[tokio::test]
async fn an_older_socket_on_another_edge_is_told_by_its_peer() {
    let platform = Platform::new().await;
    // The refresh alone would take minutes.
    let settings = || EdgeSettings { socket_ttl: Duration::from_secs(600), ..quick() };
    let (one, two) = (platform.edge(settings()).await, platform.edge(settings()).await);
    let mut interviewer = platform.interviewer().await;
    knows_of_each_other(&[&one, &two]).await;
    let ticket = platform.session();
    let mut first = ticket.open(&one).await;
    interviewer.joined(&ticket).await;
    let _second = ticket.open(&two).await;
    is_replaced(&mut first).await;
}

#[tokio::test]
async fn an_older_socket_sees_the_newer_by_itself_where_the_peer_is_not_reached() {
    let platform = Platform::new().await;
    let settings = || EdgeSettings { socket_ttl: Duration::from_secs(1), ..quick() };
    let (one, two) = (platform.edge(settings()).await, platform.edge(settings()).await);
    one.stop.cancel();
    let mut interviewer = platform.interviewer().await;
    let ticket = platform.session();
    let mut first = ticket.open(&one).await;
    interviewer.joined(&ticket).await;
    let _second = ticket.open(&two).await;
    is_replaced(&mut first).await;
}

/// Waits until the edges share the partitions between them.
pub async fn knows_of_each_other(edges: &[&TestEdge]) {
    let shares: Vec<_> = edges.iter().map(|edge| Share::full(edge.record.id.clone())).collect();
    soon("the sharing of partitions", async {
        for edge in edges {
            let own = partitions_of(&edge.record.id, &shares, PARTITIONS).len();
            let knows_all = || edges.iter().all(|other| edge.edge.knows(&other.record.id));
            while edge.edge.partitions_held() != own || !knows_all() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    })
    .await;
}
