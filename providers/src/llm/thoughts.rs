//! Reasoning models may think aloud before they answer (`<think>…</think>`); that is never spoken.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// A whole answer without the thoughts it begins with.
pub(crate) fn without(text: &str) -> &str {
    match text.trim_start().strip_prefix(OPEN) {
        Some(thinking) => thinking.split_once(CLOSE).map_or("", |(_, answer)| answer.trim_start()),
        None => text,
    }
}

/// The same for an answer in pieces.
#[derive(Debug, Default)]
pub(crate) struct Thoughts {
    held: String,
    answering: bool,
}

impl Thoughts {
    /// What of the next piece belongs to the answer.
    pub(crate) fn spoken(&mut self, piece: &str) -> Option<String> {
        if self.answering {
            return Some(piece.to_owned()).filter(|piece| !piece.is_empty());
        }
        self.held.push_str(piece);
        let begun = self.held.trim_start();
        let undecided = begun.len() < OPEN.len() && OPEN.starts_with(begun);
        let thinking = begun.starts_with(OPEN) && !begun.contains(CLOSE);
        if undecided || thinking { None } else { self.rest() }
    }
    /// What was held back and belongs to the answer after all.
    pub(crate) fn rest(&mut self) -> Option<String> {
        if self.answering {
            return None;
        }
        let answer = without(&self.held).to_owned();
        // After thoughts, blank space may still come before the answer.
        self.answering = !answer.is_empty();
        if self.answering {
            self.held.clear();
        }
        Some(answer).filter(|answer| !answer.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn thoughts_are_held_back_however_they_are_cut(cut in 1usize..9, answer in "[a-z<>/][a-z<>/ ]{0,12}") {
            for text in [format!(" <think>\nhm <b> </think>\n\n{answer}"), answer.clone()] {
                prop_assume!(!answer.starts_with(OPEN));
                let (mut thoughts, mut heard) = (Thoughts::default(), String::new());
                for piece in text.as_bytes().chunks(cut) {
                    heard.extend(thoughts.spoken(std::str::from_utf8(piece).unwrap()));
                }
                heard.extend(thoughts.rest());
                prop_assert_eq!(&heard, &answer);
                prop_assert_eq!(without(&text), &answer);
            }
        }
    }
}
