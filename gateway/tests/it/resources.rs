//! The smaller resources: keys, skills, recordings, the dashboard.

use crate::support::{Api, INTERVIEWS};
use axum::http::{Request, header};
use http_body_util::BodyExt;
use maya_gateway::auth::Role;
use maya_providers::testing::HashEmbedder;
use object_store::{ObjectStore, ObjectStoreExt, memory::InMemory};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;

const KEYS: &str = "/api/v1/api-keys";
const SKILLS: &str = "/api/v1/skills";

async fn with_key(api: &Api, key: &str, method: &str, path: &str) -> u16 {
    api.send(Api::request(method, path, &[("x-api-key", key)], None)).await.status.as_u16()
}

#[tokio::test]
async fn a_key_is_shown_once_narrowed_by_its_scopes_rotated_and_revoked() {
    let api = Api::start_with(|settings| settings.credential_cache = std::time::Duration::ZERO).await;
    let made =
        api.post(KEYS, json!({"name": "ci", "role": "RECRUITER", "scopes": ["interview:read"]})).await.expect(201);
    let key = made.body["apiKey"].as_str().unwrap().to_owned();
    assert!(key.starts_with(&format!("maya_{}_", made.body["prefix"].as_str().unwrap())));
    let list = api.get(KEYS).await.expect(200);
    assert_eq!(list.body["items"].as_array().unwrap().len(), 2);
    assert!(!list.body.to_string().contains(&key) && !list.body.to_string().contains("hash"));
    assert_eq!(with_key(&api, &key, "GET", INTERVIEWS).await, 200);
    let create = Api::request("POST", INTERVIEWS, &[("x-api-key", &key)], Some(&json!({})));
    assert_eq!(api.send(create).await.status, 403);
    assert_eq!(with_key(&api, &key, "GET", KEYS).await, 403);

    let id = made.id();
    let rotated = api.post(&format!("{KEYS}/{id}/rotate"), json!({"overlapSeconds": 0})).await.expect(201);
    let newer = rotated.body["apiKey"].as_str().unwrap().to_owned();
    assert_eq!(with_key(&api, &key, "GET", INTERVIEWS).await, 401);
    assert_eq!(with_key(&api, &newer, "GET", INTERVIEWS).await, 200);
    assert_eq!(rotated.body["scopes"], json!(["interview:read"]));
    api.act(&format!("{KEYS}/{id}/rotate")).await.expect(409);
    api.call("DELETE", &format!("{KEYS}/{}", rotated.id()), &[], None).await.expect(204);
    assert_eq!(with_key(&api, &newer, "GET", INTERVIEWS).await, 401);
    let other = api.other_tenant().await.api_key;
    assert_eq!(with_key(&api, &other, "DELETE", &format!("{KEYS}/{id}")).await, 404);
}

#[tokio::test]
async fn no_key_hands_out_more_than_it_has() {
    let api = Api::start().await;
    let wrong = api
        .post(KEYS, json!({"role": "OPERATOR", "scopes": ["all"], "expiresAt": "2001-01-01T00:00:00Z"}))
        .await
        .expect(422);
    assert_eq!(wrong.wrong(), ["role", "scopes[0]", "expiresAt"]);
    let narrow = api.post(KEYS, json!({"role": "ADMIN", "scopes": ["key:manage", "interview:read"]})).await.expect(201);
    let narrow = narrow.body["apiKey"].as_str().unwrap().to_owned();
    let make = async |body: serde_json::Value| {
        api.send(Api::request("POST", KEYS, &[("x-api-key", &narrow)], Some(&body))).await.status.as_u16()
    };
    assert_eq!(make(json!({"role": "ADMIN"})).await, 422);
    assert_eq!(make(json!({"role": "VIEWER", "scopes": ["interview:read"]})).await, 201);
}

#[tokio::test]
async fn a_skill_is_embedded_and_stays_the_tenants_own() {
    let api = Api::start_from(|parts| parts.embedder = Some(Arc::new(HashEmbedder::default()))).await;
    let skill = json!({"name": "Wound care", "description": "Cleans and dresses wounds.", "aliases": ["dressing"]});
    let added = api.post(SKILLS, skill.clone()).await.expect(201);
    api.post(SKILLS, skill).await.expect(409);
    assert_eq!(
        api.post(SKILLS, json!({"name": " ", "aliases": [""]})).await.expect(422).wrong(),
        ["name", "aliases[0]"]
    );
    let mut tx = api.store.tenant(api.tenant.tenant_id).await.unwrap();
    let (space, norm): (String, f64) = sqlx::query_as("select space, (embedding <#> embedding)::float8 from skills")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    assert_eq!(space, "hash-embedder/1");
    assert!((norm + 1.0).abs() < 1e-3, "a unit vector: {norm}");
    drop(tx);
    let viewer = api.key(Role::Viewer).await;
    assert_eq!(with_key(&api, &viewer, "GET", SKILLS).await, 200);
    assert_eq!(with_key(&api, &viewer, "DELETE", &format!("{SKILLS}/{}", added.id())).await, 403);
    let other = api.other_tenant().await.api_key;
    assert_eq!(with_key(&api, &other, "DELETE", &format!("{SKILLS}/{}", added.id())).await, 404);
    assert_eq!(api.get(SKILLS).await.body["items"].as_array().unwrap().len(), 1);
    api.call("DELETE", &format!("{SKILLS}/{}", added.id()), &[], None).await.expect(204);
    assert!(api.get(SKILLS).await.body["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn without_the_sense_a_skill_is_refused_with_what_is_missing() {
    let api = Api::start().await;
    let refused = api.post(SKILLS, json!({"name": "Rust"})).await.expect(503);
    assert!(refused.body["detail"].as_str().unwrap().contains("embedding model"), "{}", refused.body);
}

#[tokio::test]
async fn recordings_are_listed_and_streamed_behind_the_permission() {
    let blobs = Arc::new(InMemory::new());
    let shared: Arc<dyn ObjectStore> = blobs.clone();
    let api = Api::start_from(|parts| parts.blobs = Some(shared)).await;
    let (id, session) = api.approved().await;
    let path = format!("{INTERVIEWS}/{id}/recordings");
    assert!(api.get(&path).await.expect(200).body["items"].as_array().unwrap().is_empty());
    let content = vec![7u8; 100_000];
    blobs.put(&"a/b.webm".into(), content.clone().into()).await.unwrap();
    let mut tx = api.store.tenant(api.tenant.tenant_id).await.unwrap();
    sqlx::query(
        "insert into recordings (id, tenant_id, interview_id, session_id, kind, started_at, ended_at, object, media_type, bytes, sha256, created_at)
         select gen_random_uuid(), tenant_id, interview_id, id, 'VIDEO', now(), now(), 'a/b.webm', 'video/webm', 100000, $2, now()
         from sessions where id = $1",
    )
    .bind(session.0)
    .bind(&Sha256::digest(&content)[..])
    .execute(tx.conn())
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let listed = api.get(&path).await.expect(200);
    let one = &listed.body["items"][0];
    assert_eq!(one["sha256"], hex::encode(Sha256::digest(&content)));
    let url = one["url"].as_str().unwrap();
    let (status, body) = api.head(Api::request("GET", url, &[("x-api-key", &api.tenant.api_key)], None)).await;
    assert_eq!(status, 200);
    assert!(body.collect().await.unwrap().to_bytes() == content);
    for key in [api.other_tenant().await.api_key] {
        assert_eq!(with_key(&api, &key, "GET", url).await, 404);
        assert_eq!(with_key(&api, &key, "GET", &path).await, 404);
    }
    let operator = api.key(Role::Operator).await;
    assert_eq!(with_key(&api, &operator, "GET", url).await, 403);
}

#[tokio::test]
async fn the_dashboard_is_served_with_its_policy_and_needs_no_key() {
    let api = Api::start().await;
    for (path, media_type) in
        [("/dashboard", "text/html; charset=utf-8"), ("/assets/dashboard/main.js", "text/javascript; charset=utf-8")]
    {
        let answer = api.send(Api::request("GET", path, &[], None)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), media_type);
        assert!(answer.header("content-security-policy").contains("script-src 'self'"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let escape = Request::builder().uri("/assets/dashboard/..%2f..%2fCargo.toml").header(header::ACCEPT, "*/*");
    assert_eq!(api.send(escape.body(axum::body::Body::empty()).unwrap()).await.status, 404);
}
