//! What changed of the tree since a reader looked last.
//!
//! What always moves (age, counters, the time that a message has waited) is no change: the reader counts it on. A rate,
//! a mailbox or a lag is one when it is clearly another, so that ten thousand quiet sessions cost a comparison each.

use super::{Observer, Probe};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use maya_protocol::tree::{Busy, Known, NodeView, TreeChanges};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Looks closer together than this are one.
const SHARED: Duration = Duration::from_millis(200);
/// A rate is counted over this long.
const RATE: Duration = Duration::from_secs(5);
/// Actors that left and are remembered; who looked longer ago begins anew.
const LEFT: usize = 65_536;

/// The looks at a tree so far.
pub(super) struct Looks {
    run: String,
    version: u64,
    at: Option<Instant>,
    /// Who left, with the version that tells it.
    left: VecDeque<(u64, u64)>,
    /// Who knows less than this begins anew.
    floor: u64,
}

impl Looks {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self { run: now.timestamp_micros().to_string(), version: 0, at: None, left: VecDeque::new(), floor: 0 }
    }
    pub(super) fn gone(&mut self, id: u64) {
        if self.version == 0 {
            return; // nobody has looked yet
        }
        self.left.push_back((self.version + 1, id));
        if self.left.len() > LEFT
            && let Some((version, _)) = self.left.pop_front()
        {
            self.floor = version;
        }
    }
}

/// What a probe showed last.
#[derive(Default)]
pub(super) struct Shown {
    version: u64,
    told: u64,
    mailbox: u64,
    busy: Option<Busy>,
    lag: u64,
    rate: f32,
    counted: Option<(Instant, u64)>,
}

impl Shown {
    pub(super) fn rate(&self) -> f32 {
        self.rate
    }
}

/// Whether two figures are as good as the same, of which anything up to `noise` is none.
fn alike(a: u64, b: u64, noise: u64) -> bool {
    a.abs_diff(b) <= noise.max(a.min(b) / 4)
}

impl Probe {
    /// Compares with what was shown last; a change is stamped with that version.
    fn compare(&self, now: Instant, version: u64) {
        let mut shown = self.shown.lock();
        let (told, mailbox, lag) = (self.told(), self.mailbox(), self.audio_lag());
        let (busy, _) = self.busy(now);
        let mut rate = shown.rate;
        let handled = self.handled_so_far();
        match shown.counted {
            None => shown.counted = Some((now, handled)),
            Some((at, before)) if now.saturating_duration_since(at) >= RATE => {
                rate = (handled - before) as f32 / now.saturating_duration_since(at).as_secs_f32();
                shown.counted = Some((now, handled));
            }
            Some(_) => {}
        }
        let same = shown.version != 0
            && shown.told == told
            && shown.busy == Some(busy)
            && alike(shown.mailbox, mailbox, 3)
            && alike(shown.lag, lag, 300)
            && alike((shown.rate * 10.0) as u64, (rate * 10.0) as u64, 10);
        if !same {
            *shown = Shown { version, told, mailbox, busy: Some(busy), lag, rate, counted: shown.counted };
        }
    }
}

impl Observer {
    /// What changed since that reader looked; `node` stands for the node itself.
    pub fn changes(&self, known: &Known, node: NodeView) -> TreeChanges {
        let now = self.clock.now();
        let mut looks = self.looks.lock();
        if looks.at.is_none_or(|at| now.saturating_duration_since(at) >= SHARED) {
            looks.version += 1;
            looks.at = Some(now);
            for entry in self.probes.iter() {
                entry.value().compare(now, looks.version);
            }
        }
        let whole = known.run != looks.run || known.version < looks.floor || known.version > looks.version;
        let since = if whole { 0 } else { known.version };
        let removed = match whole {
            true => Vec::new(),
            false => looks.left.iter().rev().take_while(|(version, _)| *version > since).map(|(_, id)| *id).collect(),
        };
        let known = Known { run: looks.run.clone(), version: looks.version };
        drop(looks);
        let rows = self.probes.iter().filter(|entry| entry.value().shown.lock().version > since);
        let rows = rows.map(|entry| (*entry.key(), row(entry.value(), now))).collect();
        TreeChanges { node, known, whole, rows, removed }
    }
}

fn row(probe: &Probe, now: Instant) -> Bytes {
    serde_json::to_vec(&probe.view(now)).expect("an actor's view has string keys").into()
}
