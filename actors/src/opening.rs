//! The opening words, worded before the candidate joins, so that a greeting is never waited for.

use crate::{
    llm_prompt,
    parts::Parts,
    session::sentences::{Sentence, Splitter},
};
use futures::StreamExt;
use maya_protocol::{interview::InterviewBrief, plan::Plan};
use maya_providers::{
    llm::{InterviewFacts, LanguageModel, Task},
    plan_follower::PlanFollower,
    tts::Emotion,
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

/// Words the opening, sentence by sentence, as [`sentence`] reads them; falls back to the plan follower.
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
        sentences.extend(splitter.push(&piece.ok()?).into_iter().map(kept));
    }
    sentences.extend(splitter.finish().0.map(kept));
    Some(sentences)
}

/// How it sounds is the tag before it; one without a tag is warm, as a greeting is.
fn kept(Sentence { text, emotion }: Sentence) -> String {
    match emotion {
        Emotion::Neutral | Emotion::Warm => text,
        emotion => format!("[{}] {text}", emotion.name()),
    }
}

/// A sentence of the opening as it was kept: its words, and how they sound.
pub fn sentence(kept: &str) -> Sentence {
    let tagged = kept.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let tagged = tagged.and_then(|(tag, text)| Some((text, Emotion::named(tag)?)));
    let (text, emotion) = tagged.unwrap_or((kept, Emotion::Warm));
    Sentence { text: text.to_owned(), emotion }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::plan::{Difficulty, Question};

    #[tokio::test]
    async fn an_opening_keeps_how_each_of_its_sentences_sounds() {
        let first = Question {
            id: "q1".into(),
            text: "What brought you here?".into(),
            difficulty: Difficulty::Foundation,
            expected_signals: vec![],
            follow_ups: vec![],
            signal_keywords: vec![],
        };
        let facts = InterviewFacts {
            task: Task::Greet { duration_minutes: 30, first },
            candidate: "Anna".into(),
            title: "Engineer".into(),
            language: "en-US".into(),
            reply: 0,
        };
        let kept = sentences(&PlanFollower, &facts).await.unwrap();
        let read: Vec<Sentence> = kept.iter().map(|line| sentence(line)).collect();
        assert_eq!(read.first().unwrap().emotion, Emotion::Warm);
        assert!(read.iter().any(|sentence| sentence.emotion == Emotion::Encouraging), "{read:?}");
        let asked = Sentence { text: "What brought you here?".into(), emotion: Emotion::Curious };
        assert_eq!(read.last(), Some(&asked));
        assert!(read.iter().all(|sentence| !sentence.text.contains('[')), "{read:?}");
    }

    #[test]
    fn a_sentence_kept_without_a_tag_is_warm() {
        assert_eq!(sentence("Hello."), Sentence { text: "Hello.".into(), emotion: Emotion::Warm });
    }
}
