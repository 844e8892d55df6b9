//! `maya demo` with people and positions that the code has never seen: a nurse, a salesperson, one who says nothing,
//! and files that no interview can be held from.

use crate::harness::*;
use serde_json::{Value, json};
use std::path::Path;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/demo");
/// Words of the software trade that no nurse should be asked about.
const SOFTWARE: [&str; 8] =
    ["software", "code", "deploy", "database", "programming", "compiler", "pull request", "unit test"];

/// What the command ended with.
struct Demo {
    succeeded: bool,
    report: Value,
    /// The lines that were to be spoken.
    lines: Vec<String>,
}

/// `maya demo --interview … --speak … --json` in a site of its own.
async fn demo(interview: &str, speak: &Path) -> Demo {
    let mut site = Site::embedded();
    site.set("MAYA_INTERVIEW__SILENCE_SECONDS", 3);
    let interview = format!("{FOLDER}/{interview}.json");
    let path = speak.display().to_string();
    let output =
        site.run_within(LONGEST_INTERVIEW, &["demo", "--interview", &interview, "--speak", &path, "--json"]).await;
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let text = std::fs::read_to_string(speak).expect("the candidate's lines");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Demo { succeeded: output.status.success(), report, lines: lines.map(str::to_owned).collect() }
}

async fn person(name: &str) -> Demo {
    demo(name, Path::new(&format!("{FOLDER}/{name}.txt"))).await
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().unwrap_or_else(|| panic!("{field} in {value}"))
}

impl Demo {
    /// A demo that has nothing to complain of; how fast a machine that runs other tests was is not judged here.
    fn is_good(&self) {
        let failures = list(&self.report, "failures");
        assert_eq!(self.succeeded, failures.is_empty(), "the exit code says what the report says: {failures:?}");
        let slow = |failure: &&Value| failure.as_str().is_some_and(|text| text.starts_with("median of first audio"));
        assert!(failures.iter().all(|failure| slow(&failure)), "{failures:?}");
        let kept = self.report["audio"].as_str().expect("a path");
        assert!(kept.ends_with("maya.wav"), "{kept}");
    }

    /// Nothing of the script was left out, and each line was recorded as it was said.
    fn was_heard(&self) {
        let turns = list(&self.report, "turns");
        let said: Vec<&str> = turns.iter().filter_map(|turn| turn["said"].as_str()).collect();
        let spoken = said.iter().zip(&self.lines).take_while(|(said, line)| *said == line).count();
        assert!(spoken >= 5, "{said:?}");
        assert!(turns.iter().all(|turn| turn["errors"] == 0), "scripted voices are heard as they speak: {turns:#?}");
    }

    /// Those about a skill.
    fn questions(&self) -> Vec<String> {
        let sections = list(&self.report["plan"], "sections");
        let about_skills = sections.iter().filter(|section| section["skill"].is_string());
        let questions = about_skills.flat_map(|section| list(section, "questions"));
        questions.map(|question| question["text"].to_string().to_lowercase()).collect()
    }
}

#[tokio::test]
async fn a_nurse_a_salesperson_and_one_who_says_nothing() {
    let (nurse, sales, silent) = tokio::join!(person("nurse"), person("sales"), person("silent"));
    for demo in [&nurse, &sales] {
        demo.is_good();
        demo.was_heard();
        assert!(!list(&demo.report["assessment"], "skills").is_empty(), "{}", demo.report["assessment"]);
    }
    let whole = nurse.report["plan"]["sections"].to_string().to_lowercase();
    for word in SOFTWARE {
        assert!(!whole.contains(word), "{word} in {whole}");
    }
    let asked = nurse.questions();
    assert!(sales.questions().iter().all(|question| !asked.contains(question)), "two trades, one question");

    silent.is_good();
    assert_eq!(silent.report["turns"], json!([]), "nothing was said");
    let assessment = &silent.report["assessment"];
    assert_eq!(assessment["skills"], json!([]), "{assessment}");
    assert_eq!(assessment["recommendation"], "NOT_JUDGED", "{assessment}");
    let sections = list(&silent.report["plan"], "sections");
    let planned: Vec<&Value> =
        sections.iter().map(|section| &section["skill"]).filter(|name| name.is_string()).collect();
    let not_judged: Vec<&Value> = list(assessment, "notJudged").iter().map(|skill| &skill["name"]).collect();
    assert_eq!(not_judged, planned, "{assessment}");
}

#[tokio::test]
async fn a_demo_that_cannot_be_held_fails_and_says_why() {
    let site = Site::embedded();
    let file = |name: &str, text: &str| {
        let path = site.folder().join(name);
        std::fs::write(&path, text).expect("our own folder");
        path.display().to_string()
    };
    let failed = async |interview: &str, why: &str| {
        let output = site.run(&["demo", "--interview", interview, "--json"]).await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), told.contains(why)), (Some(1), true), "{told}");
        assert!(output.stdout.is_empty(), "no report");
    };
    failed("/nowhere/interview.json", "/nowhere/interview.json").await;
    failed(&file("broken.json", "{"), "the interview file").await;
    assert!(!site.folder().join("demo").exists(), "a file is read before anything is started");

    let nobody = file("nobody.json", r#"{ "position": { "title": "Nurse" }, "skills": [{ "name": "Triage" }] }"#);
    failed(&nobody, "the interview lacks data").await;
}
