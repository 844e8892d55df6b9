//! The content is sound, and every plan keeps its promises.

use super::*;
use maya_protocol::{
    interview::{Candidate, InterviewBrief, Level, Position, RequestedSkill},
    plan::{Difficulty, Plan},
};
use maya_providers::{
    embed::Embedder,
    testing::{Fault, Faults, HashEmbedder},
};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

fn spoken_well(text: &str) -> bool {
    text.ends_with(['?', '.']) && text.split_whitespace().count() <= 45 && !text.contains(['[', ']', '*', '#', '"'])
}

#[test]
fn the_catalogue_has_a_few_hundred_skills_each_with_three_questions() {
    let (catalogue, bank) = (Catalogue::load().unwrap(), QuestionBank::load().unwrap());
    assert!(catalogue.skills().len() >= 300, "{}", catalogue.skills().len());
    for skill in catalogue.skills() {
        assert!(["software", "data", "product", "sales", "care", "support"].contains(&skill.domain.as_str()));
        assert!((20..=220).contains(&skill.description.len()), "{}", skill.name);
        let mut difficulties: Vec<Difficulty> = bank.of(&skill.name).iter().map(|q| q.difficulty).collect();
        difficulties.sort();
        let one_each = [Difficulty::Foundation, Difficulty::Applied, Difficulty::Expert];
        assert_eq!(difficulties, one_each, "{}", skill.name);
    }
    let (mut texts, names) = (HashSet::new(), catalogue.skills().iter().map(|s| &s.name).collect::<HashSet<_>>());
    for question in bank.all() {
        assert!(texts.insert(&question.text), "twice: {}", question.text);
        assert!(spoken_well(&question.text), "{}", question.text);
        assert_eq!(question.signals.len(), 3, "{}", question.text);
        assert!(matches!(question.skill.as_str(), "" | "*") || names.contains(&question.skill), "{}", question.skill);
        for signal in &question.signals {
            assert!(spoken_well(&signal.follow_up), "{}", signal.follow_up);
            assert!(!signal.expect.is_empty() && signal.keywords.len() >= 3, "{}", question.text);
        }
    }
    assert_eq!(bank.generic.len(), 9);
    assert!(bank.opening.len() >= 3 && bank.leadership.len() >= 3 && bank.closing.len() >= 3);
}

#[test]
fn names_are_found_as_people_write_them() {
    let catalogue = Catalogue::seeded();
    for (asked, name) in
        [("rust", "Rust"), ("Rust programming", "Rust"), ("wound management", "Wound Care"), ("EDA", "Data Analysis")]
    {
        assert_eq!(catalogue.find(asked).map(|skill| skill.name.as_str()), Some(name), "{asked}");
    }
    assert!(catalogue.find("underwater basket weaving").is_none());
}

fn asked(name: &str, must_have: bool) -> RequestedSkill {
    RequestedSkill { name: name.into(), level: None, must_have }
}

fn resolved(name: &str, must_have: bool) -> ResolvedSkill {
    ResolvedSkill {
        name: name.into(),
        requested: vec![name.into()],
        matched: Catalogue::seeded().find(name).is_some(),
        must_have,
        level: None,
        suggestions: vec![],
    }
}

pub(super) fn request(minutes: u32, level: Level, skills: &[(&str, bool)]) -> PlanRequest {
    PlanRequest {
        brief: InterviewBrief {
            duration_minutes: Some(minutes),
            candidate: Candidate { name: Some("Anna Berg".into()), ..Candidate::default() },
            position: Position { title: Some("Engineer".into()), level: Some(level), description: None },
            ..InterviewBrief::default()
        },
        skills: skills.iter().map(|(name, must)| resolved(name, *must)).collect(),
        by_name_only: false,
        rotation: 0,
        feedback: None,
    }
}

fn texts(plan: &Plan) -> HashSet<String> {
    plan.questions().map(|(_, question)| question.text.clone()).collect()
}

#[tokio::test]
async fn skills_are_matched_by_name_then_by_likeness_and_merged() {
    let (catalogue, embedder) = (Catalogue::seeded(), HashEmbedder::default());
    let index = MemoryIndex::of(catalogue, &embedder).await.unwrap();
    let settings = MatchSettings { threshold: 0.5, suggest_from: 0.05 };
    let skills = [
        asked("Rust", false),
        asked("rust programming", true),
        asked("Kubernetess administration of a cluster", false),
        asked("Zymurgy", true),
    ];
    let found = resolve(&skills, catalogue, &index, Some(&embedder), &settings).await.unwrap();
    assert_eq!((found[0].name.as_str(), found[0].must_have, found[0].requested.len()), ("Rust", true, 2));
    let last = found.last().unwrap();
    assert_eq!((last.name.as_str(), last.matched), ("Zymurgy", false));
    assert!(last.suggestions.len() <= 3);
    assert!(found[1].matched || found[1].suggestions.contains(&"Kubernetes".to_owned()), "{:?}", found[1]);

    let exact = catalogue.find("Kubernetes").unwrap().embedding_text();
    let near = index.nearest(&embedder.embed(vec![exact]).await.unwrap()[0], 3).await.unwrap();
    assert_eq!(near[0].skill, "Kubernetes");
    let sick = HashEmbedder::default().with_faults(Faults::always(Fault::Garbage));
    let error = resolve(&[asked("Zymurgy", true)], catalogue, &index, Some(&sick), &settings).await.unwrap_err();
    assert!(error.is_retryable());
}

#[tokio::test]
async fn without_an_embedder_skills_are_matched_by_name_and_the_others_get_general_questions() {
    let (catalogue, index) = (Catalogue::seeded(), MemoryIndex::default());
    let wanted = [asked("rust programming", true), asked("Zymurgy", false)];
    let skills = resolve(&wanted, catalogue, &index, None, &MatchSettings::default()).await.unwrap();
    assert_eq!((skills[0].name.as_str(), skills[0].matched), ("Rust", true));
    assert_eq!((skills[1].name.as_str(), skills[1].matched, skills[1].suggestions.len()), ("Zymurgy", false, 0));

    let request = PlanRequest { skills, by_name_only: true, ..request(30, Level::Mid, &[]) };
    let plan = plan(&request, QuestionBank::seeded()).unwrap();
    keeps_its_promises(&plan, 30);
    let section = plan.sections.iter().find(|s| s.skill.as_deref() == Some("Zymurgy")).unwrap();
    assert!(section.questions.iter().all(|q| q.text.contains("Zymurgy")));
    let [warning] = plan.warnings.as_slice() else { panic!("{:?}", plan.warnings) };
    assert_eq!(warning.code, "unmatched_skill");
    assert!(warning.message.contains("\"Zymurgy\""), "{}", warning.message);
    assert!(warning.message.contains("the embedding model is missing"), "{}", warning.message);
}

#[test]
fn an_unmatched_skill_gets_general_questions_and_a_warning() {
    let mut request = request(30, Level::Mid, &[("Rust", true), ("Zymurgy", true), ("Heraldry", false)]);
    request.skills[1].suggestions = vec!["Cooking".into()];
    let plan = plan(&request, QuestionBank::seeded()).unwrap();
    let warnings: HashMap<_, _> = plan.warnings.iter().map(|w| (w.code.as_str(), w)).collect();
    assert_eq!(plan.warnings.iter().filter(|w| w.code == "unmatched_skill").count(), 2);
    assert!(warnings.contains_key("unmatched_skill"));
    assert!(plan.warnings.iter().any(|w| w.suggestions == ["Cooking"]));
    let section = plan.sections.iter().find(|s| s.skill.as_deref() == Some("Zymurgy")).unwrap();
    assert!(section.questions.iter().all(|q| q.text.contains("Zymurgy")));
    let words = |name: &str| {
        let section = plan.sections.iter().find(|s| s.skill.as_deref() == Some(name)).unwrap();
        section.questions.iter().map(|q| q.text.replace(name, "")).collect::<HashSet<_>>()
    };
    assert!(words("Zymurgy").is_disjoint(&words("Heraldry")));
}

#[test]
fn unrelated_positions_share_nothing_and_levels_differ() {
    let bank = QuestionBank::seeded();
    let skill_texts = |plan: &Plan| {
        let judged = plan.questions().filter(|(section, _)| section.skill.is_some());
        judged.map(|(_, question)| question.text.clone()).collect::<HashSet<_>>()
    };
    let engineer = plan(&request(45, Level::Senior, &[("Rust", true), ("Kubernetes", false)]), bank).unwrap();
    let nurse = plan(&request(45, Level::Senior, &[("Wound Care", true), ("Triage", false)]), bank).unwrap();
    assert!(skill_texts(&engineer).is_disjoint(&skill_texts(&nurse)));

    let junior = plan(&request(20, Level::Junior, &[("Rust", true)]), bank).unwrap();
    let lead = plan(&request(20, Level::Lead, &[("Rust", true)]), bank).unwrap();
    assert!(junior.questions().all(|(_, q)| q.difficulty != Difficulty::Expert));
    assert!(lead.questions().any(|(s, q)| s.skill.as_deref() == Some("Rust") && q.difficulty == Difficulty::Expert));
    assert!(lead.sections.iter().any(|section| section.title == "Leading people"));
    assert!(!skill_texts(&junior).is_subset(&skill_texts(&lead)));
}

#[test]
fn another_rotation_asks_other_questions() {
    let mut asked = HashSet::new();
    for rotation in 0..3 {
        let request = PlanRequest { rotation, ..request(20, Level::Mid, &[("Rust", true), ("Go", false)]) };
        let plan = plan(&request, QuestionBank::seeded()).unwrap();
        assert!(asked.insert(texts(&plan).into_iter().collect::<std::collections::BTreeSet<_>>()), "{rotation}");
    }
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let bank = QuestionBank::seeded();
    assert_eq!(plan(&request(0, Level::Mid, &[("Rust", true)]), bank), Err(PlanRefused::Duration(0)));
    assert_eq!(plan(&request(181, Level::Mid, &[("Rust", true)]), bank), Err(PlanRefused::Duration(181)));
    assert_eq!(plan(&request(30, Level::Mid, &[]), bank), Err(PlanRefused::NoSkills));
}

/// What every plan keeps, whoever wrote it.
pub(super) fn keeps_its_promises(plan: &Plan, minutes: u32) {
    assert_eq!(plan.sections.iter().map(|section| section.minutes).sum::<u32>(), minutes);
    let ids: Vec<&str> = plan.questions().map(|(_, question)| question.id.as_str()).collect();
    assert_eq!(ids, (1..=ids.len()).map(|n| format!("q{n}")).collect::<Vec<_>>());
    assert_eq!(texts(plan).len(), ids.len(), "no question twice");
    assert!(plan.sections.iter().all(|section| !section.questions.is_empty()));
    assert!(plan.sections[0].skill.is_none() && plan.sections.last().unwrap().skill.is_none());
    let judged: Vec<&String> = plan.sections.iter().filter_map(|section| section.skill.as_ref()).collect();
    assert_eq!(judged, plan.rubric.iter().map(|entry| &entry.skill).collect::<Vec<_>>());
    for (_, question) in plan.questions() {
        assert!(!question.text.contains(['{', '}', '[', ']']), "{}", question.text);
        assert_eq!(question.expected_signals.len(), question.follow_ups.len());
        assert_eq!(question.expected_signals.len(), question.signal_keywords.len());
    }
}

fn any_skills() -> impl Strategy<Value = Vec<(String, bool)>> {
    let names: Vec<String> = Catalogue::seeded().skills().iter().map(|skill| skill.name.clone()).collect();
    let name = prop_oneof![4 => prop::sample::select(names), 1 => "[A-Z][a-z]{3,9}"];
    prop::collection::hash_map(name, any::<bool>(), 1..12).prop_map(|skills| skills.into_iter().collect())
}

proptest! {
    #[test]
    fn every_plan_keeps_its_promises(
        minutes in 1u32..=180,
        level in prop::sample::select(vec![Level::Junior, Level::Mid, Level::Senior, Level::Lead]),
        skills in any_skills(),
        rotation in 0u32..20,
    ) {
        let skills: Vec<(&str, bool)> = skills.iter().map(|(name, must)| (name.as_str(), *must)).collect();
        let request = PlanRequest { rotation, ..request(minutes, level, &skills) };
        let plan = super::plan(&request, QuestionBank::seeded()).unwrap();
        keeps_its_promises(&plan, minutes);
        prop_assert_eq!(&plan, &super::plan(&request, QuestionBank::seeded()).unwrap());
        if minutes >= 10 {
            let questions = plan.questions().count() as u32;
            prop_assert!(questions * 3 <= minutes * 2, "{} questions in {} minutes", questions, minutes);
        }
        // A must-have is never left out for something else.
        let covered = |name: &str| plan.rubric.iter().any(|entry| entry.skill == name);
        let left_out_must = skills.iter().any(|(name, must)| *must && !covered(name));
        let covered_other = skills.iter().any(|(name, must)| !*must && covered(name));
        prop_assert!(!(left_out_must && covered_other));
        let complete = skills.iter().all(|(name, _)| covered(name));
        prop_assert_eq!(complete, !plan.warnings.iter().any(|w| w.code == "short_duration"));
    }
}
