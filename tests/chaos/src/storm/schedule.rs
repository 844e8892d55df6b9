//! What will be done to whom and when: all of it drawn from the seed before the storm begins.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a watched interview is doing, as its candidate and its recruiter see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// A plan is awaited.
    Planning,
    /// The opening words are heard.
    Greeting,
    /// Maya listens and nobody speaks.
    Listening,
    /// The candidate speaks.
    Answering,
    /// The candidate has said it all, and Maya is not yet heard.
    Thinking,
    /// A reply is heard.
    Speaking,
    /// The closing words are heard.
    Closing,
    /// The verdict is awaited.
    Assessing,
}

impl Phase {
    /// In the order in which they come.
    pub const ALL: [Phase; 8] = [
        Phase::Planning,
        Phase::Greeting,
        Phase::Listening,
        Phase::Answering,
        Phase::Thinking,
        Phase::Speaking,
        Phase::Closing,
        Phase::Assessing,
    ];
    /// Whether Maya owes the candidate words: then a failover can be heard.
    pub fn is_mayas(self) -> bool {
        matches!(self, Phase::Greeting | Phase::Thinking | Phase::Speaking | Phase::Closing)
    }
}
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The node that owns the watched session.
    Interviewer,
    /// The edge that holds its socket.
    Edge,
    /// A REST gateway, which also moves states and delivers webhooks.
    Gateway,
    /// A process of planner, assessor, notifier and recorder.
    Agents,
    /// A broker of three.
    Kafka,
    /// The registry, with all that it holds.
    Redis,
}

impl Kind {
    /// The rows of the report.
    pub const ALL: [Kind; 6] = [Kind::Interviewer, Kind::Edge, Kind::Gateway, Kind::Agents, Kind::Kafka, Kind::Redis];
}
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A way that goes through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Way {
    ToEdge,
    ToRedis,
    ToPostgres,
    ToKafka,
}

/// What is done to a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Harm {
    /// Everything comes half a second late.
    Latency,
    /// Nothing comes any more, and nobody is told.
    HalfOpen,
    /// Connections are reset.
    Reset,
}

/// What is done besides a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "what")]
pub enum Nuisance {
    /// SIGSTOP, and SIGCONT later: a process that believes that no time has passed.
    Freeze {
        /// Which kind.
        kind: Kind,
        /// For how long.
        ms: u64,
    },
    /// FLUSHALL.
    Flush,
    /// A way is harmed.
    Cut {
        /// Which way.
        way: Way,
        /// How.
        harm: Harm,
        /// For how long.
        ms: u64,
    },
}

impl Nuisance {
    /// How long it lasts.
    pub fn ms(self) -> u64 {
        match self {
            Self::Freeze { ms, .. } | Self::Cut { ms, .. } => ms,
            Self::Flush => 0,
        }
    }
}

/// One step of the storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blow {
    /// What is killed.
    pub kind: Kind,
    /// While a watched interview is in this phase.
    pub phase: Phase,
    /// So long after the phase began, if it lasts.
    pub after_ms: u64,
    /// Started again after so long.
    pub down_ms: u64,
    /// Chooses among equals.
    pub pick: usize,
    /// What is done besides, some time after the kill.
    pub besides: Option<(u64, Nuisance)>,
    /// Then this pause.
    pub rest_ms: u64,
}

/// So many kills. Every cell of kind and phase comes once before any comes twice.
pub fn schedule(seed: u64, kills: usize, cuts: bool) -> Vec<Blow> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut cells: Vec<(Kind, Phase)> = Vec::new();
    let mut blows = Vec::with_capacity(kills);
    for _ in 0..kills {
        if cells.is_empty() {
            cells = Kind::ALL.iter().flat_map(|kind| Phase::ALL.map(|phase| (*kind, phase))).collect();
            cells.shuffle(&mut rng);
        }
        let Some((kind, phase)) = cells.pop() else { break };
        let besides = rng.random_bool(0.4).then(|| (rng.random_range(0..3_000), nuisance(&mut rng, cuts)));
        blows.push(Blow {
            kind,
            phase,
            after_ms: rng.random_range(0..900),
            down_ms: rng.random_range(500..5_000),
            pick: rng.random_range(0..1_000),
            besides,
            rest_ms: rng.random_range(1_000..4_000),
        });
    }
    blows
}

/// Makes every blow one that a missing guard does not survive.
pub fn provoke(blows: &mut [Blow], fault: &str) {
    for (number, blow) in blows.iter_mut().enumerate() {
        if fault == "epoch-check-off" {
            // an owner is frozen when it is about to record an answer, for about as long as it takes to be given up, and
            // wakes beside its successor: without a registry nothing but the fence tells it so
            (blow.kind, blow.phase) = (Kind::Redis, Phase::Answering);
            (blow.after_ms, blow.down_ms, blow.rest_ms) = (700, 8_000, 14_000);
            let ms = 2_400 + 300 * (number as u64 % 8);
            blow.besides = Some((0, Nuisance::Freeze { kind: Kind::Interviewer, ms }));
        } else {
            // an owner dies while words are spoken, and the next one is frozen long enough to be given up, and wakes
            blow.kind = Kind::Interviewer;
            blow.phase = if number % 2 == 0 { Phase::Answering } else { Phase::Speaking };
            blow.besides = Some((4_000, Nuisance::Freeze { kind: Kind::Interviewer, ms: 6_000 }));
            blow.rest_ms = 12_000;
        }
    }
}

fn nuisance(rng: &mut StdRng, cuts: bool) -> Nuisance {
    match rng.random_range(0..if cuts { 6 } else { 2 }) {
        0 => Nuisance::Flush,
        1 => {
            let kind = if rng.random_bool(0.6) { Kind::Interviewer } else { Kind::Edge };
            Nuisance::Freeze { kind, ms: rng.random_range(1_000..8_000) }
        }
        _ => {
            let way = [Way::ToEdge, Way::ToRedis, Way::ToPostgres, Way::ToKafka][rng.random_range(0..4)];
            let harm = [Harm::Latency, Harm::HalfOpen, Harm::Reset][rng.random_range(0..3)];
            Nuisance::Cut { way, harm, ms: rng.random_range(1_000..8_000) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_storm_and_every_cell_comes() {
        let storm = schedule(7, 200, true);
        assert_eq!(storm, schedule(7, 200, true));
        assert_ne!(storm, schedule(8, 200, true));
        for kind in Kind::ALL {
            for phase in Phase::ALL {
                let times = storm.iter().filter(|blow| (blow.kind, blow.phase) == (kind, phase)).count();
                assert!((4..=5).contains(&times), "{kind} in {phase}: {times}");
            }
        }
        let besides: Vec<Nuisance> = storm.iter().filter_map(|blow| Some(blow.besides?.1)).collect();
        assert!(besides.contains(&Nuisance::Flush));
        assert!(besides.iter().any(|what| matches!(what, Nuisance::Cut { harm: Harm::HalfOpen, .. })));
        let without = schedule(7, 200, false);
        assert!(without.iter().all(|blow| !matches!(blow.besides, Some((_, Nuisance::Cut { .. })))));
    }
}
