//! What the other parts tell: in order, in reverse, twice, too late, or refused.

use crate::support::*;
use maya_protocol::{
    event::{
        AssessmentOutcome, AssessmentReady, InterviewCompleted, PlanCreated, PlanOutcome, SessionChange, SessionChanged,
    },
    ids::{Epoch, SessionId},
    interview::{Assessment, Recommendation},
    session::Outcome,
};

pub fn started(api: &Api, id: &str, session: SessionId) -> SessionChanged {
    SessionChanged {
        session_id: session,
        interview_id: interview(id),
        change: SessionChange::Started,
        reason: None,
        at: api.clock.utc(),
        epoch: Epoch(1),
    }
}

pub fn ended(api: &Api, id: &str, session: SessionId, outcome: Outcome) -> InterviewCompleted {
    InterviewCompleted {
        interview_id: interview(id),
        session_id: session,
        outcome,
        reason: "all_questions_asked".into(),
        turns: 2,
        ended_at: api.clock.utc(),
    }
}

pub fn assessed(id: &str) -> AssessmentReady {
    let assessment = Assessment {
        recommendation: Recommendation::Yes,
        summary: "Tests well.".into(),
        skills: vec![],
        not_judged: vec![],
        written_by: "test/1".into(),
    };
    AssessmentReady { interview_id: interview(id), outcome: AssessmentOutcome::Generated { assessment } }
}

#[tokio::test]
async fn topics_in_reverse_order_lead_to_the_same_place() {
    let api = Api::start().await;
    let created = api.post(INTERVIEWS, complete()).await.expect(201);
    let id = created.id();
    let session = SessionId::fresh();
    api.tell(assessed(&id)).await;
    api.tell(ended(&api, &id, session, Outcome::Completed)).await;
    api.tell(started(&api, &id, session)).await;
    api.tell(planned(&id, created.body["version"].as_i64().unwrap())).await;
    api.until(&id, "PENDING").await;
    api.act(&format!("{INTERVIEWS}/{id}/plan/approve")).await.expect(200);
    api.until(&id, "ASSESSMENT_READY").await;

    let audit = api.get(&format!("{INTERVIEWS}/{id}/events")).await.expect(200);
    let states: Vec<&str> =
        audit.body["items"].as_array().unwrap().iter().filter_map(|entry| entry["toState"].as_str()).collect();
    assert_eq!(
        states,
        [
            "RECEIVED",
            "VALIDATING_SKILLS",
            "PENDING",
            "APPROVED",
            "IN_PROGRESS",
            "COMPLETED",
            "ASSESSING",
            "ASSESSMENT_READY"
        ]
    );
    let types: Vec<String> = sqlx::query_scalar("select type from webhook_messages order by id")
        .fetch_all(api.store.tenant(api.tenant.tenant_id).await.unwrap().conn())
        .await
        .unwrap();
    assert_eq!(
        types,
        [
            "interview.plan_generated",
            "interview.approved",
            "interview.started",
            "interview.completed",
            "interview.assessment_ready"
        ]
    );
}

#[tokio::test]
async fn what_was_told_before_changes_nothing_more() {
    let api = Api::start().await;
    let (id, session) = api.approved().await;
    // an older asking's answer, and everything twice
    api.tell(planned(&id, 1)).await;
    for _ in 0..2 {
        api.tell(started(&api, &id, session)).await;
        api.tell(ended(&api, &id, session, Outcome::Abandoned)).await;
        api.tell(assessed(&id)).await;
    }
    let ready = api.until(&id, "ASSESSMENT_READY").await;
    // every event is settled, none is a dead letter
    maya_testkit::eventually(PATIENCE, || async {
        let mut tx = api.store.system().await.unwrap();
        let (open, failed): (i64, i64) = sqlx::query_as(
            "select count(*) filter (where done_at is null), count(*) filter (where last_error is not null and done_at is not null and last_error like 'never%') from inbox",
        )
        .fetch_one(tx.conn())
        .await
        .unwrap();
        assert_eq!(failed, 0);
        (open == 0).then_some(())
    })
    .await;
    let now = api.get(&format!("{INTERVIEWS}/{id}")).await;
    assert_eq!(now.body["version"], ready.body["version"]);
    let outcome: String = sqlx::query_scalar("select outcome from sessions")
        .fetch_one(api.store.tenant(api.tenant.tenant_id).await.unwrap().conn())
        .await
        .unwrap();
    assert_eq!(outcome, "ABANDONED");
}

#[tokio::test]
async fn a_refused_plan_or_assessment_fails_the_interview_with_its_reason() {
    let api = Api::start().await;
    let created = api.post(INTERVIEWS, complete()).await.expect(201);
    api.tell(PlanCreated {
        interview_id: interview(&created.id()),
        interview_version: 1,
        outcome: PlanOutcome::Refused { reason: "no skill is known".into() },
    })
    .await;
    let failed = api.until(&created.id(), "FAILED").await;
    assert_eq!(failed.body["stateReason"], "no skill is known");

    let (id, session) = api.approved().await;
    api.tell(started(&api, &id, session)).await;
    api.tell(ended(&api, &id, session, Outcome::Completed)).await;
    api.tell(AssessmentReady {
        interview_id: interview(&id),
        outcome: AssessmentOutcome::Refused { reason: "the model is away".into() },
    })
    .await;
    let failed = api.until(&id, "FAILED").await;
    assert_eq!(failed.body["stateReason"], "the model is away");
}

#[tokio::test]
async fn a_session_that_failed_or_expired_is_not_assessed() {
    let api = Api::start().await;
    for (outcome, state) in
        [(Outcome::Failed, "FAILED"), (Outcome::Expired, "EXPIRED"), (Outcome::Cancelled, "CANCELLED")]
    {
        let (id, session) = api.approved().await;
        api.tell(started(&api, &id, session)).await;
        api.until(&id, "IN_PROGRESS").await;
        api.tell(ended(&api, &id, session, outcome)).await;
        api.until(&id, state).await;
    }
}
