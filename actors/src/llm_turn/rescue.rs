//! What is said where a model did not say it: the plan's own words, and nothing that claims to have understood.

use crate::session::{agenda::Move, sentences::Sentence};
use maya_providers::{llm::Task, tts::Emotion};

/// The last sentence of a reply, and what it does to the plan's cursor.
pub(super) type Ending = (Option<Sentence>, Option<Move>);

/// Instead of what a provider would not say; none where nothing was to be judged.
const NEUTRAL: &str = "Thank you. Let us go on.";

/// The question that a reply to this task puts, as its tags chose or the plan goes on.
pub(super) fn question(task: &Task, by: Option<Move>) -> Ending {
    let say = |text: &str| Some(Sentence { text: text.to_owned(), emotion: Emotion::Neutral });
    match task {
        Task::Greet { first, .. } => (say(&first.text), None),
        Task::Encourage { question } | Task::Repeat { question } => (say(&question.text), None),
        Task::MoveOn { next } => (say(&next.text), Some(Move::Next)),
        Task::Respond { question, open, next, .. } => match (by, next) {
            (Some(Move::FollowUp(index)), _) if open.contains(&index) => {
                (question.follow_ups.get(index).and_then(|text| say(text)), by)
            }
            (_, Some(next)) => (say(&next.text), Some(Move::Next)),
            (_, None) => (say("That was my last question."), Some(Move::Close)),
        },
        Task::Close { .. } => (say("Thank you for your time."), None),
    }
}

/// A sentence that takes no notice of the answer, where there was one.
pub(super) fn neutral(task: &Task) -> Option<Sentence> {
    let answers = matches!(task, Task::Respond { .. });
    answers.then(|| Sentence { text: NEUTRAL.to_owned(), emotion: Emotion::Neutral })
}

/// Whether all of this can be spoken: what looks like data, markup or noise is not.
pub(super) fn is_speech(sentences: &[Sentence]) -> bool {
    let odd =
        |c: char| c.is_control() || matches!(c, '{' | '}' | '<' | '>' | '`' | '|' | '\\' | char::REPLACEMENT_CHARACTER);
    !sentences.iter().any(|sentence| sentence.text.contains(odd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_protocol::plan::{Difficulty, Question};

    fn put(text: &str) -> Question {
        Question {
            id: text.into(),
            text: text.into(),
            difficulty: Difficulty::Applied,
            expected_signals: vec!["a".into(), "b".into()],
            follow_ups: vec!["Why so?".into(), "And then?".into()],
            signal_keywords: vec![],
        }
    }

    #[test]
    fn a_broken_reply_still_puts_the_question_that_it_chose() {
        let task = |next: Option<&str>| Task::Respond {
            question: put("One?"),
            answer: "x".into(),
            open: vec![1],
            next: next.map(put),
        };
        let text = |ending: Ending| (ending.0.unwrap().text, ending.1);
        assert_eq!(text(question(&task(Some("Two?")), None)), ("Two?".into(), Some(Move::Next)));
        let chosen = Some(Move::FollowUp(1));
        assert_eq!(text(question(&task(Some("Two?")), chosen)), ("And then?".into(), chosen));
        let put_already = Some(Move::FollowUp(0));
        assert_eq!(text(question(&task(Some("Two?")), put_already)), ("Two?".into(), Some(Move::Next)));
        assert_eq!(question(&task(None), None).1, Some(Move::Close));
    }

    #[test]
    fn data_and_noise_are_not_spoken() {
        let says = |text: &str| is_speech(&[Sentence { text: text.into(), emotion: Emotion::Neutral }]);
        assert!(says("That's 100% clear, isn't it?") && says("C++ and C#, e.g. at 3:30 p.m."));
        for text in ["{\"reply\": \"Hello\"}", "Hello\u{0}", "<b>Hello</b>", "``` Hello", "Hel\u{fffd}lo"] {
            assert!(!says(text), "{text}");
        }
    }
}
