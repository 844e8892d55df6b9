//! Four transcripts of one plan fall in order; a claim and its reverse are told apart; quotes are true.

use super::*;
use crate::planner::{PlanRequest, QuestionBank, ResolvedSkill, plan};
use maya_protocol::{
    ids::TurnId,
    interview::{Assessment, InterviewBrief, Level, Position, Quote, Recommendation, Speaker, Turn, TurnContext},
    plan::Plan,
};
use proptest::prelude::*;

pub(super) fn nurse_plan() -> Plan {
    let skill = |name: &str, must_have| ResolvedSkill {
        name: name.into(),
        requested: vec![name.into()],
        matched: true,
        must_have,
        level: None,
        suggestions: vec![],
    };
    let position = Position { title: Some("Staff Nurse".into()), level: Some(Level::Junior), description: None };
    let request = PlanRequest {
        brief: InterviewBrief { duration_minutes: Some(14), position, ..InterviewBrief::default() },
        skills: vec![skill("Patient Assessment", true), skill("Medication Administration", false)],
        by_name_only: false,
        rotation: 0,
        feedback: None,
    };
    plan(&request, QuestionBank::seeded()).unwrap()
}

/// Maya asks each question, the candidate answers it; an empty answer leaves no turn.
pub(super) fn transcript(plan: &Plan, answer: impl Fn(&str, &str) -> String) -> Vec<Turn> {
    let mut turns: Vec<Turn> = vec![];
    let at = chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    for (index, (section, question)) in plan.questions().enumerate() {
        let answer = answer(section.skill.as_deref().unwrap_or_default(), &question.text);
        for (speaker, text) in [(Speaker::Maya, question.text.clone()), (Speaker::Candidate, answer)] {
            if !text.is_empty() {
                let context = TurnContext { question: Some(index as u32), ..TurnContext::default() };
                let turn_id = TurnId(turns.len() as u32);
                turns.push(Turn { turn_id, speaker, text, started_at: at, ended_at: at, context });
            }
        }
    }
    turns
}

pub(super) fn strong(skill: &str, _question: &str) -> String {
    match skill {
        "Patient Assessment" => {
            "I always introduce myself, check the name and ask for consent before I touch anybody. Then I take the history, \
             ask about every symptom and write down the vital signs. What I find I record in the chart, and anything \
             abnormal I report to the doctor at once. Once a man was quiet and confused and his breathing had changed. I \
             called the doctor and said that it was urgent. He was treated and recovered, and I learned to trust that."
        }
        "Medication Administration" => {
            "I check the right patient, the right drug, the dose, the route and the time. I read the wristband for allergies \
             and look at the expiry date. I watch until the tablet is swallowed and sign the record straight away. Once I had \
             a near miss. I monitored the patient, told the manager honestly and filled in an incident form, and since then \
             I check every dose with a second nurse to prevent it happening again."
        }
        _ => "I worked on a ward for years and I want this role because I enjoy it.",
    }
    .to_owned()
}

pub(super) fn weak(skill: &str, _question: &str) -> String {
    match skill {
        "Patient Assessment" => "I would introduce myself and see how they are. After that it really depends.",
        "Medication Administration" => "I would check the dose first. The others usually help me.",
        _ => "I worked in a shop before this.",
    }
    .to_owned()
}

pub(super) fn off_topic(_skill: &str, _question: &str) -> String {
    "My favourite football club plays on Saturday. We drive there in my uncle's old car.".to_owned()
}

fn mean(assessment: &Assessment) -> f32 {
    assessment.skills.iter().map(|skill| skill.score).sum::<f32>() / assessment.skills.len() as f32
}

fn rank(recommendation: Recommendation) -> u8 {
    match recommendation {
        Recommendation::StrongYes => 4,
        Recommendation::Yes => 3,
        Recommendation::Mixed => 2,
        Recommendation::No => 1,
        Recommendation::NotJudged => 0,
    }
}

#[test]
fn four_transcripts_fall_in_order() {
    let plan = nurse_plan();
    let judge = |answer: fn(&str, &str) -> String| assess(&plan, &transcript(&plan, answer));
    let (strong, weak, off_topic) = (judge(strong), judge(weak), judge(off_topic));
    let silent = judge(|_, _| String::new());
    assert!(mean(&strong) >= 4.0, "{strong:#?}");
    assert!(mean(&strong) > mean(&weak) && mean(&weak) > mean(&off_topic), "{weak:#?} {off_topic:#?}");
    assert!(mean(&weak) >= 0.5 && mean(&weak) <= 2.5, "{weak:#?}");
    assert_eq!(mean(&off_topic), 0.0, "{off_topic:#?}");
    let ranks = [&strong, &weak, &off_topic, &silent].map(|assessment| rank(assessment.recommendation));
    assert!(ranks[0] > ranks[1] && ranks[1] >= ranks[2] && ranks[2] > ranks[3], "{ranks:?}");
    assert_eq!(silent.recommendation, Recommendation::NotJudged);
    assert!(silent.skills.is_empty() && silent.not_judged.len() == 2);
    assert!(strong.skills.iter().chain(&weak.skills).chain(&off_topic.skills).all(|skill| !skill.quotes.is_empty()));
}

#[test]
fn reversing_a_claim_changes_the_verdict() {
    let plan = nurse_plan();
    let with = |claim: &str| {
        let turns =
            transcript(&plan, |skill, _| if skill == "Patient Assessment" { claim.to_owned() } else { String::new() });
        assess(&plan, &turns).skills.remove(0)
    };
    let claimed = with("I have always taken the history and recorded every symptom and the vital signs.");
    let reversed = with("I have never taken the history and recorded every symptom and the vital signs.");
    assert!(claimed.score > reversed.score, "{claimed:?} {reversed:?}");
    assert_ne!(claimed.quotes, reversed.quotes);
    assert_eq!(reversed.score, 0.0);
    assert!(reversed.rationale.contains("does not apply"));
}

#[test]
fn an_unreached_question_costs_nothing_and_an_unanswered_one_does() {
    let plan = nurse_plan();
    let first = plan.questions().position(|(section, _)| section.skill.is_some()).unwrap() as u32;
    let full = transcript(&plan, strong);
    let ended: Vec<Turn> = full.iter().filter(|turn| turn.context.question <= Some(first)).cloned().collect();
    let assessment = assess(&plan, &ended);
    assert!(assessment.skills[0].score >= 4.0, "{assessment:#?}");
    assert_eq!(assessment.not_judged.len(), 1);
    assert!(assessment.not_judged[0].reason.contains("reached"));
}

#[test]
fn a_must_have_that_was_not_judged_leaves_it_open() {
    let plan = nurse_plan();
    let turns =
        transcript(&plan, |skill, q| if skill == "Patient Assessment" { String::new() } else { strong(skill, q) });
    let assessment = assess(&plan, &turns);
    assert_eq!(assessment.recommendation, Recommendation::Mixed, "{assessment:#?}");
    assert_eq!(assessment.not_judged[0].reason, "Its questions were not answered.");
}

#[test]
fn quotes_are_the_candidates_own_and_letter_for_letter() {
    let plan = nurse_plan();
    let turns = transcript(&plan, strong);
    let mut assessment = assess(&plan, &turns);
    assert_eq!(verify_quotes(&assessment, &turns), Ok(()));
    let true_quote = assessment.skills[0].quotes[0].clone();
    let maya = turns.iter().find(|turn| turn.speaker == Speaker::Maya).unwrap();
    for bad in [
        Quote { text: true_quote.text.to_uppercase(), ..true_quote.clone() },
        Quote { turn_id: TurnId(999), ..true_quote.clone() },
        Quote { turn_id: maya.turn_id, text: maya.text.clone() },
        Quote { text: "  ".into(), ..true_quote.clone() },
    ] {
        assessment.skills[0].quotes[0] = bad.clone();
        let error = verify_quotes(&assessment, &turns).unwrap_err();
        assert_eq!((error.turn_id, &error.text), (bad.turn_id, &bad.text));
        assert!(bad.text.trim().is_empty() || !error.to_string().contains(&bad.text), "nothing said goes into a log");
    }
}

proptest! {
    #[test]
    fn every_verdict_is_fair_and_every_quote_true(
        answers in prop::collection::vec(prop_oneof![
            "\\PC{0,120}",
            "[a-z ,.]{0,200}",
            Just(strong("Patient Assessment", "")),
            Just("I am nervous, my voice and my accent are strong. I never check the dose.".to_owned()),
        ], 1..8),
        drop_context in any::<bool>(),
    ) {
        let plan = nurse_plan();
        let counter = std::cell::Cell::new(0);
        let mut turns = transcript(&plan, |_, _| {
            counter.set(counter.get() + 1);
            answers[counter.get() % answers.len()].clone()
        });
        if drop_context {
            for turn in turns.iter_mut().filter(|turn| turn.speaker == Speaker::Candidate) {
                turn.context = TurnContext::default();
            }
        }
        let assessment = assess(&plan, &turns);
        prop_assert_eq!(verify_quotes(&assessment, &turns), Ok(()));
        prop_assert_eq!(assessment.skills.len() + assessment.not_judged.len(), plan.rubric.len());
        for skill in &assessment.skills {
            prop_assert!((0.0..=5.0).contains(&skill.score) && !skill.quotes.is_empty());
            prop_assert_eq!(model::forbidden(&skill.rationale), None);
        }
        prop_assert_eq!(model::forbidden(&assessment.summary), None);
        prop_assert_eq!(assessment.recommendation == Recommendation::NotJudged, assessment.skills.is_empty());
    }
}
