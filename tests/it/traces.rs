//! One trace over every part that a request or a connection reaches: in what is published and in what is logged.

use crate::harness::*;
use serde_json::{Value, json};
use sqlx::{Connection as _, Row};
use std::collections::{BTreeMap, BTreeSet};

const CREATED: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The trace ids of all that was published, by topic.
async fn published(site: &Site) -> BTreeMap<String, BTreeSet<String>> {
    let mut connection = sqlx::PgConnection::connect(site.database()).await.expect("the site's database");
    let rows = sqlx::query("select topic, headers ->> 'traceparent' as trace from outbox")
        .fetch_all(&mut connection)
        .await
        .expect("the outbox");
    let mut traces: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let (topic, trace): (String, Option<String>) = (row.get("topic"), row.get("trace"));
        let trace = trace.unwrap_or_else(|| panic!("an event of {topic} has no trace"));
        traces.entry(topic).or_default().insert(trace.split('-').nth(1).expect("a traceparent").to_owned());
    }
    traces
}

#[tokio::test]
async fn a_request_and_a_connection_each_leave_one_trace_through_every_part() {
    let mut site = Site::quick().await;
    site.set("MAYA_LOG__JSON", true);
    let maya = site.serve("").await;
    let (_, rest) = site.customer(&maya).await;

    let sent = format!("00-{CREATED}-00f067aa0ba902b7-01");
    let made = rest.call("POST", "/integration/interviews", &[("traceparent", &sent)], Some(&short_interview())).await;
    let interview = rest.interview(made.expect(201)["id"].as_str().expect("an id"));
    let link = interview.approved().await;
    let mut conversation = Conversation::new(&["I have worked with Rust for six years."]);
    let mut socket = Socket::open(&link.join_url).await.expect("the link is good");
    assert!(conversation.talk(&mut socket, |so_far| so_far.heard.len() == 1).await, "{conversation:?}");
    socket.send(json!({ "type": "LEAVE" })).await;
    interview.until("ASSESSMENT_READY").await;

    let traces = published(&site).await;
    let of = |topic: &str| {
        let found: Vec<&String> = traces.get(topic).into_iter().flatten().collect();
        assert_eq!(found.len(), 1, "one trace for {topic}: {traces:?}");
        found[0].clone()
    };
    for topic in ["skill.validation.requested", "interview.plan.created"] {
        assert_eq!(of(topic), CREATED);
    }
    let spoken = of("interview.turn.recorded");
    for topic in ["interview.session.changed", "interview.completed", "interview.assessment.ready"] {
        assert_eq!(of(topic), spoken);
    }
    assert_ne!(spoken, CREATED, "a connection begins its own");
    assert_ne!(of("interview.approved"), CREATED, "and so does a request that names none");

    let log = maya.whole_log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for message in ["socket opened", "this node owns the session", "socket closed"] {
        let line = lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("{message}: {log}"));
        assert_eq!(line["trace_id"], spoken, "{line}");
        assert_eq!(line["span_id"].as_str().map(str::len), Some(16), "{line}");
    }
}
