//! One speaker at a time: Maya's frames as they came, and the ownership that wrote each turn.

use super::Rule;
use crate::evidence::{Interview, Turn, What};
use maya_protocol::ids::TurnId;
use std::collections::BTreeMap;

/// Turn, sentence, part.
type Place = (u32, u32, u32);

/// What one connection has had of Maya's voice.
#[derive(Debug, Default)]
struct Heard {
    last: Option<Place>,
    /// The turn that was cleared, and the sentence that it had come to.
    cleared: Option<(u32, u32)>,
}

pub(super) fn check(interview: &Interview, add: &mut impl FnMut(Rule, String)) {
    let mut heard = Heard::default();
    for line in &interview.log {
        match &line.what {
            What::Joined { .. } => heard = Heard::default(),
            What::AgentClear { turn_id } => heard.clear(number(turn_id)),
            What::AgentResponse { turn_id, .. } if is_aside(turn_id) => {}
            What::AgentResponse { turn_id, sentence, part, .. } => {
                if let Some((rule, what)) = heard.take((number(turn_id), *sentence, *part)) {
                    add(rule, what);
                }
            }
            _ => {}
        }
    }
    recorded(interview, add);
    let mut highest = 0;
    for turn in &interview.turns {
        if turn.epoch < highest {
            let what = format!("t{} was written by epoch {} after {highest} had written", turn.number, turn.epoch);
            add(Rule::StaleOwner, what);
        }
        highest = highest.max(turn.epoch);
    }
}

impl Heard {
    fn clear(&mut self, turn: u32) {
        // a turn of which nothing came has nothing to shut
        self.cleared = self.last.filter(|(last, _, _)| *last == turn).map(|(turn, sentence, _)| (turn, sentence));
    }

    fn take(&mut self, place: Place) -> Option<(Rule, String)> {
        let (turn, sentence, part) = place;
        let name = format!("t{turn} sentence {sentence} part {part}");
        let before = self.last.replace(place);
        if let Some((cleared, reached)) = self.cleared
            && cleared == turn
        {
            if part > 0 || sentence > reached {
                return Some((
                    Rule::AfterClear,
                    format!("{name} came after t{turn} was cleared at sentence {reached}"),
                ));
            }
            self.cleared = None;
            return None;
        }
        let Some(before) = before else {
            // the first of a connection may be any sentence, but its beginning
            return (part > 0).then(|| (Rule::Gap, format!("{name} came first on a connection")));
        };
        let rule = match before {
            (last, ..) if turn < last => Rule::TwoSpeakers,
            (last, ..) if turn > last => {
                return (part > 0).then(|| (Rule::Gap, format!("{name} came first of its turn")));
            }
            (_, last, so_far) if sentence == last && part == so_far + 1 => return None,
            (_, last, _) if sentence == last + 1 && part == 0 => return None,
            (_, last, so_far) if (sentence, part) <= (last, so_far) => Rule::Repeated,
            _ => Rule::Gap,
        };
        Some((rule, format!("{name} came after t{} sentence {} part {}", before.0, before.1, before.2)))
    }
}

/// What was heard was recorded, in the same words, whoever said it.
fn recorded(interview: &Interview, add: &mut impl FnMut(Rule, String)) {
    let turns: BTreeMap<u32, &Turn> = interview.turns.iter().map(|turn| (turn.number, turn)).collect();
    for line in &interview.log {
        let What::AgentResponse { turn_id, sentence, text, .. } = &line.what else { continue };
        if text.is_empty() || is_aside(turn_id) {
            continue;
        }
        let turn = turns.get(&number(turn_id)).filter(|turn| turn.speaker == "MAYA");
        if turn.and_then(|turn| turn.sentences.get(*sentence as usize)) != Some(text) {
            add(Rule::NotRecorded, format!("{turn_id} sentence {sentence} was heard as {text:?}"));
        }
    }
}

fn is_aside(turn: &str) -> bool {
    turn.parse().is_ok_and(TurnId::is_aside)
}

fn number(turn: &str) -> u32 {
    turn.parse().map_or(u32::MAX, |TurnId(number)| number)
}
