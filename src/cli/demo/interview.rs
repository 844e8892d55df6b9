//! The interview's way from its creation to its verdict, as a recruiter's system walks it.

use super::{Running, Script, console::Console, stages};
use crate::cli::{
    api::Api,
    candidate::{Candidate, Report, Utterance},
    webhook::{Delivery, Receiver},
};
use anyhow::{Context as _, bail};
use maya_protocol::{clock::SharedClock, state::InterviewState, tree::StageLatency};
use serde::Serialize;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

const PLANNED_WITHIN: Duration = Duration::from_secs(120);
const ASSESSED_WITHIN: Duration = Duration::from_secs(180);
const DELIVERED_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);
/// Beyond its own duration: greeting, closing and what a slow machine adds.
const MARGIN: Duration = Duration::from_secs(300);

/// A state, and when it was first seen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Which.
    pub state: InterviewState,
    /// Since the creation.
    pub at_ms: u64,
}

/// All that is known of an interview that was held.
pub struct Held {
    /// Its id.
    pub interview_id: String,
    /// The way it went.
    pub states: Vec<Seen>,
    /// `GET …/plan`.
    pub plan: Value,
    /// As the candidate knows it.
    pub candidate: Report,
    /// `GET …/transcript`.
    pub transcript: Value,
    /// `GET …/assessment`.
    pub assessment: Value,
    /// Everything that was delivered.
    pub webhooks: Vec<Delivery>,
    /// What the server says of each turn.
    pub stages: Vec<StageLatency>,
}

struct Walk<'a> {
    api: Api,
    id: String,
    console: &'a Console,
    states: Vec<Seen>,
}

/// From the creation to the last webhook.
pub async fn hold(
    script: &Script,
    lines: Vec<Utterance>,
    afterwards: Option<Utterance>,
    running: &Running,
    console: &Console,
    clock: &SharedClock,
) -> anyhow::Result<Held> {
    let mut receiver = Receiver::start(0, Some(running.webhook_secret.clone()), clock.clone()).await?;
    let api = Api::new(&running.gateway, &running.api_key)?;
    let mut body = script.interview.clone();
    body["callbackUrl"] = json!(receiver.url);
    let created = api.post("integration/interviews", &body).await.context("creating the interview")?;
    let id = text(&created, "id")?;
    console.step(&format!("interview {id} was created"));
    let mut walk = Walk { api: api.clone(), id, console, states: Vec::new() };

    walk.until(&[InterviewState::Pending], PLANNED_WITHIN).await?;
    let plan = walk.get("/plan").await?;
    console.step(&describe_plan(&plan));
    walk.post("/plan/approve", json!({ "comment": "approved by maya demo" })).await?;
    walk.until(&[InterviewState::Approved], PLANNED_WITHIN).await?;
    let session = walk.post("/session", json!({})).await?;
    let join = text(&session, "joinUrl")?.parse().context("the join link")?;

    let minutes = script.interview["durationMinutes"].as_u64().unwrap_or(30);
    let shown = console.clone();
    let candidate = Candidate {
        afterwards,
        limit: Duration::from_secs(minutes * 60) + MARGIN,
        observer: Some(Arc::new(move |event| shown.event(event))),
        ..Candidate::new(join, lines)
    };
    let (stop, stopped) = oneshot::channel();
    let stages = running.operator_key.as_ref().map(|key| Api::new(&running.gateway, key)).transpose()?;
    let session_id = text(&session, "sessionId")?;
    let stages = stages.map(|api| tokio::spawn(stages::collect(api, session_id, stopped)));
    let over = [
        InterviewState::Completed,
        InterviewState::Abandoned,
        InterviewState::Assessing,
        InterviewState::AssessmentReady,
    ];
    let (report, state) =
        tokio::join!(candidate.hold(clock.clone()), walk.until(&over, Duration::from_secs(minutes * 60) + 2 * MARGIN));
    let report = report.context("holding the interview")?;
    state?;
    let _ = stop.send(());
    let stages = match stages {
        Some(stages) => stages.await?,
        None => Vec::new(),
    };

    walk.until(&[InterviewState::AssessmentReady], ASSESSED_WITHIN).await?;
    let assessment = walk.get("/assessment").await?;
    console.step("the assessment is written; a person reads and approves it");
    walk.post("/assessment/approve", json!({ "comment": "approved by maya demo" })).await?;
    walk.until(&[InterviewState::AssessmentCompleted], ASSESSED_WITHIN).await?;
    let transcript = walk.get("/transcript").await?;
    let webhooks = deliveries(&mut receiver).await;
    console.step(&format!("{} webhooks were delivered", webhooks.len()));
    Ok(Held {
        interview_id: walk.id,
        states: walk.states,
        plan,
        candidate: report,
        transcript,
        assessment,
        webhooks,
        stages,
    })
}

/// What is delivered up to the last one.
async fn deliveries(receiver: &mut Receiver) -> Vec<Delivery> {
    let mut all: Vec<Delivery> = Vec::new();
    let complete = |all: &[Delivery]| super::checks::WEBHOOKS.iter().all(|kind| all.iter().any(|d| d.kind() == *kind));
    let collecting = async {
        while !complete(&all) {
            let Some(delivery) = receiver.next().await else { break };
            all.push(delivery);
        }
    };
    // what did not come in time is found missing by the checks
    let _ = timeout(DELIVERED_WITHIN, collecting).await;
    all
}

impl Walk<'_> {
    fn path(&self, rest: &str) -> String {
        format!("integration/interviews/{}{rest}", self.id)
    }
    async fn get(&self, rest: &str) -> anyhow::Result<Value> {
        self.api.get(&self.path(rest)).await
    }
    async fn post(&self, rest: &str, body: Value) -> anyhow::Result<Value> {
        self.api.post(&self.path(rest), &body).await
    }
    /// Follows the interview into one of these states.
    async fn until(&mut self, wanted: &[InterviewState], within: Duration) -> anyhow::Result<()> {
        use InterviewState::{AssessmentRejected, Cancelled, Expired, Failed, InfoNeeded, Rejected};
        let deadline = self.console.elapsed() + within;
        loop {
            let interview = self.get("").await?;
            let state: InterviewState = text(&interview, "state")?.parse()?;
            if self.states.last().is_none_or(|seen| seen.state != state) {
                self.states.push(Seen { state, at_ms: self.console.elapsed().as_millis() as u64 });
                self.console.step(&state.to_string());
            }
            if wanted.contains(&state) {
                return Ok(());
            }
            match state {
                InfoNeeded => bail!("the interview lacks data: {}", interview["missing"]),
                Rejected | Cancelled | Expired | Failed | AssessmentRejected => {
                    bail!("the interview became {state}: {}", interview["stateReason"])
                }
                _ if self.console.elapsed() > deadline => bail!("the interview stayed {state} for too long"),
                _ => sleep(POLL).await,
            }
        }
    }
}

fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    value[field].as_str().map(str::to_owned).with_context(|| format!("the answer has no {field}"))
}

fn describe_plan(plan: &Value) -> String {
    let sections = plan["sections"].as_array().map_or(&[][..], Vec::as_slice);
    let questions: usize = sections.iter().filter_map(|section| section["questions"].as_array()).map(Vec::len).sum();
    let skills: Vec<&str> = sections.iter().filter_map(|section| section["skill"].as_str()).collect();
    format!("a plan of {questions} questions is written ({}); a person reads and approves it", skills.join(", "))
}
