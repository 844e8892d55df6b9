//! A deterministic interviewer that follows the plan; honest in its name.
//!
//! It reads [`LlmRequest::facts`], never the prompt: it greets, acknowledges without judging, picks the follow-up
//! whose signal the answer left most open, moves on, and closes. What it says varies by the reply's number, not by
//! chance. It words nothing of its own that is a question: every question is the plan's.

pub mod hearing;
mod wording;

use crate::{
    ProviderError,
    llm::{InterviewFacts, LanguageModel, LlmRequest, Task, TokenStream},
    testing::is_english,
};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use maya_protocol::plan::Question;

const NAME: &str = "plan-follower/1";

/// The plan-following interviewer.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanFollower;

#[async_trait]
impl LanguageModel for PlanFollower {
    async fn stream(&self, request: LlmRequest) -> Result<TokenStream, ProviderError> {
        let facts =
            request.facts.ok_or_else(|| ProviderError::fatal(NAME, "only an interviewer's request can be followed"))?;
        if !is_english(&facts.language) {
            return Err(ProviderError::fatal(NAME, "speaks English only"));
        }
        let tokens: Vec<_> = reply(&facts).split_inclusive(' ').map(|word| Ok(word.to_owned())).collect();
        Ok(stream::iter(tokens).boxed())
    }
    async fn json(
        &self,
        _request: LlmRequest,
        _schema: &serde_json::Value,
    ) -> Result<serde_json::Value, ProviderError> {
        Err(ProviderError::fatal(NAME, "writes no documents"))
    }
    fn name(&self) -> &str {
        NAME
    }
}

/// What to do after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Put that follow-up of the question.
    Follow(usize),
    /// Go on to the next question.
    Next,
    /// Nothing is left to ask.
    Close,
}

/// The whole reply, tags included.
pub fn reply(facts: &InterviewFacts) -> String {
    match &facts.task {
        Task::Greet { duration_minutes, first } => wording::greet(facts, *duration_minutes, first),
        Task::Respond { question, answer, open, next } => match choose(question, answer, open, next.is_some()) {
            Move::Follow(i) => wording::follow(facts.reply, i, &question.follow_ups[i], answer),
            Move::Next => match next {
                Some(next) => wording::next(facts.reply, next, answer),
                None => wording::nothing_left(facts.reply),
            },
            Move::Close => wording::nothing_left(facts.reply),
        },
        Task::Encourage { question } => wording::encourage(facts.reply, question),
        Task::MoveOn { next } => wording::move_on(facts.reply, next),
        Task::Repeat { question } => wording::repeat(facts.reply, question),
        Task::Close { reason } => wording::close(facts, *reason),
    }
}

/// A signal is heard from this much on (see [`hearing::weight`]).
const HEARD: f32 = 1.0;
/// An answer of fewer words is short.
const SHORT: usize = 12;
/// An answer of so many words that shows half of its signals is full.
const FULL: usize = 45;
/// Follow-ups put on one question before going on, where there is a next one.
const ENOUGH: usize = 2;

/// Decides from what was said: the open signal least covered by the answer, or on.
pub fn choose(question: &Question, answer: &str, open: &[usize], has_next: bool) -> Move {
    let onward = if has_next { Move::Next } else { Move::Close };
    let signals = question.follow_ups.len();
    let open: Vec<usize> = open.iter().copied().filter(|i| *i < signals).collect();
    let put = signals - open.len();
    if open.is_empty() || hearing::declines(answer) || (put >= ENOUGH && has_next) {
        return onward;
    }
    let covered: Vec<f32> = (0..signals).map(|i| hearing::coverage(answer, &hearing::keywords(question, i))).collect();
    let heard = covered.iter().filter(|covered| **covered >= HEARD).count();
    let words = hearing::tokens(answer).len();
    let least = open.iter().copied().min_by(|a, b| covered[*a].total_cmp(&covered[*b]));
    let Some(least) = least else { return onward };
    let full = words >= FULL && heard * 2 >= signals;
    if words < SHORT || (covered[least] < HEARD && !full) { Move::Follow(least) } else { onward }
}

#[cfg(test)]
mod tests;
