//! The opening words, worded before the candidate joins, so that a greeting is never waited for.

use crate::{llm_prompt, parts::Parts, session::sentences::Splitter};
use futures::StreamExt;
use maya_protocol::{interview::InterviewBrief, plan::Plan};
use maya_providers::{
    llm::{InterviewFacts, LanguageModel, Task},
    plan_follower::PlanFollower,
};
use std::time::Duration;

/// Interview time where none was asked for (its absence was waived).
pub const DEFAULT_MINUTES: u32 = 30;
/// How long a model may take over the opening before the plan follower words it.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the opening is worded from.
pub fn facts(brief: &InterviewBrief, plan: &Plan) -> InterviewFacts {
    let name = brief.candidate.name.as_deref().unwrap_or("there");
    let first = plan
        .questions()
        .next()
        .map(|(_, question)| question.clone())
        .expect("a plan without a question is not approved");
    InterviewFacts {
        task: Task::Greet { duration_minutes: brief.duration_minutes.unwrap_or(DEFAULT_MINUTES), first },
        candidate: name.split_whitespace().next().unwrap_or("there").to_owned(),
        title: brief.position.title.clone().unwrap_or_else(|| "the position".to_owned()),
        language: brief.language.clone().unwrap_or_else(|| "en-US".to_owned()),
        reply: 0,
    }
}

/// Words the opening, sentence by sentence; falls back to the plan follower.
pub async fn word(parts: &Parts, facts: &InterviewFacts) -> Vec<String> {
    for engine in [parts.senses.thinks.as_ref(), &PlanFollower as &dyn LanguageModel] {
        match tokio::time::timeout(PATIENCE, sentences(engine, facts)).await {
            Ok(Some(sentences)) if !sentences.is_empty() => return sentences,
            _ => tracing::warn!(engine = engine.name(), "an opening was not worded"),
        }
    }
    unreachable!("the plan follower words every opening")
}

async fn sentences(engine: &dyn LanguageModel, facts: &InterviewFacts) -> Option<Vec<String>> {
    let mut stream = engine.stream(llm_prompt::request(facts.clone(), &[])).await.ok()?;
    let mut splitter = Splitter::default();
    let mut sentences = Vec::new();
    while let Some(piece) = stream.next().await {
        sentences.extend(splitter.push(&piece.ok()?).into_iter().map(|sentence| sentence.text));
    }
    sentences.extend(splitter.finish().0.map(|sentence| sentence.text));
    Some(sentences)
}
