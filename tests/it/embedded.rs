//! One process on the embedded default: a whole interview through every door, and what is left of it after the process
//! was stopped, and after it was killed.

use crate::harness::*;
use serde_json::{Value, json};

const LINES: [&str; 4] = [
    "I have been a backend engineer for six years, mostly on payments.",
    "The borrow checker refused a cache that I shared, so one task owns it now.",
    "I read the query plan, saw a full scan, and added an index on the account column.",
    "I always rehearse a migration on a copy of production first.",
];

#[tokio::test]
async fn a_whole_interview_and_all_of_it_is_there_after_a_restart() {
    let site = Site::embedded();
    let maya = site.serve("").await;
    let (tenant, rest) = site.customer(&maya).await;
    let receiver = Receiver::start(&tenant.webhook_secret).await;

    let mut body = short_interview();
    body["callbackUrl"] = json!(receiver.url);
    let create = async |body: &Value| {
        rest.call("POST", "/integration/interviews", &[("Idempotency-Key", "order-1")], Some(body)).await
    };
    let made = create(&body).await.expect(201);
    let again = create(&body).await.expect(201);
    assert_eq!(made["id"], again["id"], "the same request makes one interview");
    let mut other = body.clone();
    other["externalId"] = json!("ats-4712");
    assert!((400..500).contains(&create(&other).await.status), "another request under the same key is refused");
    let interview = rest.interview(made["id"].as_str().unwrap());

    interview.until("PENDING").await;
    is_a_plan_for(&interview.get("/plan").await, &["Rust", "PostgreSQL"], 6);
    let link = interview.approved().await;
    assert_eq!(interview.link().await.session_id, link.session_id, "the same session each time");
    let before = interview.get("/session").await;
    assert_eq!((&before["state"], &before["phase"]), (&json!("APPROVED"), &Value::Null));

    let candidate = Candidate::new(&link.join_url).speak(&LINES).start(&site);
    let (report, phases) = tokio::join!(candidate.report(), follow(&interview));
    assert_eq!((&report["ended"], &report["closeCode"]), (&json!(true), &json!(1000)), "{}", report["events"]);
    assert!(phases.iter().any(|phase| phase == "LISTENING"), "the live state was seen from outside: {phases:?}");

    let said: Vec<&str> = report["lines"].as_array().unwrap().iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(said[..4], LINES);
    assert_eq!(interview.answers().await, said, "the transcript is what was said, once and in order");

    interview.until("ASSESSMENT_READY").await;
    let assessment = interview.get("/assessment").await;
    quotes_are_verbatim(&assessment, &interview).await;
    interview.post("/assessment/approve", json!({ "comment": "agreed" })).await.expect(200);
    interview.until("ASSESSMENT_COMPLETED").await;

    let deliveries = receiver.until(&interview.id, &WEBHOOKS).await;
    for delivery in &deliveries {
        assert_eq!(delivery.fault, None, "{}", delivery.body);
        assert_eq!(delivery.body["data"]["externalId"], "ats-4711");
        assert!(delivery.body["timestamp"].is_string() && delivery.body["data"]["state"].is_string());
    }
    assert_eq!(deliveries.len(), WEBHOOKS.len(), "each once: {deliveries:?}");

    let states = moves(&interview).await;
    let expected = [
        "RECEIVED",
        "VALIDATING_SKILLS",
        "PENDING",
        "APPROVED",
        "IN_PROGRESS",
        "COMPLETED",
        "ASSESSING",
        "ASSESSMENT_READY",
        "ASSESSMENT_COMPLETED",
    ];
    assert_eq!(states, expected);

    let transcript = interview.transcript().await;
    assert!(maya.terminate().await.success());
    let maya = site.serve("").await;
    let rest = Rest::new(&maya.url("gateway"), &tenant.api_key);
    let interview = rest.interview(&interview.id);
    assert_eq!(interview.get("").await["state"], "ASSESSMENT_COMPLETED");
    assert_eq!(interview.transcript().await, transcript);
    assert_eq!(interview.get("/assessment").await["skills"], assessment["skills"]);
    assert_eq!(moves(&interview).await, expected);
    let listed = rest.get("/integration/interviews").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_interview_goes_on_after_kill_9_and_loses_no_acknowledged_word() {
    let mut site = Site::embedded();
    let maya = site.serve("").await;
    // the same doors again, as an operator's fixed ports are
    for role in ["gateway", "edge"] {
        site.set(&format!("MAYA_{}__LISTEN", role.to_uppercase()), maya.address(role));
    }
    let (_, rest) = site.customer(&maya).await;
    let interview = rest.create(&short_interview()).await;
    let link = interview.approved().await;

    let mut conversation = Conversation::new(&LINES);
    let mut socket = Socket::open(&link.join_url).await.expect("the link is good");
    assert!(conversation.talk(&mut socket, |so_far| so_far.heard.len() == 2).await, "{conversation:?}");
    maya.kill().await;
    conversation.talk(&mut socket, |_| false).await;

    let _maya = site.serve("").await;
    let mut socket = Socket::open(&link.join_url).await.expect("the same link is good again");
    let ended = conversation.talk(&mut socket, |so_far| so_far.close.is_some()).await;
    assert!(ended && conversation.state == "ENDED" && conversation.close == Some(1000), "{conversation:?}");
    assert_eq!(conversation.reason.as_deref(), Some("COMPLETED"), "{conversation:?}");

    interview.until("ASSESSMENT_READY").await;
    assert_eq!(conversation.said[..4], LINES);
    assert_eq!(interview.answers().await, conversation.said, "each word once: {conversation:?}");
    let mut acknowledged: Vec<String> = conversation.heard.values().cloned().collect();
    let mut said = conversation.said.clone();
    acknowledged.sort();
    said.sort();
    assert_eq!(acknowledged, said, "each utterance was acknowledged once");
}

fn is_a_plan_for(plan: &Value, skills: &[&str], minutes: u64) {
    let sections = plan["sections"].as_array().unwrap();
    let total: u64 = sections.iter().map(|section| section["minutes"].as_u64().unwrap()).sum();
    assert_eq!(total, minutes, "{plan}");
    for skill in skills {
        assert!(sections.iter().any(|section| section["skill"] == *skill), "{skill} in {plan}");
    }
    for section in sections {
        let questions = section["questions"].as_array().unwrap();
        assert!(!questions.is_empty() && questions.iter().all(|question| question["text"].is_string()), "{section}");
    }
}

/// Long-polls the live state until the interview is over; every phase that was seen.
async fn follow(interview: &Interview) -> Vec<String> {
    let mut phases = Vec::new();
    let mut version = Value::Null;
    loop {
        let known = if version.is_null() { String::new() } else { format!("&version={version}") };
        let live = interview.get(&format!("/session?wait=20{known}")).await;
        version = live["version"].clone();
        phases.extend(live["phase"].as_str().map(str::to_owned));
        if live["phase"] == "ENDED" {
            return phases;
        }
    }
}

/// Every quote stands so in the turn that it names.
async fn quotes_are_verbatim(assessment: &Value, interview: &Interview) {
    let transcript = interview.get("/transcript").await;
    let turns = transcript["turns"].as_array().unwrap();
    let mut count = 0;
    for skill in assessment["skills"].as_array().unwrap() {
        for quote in skill["quotes"].as_array().unwrap() {
            let turn = turns.iter().find(|turn| turn["turnId"] == quote["turnId"]).expect("a quote names its turn");
            assert_eq!(turn["speaker"], "CANDIDATE");
            assert!(turn["text"].as_str().unwrap().contains(quote["text"].as_str().unwrap()), "{quote} in {turn}");
            count += 1;
        }
    }
    assert!(count > 0, "a verdict stands on what was said: {assessment}");
}

/// The states of an interview as its audit log has them, in order.
async fn moves(interview: &Interview) -> Vec<String> {
    let log = interview.get("/events?limit=200").await;
    let entries = log["items"].as_array().unwrap();
    entries.iter().filter_map(|entry| entry["toState"].as_str().map(str::to_owned)).collect()
}
