//! Cuts a model's token stream into sentences to be spoken, and its tags off them.

use super::agenda::Move;
use maya_providers::tts::Emotion;

/// Words that end with a dot and do not end a sentence (lower case, without the dot).
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "vs", "etc", "e.g", "i.e", "eg", "ie", "approx", "dept", "est",
    "inc", "ltd", "co", "corp", "no", "vol", "fig", "u.s", "u.k", "a.m", "p.m", "ph.d", "b.sc", "m.sc",
];
/// A sentence longer than this (in bytes) is cut at its next comma, so that speech begins early.
const LONG: usize = 220;

/// A sentence to be spoken.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    /// The words.
    pub text: String,
    /// How they should sound.
    pub emotion: Emotion,
}

/// The splitter of one reply.
#[derive(Debug, Default)]
pub struct Splitter {
    buffer: String,
    emotion: Emotion,
    by: Option<Move>,
}

impl Splitter {
    /// Takes a piece of text; returns the sentences that it completes.
    pub fn push(&mut self, piece: &str) -> Vec<Sentence> {
        self.buffer.push_str(piece);
        let mut sentences = Vec::new();
        while let Some(end) = self.boundary() {
            let rest = self.buffer.split_off(end);
            let text = std::mem::replace(&mut self.buffer, rest);
            sentences.extend(self.sentence(&text));
        }
        sentences
    }

    /// The reply is over: returns what is left, and the move that its tags asked for.
    pub fn finish(mut self) -> (Option<Sentence>, Option<Move>) {
        let text = std::mem::take(&mut self.buffer);
        let last = self.sentence(&text);
        (last, self.by)
    }

    /// Where the first complete sentence ends (a byte index), once what follows proves it.
    fn boundary(&self) -> Option<usize> {
        let text = &self.buffer;
        let mut in_tag = false;
        for (at, c) in text.char_indices() {
            match c {
                '[' => in_tag = true,
                ']' => in_tag = false,
                _ if in_tag => {}
                '.' | '!' | '?' | '…' | '\n' => {
                    let after = at + c.len_utf8();
                    let closing =
                        text[after..].find(|c| !matches!(c, '"' | '\'' | ')' | '”' | '’' | '.' | '!' | '?'))?;
                    let end = after + closing;
                    let follows = text[end..].chars().next()?;
                    if !follows.is_whitespace() && c != '\n' {
                        continue;
                    }
                    if c == '.' && end == after && !self.dot_ends(at, end) {
                        continue;
                    }
                    // the next word must have begun, so that "p.m. on" and "p.m. We" can be told apart
                    text[end..].find(|c: char| !c.is_whitespace())?;
                    return Some(end);
                }
                ',' | ';' | ':' if at > LONG && text[at + 1..].starts_with(' ') => return Some(at + 1),
                _ => {}
            }
        }
        None
    }

    /// Whether the dot at `at` ends a sentence.
    fn dot_ends(&self, at: usize, end: usize) -> bool {
        let word =
            self.buffer[..at].rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '"' | ']')).next().unwrap_or("");
        let lower = word.to_lowercase();
        let is_initial = word.chars().count() == 1 && word.chars().all(|c| c.is_uppercase()) && word != "I";
        // a list's number: "1. First"
        let is_list =
            !word.is_empty() && word.chars().all(|c| c.is_ascii_digit()) && word.len() <= 2 && word.len() == at;
        if is_initial || is_list {
            return false;
        }
        if ABBREVIATIONS.contains(&lower.as_str()) {
            // "… at 5 p.m. We …" ends; "Dr. Smith" does not
            let next = self.buffer[end..].trim_start().chars().next();
            let may_end = matches!(lower.as_str(), "etc" | "a.m" | "p.m" | "inc" | "ltd" | "u.s" | "u.k");
            return may_end && next.is_some_and(char::is_uppercase);
        }
        true
    }

    /// Takes the tags off a piece; none if no words are left.
    fn sentence(&mut self, piece: &str) -> Option<Sentence> {
        let mut text = String::with_capacity(piece.len());
        let mut rest = piece;
        while let Some(open) = rest.find('[') {
            text.push_str(&rest[..open]);
            match rest[open..].find(']') {
                Some(close) => {
                    self.tag(&rest[open + 1..open + close]);
                    rest = &rest[open + close + 1..];
                }
                // a tag that never closes is not words either
                None => rest = "",
            }
        }
        text.push_str(rest);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.chars().any(char::is_alphanumeric).then_some(Sentence { text, emotion: self.emotion })
    }

    fn tag(&mut self, tag: &str) {
        let tag = tag.trim().to_lowercase();
        if let Some(emotion) = Emotion::named(&tag) {
            self.emotion = emotion;
            return;
        }
        match tag.as_str() {
            "next" => self.by = self.by.or(Some(Move::Next)),
            "close" => self.by = self.by.or(Some(Move::Close)),
            "stay" => self.by = self.by.or(Some(Move::Stay)),
            other => {
                if let Some(index) = other.strip_prefix("follow:").and_then(|index| index.trim().parse().ok()) {
                    self.by = self.by.or(Some(Move::FollowUp(index)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str, size: usize) -> (Vec<String>, Option<Move>) {
        let mut splitter = Splitter::default();
        let chars: Vec<char> = text.chars().collect();
        let mut sentences: Vec<String> = chars
            .chunks(size)
            .flat_map(|piece| splitter.push(&piece.iter().collect::<String>()))
            .map(|s| s.text)
            .collect();
        let (last, by) = splitter.finish();
        sentences.extend(last.map(|sentence| sentence.text));
        (sentences, by)
    }

    #[test]
    fn abbreviations_and_numbers_do_not_end_a_sentence() {
        let text = "Thanks, Dr. Lee. You used Node.js 3.5, e.g. for queues, etc. in prod! Did it run until 5 p.m. We stopped at 6. Why?";
        let expected = [
            "Thanks, Dr. Lee.",
            "You used Node.js 3.5, e.g. for queues, etc. in prod!",
            "Did it run until 5 p.m.",
            "We stopped at 6.",
            "Why?",
        ];
        for size in [1, 3, 1000] {
            assert_eq!(split(text, size).0, expected, "pieces of {size}");
        }
    }

    #[test]
    fn tags_are_taken_off_and_never_spoken() {
        let mut splitter = Splitter::default();
        let sentences = splitter.push("[follow:1] [warm] Thank you. [curious]Why so? ");
        assert_eq!(sentences[0], Sentence { text: "Thank you.".into(), emotion: Emotion::Warm });
        let (last, by) = splitter.finish();
        assert_eq!(last, Some(Sentence { text: "Why so?".into(), emotion: Emotion::Curious }));
        assert_eq!(by, Some(Move::FollowUp(1)));
        assert_eq!(split("[next", 1), (vec![], None));
    }

    proptest! {
        #[test]
        fn no_word_is_lost_however_it_is_cut(text in "([A-Za-z]{1,8}[.,!?]? ){0,40}", size in 1usize..30) {
            let (sentences, _) = split(&text, size);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&sentences.join(" ")), words(&text));
        }
    }
}
