//! A candidate who waits is told why, once: for a reply that is late, for a record that is not made.

use super::{Effect, Machine, Now, Receipt};
use crate::session::{asides::Aside, state::Doing};
use std::time::{Duration, Instant};

/// What the candidate waits for.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    /// What is on its way to the database.
    unwritten: Vec<Receipt>,
    /// Since when nothing of it has arrived.
    since: Option<Instant>,
    /// The candidate was told of it.
    told: bool,
    /// The thought that the candidate was told is late.
    late_thought: u64,
    /// When the last aside will have been heard.
    until: Option<Instant>,
}

impl Waiting {
    /// Something is in the database.
    pub(super) fn written(&mut self, receipt: Receipt, now: Instant) {
        self.unwritten.retain(|waiting| *waiting != receipt);
        self.since = (!self.unwritten.is_empty()).then_some(now);
        self.told &= !self.unwritten.is_empty();
    }

    /// Notes what these effects send to the database.
    pub(super) fn watch(&mut self, effects: &[Effect], now: Instant) {
        for effect in effects {
            if let Effect::Record { receipt, .. } = effect {
                self.unwritten.push(*receipt);
                self.since.get_or_insert(now);
            }
        }
    }

    /// An aside was let go.
    pub(super) fn said(&mut self, ms: u64, now: Instant) {
        self.until = Some(self.until.map_or(now, |until| until.max(now)) + Duration::from_millis(ms));
    }

    /// When the last aside will have been heard.
    pub(super) fn aside_until(&self) -> Option<Instant> {
        self.until
    }
}

impl Machine {
    /// The aside that will have to be said if nothing happens, and when.
    pub(super) fn aside_due(&self) -> Option<(Aside, Instant)> {
        if !self.connected || self.speaking || self.ending.is_some() {
            return None;
        }
        let unwritten = self.waiting.since.filter(|_| !self.waiting.told).map(|since| since + self.settings.holding);
        match &self.doing {
            Doing::Thinking { thought, since, .. } => {
                let late = (self.waiting.late_thought != *thought).then_some(*since + self.settings.filler);
                match (unwritten, late) {
                    (Some(unwritten), late) if late.is_none_or(|late| unwritten <= late) => {
                        Some((Aside::Holding, unwritten))
                    }
                    (_, late) => late.map(|late| (Aside::Moment, late)),
                }
            }
            // not into what is still being heard
            Doing::Talking(talk) => {
                unwritten.map(|at| (Aside::Holding, talk.heard_at.map_or(at, |heard| heard.max(at))))
            }
            Doing::Waiting | Doing::Listening { .. } | Doing::Suspended { .. } | Doing::Ended => None,
        }
    }

    pub(super) fn say_aside(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let Some((aside, _)) = self.aside_due().filter(|(_, at)| *at <= now.instant) else { return };
        match (aside, &self.doing) {
            (Aside::Moment, Doing::Thinking { thought, .. }) => self.waiting.late_thought = *thought,
            _ => self.waiting.told = true,
        }
        effects.push(Effect::Say(aside));
    }

    /// The candidate's words could not be made out: they are asked to say them again, and the floor stays theirs.
    pub(super) fn not_understood(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.speaking = false;
        self.goes_on = false;
        if let Doing::Listening { since, speaking, .. } = &mut self.doing {
            (*since, *speaking) = (now.instant, false);
            if self.connected {
                effects.push(Effect::Say(Aside::Sorry));
            }
        }
        self.advance(now, effects);
    }
}
