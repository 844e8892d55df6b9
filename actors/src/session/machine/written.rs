//! What the candidate's edge has written of Maya's sentences: it knows what a clock can only suppose.

use super::{Effect, Machine, Now};
use crate::session::state::{Doing, Stage, Talk};
use maya_protocol::ids::TurnId;
use std::time::{Duration, Instant};

/// For how long a silence may mean that Maya's words have not arrived: a frozen edge, a candidate's way to another.
const LONGEST_WAY: Duration = Duration::from_secs(60);

impl Machine {
    /// A sentence is wholly written; `again`: it was so before, and its repetition was dropped.
    pub(super) fn written(&mut self, turn: TurnId, sentence: usize, again: bool, now: Now, effects: &mut Vec<Effect>) {
        let talks = matches!(self.doing, Doing::Talking(_));
        let talk = match &mut self.doing {
            Doing::Talking(talk) => Some(talk),
            Doing::Suspended { before, .. } => match &mut **before {
                Doing::Talking(talk) => Some(talk),
                _ => self.cut.as_mut(),
            },
            _ => self.cut.as_mut(),
        };
        let Some(talk) = talk.filter(|talk| talk.turn == turn) else { return };
        talk.written.insert(sentence);
        if talks && again {
            talk.take_as_heard(sentence, now.instant);
            self.advance(now, effects);
        } else if let Some(cut) = self.cut.take_if(|cut| cut.is_written()) {
            effects.push(Effect::Heard { turn: cut.turn, sentences: cut.sentences.len() });
            self.unheard_since = None;
            if let Doing::Listening { since, .. } = &mut self.doing {
                *since = now.instant;
            }
        }
    }

    /// What a silent candidate may not have heard: it is said again, since their silence is no answer to it (their edge
    /// drops what they have). Where no edge tells for long that anything arrived, silence counts again.
    pub(super) fn unheard(&mut self, now: Instant) -> Option<Talk> {
        self.unheard_since.filter(|since| now < *since + LONGEST_WAY)?;
        self.cut.take()
    }

    /// The floor goes to the candidate; should their edge be lost now, this is what they may not have heard.
    pub(super) fn keep_cut(&mut self, now: Instant) {
        if let Doing::Talking(talk) = &self.doing {
            self.cut = Some(talk.clone()).filter(|talk| !talk.is_written());
            self.unheard_since = self.cut.as_ref().map(|_| self.unheard_since.unwrap_or(now));
        }
    }
}

impl Talk {
    /// Whether every sentence that was let go is known to be written.
    fn is_written(&self) -> bool {
        self.first_unwritten() >= self.sentences.len()
    }

    /// The first sentence that is not known to be written.
    pub(super) fn first_unwritten(&self) -> usize {
        (0..self.sentences.len()).find(|sentence| !self.written.contains(sentence)).unwrap_or(self.sentences.len())
    }

    /// Where to begin, should it be said again: nobody has heard to its end what was not written to its end.
    pub(super) fn first_to_repeat(&self, now: Instant) -> usize {
        self.first_unheard(now).min(self.first_unwritten())
    }

    /// The candidate heard a sentence before: its time is not waited for.
    fn take_as_heard(&mut self, sentence: usize, now: Instant) {
        let Some(said) = self.sentences.get_mut(sentence) else { return };
        if !matches!(said.stage, Stage::Releasing | Stage::Released) {
            return;
        }
        said.stage = Stage::Released;
        let saved = Duration::from_millis(std::mem::take(&mut said.released_ms));
        self.heard_at = self.heard_at.map(|heard_at| heard_at.checked_sub(saved).map_or(now, |then| then.max(now)));
    }
}
