//! A model's plan is taken only where it can be held.

use super::*;
use crate::planner::tests::{keeps_its_promises, request};
use maya_protocol::interview::Level;
use maya_providers::{ProviderError, testing::ScriptedLlm};

fn question(text: &str) -> Value {
    json!({ "text": text, "difficulty": "APPLIED", "signals": [
        { "expect": "Names an own case", "keywords": ["case", "example"], "followUp": "Which case was that?" } ] })
}

fn draft() -> Value {
    json!({ "sections": [
        { "title": "Opening", "skill": null, "minutes": 2, "questions": [question("What brought you here?")] },
        { "title": "Rust", "skill": "Rust", "minutes": 16, "questions": [question("Where did ownership help you?")] },
        { "title": "Closing", "skill": null, "minutes": 2, "questions": [question("What would you like to add?")] } ] })
}

fn planner(answers: Vec<Result<Value, ProviderError>>) -> (LlmPlanner, ScriptedLlm) {
    let model = ScriptedLlm::answering(answers);
    (LlmPlanner::new(Arc::new(model.clone()), QuestionBank::seeded()), model)
}

#[tokio::test]
async fn a_usable_plan_is_taken_and_numbered() {
    let (planner, model) = planner(vec![Ok(draft())]);
    let plan = planner.plan(&request(20, Level::Mid, &[("Rust", true)])).await.unwrap();
    keeps_its_promises(&plan, 20);
    assert_eq!(plan.written_by, "scripted-llm");
    assert_eq!(plan.rubric.len(), 1);
    assert!(model.requests()[0].messages[1].content.contains("\"durationMinutes\":20"));
}

#[tokio::test]
async fn an_unusable_plan_is_asked_again_once_then_the_bank_writes() {
    let mut wrong_sum = draft();
    wrong_sum["sections"][1]["minutes"] = json!(30);
    let (first, model) = planner(vec![Ok(wrong_sum.clone()), Ok(draft())]);
    let request = request(20, Level::Mid, &[("Rust", true)]);
    assert_eq!(first.plan(&request).await.unwrap().written_by, "scripted-llm");
    assert!(model.requests()[1].messages[2].content.contains("sum to 34"));

    for unusable in [
        json!({ "sections": [] }),
        json!("no"),
        {
            let mut d = draft();
            d["sections"][1]["skill"] = json!("Go");
            d
        },
        {
            let mut d = draft();
            d["sections"][1]["questions"][0]["text"] = json!("What brought you here?");
            d
        },
        {
            let mut d = draft();
            d["sections"][1]["questions"][0]["text"] = json!(format!("{}?", "word ".repeat(60)));
            d
        },
        {
            let mut d = draft();
            d["sections"][1]["questions"][0]["text"] = json!("[next] And then?");
            d
        },
        {
            let mut d = draft();
            d["sections"][1]["questions"][0]["signals"] = json!([]);
            d
        },
    ] {
        let (planner, model) = planner(vec![Ok(unusable.clone()), Ok(unusable)]);
        let plan = planner.plan(&request).await.unwrap();
        keeps_its_promises(&plan, 20);
        assert_eq!(plan.written_by, "question-bank/1");
        assert!(plan.warnings.iter().any(|warning| warning.code == "model_unusable"));
        assert_eq!(model.requests().len(), 2);
    }
    let (dead, model) = planner(vec![Err(ProviderError::fatal("test", "gone"))]);
    assert_eq!(dead.plan(&request).await.unwrap().written_by, "question-bank/1");
    assert_eq!(model.requests().len(), 1);
}
