//! From scores to a recommendation, the same way whoever gave the scores.

use maya_protocol::{
    interview::{NotJudged, Recommendation, SkillScore},
    plan::Plan,
};

/// What a must-have counts against another skill.
const MUST_HAVE: f32 = 2.0;

/// The recommendation that scores from 0 to 5 amount to.
pub(super) fn recommend(plan: &Plan, skills: &[SkillScore], not_judged: &[NotJudged]) -> Recommendation {
    if skills.is_empty() {
        return Recommendation::NotJudged;
    }
    let is_must = |name: &str| plan.rubric.iter().any(|entry| entry.skill == name && entry.must_have);
    let weight = |name: &str| if is_must(name) { MUST_HAVE } else { 1.0 };
    let total: f32 = skills.iter().map(|skill| weight(&skill.name)).sum();
    let mean = skills.iter().map(|skill| skill.score * weight(&skill.name)).sum::<f32>() / total;
    let lowest_must = skills.iter().filter(|s| is_must(&s.name)).map(|s| s.score).fold(5.0, f32::min);
    let judged = if mean >= 4.0 && lowest_must >= 3.5 {
        Recommendation::StrongYes
    } else if mean >= 3.0 && lowest_must >= 2.5 {
        Recommendation::Yes
    } else if mean >= 1.75 {
        Recommendation::Mixed
    } else {
        Recommendation::No
    };
    // A must-have that could not be judged leaves the question open, however good the rest is.
    let open = not_judged.iter().any(|skill| is_must(&skill.name));
    match judged {
        Recommendation::StrongYes | Recommendation::Yes if open => Recommendation::Mixed,
        judged => judged,
    }
}

/// A few sentences for the recruiter.
pub(super) fn summarise(skills: &[SkillScore], not_judged: &[NotJudged]) -> String {
    if skills.is_empty() {
        return "Nothing was said that the plan's skills could be judged by.".to_owned();
    }
    let listed = |keep: &dyn Fn(f32) -> bool| {
        let names: Vec<String> =
            skills.iter().filter(|s| keep(s.score)).map(|s| format!("{} ({})", s.name, s.score)).collect();
        names.join(", ")
    };
    let parts = [
        ("Most of the expected signals were heard on", listed(&|score| score >= 3.5)),
        ("Some were heard on", listed(&|score| (1.5..3.5).contains(&score))),
        ("Few or none were heard on", listed(&|score| score < 1.5)),
        ("Not judged", not_judged.iter().map(|skill| skill.name.clone()).collect::<Vec<_>>().join(", ")),
    ];
    let told = parts.into_iter().filter(|(_, names)| !names.is_empty());
    let sentences: Vec<String> = told
        .map(
            |(what, names)| if what == "Not judged" { format!("{what}: {names}.") } else { format!("{what} {names}.") },
        )
        .collect();
    sentences.join(" ")
}
