//! Creating: wrong fields, idempotency, lists.

use crate::support::*;
use axum::{body::Body, http::Request};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::HashSet;

#[tokio::test]
async fn a_complete_interview_goes_to_the_planner() {
    let api = Api::start().await;
    let created = api.post(INTERVIEWS, complete()).await.expect(201);
    assert_eq!(created.body["state"], "VALIDATING_SKILLS");
    assert_eq!(created.body["missing"], json!([]));
    assert_eq!(created.header("location"), format!("{INTERVIEWS}/{}", created.id()));
    assert_eq!(created.body["links"]["self"], created.header("location"));
    assert!(created.headers.contains_key("ratelimit-remaining"));

    let read = api.get(&format!("{INTERVIEWS}/{}", created.id())).await.expect(200);
    assert_eq!(read.header("etag"), format!("\"{}\"", read.body["version"]));
    for (field, sent) in complete().as_object().unwrap() {
        assert_eq!(&read.body[field], sent, "{field}");
    }
    let outbox: Vec<(String, String)> = sqlx::query_as("select topic, key from outbox")
        .fetch_all(api.store.system().await.unwrap().conn())
        .await
        .unwrap();
    assert_eq!(outbox, [("skill.validation.requested".to_owned(), created.id())]);
    let audit = api.get(&format!("{INTERVIEWS}/{}/events", created.id())).await.expect(200);
    let actions: Vec<&Value> = audit.body["items"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["interview.created", "interview.moved"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_everything_that_is_wrong() {
    let api = Api::start().await;
    let wrong = json!({
        "durationMinutes": 0, "language": "tlh", "expiresAt": "yesterday", "callbackUrl": "gopher://x",
        "candidate": {"email": "nobody"}, "position": {"level": "GURU"}, "skills": [{"mustHave": 1}], "metadata": 3
    });
    let answer = api.post(INTERVIEWS, wrong).await.expect(422);
    let told: HashSet<&str> = answer.wrong().into_iter().collect();
    let expected = [
        "durationMinutes",
        "language",
        "expiresAt",
        "callbackUrl",
        "candidate.email",
        "position.level",
        "skills[0].name",
        "skills[0].mustHave",
        "metadata",
    ];
    assert_eq!(told, HashSet::from(expected));
    assert_eq!(answer.header("content-type"), "application/problem+json");

    api.post(INTERVIEWS, json!([])).await.expect(422);
    api.post(INTERVIEWS, json!({"candidate": {"name": "a\u{0}b"}})).await.expect(422);
    let raw = |body: &'static str, media: &str| {
        Request::post(INTERVIEWS)
            .header("x-api-key", &api.tenant.api_key)
            .header("content-type", media)
            .body(Body::from(body))
            .unwrap()
    };
    api.send(raw("{", "application/json")).await.expect(400);
    api.send(raw("{}", "text/plain")).await.expect(415);
    let large = format!("{{\"externalId\": \"{}\"}}", "x".repeat(2 << 20));
    api.send(raw(String::leak(large), "application/json")).await.expect(413);
    api.get(&format!("{INTERVIEWS}/not-an-id")).await.expect(404);
    api.get("/api/v1/nothing").await.expect(404);
    api.call("PUT", INTERVIEWS, &[], None).await.expect(405);
}

#[tokio::test]
async fn the_same_key_answers_the_same_and_never_creates_twice() {
    let api = Api::start().await;
    let headers = [("idempotency-key", "one")];
    let all = join_all((0..8).map(|_| api.call("POST", INTERVIEWS, &headers, Some(complete())))).await;
    let ids: HashSet<String> = all.iter().map(|answer| answer.clone().expect(201).id()).collect();
    assert_eq!(ids.len(), 1);
    let replayed = all.iter().filter(|answer| answer.headers.contains_key("idempotency-replayed")).count();
    assert_eq!(replayed, 7);
    let bodies: HashSet<String> = all.iter().map(|answer| answer.body.to_string()).collect();
    assert_eq!(bodies.len(), 1);
    assert_eq!(all[0].header("location"), all[7].header("location"));

    let mut other = complete();
    other["externalId"] = "another".into();
    api.call("POST", INTERVIEWS, &headers, Some(other)).await.expect(422);
    let listed = api.get(INTERVIEWS).await.expect(200);
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);

    // keys of two tenants never meet
    let key = api.other_tenant().await.api_key;
    let headers = [("idempotency-key", "one"), ("x-api-key", key.as_str())];
    let theirs = api.send(Api::request("POST", INTERVIEWS, &headers, Some(&complete()))).await.expect(201);
    assert!(!ids.contains(&theirs.id()));
}

#[tokio::test]
async fn lists_are_filtered_and_walked_by_their_cursor() {
    let api = Api::start().await;
    for n in 0..5 {
        let mut body = complete();
        body["candidate"]["name"] = format!("Candidate {n}").into();
        if n == 4 {
            body["candidate"]["email"] = Value::Null;
        }
        api.post(INTERVIEWS, body).await.expect(201);
    }
    let mut names = Vec::new();
    let mut path = format!("{INTERVIEWS}?limit=2");
    loop {
        let page = api.get(&path).await.expect(200);
        let items = page.body["items"].as_array().unwrap();
        assert!(items.iter().all(|item| item["candidate"]["resume"].is_null()));
        names.extend(items.iter().map(|item| item["candidate"]["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page.body["nextCursor"].as_str() else { break };
        path = format!("{INTERVIEWS}?limit=2&cursor={cursor}");
    }
    let newest_first: Vec<String> = (0..5).rev().map(|n| format!("Candidate {n}")).collect();
    assert_eq!(names, newest_first);

    let count = async |query: &str| {
        let page = api.get(&format!("{INTERVIEWS}?{query}")).await.expect(200);
        page.body["items"].as_array().unwrap().len()
    };
    assert_eq!(count("state=INFO_NEEDED").await, 1);
    assert_eq!(count("state=INFO_NEEDED,VALIDATING_SKILLS").await, 5);
    assert_eq!(count("candidate=candidate%203").await, 1);
    assert_eq!(count("candidate=ADA@example.com").await, 4);
    assert_eq!(count("from=2020-01-01T00:00:00Z").await, 5);
    assert_eq!(count("from=2099-01-01T00:00:00Z").await, 0);
    for wrong in ["state=NOWHERE", "from=yesterday", "cursor=!", "limit=0", "limit=x", "candidate=%00"] {
        api.get(&format!("{INTERVIEWS}?{wrong}")).await.expect(422);
    }
}
