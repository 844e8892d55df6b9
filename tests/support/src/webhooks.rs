//! A receiver of webhooks that checks signatures by hand, as the Standard Webhooks specification says.

use crate::wait::eventually;
use axum::{Router, body::Bytes, http::HeaderMap, http::StatusCode, routing::post};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tokio::net::TcpListener;

/// What was delivered.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// `webhook-id`, the same in every attempt.
    pub id: String,
    /// What it says.
    pub body: Value,
    /// Why its signature is not good; `None`: it is.
    pub fault: Option<&'static str>,
}

/// Something that webhooks are delivered to.
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
}

impl Receiver {
    /// On loopback, for deliveries signed with a `whsec_` secret.
    pub async fn start(secret: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let url = format!("http://{}/hooks", listener.local_addr().expect("a bound port has an address"));
        let deliveries = Arc::new(Mutex::new(Vec::new()));
        let key = secret.strip_prefix("whsec_").expect("a secret begins with whsec_");
        let key = BASE64_STANDARD.decode(key).expect("a secret is base64");
        let log = deliveries.clone();
        let take = async move |headers: HeaderMap, body: Bytes| {
            let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
            let fault = fault(&key, &headers, &body);
            let body = serde_json::from_slice(&body).unwrap_or_default();
            log.lock().expect("nobody panics with it").push(Delivery { id, body, fault });
            StatusCode::NO_CONTENT
        };
        let app = Router::new().route("/hooks", post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, deliveries }
    }

    /// All that was delivered, repetitions too.
    pub fn all(&self) -> Vec<Delivery> {
        self.deliveries.lock().expect("nobody panics with it").clone()
    }

    /// What was delivered about an interview, each message once, in order of arrival.
    pub fn of(&self, interview: &str) -> Vec<Delivery> {
        let mut found: Vec<Delivery> = Vec::new();
        for delivery in self.deliveries.lock().expect("nobody panics with it").iter() {
            let is_new = found.iter().all(|known| known.id != delivery.id);
            if delivery.body["data"]["interviewId"] == interview && is_new {
                found.push(delivery.clone());
            }
        }
        found
    }

    /// Waits until all these types were delivered about an interview.
    pub async fn until(&self, interview: &str, types: &[&str]) -> Vec<Delivery> {
        eventually(Duration::from_secs(60), async || {
            let found = self.of(interview);
            types.iter().all(|kind| found.iter().any(|delivery| delivery.body["type"] == *kind)).then_some(found)
        })
        .await
    }
}

fn fault(key: &[u8], headers: &HeaderMap, body: &[u8]) -> Option<&'static str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(sent), Some(signatures)) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
    else {
        return Some("a header is missing");
    };
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    if sent.parse::<u64>().is_ok_and(|sent| sent.abs_diff(now) > 300) {
        return Some("the timestamp is stale");
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC takes a key of any length");
    mac.update(format!("{id}.{sent}.").as_bytes());
    mac.update(body);
    let good = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    (!signatures.split(' ').any(|signature| signature == good)).then_some("no signature is right")
}
