//! What a good interview is: every reason why this one is not.

use super::{
    interview::Held,
    report::{DemoReport, Limits},
};
use crate::cli::candidate::What;

/// The webhooks of an interview that needed nothing, in order of their causes.
pub const WEBHOOKS: [&str; 6] = [
    "interview.plan_generated",
    "interview.approved",
    "interview.started",
    "interview.completed",
    "interview.assessment_ready",
    "interview.assessment_completed",
];

/// All that is not as it should be; empty is good.
pub fn failures(report: &DemoReport, held: &Held, limits: &Limits) -> Vec<String> {
    let mut failures = Vec::new();
    let mut expect = |good: bool, failure: String| {
        if !good {
            failures.push(failure);
        }
    };
    expect(held.candidate.ended, "the session was not announced as ended".to_owned());
    let completed = report.states.iter().any(|seen| seen.state == maya_protocol::state::InterviewState::Abandoned);
    expect(!completed, "the interview was abandoned".to_owned());
    let turns = report.turns.len();
    expect(turns >= limits.turns, format!("{turns} turns were held, fewer than {}", limits.turns));
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    expect(
        report.candidate_errors.rate() <= limits.word_error_rate,
        format!("word error rate of the candidate's lines is {}", percent(report.candidate_errors.rate())),
    );
    match &report.maya_errors {
        Some(errors) => expect(
            errors.rate() <= limits.maya_difference,
            format!("Maya's recognised audio differs from her text by {} of words", percent(errors.rate())),
        ),
        None => expect(false, "Maya's audio could not be heard back: no hearing is there".to_owned()),
    }
    match report.median_first_audio_ms {
        Some(median) => {
            expect(median <= limits.first_audio_ms, format!("median of first audio is {median} ms"));
        }
        None => expect(limits.turns == 0, "no reply was heard".to_owned()),
    }
    for kind in WEBHOOKS {
        let delivered = held.webhooks.iter().any(|delivery| delivery.kind() == kind && delivery.verified == Some(true));
        expect(delivered, format!("webhook {kind} was not delivered with a good signature"));
    }
    let unverified = held.webhooks.iter().filter(|delivery| delivery.verified != Some(true)).count();
    expect(unverified == 0, format!("{unverified} webhooks did not verify"));
    let errors = held.candidate.events.iter().filter(|event| matches!(event.what, What::Error { .. })).count();
    expect(errors == 0, format!("the socket reported {errors} errors"));
    failures
}
