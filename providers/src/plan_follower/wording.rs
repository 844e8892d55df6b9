//! The words of the plan-following interviewer: spoken English, short sentences, no question but the plan's.

use super::hearing;
use crate::llm::{CloseReason, InterviewFacts};
use crate::number_words::{ONES, TENS};
use maya_protocol::plan::Question;

/// Thanks for an answer, without a word on how good it was.
const THANKS: [&str; 10] = [
    "Thank you.",
    "Thanks, I see.",
    "Okay, thank you for explaining that.",
    "Right, I follow.",
    "I see, thank you.",
    "Thanks for talking me through that.",
    "Okay, I've noted that.",
    "Thank you for sharing that.",
    "Mm-hm, thank you.",
    "Understood, thanks.",
];
const NO_ANSWER: [&str; 3] =
    ["That's quite all right.", "No problem, thank you for saying so.", "That's fine, we can leave that one."];
const DEEPER: [&str; 6] = [
    "I'd like to hear a little more about that.",
    "Let me stay with that for a moment.",
    "Let me ask a bit more about it.",
    "I'm curious about one more thing there.",
    "Let's go a little deeper.",
    "There's one part I'd like to understand better.",
];
const ONWARD: [&str; 7] = [
    "Let's go on.",
    "Here's my next question.",
    "Let's move to something else.",
    "I'd like to turn to another topic now.",
    "Let me ask you about something different.",
    "Let's carry on with the next one.",
    "Moving on, then.",
];
const ENCOURAGING: [&str; 3] = [
    "Take your time, there's no hurry.",
    "No rush, take a moment if you need one.",
    "It's fine to think about it for a while.",
];
const ONCE_MORE: [&str; 3] = ["I'll ask it once more.", "Here is the question again.", "Let me put it again."];
const LEAVING: [&str; 3] = [
    "That's all right, we can leave that one.",
    "No problem, we can come away from that one.",
    "Let's leave that one for now.",
];
const REPEATING: [&str; 3] = ["Of course, I'll say it again.", "Sure, here it is once more.", "Happy to repeat it."];

fn pick<'a>(lines: &[&'a str], reply: u32) -> &'a str {
    lines[reply as usize % lines.len()]
}

pub(super) fn greet(facts: &InterviewFacts, minutes: u32, first: &Question) -> String {
    let name = clean(&facts.candidate);
    let name = name.split_whitespace().next().unwrap_or_default();
    let hello = if name.is_empty() {
        "Hello, it's good to meet you.".to_owned()
    } else {
        format!("Hello {name}, it's good to meet you.")
    };
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    let (title, minutes) = (clean(&facts.title), number(minutes));
    let role = if title.is_empty() {
        String::new()
    } else {
        format!(" about the role of {}", title.trim_end_matches(['.', '!', '?']))
    };
    format!(
        "[warm] {hello} I'm Maya, an automated interviewer. We'll talk for about {minutes} {unit}{role}. \
         [encouraging] Take the time you need, and tell me if you'd like to hear a question again. [curious] {}",
        spoken(&first.text)
    )
}

pub(super) fn follow(reply: u32, i: usize, follow_up: &str, answer: &str) -> String {
    let deeper = pick(&DEEPER, reply);
    format!("[follow:{i}] [warm] {} [curious] {deeper} {}", thanks(reply, answer), spoken(follow_up))
}

pub(super) fn next(reply: u32, next: &Question, answer: &str) -> String {
    format!("[next] [warm] {} {} [curious] {}", thanks(reply, answer), pick(&ONWARD, reply), spoken(&next.text))
}

pub(super) fn nothing_left(reply: u32) -> String {
    format!("[close] [warm] {} That was my last question.", pick(&THANKS, reply))
}

pub(super) fn encourage(reply: u32, question: &Question) -> String {
    format!("[encouraging] {} {} {}", pick(&ENCOURAGING, reply), pick(&ONCE_MORE, reply), short(&question.text))
}

pub(super) fn move_on(reply: u32, next: &Question) -> String {
    format!("[encouraging] {} {} [curious] {}", pick(&LEAVING, reply), pick(&ONWARD, reply), spoken(&next.text))
}

pub(super) fn repeat(reply: u32, question: &Question) -> String {
    format!("[warm] {} {}", pick(&REPEATING, reply), spoken(&question.text))
}

pub(super) fn close(facts: &InterviewFacts, reason: CloseReason) -> String {
    let name = clean(&facts.candidate);
    let thanks = match name.split_whitespace().next() {
        Some(name) => format!("Thank you for your time, {name}."),
        None => "Thank you for your time.".to_owned(),
    };
    let why = match reason {
        CloseReason::Finished => "We've come to the end of my questions.",
        CloseReason::TimeUsed => "Our time is up, so I'll stop here.",
        CloseReason::NoAnswers => "I haven't been able to hear an answer, so I'll stop here for today.",
        CloseReason::Requested => "I've been asked to end our conversation here.",
    };
    format!(
        "[warm] {why} A person from the hiring team will go through what was said here, and they'll decide on the next \
         step. You'll hear from them, not from me. [warm] {thanks} Goodbye."
    )
}

fn thanks<'a>(reply: u32, answer: &str) -> &'a str {
    if hearing::declines(answer) { pick(&NO_ANSWER, reply) } else { pick(&THANKS, reply) }
}

/// Text that may be spoken: no brackets that could be taken for a tag, one space between words.
fn clean(text: &str) -> String {
    text.replace(['[', ']'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A question as it is spoken, with a mark at its end.
fn spoken(text: &str) -> String {
    let text = clean(text);
    if text.ends_with(['.', '?', '!']) { text } else { format!("{text}.") }
}

/// Words that a question or a request begins with.
const ASKS: [&str; 20] = [
    "tell", "describe", "how", "what", "which", "why", "when", "where", "who", "can", "could", "walk", "talk",
    "explain", "give", "is", "are", "do", "have", "would",
];

/// The first sentence of a question, where that stands alone; otherwise all of it.
fn short(text: &str) -> String {
    let full = spoken(text);
    let first = hearing::sentences(&full).into_iter().next().map(|range| full[range].to_owned());
    match first {
        Some(first) if hearing::tokens(&first).first().is_some_and(|word| ASKS.contains(&word.word.as_str())) => first,
        _ => full,
    }
}

/// A number below a thousand in words.
fn number(n: u32) -> String {
    match n {
        0..20 => ONES[n as usize].to_owned(),
        20..100 if n.is_multiple_of(10) => TENS[n as usize / 10].to_owned(),
        20..100 => format!("{}-{}", TENS[n as usize / 10], ONES[n as usize % 10]),
        100..1000 if n.is_multiple_of(100) => format!("{} hundred", ONES[n as usize / 100]),
        100..1000 => format!("{} hundred and {}", ONES[n as usize / 100], number(n % 100)),
        _ => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_words() {
        for (n, words) in
            [(1, "one"), (12, "twelve"), (30, "thirty"), (45, "forty-five"), (120, "one hundred and twenty")]
        {
            assert_eq!(number(n), words);
        }
    }

    #[test]
    fn a_question_is_shortened_only_where_the_rest_is_not_needed() {
        assert_eq!(short("Tell me about a fall. What did you do?"), "Tell me about a fall.");
        let scene = "Production wins over safety. How do you shift that?";
        assert_eq!(short(scene), scene);
        assert_eq!(short("Why care"), "Why care.");
    }
}
