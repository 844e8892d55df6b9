//! Who is not a software engineer, and who says nothing: the demo's people, each with a proper end.

use crate::harness::*;
use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/demo");
/// Words of the software trade that no nurse should be asked about.
const SOFTWARE: [&str; 8] =
    ["software", "code", "deploy", "database", "programming", "compiler", "pull request", "unit test"];

fn demo(name: &str) -> (Value, Vec<String>) {
    let read = |kind: &str| std::fs::read_to_string(format!("{FOLDER}/{name}.{kind}")).expect("the demo's files");
    let body = serde_json::from_str(&read("json")).expect("an interview is JSON");
    let lines = read("txt");
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    (body, lines.map(str::to_owned).collect())
}

/// Holds the interview of one of them; the interview, its plan and its candidate's report.
async fn hold(site: &Site, rest: &Rest, name: &str) -> (Interview, Value, Value) {
    let (body, lines) = demo(name);
    let interview = rest.create(&body).await;
    let link = interview.approved().await;
    let plan = interview.get("/plan").await;
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let report = Candidate::new(&link.join_url).speak(&lines).hold(site).await;
    assert_eq!((&report["ended"], &report["closeCode"]), (&json!(true), &json!(1000)), "{name}: {report}");
    assert_eq!(report["reason"], "COMPLETED", "{name}: {report}");
    interview.until("ASSESSMENT_READY").await;
    (interview, plan, report)
}

fn questions(plan: &Value) -> Vec<String> {
    let sections = plan["sections"].as_array().unwrap();
    let questions = sections.iter().flat_map(|section| section["questions"].as_array().unwrap());
    questions.map(|question| question.to_string().to_lowercase()).collect()
}

#[tokio::test]
async fn a_nurse_a_salesperson_and_one_who_says_nothing() {
    let mut site = Site::quick().await;
    site.set("MAYA_INTERVIEW__SILENCE_SECONDS", 3);
    let maya = site.serve("").await;
    let (_, rest) = site.customer(&maya).await;
    let (nurse, sales, silent) =
        tokio::join!(hold(&site, &rest, "nurse"), hold(&site, &rest, "sales"), hold(&site, &rest, "silent"));

    for (interview, plan, report) in [&nurse, &sales] {
        let asked = questions(plan);
        for word in SOFTWARE.iter().filter(|_| interview.id == nurse.0.id) {
            assert!(asked.iter().all(|question| !question.contains(word)), "{word} in {asked:#?}");
        }
        let said: Vec<&str> =
            report["lines"].as_array().unwrap().iter().filter_map(|line| line["text"].as_str()).collect();
        assert_eq!(interview.answers().await, said);
        let assessment = interview.get("/assessment").await;
        assert!(!assessment["skills"].as_array().unwrap().is_empty(), "{assessment}");
    }

    let (interview, plan, report) = silent;
    assert!(interview.answers().await.is_empty(), "nothing was said");
    assert!(report["lines"].as_array().unwrap().is_empty());
    let assessment = interview.get("/assessment").await;
    assert_eq!(assessment["skills"], json!([]), "{assessment}");
    assert_eq!(assessment["recommendation"], "NOT_JUDGED", "{assessment}");
    let planned: Vec<&Value> = plan["sections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|section| &section["skill"])
        .filter(|skill| skill.is_string())
        .collect();
    let not_judged: Vec<&Value> =
        assessment["notJudged"].as_array().unwrap().iter().map(|skill| &skill["name"]).collect();
    assert_eq!(not_judged, planned, "{assessment}");
}
