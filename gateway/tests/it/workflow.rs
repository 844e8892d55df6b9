//! From a plan to an approved verdict, by people.

use crate::{events, support::*};
use axum::body::Body;
use http_body_util::BodyExt;
use maya_protocol::{
    ids::{Epoch, SessionId},
    interview::Speaker,
    join::JoinKey,
    registry::Registry,
    session::{LiveState, Outcome, Phase},
};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_plan_is_edited_rejected_written_anew_and_approved() {
    let api = Api::start().await;
    let id = api.planned().await;
    let path = format!("{INTERVIEWS}/{id}");
    let plan = api.get(&format!("{path}/plan")).await.expect(200);
    assert_eq!(plan.header("etag"), format!("\"{}\"", plan.body["version"]));
    assert_eq!(plan.body["sections"][0]["questions"][0]["id"], "q1");

    let mut edited = plan.body.clone();
    edited["sections"][0]["minutes"] = 29.into();
    edited["sections"][0]["questions"][1]["id"] = "q1".into();
    let wrong = api.call("PUT", &format!("{path}/plan"), &[], Some(edited.clone())).await.expect(422);
    assert_eq!(wrong.wrong(), ["sections", "sections[0].questions[1].id"]);
    edited["sections"][0]["minutes"] = 30.into();
    edited["sections"][0]["questions"][1] = json!({"id": "q9", "text": "Why Rust?", "difficulty": "EXPERT"});
    let etag = plan.header("etag");
    let written =
        api.call("PUT", &format!("{path}/plan"), &[("if-match", etag)], Some(edited.clone())).await.expect(200);
    assert!(written.body["version"].as_i64() > plan.body["version"].as_i64());
    api.call("PUT", &format!("{path}/plan"), &[("if-match", etag)], Some(edited)).await.expect(412);
    api.call("POST", &format!("{path}/plan/approve"), &[("if-match", etag)], None).await.expect(412);

    // before the approval there is no session
    let early = api.act(&format!("{path}/session")).await.expect(409);
    assert_eq!(early.body["state"], "PENDING");
    api.get(&format!("{path}/session")).await.expect(404);

    let rejected = api.post(&format!("{path}/plan/reject"), json!({"reason": "too easy", "regenerate": true})).await;
    assert_eq!(rejected.clone().expect(200).body["state"], "VALIDATING_SKILLS");
    let asked: Vec<Vec<u8>> =
        sqlx::query_scalar("select payload from outbox where topic = 'skill.validation.requested' order by seq")
            .fetch_all(api.store.system().await.unwrap().conn())
            .await
            .unwrap();
    let asked: Vec<Value> = asked.iter().map(|payload| serde_json::from_slice(payload).unwrap()).collect();
    assert_eq!(asked[1]["feedback"], "too easy");
    assert_eq!(asked[1]["interviewVersion"], rejected.body["version"]);
    api.tell(planned(&id, asked[1]["interviewVersion"].as_i64().unwrap())).await;
    api.until(&id, "PENDING").await;
    let tasks = api.get("/api/v1/tasks?kind=PLAN_REVIEW").await.expect(200);
    let states: Vec<&Value> = tasks.body["items"].as_array().unwrap().iter().map(|task| &task["state"]).collect();
    assert_eq!(states, ["OPEN", "DONE"]);

    let approved = api.post(&format!("{path}/plan/approve"), json!({"comment": "good"})).await.expect(200);
    assert_eq!(approved.body["state"], "APPROVED");
    api.act(&format!("{path}/plan/approve")).await.expect(409);
    api.act(&format!("{path}/plan/reject")).await.expect(409);
    api.call("PUT", &format!("{path}/plan"), &[], Some(json!({}))).await.expect(409);
    let audit = api.get(&format!("{path}/events")).await.expect(200);
    let last = audit.body["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["detail"]["comment"], "good");

    let link = api.act(&format!("{path}/session")).await.expect(200);
    assert_eq!(api.act(&format!("{path}/session")).await.body["sessionId"], link.body["sessionId"]);
    assert_eq!(link.body["expiresAt"], "2099-12-31T00:00:00Z");
    let session: SessionId = link.body["sessionId"].as_str().unwrap().parse().unwrap();
    let token = link.body["token"].as_str().unwrap();
    let key = JoinKey::new(b"a join key of thirty-two bytes...");
    let (claims, page) = key.verify_with_page(token, session, api.tenant.tenant_id).unwrap();
    assert_eq!(claims.interview, interview(&id));
    assert!(page.title.is_some() && page.company.is_some() && page.duration_minutes.is_some(), "{page:?}");
    assert!(
        page.candidate_name.is_some_and(|name| !name.contains(' ')),
        "the page greets; it needs no more of the name"
    );
    let expected =
        format!("http://127.0.0.1:8080/join?sessionId={session}&tenantId={}&token={token}", api.tenant.tenant_id);
    assert_eq!(link.body["joinUrl"], expected);
}

#[tokio::test]
async fn a_plan_rejected_for_good_stays_rejected() {
    let api = Api::start().await;
    let id = api.planned().await;
    let rejected = api.act(&format!("{INTERVIEWS}/{id}/plan/reject")).await.expect(200);
    assert_eq!(rejected.body["state"], "REJECTED");
    api.act(&format!("{INTERVIEWS}/{id}/plan/approve")).await.expect(409);
    api.act(&format!("{INTERVIEWS}/{id}/cancel")).await.expect(409);
}

#[tokio::test]
async fn the_live_state_is_waited_for() {
    let api = Api::start().await;
    let (id, session) = api.approved().await;
    let path = format!("{INTERVIEWS}/{id}/session");
    let before = api.get(&path).await.expect(200);
    assert_eq!((&before.body["state"], &before.body["phase"]), (&json!("APPROVED"), &Value::Null));
    assert_eq!(before.body["remainingSeconds"], 1800);
    let known = &before.body["version"];
    api.get(&format!("{path}?wait=61")).await.expect(422);

    // nothing happens: the same again after the wait
    let same = api.get(&format!("{path}?wait=1&version={known}")).await.expect(200);
    assert_eq!(&same.body["version"], known);

    let live = LiveState {
        phase: Phase::Listening,
        remaining_seconds: 1700,
        last_activity_at: api.clock.utc(),
        turns: 1,
        version: 4,
    };
    let waits_path = format!("{path}?wait=50&version={known}");
    let waits = api.get(&waits_path);
    let (changed, written) =
        tokio::join!(waits, api.registry.put_live(session, Epoch(1), &live, Duration::from_secs(60)));
    written.unwrap();
    assert_eq!((&changed.body["phase"], &changed.body["turns"]), (&json!("LISTENING"), &json!(1)));
    assert_eq!(changed.body["remainingSeconds"], 1700);

    // also a change that only the rows know
    let waits_path = format!("{path}?wait=50&version={}", changed.body["version"]);
    let waits = api.get(&waits_path);
    let (changed, ()) = tokio::join!(waits, api.tell(events::started(&api, &id, session)));
    assert_eq!(changed.body["state"], "IN_PROGRESS");
    assert!(changed.body["startedAt"].is_string());

    // the registry lost everything: the rows still answer
    api.registry.lose_everything();
    let lost = api.get(&path).await.expect(200);
    assert_eq!((&lost.body["phase"], &lost.body["state"]), (&Value::Null, &json!("IN_PROGRESS")));
}

#[tokio::test]
async fn an_assessment_is_rejected_written_by_hand_and_approved() {
    let api = Api::start().await;
    let (id, session) = api.approved().await;
    let path = format!("{INTERVIEWS}/{id}");
    api.get(&format!("{path}/assessment")).await.expect(404);
    api.tell(events::started(&api, &id, session)).await;
    api.until(&id, "IN_PROGRESS").await;
    api.say(session, &[(Speaker::Maya, "How do you test?"), (Speaker::Candidate, "By property tests.")]).await;
    let transcript = api.get(&format!("{path}/transcript")).await.expect(200);
    assert_eq!(transcript.body["turns"][1]["turnId"], "t1");
    assert_eq!(transcript.body["turns"][1]["speaker"], "CANDIDATE");
    assert!(transcript.body["turns"][1].get("context").is_none());
    api.tell(events::ended(&api, &id, session, Outcome::Completed)).await;
    api.tell(events::assessed(&id)).await;
    api.until(&id, "ASSESSMENT_READY").await;
    let assessment = api.get(&format!("{path}/assessment")).await.expect(200);
    assert_eq!(assessment.body["recommendation"], "YES");

    // regenerated
    let again = api.post(&format!("{path}/assessment/reject"), json!({"reason": "thin", "regenerate": true})).await;
    assert_eq!(again.expect(200).body["state"], "ASSESSING");
    api.tell(events::assessed(&id)).await;
    api.until(&id, "ASSESSMENT_READY").await;

    // rejected, and written by hand: quotes must be what was said
    let rejected = api.act(&format!("{path}/assessment/reject")).await.expect(200);
    assert_eq!(rejected.body["state"], "ASSESSMENT_REJECTED");
    api.act(&format!("{path}/assessment/approve")).await.expect(409);
    let by_hand = |text: &str| {
        json!({"recommendation": "STRONG_YES", "summary": "Convincing.", "skills": [
            {"name": "Rust", "score": 5, "rationale": "Knows why.", "quotes": [{"turnId": "t1", "text": text}]}]})
    };
    let invented = api.call("PUT", &format!("{path}/assessment"), &[], Some(by_hand("unit tests"))).await.expect(422);
    assert_eq!(invented.wrong(), ["skills[0].quotes[0].text"]);
    let nothing = api.call("PUT", &format!("{path}/assessment"), &[], Some(json!({"skills": [{}]}))).await.expect(422);
    assert_eq!(nothing.wrong().len(), 5, "{:?}", nothing.wrong());
    api.call("PUT", &format!("{path}/assessment"), &[], Some(by_hand("property tests"))).await.expect(200);
    api.until(&id, "ASSESSMENT_READY").await;

    let approved = api.post(&format!("{path}/assessment/approve"), json!({})).await.expect(200);
    assert_eq!(approved.body["state"], "ASSESSMENT_COMPLETED");
    let told: Vec<u8> = sqlx::query_scalar("select payload from outbox where topic = 'interview.assessment.completed'")
        .fetch_one(api.store.system().await.unwrap().conn())
        .await
        .unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!((&told["recommendation"], &told["externalId"]), (&json!("STRONG_YES"), &json!("ats-4711")));
    for action in ["assessment/approve", "assessment/reject", "cancel", "session"] {
        let refused = api.act(&format!("{path}/{action}")).await.expect(409);
        assert_eq!(refused.body["state"], "ASSESSMENT_COMPLETED", "{action}");
    }
}

#[tokio::test]
async fn the_audit_log_is_paged_and_followed() {
    let api = Api::start().await;
    let id = api.planned().await;
    let path = format!("{INTERVIEWS}/{id}/events");
    let first = api.get(&format!("{path}?limit=1")).await.expect(200);
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let second = api.get(&format!("{path}?limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!(second.body["items"][0]["toState"], "VALIDATING_SKILLS");

    let last = first.body["items"][0]["id"].as_str().unwrap();
    let headers =
        [("x-api-key", api.tenant.api_key.as_str()), ("accept", "text/event-stream"), ("last-event-id", last)];
    let (status, body) = api.head(Api::request("GET", &path, &headers, None)).await;
    assert_eq!(status, 200);
    let follows = read_until(body, "APPROVED");
    let approve = format!("{INTERVIEWS}/{id}/plan/approve");
    let (text, approved) = tokio::join!(follows, api.act(&approve));
    approved.expect(200);
    assert!(!text.contains("interview.created"), "it resumes after the event that was seen");
    assert!(text.contains("VALIDATING_SKILLS") && text.contains("event: audit"), "{text}");
}

async fn read_until(mut body: Body, word: &str) -> String {
    let mut text = String::new();
    let read = async {
        while !text.contains(&format!("\"toState\":\"{word}\"")) {
            let frame = body.frame().await.expect("the stream goes on").unwrap();
            text.push_str(&String::from_utf8_lossy(frame.data_ref().unwrap()));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("it is told in time");
    text
}
