//! Two edges: whichever reads a session's partition, its socket gets its messages.

use crate::{replaced::knows_of_each_other, support::*};
use bytes::Bytes;
use maya_edge::EdgeSettings;
use maya_protocol::{
    audio::{AgentBody, CandidateBody},
    bus::assignment::{Share, reader_of},
    ids::{ConnectionId, SessionId, TurnId},
    join::JoinClaims,
    registry::Registry,
};
use std::time::Duration;

/// A session whose partition is read by `reader`, joined on `holder`.
async fn across(platform: &Platform, reader: &TestEdge, holder: &TestEdge) -> (Ticket, Client, Speaker) {
    let ids = [reader, holder].map(|edge| Share::full(edge.record.id.clone()));
    let mut some = (0..10_000).map(|_| platform.session());
    let ticket = some.find(|ticket| reader_of(ticket.claims.partition, &ids) == Some(&reader.record.id));
    let ticket = ticket.expect("a partition that it reads");
    let mut interviewer = platform.interviewer().await;
    let client = ticket.open(holder).await;
    let speaker = interviewer.joined(&ticket).await;
    (ticket, client, speaker)
}

#[tokio::test]
async fn a_message_crosses_to_the_edge_that_holds_the_socket() {
    let platform = Platform::new().await;
    let (one, two) = (platform.edge(quick()).await, platform.edge(quick()).await);
    knows_of_each_other(&[&one, &two]).await;
    for (reader, holder) in [(&one, &two), (&two, &one)] {
        let (_ticket, mut client, speaker) = across(&platform, reader, holder).await;
        for n in 0..100 {
            speaker.words(&n.to_string()).await;
        }
        for n in 0..100 {
            assert_eq!(client.next().await["text"], n.to_string());
        }
    }
}

#[tokio::test]
async fn an_emptied_registry_loses_no_message() {
    let platform = Platform::new().await;
    let (one, two) = (platform.edge(quick()).await, platform.edge(quick()).await);
    knows_of_each_other(&[&one, &two]).await;
    let (_known, mut known, to_known) = across(&platform, &one, &two).await;
    let (_fresh, mut fresh, to_fresh) = across(&platform, &one, &two).await;
    to_known.words("before").await;
    assert_eq!(known.next().await["text"], "before");
    platform.registry.lose_everything();
    for edge in [&one, &two] {
        platform.registry.put_node(&edge.record, Duration::from_secs(600)).await.unwrap();
    }
    knows_of_each_other(&[&one, &two]).await;
    for (client, speaker) in [(&mut known, &to_known), (&mut fresh, &to_fresh)] {
        for n in 0..20 {
            speaker.words(&n.to_string()).await;
        }
        for n in 0..20 {
            assert_eq!(client.next().await["text"], n.to_string());
        }
    }
}

#[tokio::test]
async fn a_lost_edges_partitions_are_taken_over_without_a_gap() {
    let platform = Platform::new().await;
    let (one, two) = (platform.edge(quick()).await, platform.edge(quick()).await);
    knows_of_each_other(&[&one, &two]).await;
    let (_ticket, mut client, speaker) = across(&platform, &one, &two).await;
    speaker.words("0").await;
    assert_eq!(client.next().await["text"], "0");
    // It stops reading, and only later is it known to be gone.
    soon("the stop", one.edge.shutdown(DEADLINE)).await;
    one.stop.cancel();
    for n in 1..20 {
        speaker.words(&n.to_string()).await;
    }
    platform.registry.remove_node(&one.record.id).await.unwrap();
    for n in 1..20 {
        assert_eq!(client.next().await["text"], n.to_string(), "none lost, none twice");
    }
}

#[tokio::test]
async fn a_lost_edge_is_noticed_by_its_record_alone() {
    let platform = Platform::new().await;
    let (one, two) = (platform.edge(quick()).await, platform.edge(quick()).await);
    knows_of_each_other(&[&one, &two]).await;
    let (_ticket, mut client, speaker) = across(&platform, &one, &two).await;
    // its last heartbeat
    platform.registry.put_node(&one.record, Duration::from_millis(1500)).await.unwrap();
    soon("the stop", one.edge.shutdown(DEADLINE)).await;
    one.stop.cancel();
    for n in 0..20 {
        speaker.words(&n.to_string()).await;
    }
    for n in 0..20 {
        assert_eq!(client.next().await["text"], n.to_string(), "none lost, none twice");
    }
}

#[tokio::test]
async fn a_candidate_who_comes_back_at_another_edge_is_followed_at_once() {
    let platform = Platform::new().await;
    // a route that was found is believed for longer than the test lasts
    let settings = || EdgeSettings { route_ttl: Duration::from_secs(600), ..quick() };
    let edges = [platform.edge(settings()).await, platform.edge(settings()).await, platform.edge(settings()).await];
    let [one, two, three] = &edges;
    knows_of_each_other(&[one, two, three]).await;
    let ids: Vec<_> = edges.iter().map(|edge| Share::full(edge.record.id.clone())).collect();
    let mut some = (0..10_000).map(|_| platform.session());
    let read_by_one = |ticket: &Ticket| reader_of(ticket.claims.partition, &ids) == Some(&one.record.id);
    let ticket = some.find(read_by_one).expect("a partition that it reads");
    let mut interviewer = platform.interviewer().await;
    let mut before = ticket.open(two).await;
    let speaker = interviewer.joined(&ticket).await;
    speaker.words("here").await;
    assert_eq!(before.next().await["text"], "here");
    let mut after = ticket.open(three).await;
    let joined = soon("the second join", async {
        loop {
            let message = interviewer.next(ticket.session()).await;
            if message.body == CandidateBody::Joined {
                return message.connection;
            }
        }
    })
    .await;
    let speaker = Speaker { connection: joined, ..speaker };
    for n in 0..20 {
        speaker.words(&n.to_string()).await;
    }
    for n in 0..20 {
        assert_eq!(after.next().await["text"], n.to_string());
    }
}

#[tokio::test]
async fn while_the_registry_is_away_routes_hold_and_peers_are_asked() {
    let platform = Platform::new().await;
    let (one, two) = (platform.edge(quick()).await, platform.edge(quick()).await);
    knows_of_each_other(&[&one, &two]).await;
    let (_known, mut known, to_known) = across(&platform, &one, &two).await;
    to_known.words("before").await;
    assert_eq!(known.next().await["text"], "before");
    platform.registry.be_away(true);
    let (_fresh, mut fresh, to_fresh) = across(&platform, &one, &two).await;
    for (client, speaker) in [(&mut known, &to_known), (&mut fresh, &to_fresh)] {
        for n in 0..20 {
            speaker.words(&n.to_string()).await;
        }
        for n in 0..20 {
            assert_eq!(client.next().await["text"], n.to_string());
        }
    }
}

#[tokio::test]
async fn a_socket_that_never_reads_holds_up_no_other_behind_a_peer() {
    let platform = Platform::new().await;
    let settings = || EdgeSettings { queue_bytes: 1 << 20, stall_limit: Duration::from_millis(500), ..quick() };
    let (one, two) = (platform.edge(settings()).await, platform.edge(settings()).await);
    knows_of_each_other(&[&one, &two]).await;
    let (deaf, _client, to_deaf) = across(&platform, &one, &two).await;
    let (_well, mut well, to_well) = across(&platform, &one, &two).await;
    let mut interviewer = platform.interviewer().await;
    let flood = tokio::spawn(async move {
        for part in 0.. {
            let (turn_id, pcm) = (TurnId(0), Bytes::from(vec![0; 150_000]));
            to_deaf.say(AgentBody::Speech { turn_id, sentence: 0, part, text: String::new(), last: false, pcm }).await;
            tokio::task::yield_now().await;
        }
    });
    let dropped = tokio::spawn(async move {
        assert_eq!(interviewer.next(deaf.session()).await.body, CandidateBody::Left);
    });
    while !dropped.is_finished() {
        to_well.words("hello").await;
        assert_eq!(well.next().await["text"], "hello");
    }
    soon("the drop", dropped).await.unwrap();
    flood.abort();
    assert_eq!(two.edge.sockets(), 1, "it was dropped alone");
}

#[tokio::test]
async fn a_look_back_crowds_out_nothing_that_is_new() {
    let platform = Platform::new().await;
    let settings = || EdgeSettings { look_back: 4_000, ..quick() };
    let (one, two, three) =
        (platform.edge(settings()).await, platform.edge(settings()).await, platform.edge(settings()).await);
    knows_of_each_other(&[&one, &two, &three]).await;
    let ids = [&one, &two, &three].map(|edge| Share::full(edge.record.id.clone()));
    let mut some = (0..10_000).map(|_| platform.session());
    // read by the first, and by the third when the first is gone; held by the second
    let ticket = some.find(|ticket| {
        let partition = ticket.claims.partition;
        reader_of(partition, &ids) == Some(&ids[0].node) && reader_of(partition, &ids[1..]) == Some(&ids[2].node)
    });
    let ticket = ticket.expect("a partition that moves from the first to the third");
    let mut interviewer = platform.interviewer().await;
    let mut client = ticket.open(&two).await;
    let speaker = interviewer.joined(&ticket).await;
    // what many interviews that are over have left in the same partition
    for n in 0..3_000 {
        let claims = JoinClaims { session: SessionId::fresh(), ..speaker.claims.clone() };
        let over = Speaker { connection: ConnectionId::fresh(), claims, ..speaker.clone() };
        over.words(&n.to_string()).await;
    }
    soon("the stop", one.edge.shutdown(DEADLINE)).await;
    one.stop.cancel();
    for n in 0..20 {
        speaker.words(&n.to_string()).await;
    }
    platform.registry.remove_node(&one.record.id).await.unwrap();
    for n in 0..20 {
        assert_eq!(client.next().await["text"], n.to_string());
    }
}
