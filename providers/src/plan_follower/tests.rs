//! What must hold for every reply, and how answers steer.

use super::*;
use crate::llm::CloseReason;
use maya_protocol::plan::Difficulty;
use proptest::prelude::*;

fn medication() -> Question {
    Question {
        id: "q2".into(),
        text: "Can you talk me through how you give a medicine safely, from picking up the chart to signing for it?"
            .into(),
        difficulty: Difficulty::Foundation,
        expected_signals: ["Names the checks made", "Asks about allergies", "Stays until taken, then signs"]
            .map(String::from)
            .to_vec(),
        follow_ups: [
            "Which checks do you make before you give a medicine?",
            "What else about the patient do you verify?",
            "When do you sign, and how do you know it was taken?",
        ]
        .map(String::from)
        .to_vec(),
        signal_keywords: [
            &["right patient", "dose", "route", "check"][..],
            &["allerg", "expiry", "wristband"],
            &["swallow", "sign", "taken"],
        ]
        .map(|keys| keys.iter().map(|key| (*key).to_owned()).collect())
        .to_vec(),
    }
}

fn handover() -> Question {
    Question {
        id: "q3".into(),
        text: "How do you hand over a patient? What must never be left out".into(),
        ..medication()
    }
}

fn facts(task: Task, reply: u32) -> InterviewFacts {
    InterviewFacts { task, candidate: "Anna".into(), title: "Staff Nurse".into(), language: "en-US".into(), reply }
}

/// The words without tags, and the tags.
fn parts(text: &str) -> (String, Vec<String>) {
    let (mut words, mut tags) = (vec![], vec![]);
    for word in text.split_whitespace() {
        match word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
            Some(tag) => tags.push(tag.to_owned()),
            None => words.push(word),
        }
    }
    (words.join(" "), tags)
}

#[test]
fn the_greeting_says_who_what_and_how_long() {
    let (spoken, tags) = parts(&reply(&facts(Task::Greet { duration_minutes: 30, first: medication() }, 0)));
    for part in ["Hello Anna", "Maya, an automated interviewer", "thirty minutes", "Staff Nurse", &medication().text] {
        assert!(spoken.contains(part), "{part} in {spoken}");
    }
    assert_eq!(tags[0], "warm");
}

#[test]
fn what_was_said_decides_the_follow_up() {
    let question = medication();
    let open = [0, 1, 2];
    let checks =
        "I always check that it is the right patient and the right dose, and I look at the route before anything else.";
    assert_eq!(choose(&question, checks, &open, true), Move::Follow(1));
    let allergies =
        "First I ask about every allergy and look at the wristband, and I read the expiry date on the box too.";
    assert_eq!(choose(&question, allergies, &open, true), Move::Follow(0));
    assert_eq!(choose(&question, allergies, &[1, 2], true), Move::Follow(2));
    assert_eq!(choose(&question, "I check it.", &open, true), Move::Follow(1));
    let all = format!("{checks} {allergies} Then I watch them swallow it and sign.");
    assert_eq!(choose(&question, &all, &open, true), Move::Next);
    assert_eq!(choose(&question, &all, &open, false), Move::Close);
    assert_eq!(choose(&question, "I don't know, sorry.", &open, true), Move::Next);
    assert_eq!(choose(&question, "Yes.", &[], true), Move::Next);
    assert_eq!(choose(&question, "Yes.", &[2], true), Move::Next);
    assert_eq!(choose(&question, "Yes.", &[2], false), Move::Follow(2));
    let denied = "I have never checked the dose or the route, nor looked at an allergy, and that was never a part of my job so far.";
    assert!(matches!(choose(&question, denied, &open, true), Move::Follow(_)));
}

#[tokio::test]
async fn it_streams_word_by_word_and_writes_no_documents() {
    let request = |facts| LlmRequest { messages: vec![], facts, max_tokens: 100, temperature: 0.0 };
    let wanted = facts(Task::MoveOn { next: handover() }, 4);
    let tokens: Vec<String> =
        PlanFollower.stream(request(Some(wanted.clone()))).await.unwrap().map(Result::unwrap).collect().await;
    assert!(tokens.len() > 10);
    assert_eq!(tokens.concat(), reply(&wanted));
    assert!(PlanFollower.stream(request(None)).await.is_err());
    let german = InterviewFacts { language: "de-DE".into(), ..wanted };
    assert!(PlanFollower.stream(request(Some(german))).await.is_err_and(|error| !error.is_retryable()));
    assert!(PlanFollower.json(request(None), &serde_json::Value::Null).await.is_err_and(|error| !error.is_retryable()));
}

#[test]
fn wording_varies() {
    let say = |n| {
        reply(&facts(
            Task::Respond { question: medication(), answer: "Yes.".into(), open: vec![0], next: Some(handover()) },
            n,
        ))
    };
    let all: std::collections::HashSet<String> = (0..10).map(say).collect();
    assert_eq!(all.len(), 10);
}

fn any_task() -> impl Strategy<Value = Task> {
    let answers = prop_oneof![
        Just(String::new()),
        "[a-z ,.]{0,160}",
        "\\PC{0,60}",
        Just("I check the dose [next] [close]?".to_owned())
    ];
    prop_oneof![
        (1u32..181).prop_map(|duration_minutes| Task::Greet { duration_minutes, first: medication() }),
        (answers, prop::collection::vec(0usize..5, 0..4), any::<bool>()).prop_map(|(answer, open, more)| {
            Task::Respond { question: medication(), answer, open, next: more.then(handover) }
        }),
        Just(Task::Encourage { question: handover() }),
        Just(Task::MoveOn { next: handover() }),
        Just(Task::Repeat { question: medication() }),
        prop::sample::select(vec![
            CloseReason::Finished,
            CloseReason::TimeUsed,
            CloseReason::NoAnswers,
            CloseReason::Requested
        ])
        .prop_map(|reason| Task::Close { reason }),
    ]
}

proptest! {
    #[test]
    fn every_reply_asks_only_what_the_plan_asks(task in any_task(), n in any::<u32>()) {
        let text = reply(&facts(task.clone(), n));
        let (spoken, tags) = parts(&text);
        prop_assert!(!spoken.contains(['[', ']']), "{}", spoken);
        prop_assert!(spoken.ends_with(['.', '?', '!']), "{}", spoken);
        let moves: Vec<&String> = tags.iter().filter(|tag| !["warm", "encouraging", "curious", "serious"].contains(&tag.as_str())).collect();
        let asked = match &task {
            Task::Greet { first, .. } => Some(first.text.clone()),
            Task::MoveOn { next } => Some(next.text.clone()),
            Task::Repeat { question } => Some(question.text.clone()),
            Task::Encourage { .. } => Some("How do you hand over a patient?".to_owned()),
            Task::Close { .. } => None,
            Task::Respond { question, open, next, .. } => {
                prop_assert_eq!(moves.len(), 1);
                prop_assert_eq!(format!("[{}]", moves[0]), text.split(' ').next().unwrap());
                match moves[0].as_str() {
                    "next" => Some(next.clone().unwrap().text),
                    "close" => { prop_assert!(next.is_none()); None }
                    follow => {
                        let i: usize = follow.strip_prefix("follow:").unwrap().parse().unwrap();
                        prop_assert!(open.contains(&i));
                        Some(question.follow_ups[i].clone())
                    }
                }
            }
        };
        if !matches!(task, Task::Respond { .. }) { prop_assert!(moves.is_empty()); }
        match asked {
            Some(question) => {
                prop_assert_eq!(spoken.matches(&question).count(), 1, "{}", &spoken);
                prop_assert!(!spoken.replacen(&question, "", 1).contains('?'), "{}", &spoken);
            }
            None => prop_assert!(!spoken.contains('?')),
        }
    }
}
