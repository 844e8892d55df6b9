//! What is missing, and how a person completes or waives it.

use crate::support::*;
use serde_json::{Value, json};

#[tokio::test]
async fn missing_data_waits_for_a_person_who_completes_and_waives() {
    let api = Api::start().await;
    let created = api.post(INTERVIEWS, json!({"candidate": {"name": "Ada"}})).await.expect(201);
    assert_eq!(created.body["state"], "INFO_NEEDED");
    let missing: Vec<(&str, &str)> = created.body["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| (field["field"].as_str().unwrap(), field["severity"].as_str().unwrap()))
        .collect();
    assert_eq!(
        missing,
        [
            ("candidate.email", "CRITICAL"),
            ("position.title", "CRITICAL"),
            ("skills", "CRITICAL"),
            ("position.level", "HIGH"),
            ("durationMinutes", "HIGH"),
            ("position.description", "HIGH"),
            ("candidate.resume", "MEDIUM"),
            ("language", "MEDIUM"),
            ("externalId", "MEDIUM"),
        ]
    );
    let path = format!("{INTERVIEWS}/{}", created.id());
    let tasks = api.get("/api/v1/tasks?state=OPEN&kind=INFO_NEEDED").await.expect(200);
    assert_eq!(tasks.body["items"][0]["interviewId"], created.id().as_str());
    let patch = async |headers: &[(&str, &str)], body: Value| api.call("PATCH", &path, headers, Some(body)).await;

    // one thing at a time, and both kinds of mistakes in one answer
    let wrong = patch(&[], json!({"durationMinutes": 999, "waive": ["candidate.email", "nothing"]})).await.expect(422);
    assert_eq!(wrong.wrong(), ["durationMinutes", "waive", "waive"]);
    let still =
        patch(&[], json!({"candidate": {"email": "ada@example.com"}, "skills": [{"name": "Rust"}]})).await.expect(200);
    assert_eq!(still.body["state"], "INFO_NEEDED");
    assert_eq!(still.body["candidate"]["name"], "Ada");
    assert_eq!(still.body["language"], "en-US");

    // an If-Match of another version is refused, the current one is not
    patch(&[("if-match", "\"1\"")], json!({"position": {"title": "Engineer"}})).await.expect(412);
    let etag = still.header("etag").to_owned();
    let titled = patch(&[("if-match", &etag)], json!({"position": {"title": "Engineer"}})).await.expect(200);
    assert_eq!(titled.body["state"], "INFO_NEEDED");

    let waived = json!({"waive": ["position.level", "durationMinutes", "position.description"]});
    let done = patch(&[], waived).await.expect(200);
    assert_eq!(done.body["state"], "VALIDATING_SKILLS");
    let left: Vec<&Value> = done.body["missing"].as_array().unwrap().iter().map(|field| &field["severity"]).collect();
    assert_eq!(left, ["MEDIUM", "MEDIUM", "MEDIUM"]);
    let tasks = api.get("/api/v1/tasks?state=OPEN").await.expect(200);
    assert_eq!(tasks.body["items"], json!([]));

    // there is nothing to complete any more
    let late = patch(&[], json!({"externalId": "x"})).await.expect(409);
    assert_eq!(late.body["state"], "VALIDATING_SKILLS");
    let topics: Vec<String> = sqlx::query_scalar("select topic from outbox order by seq")
        .fetch_all(api.store.system().await.unwrap().conn())
        .await
        .unwrap();
    assert_eq!(topics, ["interview.info_needed", "skill.validation.requested"]);
}

#[tokio::test]
async fn a_tenant_may_tighten_but_not_loosen() {
    let api = Api::start().await;
    let mut tx = api.store.tenant(api.tenant.tenant_id).await.unwrap();
    sqlx::query("update tenants set settings = $1")
        .bind(json!({"completeness": {"externalId": "CRITICAL", "candidate.name": "MEDIUM"}}))
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut body = complete();
    body["externalId"] = Value::Null;
    body["candidate"]["name"] = Value::Null;
    let created = api.post(INTERVIEWS, body).await.expect(201);
    assert_eq!(created.body["state"], "INFO_NEEDED");
    for field in created.body["missing"].as_array().unwrap() {
        assert_eq!(field["severity"], "CRITICAL", "{field}");
    }
}
