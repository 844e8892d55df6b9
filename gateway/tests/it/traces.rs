//! One trace from a request to what it causes in other parts, and a new one where the caller's does not read.

use crate::support::*;
use async_trait::async_trait;
use maya_protocol::{
    event::{Event, Payload},
    topic::Topic,
    trace::TraceContext,
};
use maya_store::{
    Store,
    inbox::{self, Done, HandleError, Handler},
    outbox::Relay,
};
use sqlx::Row;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const TRACEPARENT: &str = "traceparent";

fn answered(answer: &Answer) -> TraceContext {
    answer.header("traceresponse").parse().unwrap()
}

#[tokio::test]
async fn every_answer_names_a_trace_the_callers_where_it_reads() {
    let api = Api::start().await;
    let mine = TraceContext::fresh();
    let header = mine.to_string();
    let refused = Api::request("GET", INTERVIEWS, &[(TRACEPARENT, &header)], None);
    for answer in [
        api.call("GET", INTERVIEWS, &[(TRACEPARENT, &header)], None).await.expect(200),
        api.call("GET", "/nowhere", &[(TRACEPARENT, &header)], None).await.expect(404),
        api.send(refused).await.expect(401),
    ] {
        let trace = answered(&answer);
        assert!(trace.is_with(mine) && trace != mine, "{answer:?}");
    }

    let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    for bad in ["", "garbage", zero, &header.to_uppercase(), &format!("{header}-more")] {
        let answer = api.call("GET", INTERVIEWS, &[(TRACEPARENT, bad)], None).await.expect(200);
        assert!(!answered(&answer).is_with(mine), "{bad:?}");
    }
    let twice = api.call("GET", INTERVIEWS, &[(TRACEPARENT, &header), (TRACEPARENT, &header)], None).await.expect(200);
    assert!(!answered(&twice).is_with(mine));
    assert!(!answered(&api.get(INTERVIEWS).await).is_with(answered(&api.get(INTERVIEWS).await)), "each its own");
}

/// Plans as the planner does: from the bus, through its inbox, with one transaction.
struct Planner(Store);

#[async_trait]
impl Handler for Planner {
    fn consumer(&self) -> &'static str {
        "planner"
    }
    fn topics(&self) -> &'static [Topic] {
        &[Topic::SkillValidationRequested]
    }
    async fn handle(&self, event: &Event, done: Done) -> Result<(), HandleError> {
        let Payload::SkillValidationRequested(asked) = &event.payload else { return Ok(()) };
        let created = planned(&asked.interview_id.to_string(), asked.interview_version);
        let mut tx = self.0.tenant(event.tenant).await?;
        if done.mark(&mut tx).await? {
            tx.publish(&Event::new(event.tenant, event.time, created), None).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_trace_goes_from_the_request_through_the_planner_and_a_decision_begins_its_own() {
    let api = Api::start().await;
    let stop = CancellationToken::new();
    let _stops = stop.clone().drop_guard();
    tokio::spawn(Relay::new(api.store.clone(), api.bus.clone()).run(stop.clone()));
    let planner = Arc::new(Planner(api.store.clone()));
    tokio::spawn(inbox::run(api.store.clone(), api.bus.clone(), planner, stop));

    let (created, approved) = (TraceContext::fresh(), TraceContext::fresh());
    let header = created.to_string();
    let made = api.call("POST", INTERVIEWS, &[(TRACEPARENT, &header)], Some(complete())).await.expect(201);
    let id = made.id();
    api.until(&id, "PENDING").await;
    let header = approved.to_string();
    let approve = format!("{INTERVIEWS}/{id}/plan/approve");
    api.call("POST", &approve, &[(TRACEPARENT, &header)], None).await.expect(200);

    let mut tx = api.store.system().await.unwrap();
    let rows = sqlx::query("select topic, headers ->> 'traceparent' as trace from outbox where key = $1 order by seq")
        .bind(&id)
        .fetch_all(tx.conn())
        .await
        .unwrap();
    let of: Vec<(String, TraceContext)> =
        rows.iter().map(|row| (row.get("topic"), row.get::<String, _>("trace").parse().unwrap())).collect();
    let topics: Vec<&str> = of.iter().map(|(topic, _)| topic.as_str()).collect();
    assert_eq!(topics, ["skill.validation.requested", "interview.plan.created", "interview.approved"]);
    let [(_, asked), (_, answered_by), (_, decided)] = &of[..] else { panic!("{of:?}") };
    assert_eq!(*asked, answered(&made), "the event is the request's work");
    assert!(answered_by.is_with(created) && answered_by != asked, "the answer is the planner's work: {of:?}");
    assert!(decided.is_with(approved), "{of:?}");
}
