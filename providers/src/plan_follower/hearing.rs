//! What an answer says, word by word: tokens, sentences, keyword stems and denials.
//!
//! One small ear shared by the plan-following interviewer (which follow-up is open?) and by the rubric assessor
//! (which signal is evidenced, by which sentence?), so that the two never hear differently. English only.

mod denial;
mod forms;

use denial::denied_words;
pub use forms::is_form_of;
use std::ops::Range;

/// A word of a text: lower case, apostrophes kept as `'`, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The word, normalised.
    pub word: String,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// The words of a text, in order.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    let mut start = None;
    let ends = text.char_indices().chain([(text.len(), ' ')]);
    for (at, c) in ends {
        let inside = c.is_alphanumeric() || (matches!(c, '\'' | '’' | '+' | '#') && start.is_some());
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                let word = text[from..at].trim_end_matches(['\'', '’']);
                let span = from..from + word.len();
                found.push(Token { word: word.replace('’', "'").to_lowercase(), span });
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// Abbreviations whose full stop ends no sentence.
const ABBREVIATIONS: [&str; 12] = ["mr", "mrs", "ms", "dr", "prof", "st", "e.g", "i.e", "etc", "vs", "approx", "no"];

/// The sentences of a text, as byte ranges without the space around them; exact pieces of the text.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let next = rest.peek().map(|(_, c)| *c);
        let ends = match c {
            '\n' => true,
            '!' | '?' | '…' => next.is_none_or(char::is_whitespace),
            '.' => next.is_none_or(char::is_whitespace) && !is_abbreviation(&text[start..at]),
            _ => false,
        };
        if ends {
            push_trimmed(&mut found, text, start..at + c.len_utf8());
            start = at + c.len_utf8();
        }
    }
    push_trimmed(&mut found, text, start..text.len());
    found
}

fn is_abbreviation(before: &str) -> bool {
    let last = before.rsplit(char::is_whitespace).next().unwrap_or_default().to_lowercase();
    // "no." ends a sentence far more often than it abbreviates "number", unless it opens none.
    last != "no" && ABBREVIATIONS.contains(&last.as_str())
}

fn push_trimmed(found: &mut Vec<Range<usize>>, text: &str, range: Range<usize>) {
    let piece = &text[range.clone()];
    let trimmed = piece.trim();
    if trimmed.chars().any(char::is_alphanumeric) {
        let start = range.start + (piece.len() - piece.trim_start().len());
        found.push(start..start + trimmed.len());
    }
}

/// A keyword found in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Which of the keywords.
    pub keyword: usize,
    /// Which sentence of [`sentences`].
    pub sentence: usize,
    /// Whether the speaker denied it ("I have never used…").
    pub denied: bool,
}

/// Words so common that one of them alone shows nothing.
const COMMON: [&str; 52] = [
    "about",
    "add",
    "again",
    "also",
    "always",
    "answer",
    "ask",
    "because",
    "before",
    "day",
    "different",
    "example",
    "find",
    "first",
    "fine",
    "good",
    "have",
    "here",
    "how",
    "important",
    "know",
    "learn",
    "like",
    "look",
    "more",
    "name",
    "need",
    "never",
    "now",
    "open",
    "other",
    "people",
    "question",
    "real",
    "said",
    "same",
    "second",
    "see",
    "small",
    "start",
    "tell",
    "then",
    "thing",
    "time",
    "told",
    "use",
    "want",
    "well",
    "what",
    "when",
    "who",
    "work",
];

/// How much a hit of that keyword shows: a common word half as much.
pub fn weight(keyword: &str) -> f32 {
    if COMMON.contains(&keyword.to_lowercase().as_str()) { 0.5 } else { 1.0 }
}

/// Every keyword (a word, a stem or a short phrase) that the text holds, one hit a keyword and sentence.
pub fn listen(text: &str, keywords: &[String]) -> Vec<Hit> {
    let keys: Vec<Vec<Token>> = keywords.iter().map(|keyword| tokens(keyword)).collect();
    let mut hits = Vec::new();
    for (sentence, range) in sentences(text).into_iter().enumerate() {
        let words = tokens(&text[range]);
        let denied = denied_words(&words);
        for (keyword, key) in keys.iter().enumerate() {
            let places = words.windows(key.len().max(1)).enumerate().filter(|(_, window)| {
                !key.is_empty() && window.iter().zip(key).all(|(word, key)| is_form_of(&word.word, &key.word))
            });
            // One clear mention outweighs a denied one of the same word in the same sentence.
            let all: Vec<bool> = places.map(|(at, _)| denied[at]).collect();
            if !all.is_empty() {
                hits.push(Hit { keyword, sentence, denied: all.iter().all(|denied| *denied) });
            }
        }
    }
    hits
}

/// How clearly a text shows what the keywords stand for: the weights of the distinct keywords it affirms.
pub fn coverage(text: &str, keywords: &[String]) -> f32 {
    let mut affirmed: Vec<usize> =
        listen(text, keywords).iter().filter(|hit| !hit.denied).map(|hit| hit.keyword).collect();
    affirmed.sort_unstable();
    affirmed.dedup();
    affirmed.into_iter().map(|keyword| weight(&keywords[keyword])).sum()
}

/// Words that carry no meaning of their own, left out of derived keywords.
const STOP: [&str; 44] = [
    "a",
    "an",
    "and",
    "are",
    "as",
    "at",
    "be",
    "by",
    "for",
    "from",
    "has",
    "in",
    "into",
    "is",
    "it",
    "its",
    "of",
    "on",
    "or",
    "such",
    "than",
    "that",
    "the",
    "their",
    "them",
    "they",
    "this",
    "to",
    "was",
    "what",
    "when",
    "where",
    "which",
    "who",
    "why",
    "with",
    "without",
    "how",
    "explains",
    "describes",
    "names",
    "mentions",
    "gives",
    "uses",
];

/// The stems by which a question's expected signal is heard: its own, or the signal's content words where it has none.
pub fn keywords(question: &maya_protocol::plan::Question, signal: usize) -> Vec<String> {
    if let Some(own) = question.signal_keywords.get(signal).filter(|own| !own.is_empty()) {
        return own.clone();
    }
    let Some(text) = question.expected_signals.get(signal) else { return vec![] };
    let content = tokens(text).into_iter().map(|token| token.word).filter(|word| !STOP.contains(&word.as_str()));
    let mut stems: Vec<String> = content.map(|word| stem(&word)).filter(|stem| stem.chars().count() > 2).collect();
    stems.dedup();
    stems
}

fn stem(word: &str) -> String {
    for suffix in ["ations", "ation", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly", "e"] {
        if let Some(stem) = word.strip_suffix(suffix)
            && stem.chars().count() >= 4
        {
            return stem.to_owned();
        }
    }
    word.to_owned()
}

const REPEAT: [&str; 14] = [
    "repeat the question",
    "repeat that",
    "say that again",
    "say it again",
    "repeat it",
    "come again",
    "once more please",
    "pardon",
    "didn't hear",
    "did not hear",
    "didn't catch",
    "did not catch",
    "didn't understand the question",
    "what was the question",
];
const DECLINE: [&str; 14] = [
    "i don't know",
    "i do not know",
    "no idea",
    "skip",
    "next question",
    "pass on that",
    "i have no experience",
    "no experience with",
    "i can't answer",
    "i cannot answer",
    "i'd rather not",
    "never done that",
    "nothing comes to mind",
    "i'm not sure",
];

/// Whether the speaker asks to hear the question again (and says little else).
pub fn asks_to_repeat(text: &str) -> bool {
    is_mostly(text, &REPEAT, 14)
}

/// Whether the speaker says that they have no answer (and says little else).
pub fn declines(text: &str) -> bool {
    is_mostly(text, &DECLINE, 16)
}

fn is_mostly(text: &str, phrases: &[&str], at_most: usize) -> bool {
    let words = tokens(text);
    if words.is_empty() || words.len() > at_most {
        return false;
    }
    let joined = words.iter().map(|token| token.word.as_str()).collect::<Vec<_>>().join(" ");
    let joined = format!(" {joined} ");
    phrases.iter().any(|phrase| joined.contains(&format!(" {phrase} ")))
}

#[cfg(test)]
mod tests;
