//! A recruiter's client: asks the next gateway when one does not answer, as behind a load balancer.

use anyhow::{Context as _, bail};
use maya_protocol::clock::SharedClock;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// How long a call is repeated, and a state waited for.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(150);
/// An answer that takes longer is asked for elsewhere.
const ANSWER: Duration = Duration::from_secs(5);

/// The client.
pub struct Recruiter {
    http: reqwest::Client,
    gateways: Vec<String>,
    key: String,
    next: AtomicUsize,
    clock: SharedClock,
}

impl Recruiter {
    /// With a key, at these gateways.
    pub fn new(gateways: Vec<String>, key: String, clock: SharedClock) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(ANSWER).build()?;
        Ok(Self { http, gateways, key, next: AtomicUsize::new(0), clock })
    }

    /// Creates an interview, once however often it must be asked for; its id.
    pub async fn create(&self, body: &Value, once: &str) -> anyhow::Result<String> {
        let made = self.post("/integration/interviews", body, Some(once)).await?;
        Ok(made["id"].as_str().context("an interview has an id")?.to_owned())
    }

    /// A person approves the plan; the join link and the session's id.
    pub async fn approve_plan(&self, interview: &str) -> anyhow::Result<(String, String)> {
        self.decide(interview, "plan", "PENDING").await?;
        let link = self.post(&format!("/integration/interviews/{interview}/session"), &json!({}), None).await?;
        let text = |field: &str| link[field].as_str().map(str::to_owned).context("a link is complete");
        Ok((text("joinUrl")?, text("sessionId")?))
    }

    /// A person approves the verdict.
    pub async fn approve_assessment(&self, interview: &str) -> anyhow::Result<()> {
        self.decide(interview, "assessment", "ASSESSMENT_READY").await
    }

    /// Approves until it is approved: an answer that was lost may have been a yes.
    async fn decide(&self, interview: &str, what: &str, before: &str) -> anyhow::Result<()> {
        let path = format!("/integration/interviews/{interview}/{what}/approve");
        match self.post(&path, &json!({}), None).await {
            Ok(_) => Ok(()),
            Err(error) if self.state(interview).await? == before => Err(error),
            Err(_) => Ok(()),
        }
    }

    /// Waits until an interview has come so far.
    pub async fn until(&self, interview: &str, wanted: &str) -> anyhow::Result<()> {
        let began = self.clock.now();
        loop {
            let state = self.state(interview).await?;
            if state == wanted {
                return Ok(());
            }
            if matches!(state.as_str(), "FAILED" | "EXPIRED" | "CANCELLED") || self.clock.now() - began > PATIENCE {
                bail!("{interview} is {state}, not {wanted}");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn state(&self, interview: &str) -> anyhow::Result<String> {
        let found = self.call("GET", &format!("/integration/interviews/{interview}"), None, None).await?;
        Ok(found["state"].as_str().context("an interview has a state")?.to_owned())
    }

    async fn post(&self, path: &str, body: &Value, once: Option<&str>) -> anyhow::Result<Value> {
        self.call("POST", path, Some(body), once).await
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>, once: Option<&str>) -> anyhow::Result<Value> {
        let began = self.clock.now();
        loop {
            let base = &self.gateways[self.next.load(Ordering::Relaxed) % self.gateways.len()];
            let mut request = self.http.request(method.parse()?, format!("{base}/api/v1{path}"));
            request = request.header("X-API-Key", &self.key);
            if let Some(once) = once {
                request = request.header("Idempotency-Key", once);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = match request.send().await {
                Ok(answer) if answer.status().is_server_error() => format!("{path}: {}", answer.status()),
                Ok(answer) => {
                    let status = answer.status();
                    let text = answer.text().await.unwrap_or_default();
                    if status.is_success() {
                        return serde_json::from_str(&text).with_context(|| format!("{path}: {text}"));
                    }
                    bail!("{path}: {status} {text}");
                }
                Err(error) => format!("{path}: {error}"),
            };
            self.next.fetch_add(1, Ordering::Relaxed);
            if self.clock.now() - began > PATIENCE {
                bail!(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
