//! A client of the REST Integration API, as an applicant tracking system has one.

use super::soon;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::time::Duration;

/// Where an interview does not move on from by itself, and not where a happy one ends.
const DEAD_ENDS: [&str; 6] = ["INFO_NEEDED", "REJECTED", "CANCELLED", "EXPIRED", "FAILED", "ASSESSMENT_REJECTED"];

/// A client with a key.
#[derive(Clone)]
pub struct Rest {
    http: Client,
    base: String,
    key: String,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Null where the body is empty.
    pub body: Value,
}

impl Answer {
    /// The body of an answer with that status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

impl Rest {
    /// At that gateway, with that key.
    pub fn new(gateway: &str, key: &str) -> Self {
        // the only provider that is built in; an error means that it is installed already
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().timeout(Duration::from_secs(70)).build().expect("a client");
        Self { http, base: format!("{gateway}/api/v1"), key: key.to_owned() }
    }

    /// Calls.
    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let method: Method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.base)).header("X-API-Key", &self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path} answered {status} and no JSON: {text}"))
        };
        Answer { status, body }
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], None).await
    }

    /// Posts.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, &[], Some(body)).await
    }

    /// Creates an interview.
    pub async fn create(&self, body: &Value) -> Interview {
        let made = self.post("/integration/interviews", body).await.expect(201);
        self.interview(made["id"].as_str().expect("an interview has an id"))
    }

    /// One that exists.
    pub fn interview(&self, id: &str) -> Interview {
        Interview { rest: self.clone(), id: id.to_owned() }
    }
}

/// An interview, and its client.
#[derive(Clone)]
pub struct Interview {
    rest: Rest,
    pub id: String,
}

/// Where a candidate joins.
#[derive(Debug, Clone)]
pub struct Link {
    pub session_id: String,
    pub join_url: String,
    pub token: String,
}

impl Interview {
    /// `GET …/{id}/{rest}`, which must be there.
    pub async fn get(&self, rest: &str) -> Value {
        self.rest.get(&self.path(rest)).await.expect(200)
    }

    /// `POST …/{id}/{rest}`, whatever the answer.
    pub async fn post(&self, rest: &str, body: Value) -> Answer {
        self.rest.post(&self.path(rest), &body).await
    }

    /// Its path, and what follows.
    pub fn path(&self, rest: &str) -> String {
        format!("/integration/interviews/{}{rest}", self.id)
    }

    /// Waits for a state, and returns the interview in it.
    pub async fn until(&self, wanted: &str) -> Value {
        let seen = async {
            loop {
                let interview = self.get("").await;
                let state = interview["state"].as_str().expect("an interview has a state").to_owned();
                if state == wanted {
                    return interview;
                }
                let reason = &interview["stateReason"];
                assert!(
                    !DEAD_ENDS.contains(&state.as_str()),
                    "it became {state} ({reason}), not {wanted}: {interview}"
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        soon(&format!("{wanted} of {}", self.id), seen).await
    }

    /// A person approves the plan; the candidate's link.
    pub async fn approved(&self) -> Link {
        self.until("PENDING").await;
        self.post("/plan/approve", json!({ "comment": "as it is" })).await.expect(200);
        self.link().await
    }

    /// The candidate's link.
    pub async fn link(&self) -> Link {
        let made = self.post("/session", json!({})).await.expect(200);
        let text = |field: &str| made[field].as_str().unwrap_or_else(|| panic!("{field} in {made}")).to_owned();
        Link { session_id: text("sessionId"), join_url: text("joinUrl"), token: text("token") }
    }

    /// What was said: (speaker, text).
    pub async fn transcript(&self) -> Vec<(String, String)> {
        let transcript = self.get("/transcript").await;
        let turns = transcript["turns"].as_array().expect("a transcript has turns");
        let text = |turn: &Value, field: &str| turn[field].as_str().expect("a turn is complete").to_owned();
        turns.iter().map(|turn| (text(turn, "speaker"), text(turn, "text"))).collect()
    }

    /// What the candidate said.
    pub async fn answers(&self) -> Vec<String> {
        let turns = self.transcript().await;
        turns.into_iter().filter(|(speaker, _)| speaker == "CANDIDATE").map(|(_, text)| text).collect()
    }
}
