//! What scores mean, in the words of the signals that the plan's own questions look for.

use super::matching::ResolvedSkill;
use maya_protocol::plan::{RubricEntry, RubricLevel, Section};

/// One entry for each section that judges a skill.
pub(super) fn of(sections: &[Section], skills: &[ResolvedSkill]) -> Vec<RubricEntry> {
    let judged = sections.iter().filter_map(|section| section.skill.as_ref().map(|skill| (section, skill)));
    judged
        .map(|(section, skill)| RubricEntry {
            skill: skill.clone(),
            must_have: skills.iter().any(|asked| asked.name == *skill && asked.must_have),
            scale: scale(section),
        })
        .collect()
}

fn scale(section: &Section) -> Vec<RubricLevel> {
    let signals: Vec<&str> =
        section.questions.iter().flat_map(|q| &q.expected_signals).map(|s| s.trim_end_matches('.')).collect();
    let first = section.questions.first().and_then(|q| q.expected_signals.first()).map_or("", String::as_str);
    let half: Vec<&str> =
        section.questions.iter().filter_map(|q| q.expected_signals.first()).map(|s| s.trim_end_matches('.')).collect();
    vec![
        RubricLevel { score: 1, shows: format!("Little that is specific; at most one signal, such as: {first}.") },
        RubricLevel {
            score: 3,
            shows: format!("About half of the signals, with some detail, for example: {}.", half.join("; ")),
        },
        RubricLevel { score: 5, shows: format!("All signals, from own work: {}.", signals.join("; ")) },
    ]
}
