//! What a storm has shown: who was killed when, how long nobody spoke, what was broken.

mod failover;

pub use failover::Failover;

use crate::{
    check::{Share, Verdict, Violation},
    evidence::Evidence,
    storm::schedule::{Kind, Phase},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

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
    /// After so long it was started again.
    #[serde(default)]
    pub down_ms: u64,
}

/// What was done besides the kills: a freeze, a harmed way, an emptied registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bother {
    /// Milliseconds since the storm began.
    pub seen_ms: u64,
    /// How long it lasted.
    pub ms: u64,
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
    pub failovers: Vec<Failover>,
    /// What was broken.
    pub violations: Vec<Violation>,
    /// Processes that ended by themselves, and what the storm could not do.
    pub complaints: Vec<String>,
}

impl Report {
    /// Puts it together.
    pub fn new(
        evidence: &Evidence,
        faults: &[Fault],
        bothers: &[Bother],
        verdict: Verdict,
        complaints: Vec<String>,
    ) -> Self {
        let mut kills = BTreeMap::new();
        for fault in faults {
            *kills.entry((fault.kind, fault.phase)).or_default() += 1;
        }
        Self {
            interviews: evidence.interviews.len(),
            kills,
            acknowledged: verdict.acknowledged,
            failovers: failover::all(evidence, faults, bothers),
            violations: verdict.violations,
            complaints,
        }
    }

    /// Whether nothing was broken.
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && self.complaints.is_empty()
    }

    /// Some of the failovers, as a line: how many, half of them, nearly all of them.
    fn figures(&self, which: impl Fn(&Failover) -> bool) -> String {
        let some: Vec<u64> =
            self.failovers.iter().filter(|failover| which(failover)).map(|failover| failover.ms).collect();
        let shown =
            |of_100| failover::percentile(&some, of_100).map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        format!("{} times    p50 {}, p99 {}", some.len(), shown(50), shown(99))
    }
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
        writeln!(f, "failover, {}", self.figures(|_| true))?;
        writeln!(f, "  alone, {}", self.figures(|failover| failover.alone))?;
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
    use crate::evidence::{Interview, Line, What};

    pub(super) fn audio(seen_ms: u64, last: bool) -> Line {
        let (turn_id, text) = ("t0".into(), String::new());
        Line { seen_ms, what: What::AgentResponse { turn_id, sentence: 0, part: 0, text, duration_ms: 80, last } }
    }
    pub(super) fn interview(log: Vec<Line>) -> Interview {
        Interview { id: "i".into(), log, ..Interview::default() }
    }
    pub(super) fn edge_killed(seen_ms: u64) -> Fault {
        Fault {
            seen_ms,
            kind: Kind::Edge,
            victim: "edge-1".into(),
            phase: Some(Phase::Speaking),
            wanted: Phase::Speaking,
            hit: vec!["i".into()],
            down_ms: 1_000,
        }
    }

    #[test]
    fn the_report_shows_cells_figures_and_what_was_broken() {
        let log = vec![audio(100, false), audio(2_000, false)];
        let evidence = Evidence { interviews: vec![interview(log)], ..Evidence::default() };
        let verdict = Verdict { acknowledged: Share { said: 20, acknowledged: 19 }, violations: Vec::new() };
        let bothers = [Bother { seen_ms: 600, ms: 10 }];
        let report = Report::new(&evidence, &[edge_killed(500)], &bothers, verdict, Vec::new());
        assert!(report.holds());
        let text = report.to_string();
        assert!(text.contains("19 of 20 (95.0 %)") && text.contains("p50 1500 ms, p99 1500 ms"), "{text}");
        assert!(text.contains("alone, 0 times    p50 -, p99 -"), "{text}");
        let edge: Vec<&str> = text.lines().find(|line| line.starts_with("edge")).unwrap().split_whitespace().collect();
        assert_eq!(edge, ["edge", "0", "0", "0", "0", "0", "1", "0", "0", "0"]);
        let fallen = Report { complaints: vec!["edge-1 ended by itself".into()], ..report };
        assert!(!fallen.holds());
    }
}
