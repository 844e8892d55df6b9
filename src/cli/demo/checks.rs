//! What a good interview is: every reason why this one is not.

use super::report::DemoReport;
use maya_protocol::state::InterviewState;

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
pub fn failures(report: &DemoReport) -> Vec<String> {
    let limits = &report.limits;
    let mut failures = Vec::new();
    let mut expect = |good: bool, failure: String| {
        if !good {
            failures.push(failure);
        }
    };
    expect(report.ended, "the session was not announced as ended".to_owned());
    let abandoned = report.states.iter().any(|seen| seen.state == InterviewState::Abandoned);
    expect(!abandoned, "the interview was abandoned".to_owned());
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
        Some(median) => expect(median <= limits.first_audio_ms, format!("median of first audio is {median} ms")),
        None => expect(limits.turns == 0, "no reply was heard".to_owned()),
    }
    for kind in WEBHOOKS {
        let delivered = report.webhooks.iter().any(|(delivered, verified)| delivered == kind && *verified);
        expect(delivered, format!("webhook {kind} was not delivered with a good signature"));
    }
    let unverified = report.webhooks.iter().filter(|(_, verified)| !verified).count();
    expect(unverified == 0, format!("{unverified} webhooks did not verify"));
    expect(report.socket_errors == 0, format!("the socket reported {} errors", report.socket_errors));
    failures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::{
        interview::Seen,
        report::{Limits, TurnRow},
        words::{Aligned, Errors},
    };
    use serde_json::Value;
    use std::path::PathBuf;

    /// At every limit, and within it.
    fn good() -> DemoReport {
        let line = Aligned { said: String::new(), recognised: String::new(), errors: Errors::default() };
        let turn = TurnRow { first_audio_ms: None, stages: None, line };
        DemoReport {
            interview_id: String::new(),
            senses: Vec::new(),
            states: vec![Seen { state: InterviewState::Completed, at_ms: 0 }],
            plan: Value::Null,
            duration_ms: 0,
            turns: vec![turn; 5],
            maya: Vec::new(),
            candidate_errors: Errors { errors: 15, words: 100 },
            maya_errors: Some(Errors { errors: 20, words: 100 }),
            median_first_audio_ms: Some(1_500),
            webhooks: WEBHOOKS.iter().map(|kind| ((*kind).to_owned(), true)).collect(),
            assessment: Value::Null,
            audio: PathBuf::new(),
            ended: true,
            socket_errors: 0,
            limits: Limits::of(8),
            failures: Vec::new(),
            recording: Vec::new(),
        }
    }

    fn silent() -> DemoReport {
        DemoReport {
            turns: Vec::new(),
            candidate_errors: Errors::default(),
            median_first_audio_ms: None,
            limits: Limits::of(0),
            ..good()
        }
    }

    #[test]
    fn at_its_limits_an_interview_is_good_and_a_silent_one_is_too() {
        assert_eq!(failures(&good()), Vec::<String>::new());
        assert_eq!(failures(&silent()), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_is_not_good_is_told_alone() {
        type Harm = fn(&mut DemoReport);
        let harms: [(Harm, &str); 12] = [
            (|report| report.ended = false, "the session was not announced as ended"),
            (|report| report.states[0].state = InterviewState::Abandoned, "the interview was abandoned"),
            (|report| report.turns.truncate(4), "4 turns were held, fewer than 5"),
            (|report| report.candidate_errors.errors = 16, "word error rate of the candidate's lines is 16.0 %"),
            (
                |report| report.maya_errors = Some(Errors { errors: 21, words: 100 }),
                "Maya's recognised audio differs from her text by 21.0 % of words",
            ),
            (|report| report.maya_errors = None, "Maya's audio could not be heard back: no hearing is there"),
            (|report| report.median_first_audio_ms = Some(1_501), "median of first audio is 1501 ms"),
            (|report| report.median_first_audio_ms = None, "no reply was heard"),
            (
                |report| drop(report.webhooks.remove(3)),
                "webhook interview.completed was not delivered with a good signature",
            ),
            (|report| report.webhooks.push((WEBHOOKS[0].to_owned(), false)), "1 webhooks did not verify"),
            (|report| report.socket_errors = 2, "the socket reported 2 errors"),
            (
                |report| {
                    *report = silent();
                    report.candidate_errors.errors = 1;
                },
                "word error rate of the candidate's lines is 100.0 %",
            ),
        ];
        for (harm, told) in harms {
            let mut report = good();
            harm(&mut report);
            assert_eq!(failures(&report), [told]);
        }
    }
}
