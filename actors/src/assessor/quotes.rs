//! A quote is the candidate's own words, letter for letter; anything else is refused.

use maya_protocol::{
    ids::TurnId,
    interview::{Assessment, Quote, Speaker, Turn},
};

/// A quote that the transcript does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a quote on {skill} does not occur in what the candidate said in turn {turn_id}")]
pub struct BadQuote {
    /// The skill it was to show.
    pub skill: String,
    /// The turn it names.
    pub turn_id: TurnId,
    /// The words; not part of the message, which may be logged.
    pub text: String,
}

/// Checks every quote of an assessment; the first that does not occur is the error.
pub fn verify_quotes(assessment: &Assessment, turns: &[Turn]) -> Result<(), BadQuote> {
    for skill in &assessment.skills {
        if let Some(quote) = skill.quotes.iter().find(|quote| !occurs(quote, turns)) {
            return Err(BadQuote { skill: skill.name.clone(), turn_id: quote.turn_id, text: quote.text.clone() });
        }
    }
    Ok(())
}

/// Whether the candidate said exactly that in exactly that turn.
pub(super) fn occurs(quote: &Quote, turns: &[Turn]) -> bool {
    !quote.text.trim().is_empty()
        && turns.iter().any(|turn| {
            turn.turn_id == quote.turn_id && turn.speaker == Speaker::Candidate && turn.text.contains(&quote.text)
        })
}
