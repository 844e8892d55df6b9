//! Every utterance that was acknowledged is in the transcript exactly once, in its words and in order.

use super::{
    Rule,
    script::{Attempt, Script},
};
use crate::evidence::{Interview, Turn, What};
use maya_protocol::ids::TurnId;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::AddAssign,
};

/// Lines that were wholly said, and how many of them were acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Share {
    pub said: usize,
    pub acknowledged: usize,
}

impl Share {
    /// From 0 to 1; 1 where nothing was said.
    pub fn of_all(self) -> f64 {
        if self.said == 0 { 1.0 } else { self.acknowledged as f64 / self.said as f64 }
    }
}
impl AddAssign for Share {
    fn add_assign(&mut self, other: Self) {
        self.said += other.said;
        self.acknowledged += other.acknowledged;
    }
}
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} ({:.1} %)", self.acknowledged, self.said, 100.0 * self.of_all())
    }
}

pub(super) fn check(interview: &Interview, add: &mut impl FnMut(Rule, String)) -> Share {
    let (script, attempts) = Script::of(interview);
    let transcript: Vec<&Turn> = interview.turns.iter().filter(|turn| turn.speaker == "CANDIDATE").collect();
    let acknowledged = acknowledged(interview, add);
    against_transcript(&acknowledged, &transcript, add);
    once_and_in_order(&script, &attempts, &transcript, add);
    let heard: Vec<&str> = acknowledged.iter().map(|(_, text, _)| text.as_str()).collect();
    let answered = lines_in(&script, &heard);
    let recorded: Vec<&str> = transcript.iter().map(|turn| turn.text.as_str()).collect();
    let recorded = lines_in(&script, &recorded);
    unheard(&script, &attempts, &acknowledged, &recorded, add);
    let said: BTreeSet<usize> = attempts.iter().filter(|attempt| attempt.whole).map(|attempt| attempt.line).collect();
    Share { said: said.len(), acknowledged: said.intersection(&answered).count() }
}

/// The final TRANSCRIPTs: id, words, connection; each id once.
fn acknowledged(interview: &Interview, add: &mut impl FnMut(Rule, String)) -> Vec<(String, String, usize)> {
    let mut found: Vec<(String, String, usize)> = Vec::new();
    let mut connection = 0;
    for line in &interview.log {
        match &line.what {
            What::Joined { .. } => connection += 1,
            What::Transcript { utterance_id, text, r#final: true } => {
                match found.iter().find(|(id, _, _)| id == utterance_id) {
                    None => found.push((utterance_id.clone(), text.clone(), connection)),
                    Some((_, before, _)) if before != text => {
                        add(Rule::Altered, format!("{utterance_id} was acknowledged as {before:?}, then as {text:?}"));
                    }
                    Some(_) => {}
                }
            }
            _ => {}
        }
    }
    found
}

fn against_transcript(
    acknowledged: &[(String, String, usize)],
    transcript: &[&Turn],
    add: &mut impl FnMut(Rule, String),
) {
    let mut last = None;
    for (id, text, _) in acknowledged {
        let number = id.parse().ok().map(|TurnId(number)| number);
        match transcript.iter().find(|turn| Some(turn.number) == number) {
            None => add(Rule::Lost, format!("{id} was acknowledged and is not in the transcript: {text:?}")),
            Some(turn) if turn.text != *text => {
                add(Rule::Altered, format!("{id} was acknowledged as {text:?} and recorded as {:?}", turn.text));
            }
            Some(_) => {}
        }
        if number < last {
            add(Rule::Swapped, format!("{id} was acknowledged after a later turn"));
        }
        last = last.max(number);
    }
}

/// The marks of a line may stand in the transcript as often as the line was begun, and never before an earlier line's.
fn once_and_in_order(script: &Script, attempts: &[Attempt], transcript: &[&Turn], add: &mut impl FnMut(Rule, String)) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    // where in the attempts the transcript has come to
    let mut at = 0;
    for turn in transcript {
        for (line, word) in script.marks_in(&turn.text) {
            let begun = attempts.iter().filter(|attempt| attempt.line == line).count();
            let seen = times.entry(word.clone()).or_default();
            *seen += 1;
            if *seen > begun {
                add(Rule::Doubled, format!("t{} has {word:?} of a line that was begun {begun} times", turn.number));
                continue;
            }
            match attempts[at..].iter().position(|attempt| attempt.line == line) {
                Some(further) => at += further,
                None => add(
                    Rule::Swapped,
                    format!("t{} has {word:?}, which was said before what stands above it", turn.number),
                ),
            }
        }
    }
}

/// The lines that are known again in some texts, by most of their marks.
fn lines_in(script: &Script, texts: &[&str]) -> BTreeSet<usize> {
    let mut found: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (line, word) in texts.iter().flat_map(|text| script.marks_in(text)) {
        found.entry(line).or_default().insert(word);
    }
    let known = |(line, words): (usize, BTreeSet<String>)| {
        let marks: BTreeSet<String> = script.marks_in(script.text(line)).map(|(_, word)| word).collect();
        (2 * words.len() > marks.len()).then_some(line)
    };
    found.into_iter().filter_map(known).collect()
}

/// A node's death may cost nothing that a socket carried whole: when a later line was acknowledged on the same
/// connection, so was this one.
fn unheard(
    script: &Script,
    attempts: &[Attempt],
    acknowledged: &[(String, String, usize)],
    recorded: &BTreeSet<usize>,
    add: &mut impl FnMut(Rule, String),
) {
    // a client that was told that it is not heard knows that it must say it again
    let owed = |attempt: &Attempt| attempt.whole && !attempt.refused;
    for (number, attempt) in attempts.iter().enumerate().filter(|(_, attempt)| owed(attempt)) {
        let here: Vec<&str> = acknowledged
            .iter()
            .filter(|(_, _, connection)| *connection == attempt.connection)
            .map(|(_, text, _)| text.as_str())
            .collect();
        let heard = lines_in(script, &here);
        let later = attempts[number + 1..].iter().any(|later| {
            later.connection == attempt.connection && later.line != attempt.line && heard.contains(&later.line)
        });
        if later && !heard.contains(&attempt.line) {
            let text = script.text(attempt.line);
            let known = if recorded.contains(&attempt.line) { "recorded and not acknowledged" } else { "not recorded" };
            add(Rule::Unheard, format!("{text:?} was {known}, on a connection that held"));
        }
    }
}
