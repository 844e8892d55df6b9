//! What one actor tells of itself.

use crate::history::History;
use chrono::{DateTime, Utc};
use maya_protocol::{
    clock::SharedClock,
    ids::{Epoch, InterviewId, NodeId, SessionId, TenantId},
    supervision::{Happening, SupervisionEvent, plain},
    tree::{ActorView, Busy, Failure, ProviderView, SessionView, StageLatency},
};
use parking_lot::Mutex;
use ractor::{ActorRef, Message, MessagingErr};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Work that waits this long is worth a word; less is the ordinary way through a mailbox.
const BUSY: Duration = Duration::from_millis(100);
/// An actor that has made no progress for this long while work waits is stuck.
const STUCK: Duration = Duration::from_secs(5);

/// Whose session an actor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Ids {
    pub session: SessionId,
    pub interview: InterviewId,
    pub tenant: TenantId,
    pub epoch: Epoch,
}

/// What one actor tells of itself.
pub struct Probe {
    id: u64,
    parent: Option<(u64, String)>,
    kind: &'static str,
    name: String,
    started: Instant,
    clock: SharedClock,
    history: History,
    ids: Option<Ids>,
    audio: Arc<Audio>,
    words: Mutex<Words>,
    /// Grows with every word: a look compares it with what it showed last.
    told: AtomicU64,
    sent: AtomicU64,
    handled: AtomicU64,
    restarts: AtomicU32,
    /// When the oldest waiting message may have come, in microseconds since the start, plus one; 0 where none waits.
    /// It is the later of the last progress and the first message after idleness.
    waiting_since: AtomicU64,
    /// Since when the actor is at one piece of work without a mark of progress; written as `waiting_since`.
    working_since: AtomicU64,
    stuck_told: AtomicBool,
    pub(super) shown: Mutex<super::changes::Shown>,
}

/// Capture times of a session's audio, in milliseconds by the clock of the edge that holds its socket: of the newest
/// that came to this node, and of the last that the ear has heard.
#[derive(Default)]
struct Audio {
    came: AtomicI64,
    heard: AtomicI64,
}

struct Words {
    phase: &'static str,
    waits_for: Option<&'static str>,
    provider: Option<(&'static str, Instant)>,
    last_failure: Option<Failure>,
    edge: Option<NodeId>,
    turns: u32,
    latency: StageLatency,
}

impl Probe {
    pub(super) fn new(
        id: u64,
        parent: Option<&Probe>,
        kind: &'static str,
        name: String,
        ids: Option<Ids>,
        clock: SharedClock,
        history: History,
    ) -> Self {
        Self {
            id,
            parent: parent.map(|parent| (parent.id, parent.text_id())),
            kind,
            name,
            started: clock.now(),
            clock,
            history,
            ids: ids.or(parent.and_then(|parent| parent.ids)),
            audio: if ids.is_some() { Arc::default() } else { parent.map(|p| p.audio.clone()).unwrap_or_default() },
            words: Mutex::new(Words {
                phase: "starting",
                waits_for: None,
                provider: None,
                last_failure: None,
                edge: None,
                turns: 0,
                latency: StageLatency::default(),
            }),
            told: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            handled: AtomicU64::new(0),
            restarts: AtomicU32::new(0),
            waiting_since: AtomicU64::new(0),
            working_since: AtomicU64::new(0),
            stuck_told: AtomicBool::new(false),
            shown: Mutex::default(),
        }
    }

    /// Puts a message into the actor's mailbox and counts it.
    pub fn cast<M: Message>(&self, actor: &ActorRef<M>, message: M) -> Result<(), MessagingErr<M>> {
        self.sent();
        actor.cast(message)
    }
    /// A message was put into the mailbox.
    pub fn sent(&self) {
        if self.sent.fetch_add(1, Ordering::Relaxed) == self.handled.load(Ordering::Relaxed) {
            self.waiting_since.store(self.moment(), Ordering::Relaxed);
        }
    }
    /// A message was handled.
    pub fn handled(&self) {
        let handled = self.handled.fetch_add(1, Ordering::Relaxed) + 1;
        let waits = self.sent.load(Ordering::Relaxed) > handled;
        self.waiting_since.store(if waits { self.moment() } else { 0 }, Ordering::Relaxed);
        self.stuck_told.store(false, Ordering::Relaxed);
    }
    /// The actor gets on with a long piece of work.
    pub fn progress(&self) {
        for since in [&self.waiting_since, &self.working_since] {
            if since.load(Ordering::Relaxed) != 0 {
                since.store(self.moment(), Ordering::Relaxed);
            }
        }
        self.stuck_told.store(false, Ordering::Relaxed);
    }
    /// What the actor does now.
    pub fn phase(&self, phase: &'static str) {
        self.tell(|words| std::mem::replace(&mut words.phase, phase) != phase);
    }
    /// Whom the actor waits for.
    pub fn waits_for(&self, whom: Option<&'static str>) {
        self.tell(|words| std::mem::replace(&mut words.waits_for, whom) != whom);
    }
    /// How its provider's stream stands.
    pub fn provider(&self, state: &'static str) {
        let now = self.clock.now();
        self.tell(|words| {
            let changed = words.provider.is_none_or(|(before, _)| before != state);
            if changed {
                words.provider = Some((state, now));
            }
            changed
        });
    }
    /// The actor's child (or the actor itself) failed and was started again.
    pub fn restarted(&self, reason: impl AsRef<str>) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.fail(Happening::Restarted, reason.as_ref());
    }
    /// Something failed without a restart.
    pub fn failed(&self, reason: impl AsRef<str>) {
        self.fail(Happening::Fell, reason.as_ref());
    }
    /// Restarts so far and why the last one was, where the history has them already: of a supervisor, or of an actor
    /// that follows others.
    pub fn carries(&self, restarts: usize, reason: &str) {
        self.restarts.store(restarts as u32, Ordering::Relaxed);
        let failure = Failure { at: self.clock.utc(), reason: plain(reason) };
        self.tell(|words| {
            words.last_failure = Some(failure);
            true
        });
    }
    /// Which edge holds the candidate's socket.
    pub fn socket(&self, edge: Option<NodeId>) {
        self.tell(|words| std::mem::replace(&mut words.edge, edge.clone()) != edge);
    }
    /// How the conversation goes.
    pub fn conversation(&self, turns: u32, latency: StageLatency) {
        self.tell(|words| {
            let changed = words.turns != turns || words.latency != latency;
            (words.turns, words.latency) = (turns, latency);
            changed
        });
    }
    /// Audio that was captured then came to this node; `begins` where the connection is new, and with it the clock.
    pub fn audio_came(&self, captured_at: DateTime<Utc>, begins: bool) {
        let at = captured_at.timestamp_millis();
        if begins {
            self.audio.heard.store(at, Ordering::Relaxed);
            self.audio.came.store(at, Ordering::Relaxed);
        } else {
            self.audio.came.fetch_max(at, Ordering::Relaxed);
        }
    }
    /// Audio that was captured then is heard, or will not be.
    pub fn audio_heard(&self, captured_at: DateTime<Utc>) {
        self.audio.heard.fetch_max(captured_at.timestamp_millis(), Ordering::Relaxed);
    }
    /// Keeps in the history what happened to the actor.
    pub fn note(&self, what: Happening, reason: &str) {
        self.keep(what, plain(reason));
    }
    /// Whose session it belongs to.
    pub fn ids(&self) -> Option<Ids> {
        self.ids
    }

    fn fail(&self, what: Happening, reason: &str) {
        let failure = Failure { at: self.clock.utc(), reason: plain(reason) };
        self.keep(what, failure.reason.clone());
        self.tell(|words| {
            words.last_failure = Some(failure);
            true
        });
    }
    fn keep(&self, what: Happening, reason: String) {
        self.history.tell(SupervisionEvent {
            at: self.clock.utc(),
            node: self.history.node.clone(),
            session: self.ids.map(|ids| ids.session),
            interview: self.ids.map(|ids| ids.interview),
            epoch: self.ids.map(|ids| ids.epoch),
            actor: self.kind.to_owned(),
            what,
            reason,
        });
    }
    fn tell(&self, change: impl FnOnce(&mut Words) -> bool) {
        if change(&mut self.words.lock()) {
            self.told.fetch_add(1, Ordering::Relaxed);
        }
    }
    fn moment(&self) -> u64 {
        self.clock.now().saturating_duration_since(self.started).as_micros() as u64 + 1
    }

    /// Which of the tree it is; as in [`Frozen`](super::Frozen).
    pub fn id(&self) -> u64 {
        self.id
    }
    /// A piece of work begins.
    pub(super) fn works(&self) {
        self.working_since.store(self.moment(), Ordering::Relaxed);
    }
    /// It is done.
    pub(super) fn rests(&self) {
        self.working_since.store(0, Ordering::Relaxed);
    }
    /// For how long it has made no progress with what it is at.
    pub(super) fn works_for(&self, now: Instant) -> Option<Duration> {
        self.since(self.working_since.load(Ordering::Relaxed), now)
    }
    fn since(&self, moment: u64, now: Instant) -> Option<Duration> {
        let then = self.started + Duration::from_micros(moment.checked_sub(1)?);
        Some(now.saturating_duration_since(then))
    }
    pub(super) fn frozen(&self) -> super::Frozen {
        let parent = self.parent.as_ref().map(|(id, _)| *id);
        super::Frozen { id: self.id, parent, kind: self.kind, name: self.name.clone() }
    }
    pub(super) fn text_id(&self) -> String {
        format!("{}-{}", self.kind, self.id)
    }
    pub(super) fn told(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }
    pub(super) fn handled_so_far(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }
    pub(super) fn mailbox(&self) -> u64 {
        self.sent.load(Ordering::Relaxed).saturating_sub(self.handled.load(Ordering::Relaxed))
    }
    /// Milliseconds that the ear is behind what came; only a session's own actor shows it.
    pub(super) fn audio_lag(&self) -> u64 {
        let behind = self.audio.came.load(Ordering::Relaxed) - self.audio.heard.load(Ordering::Relaxed);
        behind.max(0) as u64
    }
    /// Whether it makes progress now.
    pub fn state(&self) -> Busy {
        self.busy(self.clock.now()).0
    }
    /// Whether it makes progress, and for how many milliseconds the oldest message has waited.
    pub(super) fn busy(&self, now: Instant) -> (Busy, u64) {
        let waiting = self.since(self.waiting_since.load(Ordering::Relaxed), now);
        let Some(waiting) = waiting.max(self.works_for(now)) else { return (Busy::Idle, 0) };
        let busy = match waiting {
            waiting if waiting >= STUCK => Busy::Stuck,
            waiting if waiting >= BUSY => Busy::Busy,
            _ => Busy::Idle,
        };
        (busy, waiting.as_millis() as u64)
    }
    pub(super) fn tell_stuck(&self, waiting: u64) {
        if !self.stuck_told.swap(true, Ordering::Relaxed) {
            self.keep(Happening::Stuck, format!("no progress for {waiting} ms, {} waiting", self.mailbox()));
        }
    }

    pub(super) fn view(&self, now: Instant) -> ActorView {
        let (busy, oldest_ms) = self.busy(now);
        let words = self.words.lock();
        let since = |then: Instant| now.saturating_duration_since(then).as_millis() as u64;
        let is_session = self.kind == "session";
        ActorView {
            id: self.text_id(),
            parent: self.parent.as_ref().map(|(_, text)| text.clone()),
            kind: self.kind.to_owned(),
            name: self.name.clone(),
            phase: words.phase.to_owned(),
            age_ms: since(self.started),
            mailbox: self.mailbox(),
            oldest_ms,
            handled: self.handled_so_far(),
            rate: self.shown.lock().rate(),
            restarts: self.restarts.load(Ordering::Relaxed),
            last_failure: words.last_failure.clone(),
            busy,
            waits_for: words.waits_for.map(str::to_owned),
            provider: words.provider.map(|(state, then)| ProviderView { state: state.to_owned(), for_ms: since(then) }),
            session: self.ids.filter(|_| is_session).map(|ids| SessionView {
                session_id: ids.session,
                interview_id: ids.interview,
                tenant_id: ids.tenant,
                epoch: ids.epoch,
                edge: words.edge.clone(),
                audio_lag_ms: self.audio_lag(),
                turns: words.turns,
                latency_ms: words.latency,
            }),
            children: Vec::new(),
        }
    }
}
