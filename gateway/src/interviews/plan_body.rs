//! A plan as a person wrote it: every mistake is told at once.

use crate::{
    fields::{Object, Wrong, has_nul},
    problem::Error,
};
use maya_protocol::plan::{Difficulty, Plan, Question, RubricEntry, RubricLevel, Section};
use serde_json::Value;
use std::collections::HashSet;

/// Reads an edited plan. What the body leaves out (`rubric`, `warnings`) stays as it was.
pub(super) fn read(body: &Value, current: &Plan, minutes: u32, writer: &str) -> Result<Plan, Error> {
    let wrong = Wrong::default();
    if has_nul(body) {
        wrong.add("", "must not contain the character U+0000");
    }
    let root = Object::root(body, &wrong);
    let sections: Vec<Section> = root.objects("sections", 50).iter().map(section).collect();
    let rubric: Vec<RubricEntry> = root.objects("rubric", 50).iter().map(rubric_entry).collect();

    let sum: u32 = sections.iter().map(|section| section.minutes).sum();
    if sections.iter().all(|section| section.questions.is_empty()) {
        root.wrong("sections", "must have at least one question");
    } else if sum != minutes {
        root.wrong("sections", format!("their minutes sum to {sum}, the interview takes {minutes}"));
    }
    let mut ids = HashSet::new();
    for (s, section) in sections.iter().enumerate() {
        for (q, question) in section.questions.iter().enumerate() {
            if !question.id.is_empty() && !ids.insert(&question.id) {
                wrong.add(format!("sections[{s}].questions[{q}].id"), "is not unique in the plan");
            }
        }
    }
    let plan = Plan {
        rubric: if root.get("rubric").is_some() { rubric } else { current.rubric.clone() },
        warnings: current.warnings.clone(),
        written_by: writer.to_owned(),
        sections,
    };
    wrong.unless(plan)
}

fn section(section: &Object<'_>) -> Section {
    Section {
        title: section.required_text("title", 200),
        skill: section.text("skill", 200),
        minutes: section.integer("minutes", 0, 180).unwrap_or_else(|| {
            if section.get("minutes").is_none() {
                section.wrong("minutes", "must be given");
            }
            0
        }),
        questions: section.objects("questions", 100).iter().map(question).collect(),
    }
}

fn question(question: &Object<'_>) -> Question {
    let keywords =
        question.get("signalKeywords").map(|value| serde_json::from_value::<Vec<Vec<String>>>(value.clone()));
    if matches!(keywords, Some(Err(_))) {
        question.wrong("signalKeywords", "must be an array of arrays of strings");
    }
    Question {
        id: question.required_text("id", 100),
        text: question.required_text("text", 2_000),
        difficulty: question.choice("difficulty", "FOUNDATION, APPLIED, EXPERT").unwrap_or(Difficulty::Applied),
        expected_signals: question.texts("expectedSignals", 20, 500),
        follow_ups: question.texts("followUps", 20, 2_000),
        signal_keywords: keywords.and_then(Result::ok).unwrap_or_default(),
    }
}

fn rubric_entry(entry: &Object<'_>) -> RubricEntry {
    RubricEntry {
        skill: entry.required_text("skill", 200),
        must_have: entry.boolean("mustHave").unwrap_or(false),
        scale: entry
            .objects("scale", 6)
            .iter()
            .map(|level| RubricLevel {
                score: level.integer("score", 0, 5).unwrap_or(0),
                shows: level.required_text("shows", 2_000),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan() -> Plan {
        Plan { sections: vec![], rubric: vec![], warnings: vec![], written_by: "question-bank/1".into() }
    }

    #[test]
    fn minutes_must_sum_and_ids_be_unique() {
        let question = |id: &str| json!({"id": id, "text": "Why?", "difficulty": "APPLIED"});
        let body = json!({"version": 3, "sections": [
            {"title": "Opening", "minutes": 2, "questions": []},
            {"title": "Rust", "skill": "Rust", "minutes": 8, "questions": [question("q1"), question("q2")]}
        ]});
        let read_back = read(&body, &plan(), 10, "user:a").unwrap();
        assert_eq!(read_back.questions().count(), 2);
        assert_eq!(read_back.written_by, "user:a");

        let body = json!({"sections": [
            {"minutes": 2, "questions": [question("q1"), question("q1"), {"text": 7, "difficulty": "HARD"}]}
        ]});
        let Err(Error::Invalid(errors)) = read(&body, &plan(), 10, "user:a") else { panic!("it was accepted") };
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        for field in [
            "sections",
            "sections[0].title",
            "sections[0].questions[1].id",
            "sections[0].questions[2].id",
            "sections[0].questions[2].text",
            "sections[0].questions[2].difficulty",
        ] {
            assert!(fields.contains(&field), "{field} is missing in {fields:?}");
        }
    }
}
