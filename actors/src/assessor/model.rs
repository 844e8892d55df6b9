//! A model judges: asked against a schema, its quotes checked, its recommendation derived and not believed.

use super::{engine::judged_skills, evidence, quotes::occurs, verdict};
use maya_protocol::{
    ids::TurnId,
    interview::{Assessment, NotJudged, Quote, SkillScore, Speaker, Turn},
    plan::Plan,
};
use maya_providers::{
    ProviderError,
    llm::{LanguageModel, LlmRequest, Message, Role},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const PROMPT: &str = include_str!("../../prompts/assessor.md");
/// How often it is asked for an assessment that can be used.
const TRIES: usize = 2;
/// How long one that does not answer is left alone before it is asked again; after the last, it is not.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];
/// How long it may take in all; less than the agent's lease.
const PATIENCE: Duration = Duration::from_secs(210);

/// Lets a model judge transcripts.
#[derive(Clone)]
pub struct LlmAssessor {
    model: Arc<dyn LanguageModel>,
    pauses: &'static [Duration],
    patience: Duration,
}

/// Why a model did not judge.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AssessError {
    /// It did not answer, however often it was asked.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// It answered twice what cannot be used.
    #[error("the model's assessment cannot be used: {0}")]
    Unusable(String),
    /// It took too long over it.
    #[error("the model did not judge in time")]
    Late,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Draft {
    summary: String,
    skills: Vec<DraftSkill>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DraftSkill {
    name: String,
    score: f32,
    rationale: String,
    quotes: Vec<DraftQuote>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DraftQuote {
    turn_id: String,
    text: String,
}

impl LlmAssessor {
    /// Judges with that model.
    pub fn new(model: Arc<dyn LanguageModel>) -> Self {
        Self { model, pauses: &PAUSES, patience: PATIENCE }
    }

    /// Judges a transcript. A model that fails, or writes twice what does not hold, is replaced by the rubric's
    /// signals; `written_by` says who judged.
    pub async fn judge(&self, plan: &Plan, turns: &[Turn]) -> Assessment {
        let judged = tokio::time::timeout(self.patience, self.assess(plan, turns)).await;
        match judged.unwrap_or(Err(AssessError::Late)) {
            Ok(assessment) => assessment,
            Err(error) => {
                tracing::warn!(model = self.model.name(), %error, "assessor.model_failed");
                super::assess(plan, turns)
            }
        }
    }

    /// Judges a transcript with the model alone. What it quotes and nobody said is refused: it is asked once more, then
    /// those quotes are dropped, and a skill left without any is not judged. Where nothing was said, no model is asked.
    pub async fn assess(&self, plan: &Plan, turns: &[Turn]) -> Result<Assessment, AssessError> {
        if evidence::answers(plan, turns).iter().all(Vec::is_empty) {
            return Ok(super::assess(plan, turns));
        }
        let mut pauses = self.pauses.iter();
        let mut complaint: Option<String> = None;
        for attempt in 1..=TRIES {
            let last = attempt == TRIES;
            let answer = self.answer(plan, turns, complaint.as_deref(), &mut pauses).await?;
            let draft = match read(answer, plan) {
                Ok(draft) => draft,
                Err(problem) if last => return Err(AssessError::Unusable(problem)),
                Err(problem) => {
                    complaint = Some(problem);
                    continue;
                }
            };
            let made_up = made_up(&draft, turns);
            if made_up.is_empty() || last {
                return Ok(self.finish(plan, turns, draft));
            }
            complaint = Some(format!(
                "these quotes do not occur letter for letter in the turns they name: {}",
                made_up.join(" | ")
            ));
        }
        Err(AssessError::Unusable("no answer".to_owned()))
    }

    /// What the model answers, asked again after each of the pauses left while it does not.
    async fn answer(
        &self,
        plan: &Plan,
        turns: &[Turn],
        complaint: Option<&str>,
        pauses: &mut std::slice::Iter<'_, Duration>,
    ) -> Result<Value, ProviderError> {
        let schema = schema(plan);
        loop {
            let request = LlmRequest {
                messages: messages(plan, turns, complaint),
                facts: None,
                max_tokens: 6_000,
                temperature: 0.0,
            };
            let error = match self.model.json(request, &schema).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match pauses.next() {
                Some(pause) if error.is_retryable() => tokio::time::sleep(*pause).await,
                _ => return Err(error),
            }
        }
    }

    fn finish(&self, plan: &Plan, turns: &[Turn], draft: Draft) -> Assessment {
        let (mut skills, mut not_judged): (Vec<SkillScore>, Vec<NotJudged>) = (vec![], vec![]);
        for name in judged_skills(plan) {
            let judged = draft.skills.iter().find(|skill| skill.name == name);
            let quotes: Vec<Quote> = judged
                .map(|skill| skill.quotes.iter().filter_map(quote).filter(|quote| occurs(quote, turns)).collect())
                .unwrap_or_default();
            match judged {
                Some(skill) if !quotes.is_empty() => skills.push(SkillScore {
                    name: name.to_owned(),
                    score: (skill.score * 2.0).round() / 2.0,
                    rationale: skill.rationale.clone(),
                    quotes,
                }),
                _ => not_judged.push(NotJudged {
                    name: name.to_owned(),
                    reason: "Nothing the candidate said could be quoted on it.".to_owned(),
                }),
            }
        }
        let summary = if skills.is_empty() { verdict::summarise(&skills, &not_judged) } else { draft.summary };
        Assessment {
            recommendation: verdict::recommend(plan, &skills, &not_judged),
            summary,
            skills,
            not_judged,
            written_by: self.model.name().to_owned(),
        }
    }
}

fn quote(draft: &DraftQuote) -> Option<Quote> {
    let turn_id: TurnId = draft.turn_id.parse().ok()?;
    Some(Quote { turn_id, text: draft.text.clone() })
}

fn made_up<'a>(draft: &'a Draft, turns: &[Turn]) -> Vec<&'a str> {
    let quotes = draft.skills.iter().flat_map(|skill| &skill.quotes);
    quotes
        .filter(|draft| !quote(draft).is_some_and(|quote| occurs(&quote, turns)))
        .map(|draft| draft.text.as_str())
        .collect()
}

/// Words that judge the person or how they sound; an assessment that holds one is not used.
pub(super) const FORBIDDEN: [&str; 22] = [
    "accent",
    "voice",
    "tone",
    "nervous",
    "anxious",
    "confident",
    "confidence",
    "personality",
    "likeable",
    "emotion",
    "emotional",
    "enthusiastic",
    "enthusiasm",
    "attractive",
    "age",
    "gender",
    "male",
    "female",
    "nationality",
    "native",
    "religion",
    "pregnant",
];

/// A forbidden word of a text, if it has one. What the candidate said themselves is quoted, never checked here.
pub(super) fn forbidden(text: &str) -> Option<&'static str> {
    let words = maya_providers::plan_follower::hearing::tokens(text);
    FORBIDDEN.into_iter().find(|forbidden| words.iter().any(|token| token.word == *forbidden))
}

fn read(answer: Value, plan: &Plan) -> Result<Draft, String> {
    let draft: Draft = serde_json::from_value(answer).map_err(|error| format!("not of the schema: {error}"))?;
    if draft.summary.trim().is_empty() {
        return Err("the summary is empty".to_owned());
    }
    let known = judged_skills(plan);
    for skill in &draft.skills {
        if !known.contains(&skill.name.as_str()) {
            return Err(format!("the plan has no skill \"{}\"", skill.name));
        }
        if !(0.0..=5.0).contains(&skill.score) {
            return Err(format!("the score of \"{}\" is not between 0 and 5", skill.name));
        }
        if skill.rationale.trim().is_empty() {
            return Err(format!("\"{}\" has no rationale", skill.name));
        }
    }
    let texts = draft.skills.iter().map(|skill| &skill.rationale).chain([&draft.summary]);
    let personal = texts.filter_map(|text| forbidden(text)).find(|word| !plan_speaks_of(plan, word));
    match personal {
        Some(word) => Err(format!("it comments on the person (\"{word}\"); judge only what was said about the work")),
        None => Ok(draft),
    }
}

/// A word that the plan itself uses is about the work: "tone of voice" in copywriting, "age" in paediatric nursing.
fn plan_speaks_of(plan: &Plan, word: &str) -> bool {
    let signals = plan.questions().flat_map(|(_, question)| question.expected_signals.iter().chain([&question.text]));
    let names = plan.sections.iter().filter_map(|section| section.skill.as_ref());
    signals
        .chain(names)
        .any(|text| maya_providers::plan_follower::hearing::tokens(text).iter().any(|token| token.word == word))
}

fn messages(plan: &Plan, turns: &[Turn], complaint: Option<&str>) -> Vec<Message> {
    let transcript: Vec<Value> = turns
        .iter()
        .map(|turn| {
            let speaker = if turn.speaker == Speaker::Candidate { "CANDIDATE" } else { "MAYA" };
            json!({ "turnId": turn.turn_id, "speaker": speaker, "text": turn.text, "question": turn.context.question })
        })
        .collect();
    let questions: Vec<Value> = plan
        .questions()
        .enumerate()
        .map(|(index, (section, question))| {
            json!({ "question": index, "skill": section.skill, "text": question.text, "expectedSignals": question.expected_signals })
        })
        .collect();
    let facts = json!({ "questions": questions, "rubric": plan.rubric, "transcript": transcript });
    let mut messages = vec![
        Message { role: Role::System, content: PROMPT.to_owned() },
        Message { role: Role::User, content: facts.to_string() },
    ];
    if let Some(complaint) = complaint {
        let content = format!("Your last assessment could not be used: {complaint}. Write it again, in full.");
        messages.push(Message { role: Role::User, content });
    }
    messages
}

fn schema(plan: &Plan) -> Value {
    let object = |properties: Value, required: &[&str]| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let quote = object(json!({ "turnId": { "type": "string" }, "text": { "type": "string" } }), &["turnId", "text"]);
    let skill = object(
        json!({
            "name": { "type": "string", "enum": judged_skills(plan) },
            "score": { "type": "number", "minimum": 0, "maximum": 5 },
            "rationale": { "type": "string" },
            "quotes": { "type": "array", "items": quote },
        }),
        &["name", "score", "rationale", "quotes"],
    );
    object(
        json!({ "summary": { "type": "string" }, "skills": { "type": "array", "items": skill } }),
        &["summary", "skills"],
    )
}

#[cfg(test)]
mod tests;
