//! Every interview is in a legal state, came there by legal moves, and its candidate saw its end.

use super::Rule;
use crate::evidence::{Interview, What};
use maya_protocol::state::InterviewState;

/// Where an interview may stand when nobody touches it any more: after an end, or before a person's decision.
const RESTING: [&str; 8] = [
    "ASSESSMENT_READY",
    "ASSESSMENT_COMPLETED",
    "ASSESSMENT_REJECTED",
    "CANCELLED",
    "EXPIRED",
    "REJECTED",
    "INFO_NEEDED",
    "PENDING",
];

pub(super) fn check(interview: &Interview, add: &mut impl FnMut(Rule, String)) {
    if !interview.log.iter().any(|line| matches!(&line.what, What::State { state, .. } if state == "ENDED")) {
        add(Rule::NoEnd, "its candidate was never told that it is over".to_owned());
    }
    let mut at: Option<&str> = None;
    for step in &interview.moves {
        if at.is_none() && step.from.is_empty() && step.to == "RECEIVED" {
            at = Some(&step.to);
            continue;
        }
        if at.is_some_and(|at| at != step.from) {
            add(Rule::IllegalState, format!("{} after {}", step.from, at.unwrap_or_default()));
        }
        let (from, to) = (step.from.parse::<InterviewState>(), step.to.parse::<InterviewState>());
        if !matches!((from, to), (Ok(from), Ok(to)) if from.may_become(to)) {
            add(Rule::IllegalState, format!("{} became {}", step.from, step.to));
        }
        at = Some(&step.to);
    }
    if at.is_some_and(|at| at != interview.state) {
        add(Rule::IllegalState, format!("it is {}, by its history {}", interview.state, at.unwrap_or_default()));
    }
    if !RESTING.contains(&interview.state.as_str()) {
        add(Rule::IllegalState, format!("it stays {}", interview.state));
    }
}
