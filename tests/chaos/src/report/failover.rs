//! How long nobody spoke after a kill, where Maya owed words.

use super::{Bother, Fault};
use crate::{
    evidence::{Evidence, Interview, What},
    storm::schedule::Kind,
};
use serde::Serialize;

/// What the candidate has in its buffer when the kill comes, and what is on the way, is no failover.
const IN_FLIGHT_MS: u64 = 300;
/// How long a part may take to work again once it is started again, or its way is whole.
const COMES_BACK_MS: u64 = 4_000;

/// From the loss of a session's node or edge to Maya's voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Failover {
    /// How long.
    pub ms: u64,
    /// Nothing else that speech needs was down, frozen or cut off meanwhile.
    pub alone: bool,
}

/// All of them, the shortest first.
pub(super) fn all(evidence: &Evidence, faults: &[Fault], bothers: &[Bother]) -> Vec<Failover> {
    let mut all = Vec::new();
    for (number, fault) in faults.iter().enumerate() {
        for id in &fault.hit {
            let interview = evidence.interviews.iter().find(|interview| interview.id == *id);
            let Some(ms) = interview.and_then(|interview| failover(interview, fault.seen_ms)) else { continue };
            let others = faults.iter().enumerate().filter(|(other, fault)| *other != number && fault.is_felt());
            let others = others.map(|(_, fault)| (fault.seen_ms, fault.down_ms));
            let bothers = bothers.iter().map(|bother| (bother.seen_ms, bother.ms));
            let mut broken = others.chain(bothers);
            let (killed, heard) = (fault.seen_ms, fault.seen_ms + ms);
            let alone = !broken.any(|(from, ms)| from < heard && from + ms + COMES_BACK_MS > killed);
            all.push(Failover { ms, alone });
        }
    }
    all.sort_unstable();
    all
}

impl Fault {
    /// Whether speech needs what was killed.
    fn is_felt(&self) -> bool {
        !matches!(self.kind, Kind::Gateway | Kind::Agents)
    }
}

/// The p-th of a hundred.
pub(super) fn percentile(sorted: &[u64], of_100: usize) -> Option<u64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last * of_100).div_ceil(100)).copied()
}

/// From a kill to Maya's next audio, if it found her speaking or owing words, and the candidate took no floor meanwhile.
fn failover(interview: &Interview, killed: u64) -> Option<u64> {
    let mut owes = false;
    for line in &interview.log {
        match &line.what {
            What::AgentResponse { duration_ms: 1.., .. } if line.seen_ms > killed + IN_FLIGHT_MS => {
                return owes.then_some(line.seen_ms - killed);
            }
            What::AgentResponse { last: true, .. } => owes = false,
            What::AgentResponse { .. } | What::Said {} => owes = true,
            What::State { state, .. } if state == "LISTENING" => owes = false,
            What::Saying { .. } if line.seen_ms > killed => return None,
            What::Saying { .. } => owes = false,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evidence::Line,
        report::tests::{audio, edge_killed, interview},
    };

    #[test]
    fn a_failover_is_counted_where_maya_owed_words() {
        let said = |seen_ms| Line { seen_ms, what: What::Said {} };
        let saying = |seen_ms| Line { seen_ms, what: What::Saying { text: None } };
        assert_eq!(failover(&interview(vec![said(100), audio(3_000, false)]), 500), Some(2_500));
        assert_eq!(
            failover(&interview(vec![audio(100, false), audio(700, false), audio(4_000, false)]), 500),
            Some(3_500)
        );
        assert_eq!(
            failover(&interview(vec![audio(100, true), saying(900), said(1_000), audio(4_000, false)]), 500),
            None
        );
        assert_eq!(failover(&interview(vec![audio(100, true), audio(9_000, false)]), 500), None, "she waited");
    }

    #[test]
    fn one_with_something_else_broken_is_told_from_one_alone() {
        let log = vec![audio(9_900, false), audio(12_000, false)];
        let evidence = Evidence { interviews: vec![interview(log)], ..Evidence::default() };
        let alone = |others: &[Fault], bothers: &[Bother]| {
            let faults: Vec<Fault> = [edge_killed(10_000)].into_iter().chain(others.iter().cloned()).collect();
            let [failover] = all(&evidence, &faults, bothers)[..] else { panic!("one interview, one failover") };
            assert_eq!(failover.ms, 2_000);
            failover.alone
        };
        assert!(alone(&[], &[]));
        let other = |kind, seen_ms| Fault { kind, hit: Vec::new(), ..edge_killed(seen_ms) };
        assert!(!alone(&[other(Kind::Kafka, 11_000)], &[]));
        assert!(!alone(&[other(Kind::Redis, 5_500)], &[]), "it has just come back");
        assert!(alone(&[other(Kind::Redis, 3_000), other(Kind::Kafka, 13_000)], &[]));
        assert!(alone(&[other(Kind::Gateway, 11_000)], &[]), "speech does not need it");
        assert!(!alone(&[], &[Bother { seen_ms: 10_500, ms: 10 }]));
    }
}
