//! A plan written by a model: asked against a schema, checked, and the bank's where it is of no use.

use super::{
    engine::{self, PlanRefused, PlanRequest, numbered},
    question_bank::QuestionBank,
    rubric,
};
use maya_protocol::plan::{Difficulty, Plan, PlanWarning, Question, Section};
use maya_providers::llm::{LanguageModel, LlmRequest, Message, Role};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::HashSet, sync::Arc};

const PROMPT: &str = include_str!("../../prompts/planner.md");
/// A question is spoken: more words than these cannot be followed by ear.
const MOST_WORDS: usize = 45;
const TRIES: usize = 2;

/// Lets a model write plans.
#[derive(Clone)]
pub struct LlmPlanner {
    model: Arc<dyn LanguageModel>,
    bank: &'static QuestionBank,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Draft {
    sections: Vec<DraftSection>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DraftSection {
    title: String,
    #[serde(default)]
    skill: Option<String>,
    minutes: u32,
    questions: Vec<DraftQuestion>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DraftQuestion {
    text: String,
    difficulty: Difficulty,
    signals: Vec<DraftSignal>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DraftSignal {
    expect: String,
    #[serde(default)]
    keywords: Vec<String>,
    follow_up: String,
}

impl LlmPlanner {
    /// Plans with that model; the bank stands by.
    pub fn new(model: Arc<dyn LanguageModel>, bank: &'static QuestionBank) -> Self {
        Self { model, bank }
    }

    /// Writes a plan. A model that fails or writes what cannot be used twice is replaced by the bank, with a warning.
    pub async fn plan(&self, request: &PlanRequest) -> Result<Plan, PlanRefused> {
        request.check()?;
        let mut problem = None;
        for _ in 0..TRIES {
            let asked = LlmRequest {
                messages: messages(request, problem.as_deref()),
                facts: None,
                max_tokens: 8_000,
                temperature: 0.4,
            };
            match self.model.json(asked, &schema()).await {
                Ok(answer) => match read(answer, request) {
                    Ok(sections) => return Ok(self.finish(request, sections)),
                    Err(unusable) => problem = Some(unusable),
                },
                Err(error) => {
                    tracing::warn!(model = self.model.name(), %error, "planner.model_failed");
                    problem = Some("no answer".to_owned());
                    if !error.is_retryable() {
                        break;
                    }
                }
            }
        }
        let mut plan = engine::plan(request, self.bank)?;
        let problem = problem.unwrap_or_default();
        plan.warnings.push(PlanWarning {
            code: "model_unusable".to_owned(),
            message: format!(
                "The model {} wrote no usable plan ({problem}); the question bank did.",
                self.model.name()
            ),
            suggestions: vec![],
        });
        Ok(plan)
    }

    fn finish(&self, request: &PlanRequest, sections: Vec<Section>) -> Plan {
        let sections = numbered(sections);
        Plan {
            rubric: rubric::of(&sections, &request.skills),
            warnings: request.warnings(&sections),
            written_by: self.model.name().to_owned(),
            sections,
        }
    }
}

fn messages(request: &PlanRequest, problem: Option<&str>) -> Vec<Message> {
    let skills: Vec<Value> = request
        .by_importance()
        .iter()
        .map(|skill| json!({ "name": skill.name, "mustHave": skill.must_have, "level": skill.level }))
        .collect();
    let facts = json!({
        "title": request.title(),
        "level": request.level(),
        "description": request.brief.position.description,
        "resume": request.brief.candidate.resume,
        "durationMinutes": request.minutes(),
        "language": request.brief.language,
        "skills": skills,
        "feedbackOnTheLastPlan": request.feedback,
        "planNumber": request.rotation + 1,
    });
    let mut messages = vec![
        Message { role: Role::System, content: PROMPT.to_owned() },
        Message { role: Role::User, content: facts.to_string() },
    ];
    if let Some(problem) = problem {
        let content = format!("Your last plan could not be used: {problem}. Write it again, in full.");
        messages.push(Message { role: Role::User, content });
    }
    messages
}

/// Checks a draft; the error says what is wrong, for the model and for the person who approves.
fn read(answer: Value, request: &PlanRequest) -> Result<Vec<Section>, String> {
    let draft: Draft = serde_json::from_value(answer).map_err(|error| format!("not of the schema: {error}"))?;
    let sum: u64 = draft.sections.iter().map(|section| u64::from(section.minutes)).sum();
    if sum != u64::from(request.minutes()) {
        return Err(format!("the minutes sum to {sum}, not to {}", request.minutes()));
    }
    let (Some(first), Some(last)) = (draft.sections.first(), draft.sections.last()) else {
        return Err("there are no sections".to_owned());
    };
    if draft.sections.len() < 3 || first.skill.is_some() || last.skill.is_some() {
        return Err("the first and the last section are opening and closing, without a skill".to_owned());
    }
    let (mut asked, mut judged) = (HashSet::new(), HashSet::new());
    let sections = draft.sections.into_iter().map(|section| {
        if let Some(skill) = &section.skill {
            if !request.skills.iter().any(|known| known.name == *skill) {
                return Err(format!("the skill \"{skill}\" was not asked for"));
            }
            if !judged.insert(skill.clone()) {
                return Err(format!("the skill \"{skill}\" has two sections"));
            }
        }
        if section.title.trim().is_empty() || section.questions.is_empty() {
            return Err("a section has no title or no questions".to_owned());
        }
        let questions =
            section.questions.into_iter().map(|question| usable(question, &mut asked)).collect::<Result<_, _>>()?;
        Ok(Section { title: section.title, skill: section.skill, minutes: section.minutes, questions })
    });
    let sections: Vec<Section> = sections.collect::<Result<_, String>>()?;
    match request.skills.iter().find(|skill| skill.must_have && !judged.contains(&skill.name)) {
        Some(skill) if request.minutes() >= 10 && request.skills.len() <= 3 => {
            Err(format!("the must-have \"{}\" is not asked about", skill.name))
        }
        _ => Ok(sections),
    }
}

fn usable(question: DraftQuestion, asked: &mut HashSet<String>) -> Result<Question, String> {
    let spoken = |text: &str| -> Result<String, String> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() || text.split(' ').count() > MOST_WORDS {
            return Err(format!("a question has no words or more than {MOST_WORDS}"));
        }
        if !text.ends_with(['?', '.']) || text.contains(['[', ']', '{', '}', '*', '#', '`']) {
            return Err("a question has no mark at its end, or brackets or markup in it".to_owned());
        }
        Ok(text)
    };
    let text = spoken(&question.text)?;
    if !asked.insert(text.to_lowercase()) {
        return Err("a question is asked twice".to_owned());
    }
    if !(1..=6).contains(&question.signals.len()) || question.signals.iter().any(|s| s.expect.trim().is_empty()) {
        return Err("a question has no signals, more than six, or an empty one".to_owned());
    }
    let follow_ups = question.signals.iter().map(|signal| spoken(&signal.follow_up)).collect::<Result<_, _>>()?;
    let (expected_signals, signal_keywords) =
        question.signals.into_iter().map(|signal| (signal.expect, signal.keywords)).unzip();
    Ok(Question {
        id: String::new(),
        text,
        difficulty: question.difficulty,
        expected_signals,
        follow_ups,
        signal_keywords,
    })
}

fn schema() -> Value {
    let signal = object(json!({
        "expect": { "type": "string" },
        "keywords": { "type": "array", "items": { "type": "string" } },
        "followUp": { "type": "string" },
    }));
    let question = object(json!({
        "text": { "type": "string" },
        "difficulty": { "type": "string", "enum": ["FOUNDATION", "APPLIED", "EXPERT"] },
        "signals": { "type": "array", "items": signal, "minItems": 1, "maxItems": 6 },
    }));
    let section = object(json!({
        "title": { "type": "string" },
        "skill": { "type": ["string", "null"] },
        "minutes": { "type": "integer", "minimum": 0, "maximum": 180 },
        "questions": { "type": "array", "items": question, "minItems": 1 },
    }));
    object(json!({ "sections": { "type": "array", "items": section, "minItems": 3 } }))
}

/// An object that has exactly these properties, as strict servers want it.
fn object(properties: Value) -> Value {
    let required: Vec<String> = properties.as_object().map(|p| p.keys().cloned().collect()).unwrap_or_default();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

#[cfg(test)]
mod tests;
