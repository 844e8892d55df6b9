//! What a storm has shown: who was killed when, how long nobody spoke, what was broken.

use crate::{
    check::{Share, Verdict, Violation},
    evidence::{Evidence, Interview, What},
    storm::schedule::{Kind, Phase},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// What the candidate has in its buffer when the kill comes, and what is on the way, is no failover.
const IN_FLIGHT_MS: u64 = 300;

/// A kill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// Milliseconds since the storm began.
    pub seen_ms: u64,
    /// What kind of process.
    pub kind: Kind,
    /// Which one.
    pub victim: String,
    /// What the watched interview was doing.
    pub phase: Option<Phase>,
    /// What it was waited for to do.
    pub wanted: Phase,
    /// The interviews that the victim served.
    pub hit: Vec<String>,
}

/// The figures and the verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Interviews that were held.
    pub interviews: usize,
    /// Kills by kind and phase.
    #[serde(skip)]
    pub kills: BTreeMap<(Kind, Option<Phase>), usize>,
    /// Of what was said.
    pub acknowledged: Share,
    /// Sorted: from the loss of a session's node or edge to Maya's voice, where she owed words.
    pub failovers_ms: Vec<u64>,
    /// What was broken.
    pub violations: Vec<Violation>,
    /// Processes that ended by themselves, and what the storm could not do.
    pub complaints: Vec<String>,
}

impl Report {
    /// Puts it together.
    pub fn new(evidence: &Evidence, faults: &[Fault], verdict: Verdict, complaints: Vec<String>) -> Self {
        let mut kills = BTreeMap::new();
        for fault in faults {
            *kills.entry((fault.kind, fault.phase)).or_default() += 1;
        }
        let mut failovers_ms: Vec<u64> = faults
            .iter()
            .flat_map(|fault| fault.hit.iter().map(move |id| (fault, id)))
            .filter_map(|(fault, id)| {
                let interview = evidence.interviews.iter().find(|interview| interview.id == *id)?;
                failover(interview, fault.seen_ms)
            })
            .collect();
        failovers_ms.sort_unstable();
        Self {
            interviews: evidence.interviews.len(),
            kills,
            acknowledged: verdict.acknowledged,
            failovers_ms,
            violations: verdict.violations,
            complaints,
        }
    }

    /// Whether nothing was broken.
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && self.complaints.is_empty()
    }

    fn percentile(&self, of_100: usize) -> Option<u64> {
        let last = self.failovers_ms.len().checked_sub(1)?;
        self.failovers_ms.get((last * of_100).div_ceil(100)).copied()
    }
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<12}", "kills")?;
        for phase in Phase::ALL {
            write!(f, "{:>10}", phase.to_string())?;
        }
        writeln!(f, "{:>10}", "between")?;
        for kind in Kind::ALL {
            write!(f, "{:<12}", kind.to_string())?;
            for phase in Phase::ALL.into_iter().map(Some).chain([None]) {
                write!(f, "{:>10}", self.kills.get(&(kind, phase)).copied().unwrap_or_default())?;
            }
            writeln!(f)?;
        }
        writeln!(f, "\ninterviews held       {}", self.interviews)?;
        writeln!(f, "lines acknowledged    {}", self.acknowledged)?;
        let shown = |of_100| self.percentile(of_100).map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        let times = self.failovers_ms.len();
        writeln!(f, "failover, {times} times    p50 {}, p99 {}", shown(50), shown(99))?;
        for complaint in &self.complaints {
            writeln!(f, "complaint: {complaint}")?;
        }
        for violation in &self.violations {
            writeln!(f, "violation: {violation}")?;
        }
        write!(f, "violations            {}", self.violations.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Line;

    fn audio(seen_ms: u64, last: bool) -> Line {
        let (turn_id, text) = ("t0".into(), String::new());
        Line { seen_ms, what: What::AgentResponse { turn_id, sentence: 0, part: 0, text, duration_ms: 80, last } }
    }
    fn interview(log: Vec<Line>) -> Interview {
        Interview { id: "i".into(), log, ..Interview::default() }
    }

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
    fn the_report_shows_cells_figures_and_what_was_broken() {
        let fault = Fault {
            seen_ms: 500,
            kind: Kind::Edge,
            victim: "edge-1".into(),
            phase: Some(Phase::Speaking),
            wanted: Phase::Speaking,
            hit: vec!["i".into()],
        };
        let log = vec![audio(100, false), audio(2_000, false)];
        let evidence = Evidence { interviews: vec![interview(log)], ..Evidence::default() };
        let verdict = Verdict { acknowledged: Share { said: 20, acknowledged: 19 }, violations: Vec::new() };
        let report = Report::new(&evidence, &[fault], verdict, Vec::new());
        assert!(report.holds());
        let text = report.to_string();
        assert!(text.contains("19 of 20 (95.0 %)") && text.contains("p50 1500 ms, p99 1500 ms"), "{text}");
        let edge: Vec<&str> = text.lines().find(|line| line.starts_with("edge")).unwrap().split_whitespace().collect();
        assert_eq!(edge, ["edge", "0", "0", "0", "0", "0", "1", "0", "0", "0"]);
        let fallen = Report { complaints: vec!["edge-1 ended by itself".into()], ..report };
        assert!(!fallen.holds());
    }
}
