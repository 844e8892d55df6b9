//! Webhooks against receivers that hang, reset, refuse, redirect and answer nonsense.

use crate::{
    receiver::{Does, OK, Received, Receiver},
    support::{Answer, Api, INTERVIEWS, PATIENCE, complete},
};
use maya_gateway::{
    auth::Role,
    webhooks::{
        Reach, Worker, WorkerSettings,
        schedule::Schedule,
        signature::{self, TOLERANCE},
    },
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

const WEBHOOKS: &str = "/api/v1/webhooks";

fn quick() -> WorkerSettings {
    WorkerSettings {
        schedule: Schedule(vec![Duration::from_millis(20); 4]),
        timeout: Duration::from_millis(800),
        poll: Duration::from_millis(10),
        ..WorkerSettings::development()
    }
}

/// Delivers for as long as the answer lives.
fn deliver(api: &Api, settings: WorkerSettings) -> DropGuard {
    let stop = CancellationToken::new();
    let worker = Worker::new(api.store.clone(), api.state.sealing.clone(), settings).unwrap();
    tokio::spawn(worker.run(stop.clone()));
    stop.drop_guard()
}

async fn endpoint(api: &Api, url: &str, types: &[&str]) -> (String, String) {
    let answer = api.post(WEBHOOKS, json!({"url": url, "types": types})).await.expect(201);
    (answer.id(), answer.body["secret"].as_str().unwrap().to_owned())
}

/// An interview that asks for information: the first webhook there is.
async fn incomplete(api: &Api, callback: Option<&str>) -> String {
    let mut body = complete();
    body["position"].as_object_mut().unwrap().remove("level");
    if let Some(url) = callback {
        body["callbackUrl"] = url.into();
    }
    api.post(INTERVIEWS, body).await.expect(201).id()
}

async fn settled(api: &Api, query: &str, state: &str) -> Value {
    maya_testkit::eventually(PATIENCE, || async move {
        let page = api.get(&format!("{WEBHOOKS}/deliveries?{query}")).await.expect(200);
        let items = page.body["items"].as_array().unwrap();
        items.iter().find(|item| item["state"] == state).cloned()
    })
    .await
}

async fn received(receiver: &Receiver, count: usize) -> Vec<Received> {
    maya_testkit::eventually(PATIENCE, || async {
        let received = receiver.received();
        (received.len() >= count).then_some(received)
    })
    .await
}

fn verifies(secret: &str, received: &Received) -> bool {
    let now = maya_protocol::clock::Clock::utc(&maya_protocol::clock::SystemClock);
    signature::verify(secret, &received.headers, &received.body, now, TOLERANCE).is_ok()
}

#[tokio::test]
async fn an_endpoint_and_the_callback_are_told_and_their_signatures_verify() {
    let api = Api::start().await;
    let _worker = deliver(&api, quick());
    let (all, one, other) = tokio::join!(Receiver::start(&[OK]), Receiver::start(&[OK]), Receiver::start(&[OK]));
    let callback = Receiver::start(&[OK]).await;
    let (_, secret) = endpoint(&api, &all.url, &[]).await;
    let (_, second) = endpoint(&api, &one.url, &["interview.info_needed"]).await;
    endpoint(&api, &other.url, &["interview.completed"]).await;
    let id = incomplete(&api, Some(&callback.url)).await;
    for (receiver, secret) in [(&all, &secret), (&one, &second), (&callback, &api.tenant.webhook_secret)] {
        let told = &received(receiver, 1).await[0];
        assert!(verifies(secret, told));
        assert!(!verifies(&signature::Secret::fresh().reveal(), told));
        assert_eq!(told.headers["content-type"], "application/json");
        let body: Value = serde_json::from_slice(&told.body).unwrap();
        assert_eq!(body["type"], "interview.info_needed");
        let data = json!({"interviewId": id, "externalId": "ats-4711", "state": "INFO_NEEDED"});
        assert_eq!(body["data"], data);
        assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
    }
    assert!(other.received().is_empty());
}

#[tokio::test]
async fn every_failure_is_retried_with_the_same_id_and_bytes_and_written_down() {
    let api = Api::start().await;
    let _worker = deliver(&api, quick());
    let script = [Does::Answers("500 Oops", ""), Does::Resets, Does::Garbage, Does::Hangs, OK];
    let receiver = Receiver::start(&script).await;
    let (id, secret) = endpoint(&api, &receiver.url, &[]).await;
    incomplete(&api, None).await;
    let delivery = settled(&api, &format!("endpointId={id}"), "DELIVERED").await;
    let told = receiver.received();
    assert_eq!(told.len(), 5);
    for one in &told {
        assert!(verifies(&secret, one));
        assert_eq!(one.body, told[0].body);
        assert_eq!(one.headers["webhook-id"], told[0].headers["webhook-id"]);
        assert_eq!(one.headers["webhook-id"], delivery["messageId"].as_str().unwrap());
    }
    let attempts = delivery["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 5);
    assert_eq!(attempts[0]["status"], 500);
    assert_eq!(attempts[3]["error"], "no answer in time");
    assert_eq!(attempts[4]["status"], 204);
    assert!(attempts.iter().take(4).all(|attempt| attempt["error"].is_string()));
}

#[tokio::test]
async fn redirects_are_not_followed_and_a_head_without_an_end_is_cut() {
    let api = Api::start().await;
    let _worker = deliver(&api, quick());
    let elsewhere = Receiver::start(&[OK]).await;
    // as good as a redirect to it: the header must be static, so it names a place that would answer
    let receiver = Receiver::start(&[Does::Answers("307 There", "location: /elsewhere\r\n"), Does::Endless, OK]).await;
    let (id, _) = endpoint(&api, &receiver.url, &[]).await;
    incomplete(&api, None).await;
    let delivery = settled(&api, &format!("endpointId={id}"), "DELIVERED").await;
    assert_eq!(delivery["attempts"][0]["error"], "redirects are not followed");
    assert_eq!(delivery["attempts"][1]["status"], Value::Null);
    assert_eq!(receiver.received().len(), 3);
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn a_receiver_that_asks_to_wait_is_left_alone_for_as_long() {
    let api = Api::start().await;
    let _worker = deliver(&api, quick());
    let receiver = Receiver::start(&[Does::Answers("429 Slow", "retry-after: 3600\r\n")]).await;
    let (id, _) = endpoint(&api, &receiver.url, &[]).await;
    incomplete(&api, None).await;
    received(&receiver, 1).await;
    let delivery = maya_testkit::eventually(PATIENCE, || async {
        let page = api.get(&format!("{WEBHOOKS}/deliveries?endpointId={id}")).await;
        let one = page.body["items"][0].clone();
        (one["attempts"].as_array().is_some_and(|attempts| attempts.len() == 1)).then_some(one)
    })
    .await;
    assert_eq!(delivery["state"], "PENDING");
    let next: chrono::DateTime<chrono::Utc> = delivery["nextAttemptAt"].as_str().unwrap().parse().unwrap();
    assert!(next > api.clock.utc() + chrono::TimeDelta::minutes(50), "{next}");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_disabled_and_one_that_never_works_is_given_up_and_can_be_replayed() {
    let api = Api::start().await;
    let _worker = deliver(&api, quick());
    let (gone, broken) = (
        Receiver::start(&[Does::Answers("410 Gone", "")]).await,
        Receiver::start(&[Does::Answers("503 No", "")]).await,
    );
    let (gone_id, _) = endpoint(&api, &gone.url, &[]).await;
    let (broken_id, _) = endpoint(&api, &broken.url, &[]).await;
    incomplete(&api, None).await;
    settled(&api, &format!("endpointId={gone_id}"), "FAILED").await;
    let endpoint = api.get(&format!("{WEBHOOKS}/{gone_id}")).await.expect(200);
    assert_eq!(endpoint.body["enabled"], false);
    assert!(endpoint.body["disabledReason"].is_string());
    let failed = settled(&api, &format!("endpointId={broken_id}"), "FAILED").await;
    assert_eq!(failed["attempts"].as_array().unwrap().len(), 5);
    assert_eq!(gone.received().len(), 1);

    broken.now_does(OK);
    let delivery = failed["id"].as_str().unwrap();
    api.act(&format!("{WEBHOOKS}/deliveries/{delivery}/replay")).await.expect(202);
    settled(&api, &format!("endpointId={broken_id}"), "DELIVERED").await;
    let told = broken.received();
    assert_eq!(told[0].headers["webhook-id"], told.last().unwrap().headers["webhook-id"]);
}

#[tokio::test]
async fn one_slow_receiver_blocks_no_other() {
    let api = Api::start().await;
    let settings = WorkerSettings {
        timeout: Duration::from_secs(60),
        parallel: 6,
        parallel_per_receiver: 2,
        parallel_per_tenant: 4,
        ..quick()
    };
    let _worker = deliver(&api, settings);
    let (slow, good) = (Receiver::start(&[Does::Hangs]).await, Receiver::start(&[OK]).await);
    let (id, _) = endpoint(&api, &slow.url, &[]).await;
    for _ in 0..8 {
        incomplete(&api, None).await;
    }
    received(&slow, 2).await;
    endpoint(&api, &good.url, &[]).await;
    for _ in 0..8 {
        incomplete(&api, None).await;
    }
    received(&good, 8).await;
    assert_eq!(slow.received().len(), 2);
    api.call("DELETE", &format!("{WEBHOOKS}/{id}"), &[], None).await.expect(204);
}

#[tokio::test]
async fn outside_development_only_https_and_public_addresses() {
    let api = Api::start_with(|settings| settings.development = false).await;
    for (url, good) in [
        ("http://example.com/", false),
        ("https://127.0.0.1/", false),
        ("https://localhost/", false),
        ("https://169.254.169.254/", false),
        ("https://[::ffff:10.0.0.1]/", false),
        ("https://example.com/hook", true),
    ] {
        let answer = api.post(WEBHOOKS, json!({"url": url})).await;
        assert_eq!(answer.status.as_u16(), if good { 201 } else { 422 }, "{url}");
    }
    // whatever stands in the row is checked again when it is connected to
    let receiver = Receiver::start(&[OK]).await;
    sqlx_url(&api, &receiver.url).await;
    let _worker = deliver(&api, WorkerSettings { reach: Reach::Public, ..quick() });
    let id = incomplete(&api, None).await;
    let delivery = settled(&api, &format!("interviewId={id}"), "FAILED").await;
    assert_eq!(delivery["attempts"][0]["error"], "the address is not allowed");
    assert!(receiver.received().is_empty());
}

/// Puts a URL past the checks of the API.
async fn sqlx_url(api: &Api, url: &str) {
    let mut tx = api.store.tenant(api.tenant.tenant_id).await.unwrap();
    sqlx::query("update webhook_endpoints set url = $1").bind(url).execute(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_rotated_secret_and_the_one_before_it_both_sign() {
    let api = Api::start().await;
    let _worker = deliver(&api, quick());
    let receiver = Receiver::start(&[OK]).await;
    let (id, old) = endpoint(&api, &receiver.url, &[]).await;
    let rotated = api.act(&format!("{WEBHOOKS}/{id}/secret/rotate")).await.expect(200);
    let new = rotated.body["secret"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    api.act(&format!("{WEBHOOKS}/{id}/test")).await.expect(202);
    let told = received(&receiver, 1).await;
    assert!(verifies(&old, &told[0]) && verifies(&new, &told[0]));
    assert_eq!(serde_json::from_slice::<Value>(&told[0].body).unwrap()["type"], "webhook.test");
    api.post(&format!("{WEBHOOKS}/{id}/secret/rotate"), json!({"overlapSeconds": 0})).await.expect(200);
    api.act(&format!("{WEBHOOKS}/{id}/test")).await.expect(202);
    let told = received(&receiver, 2).await;
    assert!(!verifies(&new, &told[1]) && !verifies(&old, &told[1]));
    // no secret is ever shown again, and none lies in the database in the clear
    let list = api.get(WEBHOOKS).await.expect(200);
    assert!(!list.body.to_string().contains("whsec_") && !list.body.to_string().contains("secret"));
}

#[tokio::test]
async fn endpoints_are_the_tenants_own_and_only_an_admin_sees_them() {
    let api = Api::start().await;
    let (id, _) = endpoint(&api, "http://127.0.0.1:9/hook", &["interview.started"]).await;
    let changed =
        api.call("PATCH", &format!("{WEBHOOKS}/{id}"), &[], Some(json!({"enabled": false}))).await.expect(200);
    assert_eq!((&changed.body["enabled"], &changed.body["types"][0]), (&json!(false), &json!("interview.started")));
    let wrong =
        api.post(WEBHOOKS, json!({"url": "ftp://x", "types": ["a", "interview.started", "b"]})).await.expect(422);
    assert_eq!(wrong.wrong(), ["url", "types[0]", "types[2]"]);
    let as_key = |key: String| {
        let (api, path) = (&api, format!("{WEBHOOKS}/{id}"));
        async move { api.send(Api::request("GET", &path, &[("x-api-key", &key)], None)).await }
    };
    let other = api.other_tenant().await.api_key;
    assert_eq!(as_key(other).await.status, 404);
    for role in [Role::Recruiter, Role::Viewer, Role::Operator] {
        assert_eq!(as_key(api.key(role).await).await.status, 403, "{role}");
    }
    let gone: Answer = api.get(&format!("{WEBHOOKS}/not-an-id")).await;
    assert_eq!(gone.status, 404);
    api.call("DELETE", &format!("{WEBHOOKS}/{id}"), &[], None).await.expect(204);
    api.get(&format!("{WEBHOOKS}/{id}")).await.expect(404);
}
