//! A model's verdict is taken only with quotes that are true.

use super::*;
use crate::assessor::{
    tests::{nurse_plan, strong, transcript},
    verify_quotes,
};
use maya_protocol::interview::Recommendation;
use maya_providers::testing::{Fault, Faults, FaultyLlm, Latency, ScriptedLlm};

fn verdict(first_quote: &str, second_quote: &str, turns: &[Turn], plan: &Plan) -> Value {
    let of = |name: &str| {
        let index = plan.questions().position(|(section, _)| section.skill.as_deref() == Some(name)).unwrap() as u32;
        let on_it = |turn: &&Turn| turn.speaker == Speaker::Candidate && turn.context.question == Some(index);
        turns.iter().find(on_it).unwrap().turn_id
    };
    let skill = |name: &str, text: &str| {
        json!({ "name": name, "score": 4.2, "rationale": "Checks and escalation were described.",
                "quotes": [{ "turnId": of(name), "text": text }] })
    };
    json!({ "summary": "Both skills were described with detail.", "skills": [
        skill("Patient Assessment", first_quote), skill("Medication Administration", second_quote) ] })
}

const TRUE_ONE: &str = "I always introduce myself";
const TRUE_TWO: &str = "I read the wristband for allergies";

#[tokio::test]
async fn true_quotes_are_taken_and_the_recommendation_is_derived() {
    let plan = nurse_plan();
    let turns = transcript(&plan, strong);
    let model = ScriptedLlm::answering([Ok(verdict(TRUE_ONE, TRUE_TWO, &turns, &plan))]);
    let assessment = LlmAssessor::new(Arc::new(model.clone())).assess(&plan, &turns).await.unwrap();
    assert_eq!(verify_quotes(&assessment, &turns), Ok(()));
    assert_eq!((assessment.skills[0].score, assessment.recommendation), (4.0, Recommendation::StrongYes));
    assert_eq!(assessment.written_by, "scripted-llm");
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test]
async fn a_made_up_quote_is_named_once_then_dropped_with_its_skill() {
    let plan = nurse_plan();
    let turns = transcript(&plan, strong);
    let made_up = verdict(TRUE_ONE, "I invented the wristband", &turns, &plan);
    let model = ScriptedLlm::answering([Ok(made_up.clone()), Ok(made_up)]);
    let assessment = LlmAssessor::new(Arc::new(model.clone())).assess(&plan, &turns).await.unwrap();
    assert!(model.requests()[1].messages[2].content.contains("I invented the wristband"));
    assert_eq!(verify_quotes(&assessment, &turns), Ok(()));
    assert_eq!(assessment.skills.len(), 1);
    assert_eq!(assessment.not_judged[0].name, "Medication Administration");
}

#[tokio::test]
async fn comments_on_the_person_and_nonsense_are_refused() {
    let plan = nurse_plan();
    let turns = transcript(&plan, strong);
    let good = verdict(TRUE_ONE, TRUE_TWO, &turns, &plan);
    let mut personal = good.clone();
    personal["skills"][0]["rationale"] = json!("Speaks with an accent and sounds nervous.");
    let mut over = good.clone();
    over["skills"][0]["score"] = json!(11);
    for bad in [personal, over, json!({ "skills": [] }), Value::Null] {
        let model = ScriptedLlm::answering([Ok(bad.clone()), Ok(good.clone())]);
        assert!(LlmAssessor::new(Arc::new(model.clone())).assess(&plan, &turns).await.is_ok());
        assert_eq!(model.requests().len(), 2);
        let model = ScriptedLlm::answering([Ok(bad.clone()), Ok(bad)]);
        let error = LlmAssessor::new(Arc::new(model)).assess(&plan, &turns).await.unwrap_err();
        assert!(matches!(error, AssessError::Unusable(_)));
    }
}

#[tokio::test]
async fn silence_needs_no_model() {
    let plan = nurse_plan();
    let turns = transcript(&plan, |_, _| String::new());
    let model = ScriptedLlm::default();
    let assessment = LlmAssessor::new(Arc::new(model.clone())).assess(&plan, &turns).await.unwrap();
    assert_eq!(assessment.recommendation, Recommendation::NotJudged);
    assert!(model.requests().is_empty());
}

/// One that is asked again at once, a few times.
fn impatient(model: impl LanguageModel) -> LlmAssessor {
    LlmAssessor { model: Arc::new(model), pauses: &[Duration::ZERO; 3], patience: Duration::from_secs(60) }
}

#[tokio::test]
async fn a_model_that_keeps_writing_garbage_is_replaced_at_once() {
    let plan = nurse_plan();
    let turns = transcript(&plan, strong);
    let faults = Faults::always(Fault::Garbage);
    let model = FaultyLlm::new(ScriptedLlm::default(), Latency::default(), faults.clone());
    assert_eq!(impatient(model).judge(&plan, &turns).await, crate::assessor::assess(&plan, &turns));
    assert_eq!(faults.calls(), 2);
}

#[tokio::test]
async fn a_model_that_stays_away_is_replaced_after_a_few_tries() {
    let plan = nurse_plan();
    let turns = transcript(&plan, strong);
    for (fault, calls) in [(Fault::Retry, 4), (Fault::Quota(None), 4), (Fault::Fatal, 1), (Fault::Blocked, 1)] {
        let faults = Faults::always(fault);
        let model = FaultyLlm::new(ScriptedLlm::default(), Latency::default(), faults.clone());
        assert_eq!(impatient(model).judge(&plan, &turns).await.written_by, "rubric-signals/1", "{fault:?}");
        assert_eq!(faults.calls(), calls, "{fault:?}");
    }
    let model = FaultyLlm::new(ScriptedLlm::default(), Latency::default(), Faults::always(Fault::Hang));
    let hurried = LlmAssessor { patience: Duration::from_millis(10), ..impatient(model) };
    assert_eq!(hurried.judge(&plan, &turns).await.written_by, "rubric-signals/1");
}

#[tokio::test]
async fn a_model_that_is_back_at_the_second_try_judges() {
    let plan = nurse_plan();
    let turns = transcript(&plan, strong);
    let away = Err(ProviderError::retry("test", "away"));
    let unusable = Ok(json!({ "skills": [] }));
    for first in [away, unusable] {
        let model = ScriptedLlm::answering([first, Ok(verdict(TRUE_ONE, TRUE_TWO, &turns, &plan))]);
        assert_eq!(impatient(model.clone()).judge(&plan, &turns).await.written_by, "scripted-llm");
        assert_eq!(model.requests().len(), 2);
    }
}
