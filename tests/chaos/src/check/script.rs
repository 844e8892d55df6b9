//! What a candidate meant to say, and the words by which each line is known again.

use crate::evidence::{Interview, What};
use std::collections::BTreeMap;

/// Shorter words are in every line.
const SHORTEST_MARK: usize = 5;
/// By these a client knows that it was not heard, and says it again.
const NOT_HEARD: [&str; 2] = ["audio_backlog", "overloaded"];
/// A piece that is refused was said at most so long before, in ms: an edge's patience, and what it holds.
const REFUSED_WITHIN: u64 = 25_000;

/// The lines of one candidate, in the order in which they were first begun.
#[derive(Debug, Default)]
pub(super) struct Script {
    lines: Vec<String>,
    /// Line by word, of the words that only one line has.
    marks: BTreeMap<String, usize>,
}

/// One attempt to say a line; a line that was cut, or that nobody answered, is said again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    pub line: usize,
    /// Its last sample was sent.
    pub whole: bool,
    /// The connection that it began on.
    pub connection: usize,
    /// When, in ms of the storm.
    pub began: u64,
    /// Its client was told that it may not be heard.
    pub refused: bool,
}

impl Script {
    /// The script, and the attempts in order.
    pub(super) fn of(interview: &Interview) -> (Self, Vec<Attempt>) {
        let mut script = Self::default();
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut connection = 0;
        for entry in &interview.log {
            match &entry.what {
                What::Joined { .. } => connection += 1,
                What::Error { code } if NOT_HEARD.contains(&code.as_str()) => {
                    let late = |attempt: &&mut Attempt| attempt.began + REFUSED_WITHIN >= entry.seen_ms;
                    attempts.iter_mut().filter(late).for_each(|attempt| attempt.refused = true);
                }
                What::Saying { text: Some(text) } => {
                    let line = script.line(text);
                    attempts.push(Attempt { line, whole: false, connection, began: entry.seen_ms, refused: false });
                }
                What::Said {} => {
                    if let Some(attempt) = attempts.last_mut() {
                        attempt.whole = true;
                    }
                }
                _ => {}
            }
        }
        script.mark();
        (script, attempts)
    }

    pub(super) fn text(&self, line: usize) -> &str {
        &self.lines[line]
    }

    /// The marks in a text: line and word.
    pub(super) fn marks_in<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, String)> + 'a {
        words(text).filter_map(|word| self.marks.get(&word).map(|line| (*line, word)))
    }

    fn line(&mut self, text: &str) -> usize {
        let known = self.lines.iter().position(|line| line == text);
        known.unwrap_or_else(|| {
            self.lines.push(text.to_owned());
            self.lines.len() - 1
        })
    }

    fn mark(&mut self) {
        let mut seen: BTreeMap<String, Option<usize>> = BTreeMap::new();
        for (number, line) in self.lines.iter().enumerate() {
            for word in words(line).filter(|word| word.len() >= SHORTEST_MARK) {
                // a word that comes twice, in whatever lines, marks nothing
                seen.entry(word).and_modify(|line| *line = None).or_insert(Some(number));
            }
        }
        self.marks = seen.into_iter().filter_map(|(word, line)| Some((word, line?))).collect();
    }
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}
