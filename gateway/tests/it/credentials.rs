//! Keys, tokens, limits, and a database that is away.

use crate::support::*;
use axum::{Json, Router, routing::get};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use maya_gateway::auth::Role;
use serde_json::{Value, json};
use std::time::Duration;

fn token(claims: Value, secret: &str) -> String {
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

#[tokio::test]
async fn a_token_carries_tenant_role_and_name() {
    let api = Api::start().await;
    let now = api.clock.utc().timestamp();
    let claims = |exp: i64, role: &str| json!({"tenant": api.tenant.tenant_id, "role": role, "sub": "ada", "exp": exp});
    let with = async |token: String| {
        let bearer = format!("Bearer {token}");
        api.send(Api::request("POST", INTERVIEWS, &[("authorization", &bearer)], Some(&complete()))).await
    };
    let created = with(token(claims(now + 60, "RECRUITER"), JWT_SECRET)).await.expect(201);
    let audit = api.get(&format!("{INTERVIEWS}/{}/events", created.id())).await.expect(200);
    assert_eq!(audit.body["items"][0]["actor"], "user:ada");

    with(token(claims(now + 60, "VIEWER"), JWT_SECRET)).await.expect(403);
    with(token(claims(now - 1, "RECRUITER"), JWT_SECRET)).await.expect(401);
    with(token(claims(now + 60, "KING"), JWT_SECRET)).await.expect(401);
    with(token(claims(now + 60, "RECRUITER"), "another secret of thirty-two bytes!")).await.expect(401);
    let mut unknown = claims(now + 60, "ADMIN");
    unknown["tenant"] = maya_protocol::ids::TenantId::fresh().to_string().into();
    with(token(unknown, JWT_SECRET)).await.expect(401);
    let none = json!({"tenant": api.tenant.tenant_id, "role": "ADMIN", "sub": "x"});
    with(token(none, JWT_SECRET)).await.expect(401);
}

#[tokio::test]
async fn a_key_is_refused_once_it_is_revoked_or_has_expired() {
    let api = Api::start_with(|settings| settings.credential_cache = Duration::from_millis(50)).await;
    let get = async |key: &str| api.send(Api::request("GET", INTERVIEWS, &[("x-api-key", key)], None)).await;
    for wrong in ["", "maya_", "maya_000000000000_00000000000000000000000000000000", "secret"] {
        get(wrong).await.expect(401);
    }
    for change in ["revoked_at = now()", "expires_at = now() - interval '1 second'"] {
        let key = api.key(Role::Viewer).await;
        get(&key).await.expect(200);
        let mut tx = api.store.tenant(api.tenant.tenant_id).await.unwrap();
        let prefix = key.split('_').nth(1).unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("update api_keys set {change} where prefix = $1")))
            .bind(prefix)
            .execute(tx.conn())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        maya_testkit::eventually(PATIENCE, || async { (get(&key).await.status == 401).then_some(()) }).await;
    }
    // the secret of one key does not fit the prefix of another
    let (one, two) = (api.key(Role::Admin).await, api.key(Role::Admin).await);
    let prefix = one.split('_').nth(1).unwrap();
    let secret = two.split('_').nth(2).unwrap();
    get(&format!("maya_{prefix}_{secret}")).await.expect(401);
}

#[tokio::test]
async fn scopes_narrow_a_role() {
    let api = Api::start().await;
    let key = api.key(Role::Admin).await;
    let mut tx = api.store.tenant(api.tenant.tenant_id).await.unwrap();
    sqlx::query("update api_keys set scopes = '{interview:read}' where prefix = $1")
        .bind(key.split('_').nth(1).unwrap())
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    api.send(Api::request("GET", INTERVIEWS, &[("x-api-key", &key)], None)).await.expect(200);
    api.send(Api::request("POST", INTERVIEWS, &[("x-api-key", &key)], Some(&complete()))).await.expect(403);
}

#[tokio::test]
async fn over_the_limit_is_429_and_says_when() {
    let api = Api::start_with(|settings| settings.rate_limit = 2).await;
    assert_eq!(api.get(INTERVIEWS).await.expect(200).header("ratelimit-remaining"), "1");
    api.get(INTERVIEWS).await.expect(200);
    let refused = api.get(INTERVIEWS).await.expect(429);
    assert_eq!(refused.header("ratelimit-limit"), "2");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn a_database_that_is_away_is_503_and_live_all_the_same() {
    let api = Api::start().await;
    api.get(INTERVIEWS).await.expect(200);
    api.store.close().await;
    let away = api.post(INTERVIEWS, complete()).await.expect(503);
    assert_eq!(away.header("content-type"), "application/problem+json");
    api.get("/api/v1/health/live").await.expect(200);
}

/// An issuer of tokens, with its key set behind HTTP.
async fn issuer(kid: &'static str) -> (url::Url, EncodingKey) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key_raw());
    let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": x}]});
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
    let app = Router::new().route("/keys", get(async move || Json(set.clone())));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, EncodingKey::from_ed_der(&pair.serialize_der()))
}

#[tokio::test]
async fn tokens_of_a_key_set_are_checked_by_their_key() {
    let (url, key) = issuer("k1").await;
    let (_, another) = issuer("k1").await;
    let api = Api::start_with(|settings| {
        settings.jwt.hs256_secret = None;
        settings.jwt.jwks_url = Some(url);
        settings.jwt.issuer = Some("https://issuer".into());
    })
    .await;
    let now = api.clock.utc().timestamp();
    let claims = |issuer: &str| json!({"tenant": api.tenant.tenant_id, "role": "VIEWER", "sub": "ada", "exp": now + 60, "iss": issuer});
    let with = async |kid: &str, claims: Value, key: &EncodingKey| {
        let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::EdDSA) };
        let bearer = format!("Bearer {}", encode(&header, &claims, key).unwrap());
        api.send(Api::request("GET", INTERVIEWS, &[("authorization", &bearer)], None)).await
    };
    with("k1", claims("https://issuer"), &key).await.expect(200);
    with("k1", claims("https://another"), &key).await.expect(401);
    with("k1", claims("https://issuer"), &another).await.expect(401);
    with("k2", claims("https://issuer"), &key).await.expect(401);
    // the development secret is not configured: nobody signs with the public key, or with nothing
    let bearer = format!("Bearer {}", token(claims("https://issuer"), JWT_SECRET));
    api.send(Api::request("GET", INTERVIEWS, &[("authorization", &bearer)], None)).await.expect(401);
}
