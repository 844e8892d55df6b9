//! Two edges: whichever reads a session's partition, its socket gets its messages.

use crate::{replaced::knows_of_each_other, support::*};
use maya_protocol::{bus::assignment::reader_of, registry::Registry};
use std::time::Duration;

/// A session whose partition is read by `reader`, joined on `holder`.
async fn across(platform: &Platform, reader: &TestEdge, holder: &TestEdge) -> (Ticket, Client, Speaker) {
    let ids = [reader.record.id.clone(), holder.record.id.clone()];
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
