//! What the candidate's answers show of a question's signals, sentence by sentence.

use maya_protocol::{
    interview::{Quote, Speaker, Turn},
    plan::{Plan, Question},
};
use maya_providers::plan_follower::hearing;

/// Shorter sentences show little: "Yes, backups." names a thing and tells nothing.
const TELLING_WORDS: usize = 4;
/// Weight from which a signal counts as shown (see [`hearing::weight`]).
const SHOWN: f32 = 1.0;

/// What was said about one signal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Finding {
    /// Said, best in this sentence.
    Shown(Quote),
    /// The candidate denied it, in this sentence.
    Denied(Quote),
    /// Not heard.
    Absent,
}

/// One signal of an answered question.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Signal {
    pub expect: String,
    pub finding: Finding,
}

/// The candidate's turns on each of the plan's questions, in the order of [`Plan::questions`].
pub(super) fn answers<'a>(plan: &Plan, turns: &'a [Turn]) -> Vec<Vec<&'a Turn>> {
    let mut answers: Vec<Vec<&Turn>> = plan.questions().map(|_| vec![]).collect();
    // A turn that names no question belongs to the one put last.
    let mut current = None;
    for turn in turns {
        current = turn.context.question.or(current);
        let said = turn.text.chars().any(char::is_alphanumeric);
        if turn.speaker == Speaker::Candidate
            && said
            && let Some(on_question) = current.and_then(|index| answers.get_mut(index as usize))
        {
            on_question.push(turn);
        }
    }
    answers
}

/// Looks for every signal of a question in the answers to it.
pub(super) fn findings(question: &Question, answers: &[&Turn]) -> Vec<Signal> {
    let signals = question.expected_signals.iter().enumerate();
    signals
        .map(|(i, expect)| Signal { expect: expect.clone(), finding: find(&hearing::keywords(question, i), answers) })
        .collect()
}

fn find(keywords: &[String], answers: &[&Turn]) -> Finding {
    let (mut affirmed, mut best, mut denial) = (Vec::new(), None::<(f32, Quote)>, None);
    for turn in answers {
        let hits = hearing::listen(&turn.text, keywords);
        for (index, range) in hearing::sentences(&turn.text).into_iter().enumerate() {
            let text = &turn.text[range];
            let quote = || Quote { turn_id: turn.turn_id, text: text.to_owned() };
            let of_sentence = || hits.iter().filter(|hit| hit.sentence == index);
            if denial.is_none() && of_sentence().any(|hit| hit.denied) {
                denial = Some(quote());
            }
            let said: Vec<usize> = of_sentence().filter(|hit| !hit.denied).map(|hit| hit.keyword).collect();
            if said.is_empty() || hearing::tokens(text).len() < TELLING_WORDS {
                continue;
            }
            let weight: f32 = said.iter().map(|keyword| hearing::weight(&keywords[*keyword])).sum();
            affirmed.extend(said);
            if best.as_ref().is_none_or(|(most, _)| weight > *most) {
                best = Some((weight, quote()));
            }
        }
    }
    affirmed.sort_unstable();
    affirmed.dedup();
    let total: f32 = affirmed.iter().map(|keyword| hearing::weight(&keywords[*keyword])).sum();
    match (best, denial) {
        (Some((_, quote)), _) if total >= SHOWN => Finding::Shown(quote),
        (_, Some(quote)) => Finding::Denied(quote),
        _ => Finding::Absent,
    }
}

/// The sentence that stands for an answer in which nothing was found: its longest.
pub(super) fn longest_sentence(answers: &[&Turn]) -> Option<Quote> {
    let sentences = answers.iter().flat_map(|turn| {
        hearing::sentences(&turn.text)
            .into_iter()
            .map(|range| Quote { turn_id: turn.turn_id, text: turn.text[range].to_owned() })
    });
    sentences.max_by_key(|quote| hearing::tokens(&quote.text).len())
}
