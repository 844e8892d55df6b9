//! What nobody else moves: time that has passed, work that was never answered.

use crate::support::{Api, INTERVIEWS, complete, interview};
use maya_gateway::reconciler::{Pass, Reconciler, ReconcilerSettings};
use maya_protocol::{
    event::{Command, Event, Payload},
    ids::InterviewId,
    state::InterviewState,
};
use maya_store::workflow::{self, Actor};
use sqlx::AssertSqlSafe;
use std::time::Duration;

fn reconciler(api: &Api, settings: ReconcilerSettings) -> Reconciler {
    Reconciler::new(api.store.clone(), settings)
}

/// Everything counts as stuck and past at once.
fn impatient() -> ReconcilerSettings {
    let zero = Duration::ZERO;
    ReconcilerSettings { live_grace: zero, stuck_after: zero, most_asks: 2, ..ReconcilerSettings::default() }
}

async fn past(api: &Api, id: &str) {
    let mut tx = api.store.tenant(api.tenant.tenant_id).await.unwrap();
    sqlx::query(
        "update interviews set expires_at = now() - interval '1 minute',
                brief = jsonb_set(brief, '{expiresAt}', to_jsonb(now() - interval '1 minute')) where id = $1",
    )
    .bind(interview(id).0)
    .execute(tx.conn())
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

async fn state(api: &Api, id: &str) -> (String, String) {
    let body = api.get(&format!("{INTERVIEWS}/{id}")).await.expect(200).body;
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("stateReason"))
}

/// Walks an interview to a state, as its parts would.
async fn walk(api: &Api, id: InterviewId, states: &[InterviewState]) {
    let mut tx = api.store.tenant(api.tenant.tenant_id).await.unwrap();
    let mut row = workflow::lock(&mut tx, id).await.unwrap();
    for state in states {
        workflow::transition(&mut tx, &mut row, *state, None, &Actor::part("test")).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// What stands in the outbox of an interview.
async fn events(api: &Api, id: InterviewId) -> Vec<Payload> {
    let mut tx = api.store.system().await.unwrap();
    let rows: Vec<(serde_json::Value, String, Vec<u8>)> =
        sqlx::query_as("select headers, topic, payload from outbox order by seq").fetch_all(tx.conn()).await.unwrap();
    rows.into_iter()
        .map(|(headers, topic, payload)| {
            let headers = headers.as_object().unwrap().iter();
            let headers =
                headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned().into())).collect();
            Event::decode(maya_protocol::topic::Topic::named(&topic).unwrap(), &headers, &payload).unwrap().payload
        })
        .filter(|payload| match payload {
            Payload::SkillValidationRequested(event) => event.interview_id == id,
            Payload::SessionCommand(event) => event.interview_id == id,
            Payload::InterviewCompleted(event) => event.interview_id == id,
            _ => false,
        })
        .collect()
}

#[tokio::test]
async fn an_interview_past_its_time_expires_and_its_session_is_told() {
    let api = Api::start().await;
    let (id, session) = api.approved().await;
    let (live, _) = api.approved().await;
    walk(&api, interview(&live), &[InterviewState::InProgress]).await;
    let waiting = api.planned().await;
    for id in [&id, &live, &waiting] {
        past(&api, id).await;
    }
    let patient = reconciler(&api, ReconcilerSettings::default());
    assert_eq!(patient.pass().await.unwrap(), Pass { expired: 2, ..Pass::default() });
    assert_eq!(state(&api, &id).await, ("EXPIRED".to_owned(), "past expiresAt".to_owned()));
    assert_eq!(state(&api, &waiting).await.0, "EXPIRED");
    // a conversation that has begun may come to its end, within reason
    assert_eq!(state(&api, &live).await.0, "IN_PROGRESS");
    assert_eq!(reconciler(&api, impatient()).pass().await.unwrap().expired, 1);
    assert_eq!(state(&api, &live).await.0, "EXPIRED");
    let told = events(&api, interview(&id)).await;
    let is_expire = |payload: &Payload| {
        matches!(payload, Payload::SessionCommand(event)
        if event.session_id == session && event.command == Command::Expire)
    };
    assert_eq!(told.iter().filter(|payload| is_expire(payload)).count(), 1);
    let tasks = api.get("/api/v1/tasks?state=OPEN").await.expect(200);
    assert!(tasks.body["items"].as_array().unwrap().is_empty(), "{}", tasks.body);
    assert_eq!(patient.pass().await.unwrap(), Pass::default(), "nothing twice");
}

#[tokio::test]
async fn a_planner_that_never_answers_is_asked_again_and_then_the_interview_fails() {
    let api = Api::start().await;
    let created = api.post(INTERVIEWS, complete()).await.expect(201);
    let id = created.id();
    let reconciler = reconciler(&api, impatient());
    for _ in 0..2 {
        assert_eq!(reconciler.pass().await.unwrap(), Pass { asked_again: 1, ..Pass::default() });
        assert_eq!(state(&api, &id).await.0, "VALIDATING_SKILLS");
    }
    let asked = events(&api, interview(&id)).await;
    assert_eq!(asked.len(), 3);
    // the same asking, word for word: an answer to any of them is welcome
    assert!(asked.iter().all(|payload| *payload == asked[0]));
    assert_eq!(reconciler.pass().await.unwrap(), Pass { failed: 1, ..Pass::default() });
    assert_eq!(state(&api, &id).await, ("FAILED".to_owned(), "the planner did not answer".to_owned()));
    assert_eq!(reconciler.pass().await.unwrap(), Pass::default());
}

#[tokio::test]
async fn a_session_that_ended_goes_to_the_assessor_who_is_asked_again() {
    let api = Api::start().await;
    let (id, session) = api.approved().await;
    walk(&api, interview(&id), &[InterviewState::InProgress, InterviewState::Abandoned]).await;
    let mut tx = api.store.tenant(api.tenant.tenant_id).await.unwrap();
    sqlx::query("update sessions set outcome = 'ABANDONED', reason = 'candidate_left', ended_at = now() where id = $1")
        .bind(session.0)
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let reconciler = reconciler(&api, impatient());
    assert_eq!(reconciler.pass().await.unwrap(), Pass { assessing: 1, ..Pass::default() });
    assert_eq!(reconciler.pass().await.unwrap(), Pass { asked_again: 1, ..Pass::default() });
    let told = events(&api, interview(&id)).await;
    assert!(told.iter().any(|payload| matches!(payload, Payload::InterviewCompleted(event)
        if event.reason == "candidate_left" && event.session_id == session)));
    assert_eq!(reconciler.pass().await.unwrap().asked_again, 1);
    assert_eq!(reconciler.pass().await.unwrap().failed, 1);
    assert_eq!(state(&api, &id).await, ("FAILED".to_owned(), "the assessor did not answer".to_owned()));
}

#[tokio::test]
async fn spent_rows_are_removed_and_others_stay() {
    let api = Api::start().await;
    let headers = [("idempotency-key", "k")];
    api.call("POST", INTERVIEWS, &headers, Some(complete())).await.expect(201);
    let mut tx = api.store.system().await.unwrap();
    for (table, column) in [("outbox", "published_at"), ("inbox", "done_at")] {
        let columns = match table {
            "outbox" => "tenant_id, event_id, topic, key, headers, payload",
            _ => "consumer, tenant_id, event_id, topic, key, headers, payload",
        };
        let consumer = if table == "inbox" { "'c', " } else { "" };
        for (at, count) in [("now() - interval '30 days'", 3), ("now()", 2), ("null", 1)] {
            let statement = format!(
                "insert into {table} ({columns}, {column}) select {consumer}'{}', gen_random_uuid(), 'interview.approved', 'k', '{{}}', '', {at}
                 from generate_series(1, {count})",
                api.tenant.tenant_id
            );
            sqlx::query(AssertSqlSafe(statement)).execute(tx.conn()).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let settings = ReconcilerSettings { idempotency_kept: Duration::ZERO, ..ReconcilerSettings::default() };
    assert_eq!(reconciler(&api, settings.clone()).pass().await.unwrap().purged, 3 + 3 + 1);
    assert_eq!(reconciler(&api, settings).pass().await.unwrap().purged, 0);
}
