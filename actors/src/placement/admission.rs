//! How much a node takes: up to its measured budget; over it, it wants less of the audio, and who joins waits.

mod memory;
mod queue;

use super::{Inner, Starting};
use maya_protocol::{
    audio::{AgentBody, CandidateBody, CandidateMessage},
    bus::assignment::FULL_WEIGHT,
    ids::{Epoch, SessionId, TenantId},
    session::Phase,
};
use parking_lot::Mutex;
use queue::Queue;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How often a node measures itself.
const MEASURE: Duration = Duration::from_millis(500);
/// For how long a place in the tenant's quota is held without being renewed.
const PLACE: Duration = Duration::from_secs(6 * 3600);
/// Why a candidate waits.
const BUSY: &str = "busy";
const TENANT_QUOTA: &str = "quota";
const PROVIDER_QUOTA: &str = "provider_quota";

/// What a node may carry.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Live sessions.
    pub sessions: u32,
    /// How late its runtime may wake what is due: beyond it audio comes late.
    pub lag: Duration,
    /// Resident bytes of the process.
    pub memory: u64,
    /// Live sessions of one tenant, over all nodes.
    pub tenant_sessions: u32,
}
impl Default for Budget {
    fn default() -> Self {
        Self { sessions: 2000, lag: Duration::from_millis(200), memory: 8 << 30, tenant_sessions: 1000 }
    }
}

/// What a node carries.
#[derive(Debug, Clone, Copy, Default)]
struct Measured {
    sessions: u32,
    lag: Duration,
    memory: u64,
}

impl Budget {
    /// Three quarters of the memory that the process may use on this machine; the rest is for others, and for what
    /// sessions need between two measurements.
    pub fn machine_memory() -> u64 {
        memory::usable().map_or_else(|| Self::default().memory, |bytes| bytes / 4 * 3)
    }

    /// The share of the budget that is used, by what is used most: 1.0 is full.
    fn used(&self, measured: Measured) -> f64 {
        let sessions = f64::from(measured.sessions) / f64::from(self.sessions.max(1));
        let lag = measured.lag.as_secs_f64() / self.lag.as_secs_f64().max(f64::EPSILON);
        let memory = measured.memory as f64 / self.memory.max(1) as f64;
        sessions.max(lag).max(memory)
    }
}

/// The weight for a share that is used. It falls at once and rises when there is clearly room again: partitions that
/// went to and fro would take their sessions with them.
fn weight(used: f64, before: u8) -> u8 {
    let free = (1.0 - used).clamp(0.0, 1.0) * f64::from(FULL_WEIGHT);
    let lower = free.ceil() as u8;
    let higher = (free - 0.5).max(0.0).ceil() as u8;
    if lower < before { lower } else { before.max(higher) }
}

/// What a node takes now.
pub struct Admission {
    budget: Budget,
    weight: AtomicU8,
    full: AtomicBool,
    paused: AtomicBool,
    queue: Mutex<Queue<(CandidateMessage, u64)>>,
}

/// Whether a session may begin.
pub(super) enum Admitted {
    Yes,
    /// Its candidate waits, for this reason.
    Waits(&'static str),
}

impl Admission {
    /// Of a node with that budget and nothing to do.
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            weight: AtomicU8::new(FULL_WEIGHT),
            full: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            queue: Mutex::default(),
        }
    }

    /// How much of the audio the node wants to read.
    pub fn weight(&self) -> u8 {
        if self.is_paused() { 0 } else { self.weight.load(Ordering::Relaxed) }
    }

    /// No new session begins while paused.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Whether an operator paused it.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Candidates that wait here.
    pub fn waiting(&self) -> usize {
        self.queue.lock().len()
    }

    fn takes(&self) -> bool {
        !self.is_paused() && !self.full.load(Ordering::Relaxed)
    }

    fn measured(&self, measured: Measured) {
        let used = self.budget.used(measured);
        self.full.store(used >= 1.0, Ordering::Relaxed);
        self.weight.store(weight(used, self.weight.load(Ordering::Relaxed)), Ordering::Relaxed);
    }
}

impl Inner {
    /// Whether a session that nobody owned yet may begin here.
    pub(super) async fn admitted(&self, tenant: TenantId, session: SessionId) -> Admitted {
        if !self.admission.takes() {
            return Admitted::Waits(BUSY);
        }
        if self.parts.quotas.are_used_up() {
            return Admitted::Waits(PROVIDER_QUOTA);
        }
        let limit = self.admission.budget.tenant_sessions;
        match self.parts.registry.take_quota(tenant, session, limit, PLACE).await {
            Ok(false) => Admitted::Waits(TENANT_QUOTA),
            // a registry that is away keeps nobody out
            Ok(true) | Err(_) => Admitted::Yes,
        }
    }

    fn begins_sessions(&self) -> bool {
        self.admission.takes() && !self.parts.quotas.are_used_up()
    }

    /// Keeps who may not begin yet, and tells them.
    pub(super) fn let_wait(&self, waiting: Vec<(CandidateMessage, u64)>, reason: &'static str) {
        let joined = waiting.into_iter().rev().find(|(message, _)| message.body == CandidateBody::Joined);
        let Some((message, offset)) = joined else { return };
        let phase = Phase::Waiting;
        let body = AgentBody::State { phase, reason: Some(reason.to_owned()), remaining_seconds: 0 };
        self.tell(&message, Epoch(0), body);
        metrics::counter!("maya_sessions_waiting_total", "reason" => reason).increment(1);
        let (tenant, session) = (message.tenant, message.session);
        if !self.admission.queue.lock().push(tenant, session, (message, offset)) {
            metrics::counter!("maya_sessions_waiting_dropped_total").increment(1);
        }
    }

    /// Measures the node, and lets in who waits where there is room.
    pub(super) async fn admit(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let due = self.parts.clock.now() + MEASURE;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(MEASURE) => {}
            }
            let lag = self.parts.clock.now().saturating_duration_since(due);
            let memory = memory::resident().await.unwrap_or_default();
            self.admission.measured(Measured { sessions: self.sessions(), lag, memory });
            metrics::gauge!("maya_runtime_lag_seconds").set(lag.as_secs_f64());
            metrics::gauge!("maya_admission_weight").set(f64::from(self.admission.weight()));
            let mut tries = self.admission.waiting();
            while tries > 0 && self.begins_sessions() && !self.draining.is_cancelled() {
                tries -= 1;
                let Some((session, (message, offset))) = self.admission.queue.lock().pop() else { break };
                let partition = message.partition;
                let starting = Starting { partition, waiting: vec![(message, offset)], ..Starting::default() };
                if self.expect(session, starting) {
                    self.clone().begin(session).await;
                }
                self.admission.measured(Measured { sessions: self.sessions(), lag, memory });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sessions(sessions: u32) -> Measured {
        Measured { sessions, ..Measured::default() }
    }

    #[test]
    fn what_is_used_most_decides() {
        let budget = Budget { sessions: 10, lag: Duration::from_millis(100), memory: 1000, tenant_sessions: 1 };
        assert_eq!(budget.used(sessions(5)), 0.5);
        assert_eq!(budget.used(Measured { memory: 900, ..sessions(5) }), 0.9);
        assert!(budget.used(Measured { lag: Duration::from_secs(1), ..sessions(0) }) >= 1.0);
    }

    #[test]
    fn a_full_or_paused_node_takes_nobody() {
        let admission = Admission::new(Budget { sessions: 10, ..Budget::default() });
        admission.measured(sessions(9));
        assert!(admission.takes() && admission.weight() == 1);
        admission.measured(sessions(10));
        assert!(!admission.takes() && admission.weight() == 0);
        admission.measured(sessions(0));
        assert!(admission.takes() && admission.weight() == FULL_WEIGHT);
        admission.pause(true);
        assert!(!admission.takes() && admission.weight() == 0);
    }

    proptest! {
        #[test]
        fn the_weight_follows_and_does_not_tremble(used in 0.0f64..1.5, tremble in -0.05f64..0.05, before in 0u8..=FULL_WEIGHT) {
            let first = weight(used, before);
            prop_assert!(first <= FULL_WEIGHT);
            prop_assert!(used < 1.0 || first == 0);
            let settled = weight((used + tremble).max(0.0), first);
            let again = weight(used, settled);
            prop_assert_eq!(weight((used + tremble).max(0.0), again), again, "it goes to and fro");
        }
    }
}
