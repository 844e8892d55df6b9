//! The judge is judged: it lets a good run pass, and objects to each defect that is planted in it.

use super::*;
use crate::evidence::*;

const LINES: [&str; 4] = [
    "I would take mabeto and rigulo first.",
    "Then came satepi with kilono beside it.",
    "We measured dofuna against wirelo.",
    "In the end zatumo paid for peliga.",
];

fn frame(turn: u32, sentence: u32, part: u32) -> What {
    let text = if part == 0 { sentence_of(turn, sentence) } else { String::new() };
    What::AgentResponse { turn_id: format!("t{turn}"), sentence, part, text, duration_ms: 100, last: false }
}
fn sentence_of(turn: u32, sentence: u32) -> String {
    format!("Sentence {sentence} of turn {turn}.")
}
fn acknowledged(turn: u32, text: &str) -> What {
    What::Transcript { utterance_id: format!("t{turn}"), text: text.to_owned(), r#final: true }
}
fn joined(connection: u32) -> What {
    What::Joined { connection, edge: String::new() }
}
fn saying(text: &str) -> What {
    What::Saying { text: Some(text.to_owned()) }
}
fn clear(turn: u32) -> What {
    What::AgentClear { turn_id: format!("t{turn}") }
}

/// An interview of four answers, in which nothing went wrong: the greeting is t0, answers are odd, replies even.
fn good() -> Evidence {
    let mut log = vec![joined(0), frame(0, 0, 0), frame(0, 0, 1), frame(0, 1, 0)];
    let mut turns = vec![maya_turn(0)];
    for (number, text) in LINES.iter().enumerate() {
        let turn = 2 * number as u32 + 1;
        log.extend([
            saying(text),
            What::Said {},
            acknowledged(turn, text),
            frame(turn + 1, 0, 0),
            frame(turn + 1, 1, 0),
        ]);
        turns.extend([candidate_turn(turn, text), maya_turn(turn + 1)]);
    }
    log.push(What::State { state: "ENDED".into(), reason: Some("COMPLETED".into()) });
    let path = [
        "",
        "RECEIVED",
        "VALIDATING_SKILLS",
        "PENDING",
        "APPROVED",
        "IN_PROGRESS",
        "COMPLETED",
        "ASSESSING",
        "ASSESSMENT_READY",
    ];
    let moves = path.windows(2).map(|pair| Move { from: pair[0].into(), to: pair[1].into() }).collect();
    let news = ["plan_generated", "approved", "started", "completed", "assessment_ready"];
    let hook = |(number, kind): (usize, &&str)| Hook {
        message: format!("m{number}"),
        interview: "i".into(),
        kind: format!("interview.{kind}"),
        fault: None,
    };
    let hooks: Vec<Hook> = news.iter().enumerate().map(hook).collect();
    let delivered = |hook: &Hook| Delivery {
        message: hook.message.clone(),
        interview: hook.interview.clone(),
        kind: hook.kind.clone(),
        state: "DELIVERED".into(),
    };
    let topics = ["skill.validation.requested", "interview.plan.created", "interview.approved", "interview.completed"];
    let consumers = [&["planner"][..], &["gateway"], &["interviewer"], &["gateway", "assessor"]];
    let mut evidence = Evidence { deliveries: hooks.iter().map(delivered).collect(), hooks, ..Evidence::default() };
    for (number, (topic, consumers)) in topics.iter().zip(consumers).enumerate() {
        let event = format!("e{number}");
        evidence.sent.push(Sent { event: event.clone(), topic: (*topic).into(), published: true });
        evidence.taken.extend(consumers.iter().map(|consumer| Taken {
            consumer: (*consumer).into(),
            event: event.clone(),
            topic: (*topic).into(),
            done: true,
            error: None,
        }));
    }
    let line = |(at, what): (usize, What)| Line { seen_ms: 100 * at as u64, what };
    let log = log.into_iter().enumerate().map(line).collect();
    evidence.interviews.push(Interview { id: "i".into(), state: "ASSESSMENT_READY".into(), moves, turns, log });
    evidence
}

fn candidate_turn(number: u32, text: &str) -> Turn {
    Turn { number, speaker: "CANDIDATE".into(), text: text.into(), sentences: Vec::new(), epoch: 1 }
}
fn maya_turn(number: u32) -> Turn {
    let sentences: Vec<String> = (0..2).map(|sentence| sentence_of(number, sentence)).collect();
    Turn { number, speaker: "MAYA".into(), text: sentences.join(" "), sentences, epoch: 1 }
}

/// The rules that are broken when the good run is changed like this, each once.
fn broken_by(change: impl FnOnce(&mut Evidence)) -> Vec<Rule> {
    let mut evidence = good();
    change(&mut evidence);
    let mut rules: Vec<Rule> = check(&evidence).violations.into_iter().map(|violation| violation.rule).collect();
    rules.dedup();
    rules
}
fn in_the_log(position: usize, what: impl IntoIterator<Item = What>) -> impl FnOnce(&mut Evidence) {
    let new: Vec<Line> = what.into_iter().map(|what| Line { seen_ms: 0, what }).collect();
    move |evidence| drop(evidence.interviews[0].log.splice(position..position, new))
}
/// Where in the log something is.
fn at(evidence: &Evidence, what: &What) -> usize {
    evidence.interviews[0].log.iter().position(|line| line.what == *what).expect("it is in the good run")
}

#[test]
fn a_good_run_passes_and_reads_back() {
    let verdict = check(&good());
    assert_eq!(verdict.violations, []);
    assert_eq!(verdict.acknowledged, Share { said: 4, acknowledged: 4 });
    let json = serde_json::to_string(&good()).unwrap();
    assert_eq!(serde_json::from_str::<Evidence>(&json).unwrap(), good());
}

#[test]
fn a_lost_utterance() {
    let lost = broken_by(|evidence| evidence.interviews[0].turns.retain(|turn| turn.number != 3));
    assert_eq!(lost, [Rule::Lost]);
    let altered = broken_by(|evidence| evidence.interviews[0].turns[3].text = "Then came satepi.".into());
    assert_eq!(altered, [Rule::Altered]);
}

#[test]
fn a_doubled_utterance() {
    let doubled = broken_by(|evidence| {
        // heard again by a new owner, and taken for a new one
        evidence.interviews[0].turns.push(candidate_turn(9, LINES[3]));
    });
    assert_eq!(doubled, [Rule::Doubled]);
    let half = broken_by(|evidence| evidence.interviews[0].turns.push(candidate_turn(9, "zatumo paid")));
    assert_eq!(half, [Rule::Doubled]);
}

#[test]
fn a_swapped_utterance() {
    let swapped = broken_by(|evidence| {
        for (turn, line) in [(3, 2), (5, 1)] {
            evidence.interviews[0].turns[turn].text = LINES[line].into();
            let id = acknowledged(turn as u32, LINES[(turn - 1) / 2]);
            let at = at(evidence, &id);
            evidence.interviews[0].log[at].what = acknowledged(turn as u32, LINES[line]);
        }
    });
    assert_eq!(swapped, [Rule::Swapped]);
}

#[test]
fn a_line_that_was_said_again_may_stand_twice_and_a_cut_one_need_not_stand_at_all() {
    let again = broken_by(|evidence| {
        let interview = &mut evidence.interviews[0];
        interview.turns.push(candidate_turn(9, LINES[3]));
        let end = interview.log.len();
        in_the_log(end, [What::Lost {}, joined(1), saying(LINES[3]), What::Said {}])(evidence);
    });
    assert_eq!(again, []);
    let cut = broken_by(|evidence| {
        let end = evidence.interviews[0].log.len();
        in_the_log(end, [saying("Nobody heard of bolavi."), What::Cut {}, What::Lost {}])(evidence);
    });
    assert_eq!(cut, []);
}

#[test]
fn a_line_that_went_unheard_on_a_connection_that_held() {
    let second = |evidence: &mut Evidence| {
        let at = at(evidence, &acknowledged(3, LINES[1]));
        evidence.interviews[0].log.remove(at);
        evidence.interviews[0].turns.retain(|turn| turn.number != 3);
    };
    assert_eq!(broken_by(second), [Rule::Unheard, Rule::TooFewAcknowledged]);
    let told = broken_by(|evidence| {
        second(evidence);
        let at = at(evidence, &saying(LINES[1])) + 1;
        in_the_log(at, [What::Error { code: "audio_backlog".into() }])(evidence);
    });
    assert_eq!(told, [Rule::TooFewAcknowledged], "who is told says it again");
    let before = broken_by(|evidence| {
        second(evidence);
        let at = at(evidence, &saying(LINES[1]));
        in_the_log(at, [What::Error { code: "audio_backlog".into() }])(evidence);
    });
    assert_eq!(before, [Rule::Unheard, Rule::TooFewAcknowledged], "it was told of another line");
    let elsewhere = broken_by(|evidence| {
        second(evidence);
        let at = at(evidence, &saying(LINES[2]));
        in_the_log(at, [What::Lost {}, joined(1)])(evidence);
    });
    assert_eq!(elsewhere, [Rule::TooFewAcknowledged], "a socket that died may take a word with it");
}

#[test]
fn an_aside_is_no_turn() {
    let asides = [frame(u32::MAX, 0, 0), frame(u32::MAX, 0, 1), frame(u32::MAX - 1, 0, 0)];
    assert_eq!(broken_by(in_the_log(14, asides)), []);
}

#[test]
fn two_speakers_a_gap_and_a_repetition() {
    assert_eq!(broken_by(in_the_log(14, [frame(0, 1, 1)])), [Rule::TwoSpeakers]);
    assert_eq!(broken_by(in_the_log(4, [frame(0, 1, 2)])), [Rule::Gap]);
    assert_eq!(broken_by(in_the_log(4, [frame(0, 1, 0)])), [Rule::Repeated]);
    assert_eq!(broken_by(in_the_log(1, [frame(0, 0, 1)])), [Rule::Gap, Rule::Repeated]);
}

#[test]
fn after_a_clear_only_a_repeat_from_part_0() {
    assert_eq!(broken_by(in_the_log(4, [clear(0), frame(0, 1, 1)])), [Rule::AfterClear]);
    assert_eq!(broken_by(in_the_log(4, [clear(0), frame(0, 2, 0)]))[0], Rule::AfterClear);
    assert_eq!(broken_by(in_the_log(4, [clear(0), frame(0, 1, 0), frame(0, 1, 1)])), []);
    assert_eq!(broken_by(in_the_log(4, [clear(0), frame(0, 0, 0), frame(0, 1, 0)])), []);
    assert_eq!(broken_by(in_the_log(4, [joined(1), frame(0, 1, 0)])), [], "and a new connection");
}

#[test]
fn what_is_heard_is_recorded_in_the_same_words() {
    let unsaid = broken_by(|evidence| drop(evidence.interviews[0].turns[4].sentences.pop()));
    assert_eq!(unsaid, [Rule::NotRecorded]);
    let reworded = broken_by(|evidence| evidence.interviews[0].turns[4].sentences[0] = "Something else.".into());
    assert_eq!(reworded, [Rule::NotRecorded]);
}

#[test]
fn states_and_moves() {
    assert_eq!(broken_by(|evidence| drop(evidence.interviews[0].log.pop())), [Rule::NoEnd]);
    let skipped = broken_by(|evidence| drop(evidence.interviews[0].moves.remove(5)));
    assert_eq!(skipped, [Rule::IllegalState, Rule::WebhookTwice]);
    let stuck = broken_by(|evidence| {
        evidence.interviews[0].moves.truncate(7);
        evidence.interviews[0].state = "ASSESSING".into();
        evidence.deliveries.pop();
        evidence.hooks.pop();
    });
    assert_eq!(stuck, [Rule::IllegalState]);
    let other = broken_by(|evidence| evidence.interviews[0].state = "EXPIRED".into());
    assert_eq!(other, [Rule::IllegalState]);
}

#[test]
fn events_and_webhooks() {
    assert_eq!(broken_by(|evidence| evidence.sent[3].published = false), [Rule::EventLost]);
    assert_eq!(broken_by(|evidence| drop(evidence.taken.remove(0))), [Rule::EventLost]);
    assert_eq!(broken_by(|evidence| evidence.taken[0].done = false), [Rule::EventLost]);
    assert_eq!(broken_by(|evidence| evidence.taken[0].error = Some("never legal".into())), [Rule::EventLost]);
    assert_eq!(broken_by(|evidence| drop(evidence.hooks.pop())), [Rule::WebhookLost]);
    assert_eq!(broken_by(|evidence| evidence.deliveries[0].state = "FAILED".into()), [Rule::WebhookLost]);
    let forged = broken_by(|evidence| evidence.hooks[0].fault = Some("no signature is right".into()));
    assert_eq!(forged, [Rule::WebhookInvalid, Rule::WebhookLost]);
    let retried = broken_by(|evidence| evidence.hooks.push(evidence.hooks[0].clone()));
    assert_eq!(retried, [], "an attempt that was repeated has the same id");
}

/// What the platform does wrong when one of its guards is gone, as the evidence shows it.
mod planted {
    use super::*;

    #[test]
    fn the_epoch_check_is_off() {
        // a frozen owner wakes up, words the turn that its successor has recorded, and writes it under its own epoch
        let rules = broken_by(|evidence| {
            let interview = &mut evidence.interviews[0];
            for turn in &mut interview.turns[3..] {
                turn.epoch = 2;
            }
            interview.turns[6] = Turn { sentences: vec!["Something else.".into()], epoch: 1, ..maya_turn(6) };
        });
        assert_eq!(rules, [Rule::NotRecorded, Rule::StaleOwner]);
    }

    #[test]
    fn the_position_is_ahead() {
        // the new owner begins to read behind what its predecessor had not yet recorded
        let rules = broken_by(|evidence| {
            let at = at(evidence, &acknowledged(5, LINES[2]));
            evidence.interviews[0].log.drain(at..at + 3);
            evidence.interviews[0].turns.retain(|turn| turn.number != 5 && turn.number != 6);
        });
        assert_eq!(rules, [Rule::Unheard, Rule::TooFewAcknowledged]);
    }

    #[test]
    fn a_delivery_is_applied_twice() {
        let rules = broken_by(|evidence| {
            evidence.taken.push(evidence.taken[1].clone());
            let moves = &mut evidence.interviews[0].moves;
            moves.insert(3, moves[2].clone());
        });
        assert_eq!(rules, [Rule::IllegalState, Rule::EventTwice, Rule::WebhookLost]);
        let told = broken_by(|evidence| {
            evidence.hooks.push(Hook { message: "again".into(), ..evidence.hooks[0].clone() });
        });
        assert_eq!(told, [Rule::WebhookTwice]);
    }
}
