//! `maya webhook listen`: a receiver that verifies deliveries as a customer's must; the demo's receiver too.

use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::any,
};
use chrono::{DateTime, Utc};
use clap::Args;
use maya_gateway::webhooks::signature;
use maya_protocol::clock::SharedClock;
use serde::Serialize;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use url::Url;

/// `maya webhook …`
#[derive(Debug, clap::Subcommand)]
pub enum Webhook {
    /// Receives webhooks on the loopback, prints and verifies them
    Listen(Listen),
}

/// `maya webhook listen`
#[derive(Debug, Args)]
pub struct Listen {
    /// The port; 0 takes any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The secret that signs the deliveries
    #[arg(long, value_name = "whsec_…")]
    secret: Option<String>,
    /// Prints one JSON object a line
    #[arg(long)]
    json: bool,
}

/// A delivery as it came.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// When.
    pub at: DateTime<Utc>,
    /// `webhook-id`: the same at every try.
    pub id: String,
    /// Whether its signature is good; nothing where no secret was given to check with.
    pub verified: Option<bool>,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The body.
    pub body: serde_json::Value,
}
impl Delivery {
    /// The event's type, e.g. `interview.completed`.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default()
    }
}

/// A listening receiver; it stops when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    /// Where webhooks are to be sent.
    pub url: Url,
    deliveries: mpsc::Receiver<Delivery>,
    task: JoinHandle<()>,
}
impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Hook {
    secret: Option<String>,
    clock: SharedClock,
    out: mpsc::Sender<Delivery>,
}

impl Receiver {
    /// Listens on a port of the loopback.
    pub async fn start(port: u16, secret: Option<String>, clock: SharedClock) -> anyhow::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        let url = Url::parse(&format!("http://{}/webhook", listener.local_addr()?))?;
        let (out, deliveries) = mpsc::channel(256);
        let app = Router::new().fallback(any(take)).with_state(Hook { secret, clock, out });
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { url, deliveries, task })
    }
    /// The next delivery.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
    }
}

/// Refuses what does not verify, so that the sender tries again.
async fn take(State(hook): State<Hook>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let now = hook.clock.utc();
    let result =
        hook.secret.as_ref().map(|secret| signature::verify(secret, &headers, &body, now, signature::TOLERANCE));
    let id = headers.get(signature::ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let verified = result.map(|result| result.is_ok());
    let problem = result.and_then(Result::err).map(|error| error.to_string());
    let body = serde_json::from_slice(&body)
        .unwrap_or_else(|_| serde_json::Value::String(String::from_utf8_lossy(&body).into_owned()));
    match hook.out.try_send(Delivery { at: now, id, verified, problem, body }) {
        Ok(()) if verified == Some(false) => StatusCode::UNAUTHORIZED,
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl Webhook {
    /// Listens until it is interrupted.
    pub async fn run(self, clock: SharedClock) -> anyhow::Result<()> {
        let Webhook::Listen(Listen { port, secret, json }) = self;
        let mut receiver = Receiver::start(port, secret, clock).await?;
        if json {
            println!("{}", serde_json::json!({ "listening": receiver.url }));
        } else {
            println!("listening on {}", receiver.url);
        }
        loop {
            let delivery = tokio::select! {
                delivery = receiver.next() => delivery,
                _ = tokio::signal::ctrl_c() => None,
            };
            let Some(delivery) = delivery else { return Ok(()) };
            if json {
                println!("{}", serde_json::to_string(&delivery)?);
                continue;
            }
            let verdict = match (delivery.verified, &delivery.problem) {
                (Some(true), _) => "verified".to_owned(),
                (Some(false), problem) => format!("NOT VERIFIED: {}", problem.as_deref().unwrap_or_default()),
                (None, _) => "not checked (no --secret)".to_owned(),
            };
            println!("{}  {}  {}  {verdict}", delivery.at.format("%H:%M:%S"), delivery.kind(), delivery.id);
            println!("{}", serde_json::to_string_pretty(&delivery.body)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::clock::system;

    #[tokio::test]
    async fn deliveries_are_verified_and_a_wrong_one_is_refused() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let secret = signature::Secret::fresh();
        let mut receiver = Receiver::start(0, Some(secret.reveal()), system()).await.unwrap();
        let body = br#"{"type":"interview.completed","data":{}}"#;
        for (signer, status, verified) in [
            (secret.clone(), StatusCode::NO_CONTENT, true),
            (signature::Secret::fresh(), StatusCode::UNAUTHORIZED, false),
        ] {
            let headers = signature::headers(&[signer], "msg_1", system().utc().timestamp(), body);
            let http = reqwest::Client::new();
            let answer = http.post(receiver.url.clone()).headers(headers).body(body.to_vec()).send().await.unwrap();
            assert_eq!(answer.status(), status);
            let delivery = receiver.next().await.unwrap();
            assert_eq!(
                (delivery.verified, delivery.kind(), delivery.id.as_str()),
                (Some(verified), "interview.completed", "msg_1")
            );
        }
    }
}
