//! The judge: proves from the evidence alone that no word was lost, whatever was killed.

mod deliveries;
mod floor;
mod history;
mod script;
#[cfg(test)]
mod tests;
mod words;

pub use words::Share;

use crate::evidence::Evidence;
use serde::Serialize;
use std::fmt;

/// Of the lines that were wholly said, at least this share must have been acknowledged.
pub const LEAST_ACKNOWLEDGED: f64 = 0.95;

/// What must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// An acknowledged utterance is not in the transcript.
    Lost,
    /// An acknowledged utterance stands there in other words.
    Altered,
    /// Words are in the transcript more often than they were said.
    Doubled,
    /// Utterances stand in another order than they were said in.
    Swapped,
    /// A line was not recorded, or not acknowledged, on a connection that held.
    Unheard,
    /// Too few of the lines were acknowledged.
    TooFewAcknowledged,
    /// Two of Maya's turns at once, or a turn after a later one.
    TwoSpeakers,
    /// A part of a sentence is missing.
    Gap,
    /// A sentence came twice on one connection, without a clear before it.
    Repeated,
    /// A frame of a turn after its clear that is no repeat from part 0.
    AfterClear,
    /// Something was heard that was not recorded, or in other words.
    NotRecorded,
    /// An owner that was wrote over a later one.
    StaleOwner,
    /// A state that the table does not lead to, or that is no place to end.
    IllegalState,
    /// Its candidate was never told that it is over.
    NoEnd,
    /// An event was not published, or not applied.
    EventLost,
    /// An event was applied twice.
    EventTwice,
    /// A webhook did not come.
    WebhookLost,
    /// A webhook that nobody can trust.
    WebhookInvalid,
    /// One news, two webhooks.
    WebhookTwice,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// In which interview, where it is one.
    pub interview: Option<String>,
    /// What was found.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, interview, what } = self;
        match interview {
            Some(interview) => write!(f, "{rule}: interview {interview}: {what}"),
            None => write!(f, "{rule}: {what}"),
        }
    }
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// How much of what was said was acknowledged.
    pub acknowledged: Share,
    /// Nothing here: it holds.
    pub violations: Vec<Violation>,
}

/// Judges.
pub fn check(evidence: &Evidence) -> Verdict {
    let mut violations = Vec::new();
    let mut acknowledged = Share::default();
    for interview in &evidence.interviews {
        let mut add = |rule: Rule, what: String| {
            violations.push(Violation { rule, interview: Some(interview.id.clone()), what });
        };
        acknowledged += words::check(interview, &mut add);
        floor::check(interview, &mut add);
        history::check(interview, &mut add);
    }
    let mut add = |rule: Rule, interview: Option<&str>, what: String| {
        violations.push(Violation { rule, interview: interview.map(str::to_owned), what });
    };
    if acknowledged.of_all() < LEAST_ACKNOWLEDGED {
        add(Rule::TooFewAcknowledged, None, format!("{acknowledged} of the lines that were wholly said"));
    }
    deliveries::check(evidence, &mut add);
    Verdict { acknowledged, violations }
}
