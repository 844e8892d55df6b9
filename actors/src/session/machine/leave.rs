//! Going to another node: a listening session goes at once; one that thinks or speaks is waited for, then cut where a
//! sentence ends. What was heard is kept beside the fence, so that the next owner says nothing twice.

use super::{Effect, Machine, Now, Receipt, talk::to_record};
use crate::session::{
    sentences::Sentence,
    state::{Doing, Stage, Talk, Why},
};
use maya_providers::tts::Emotion;
use std::time::Duration;

/// How long a reply is waited for before it is cut.
pub(super) const LEAVE_PATIENCE: Duration = Duration::from_secs(10);
/// Said where the log no longer holds what the candidate may have said.
pub(super) const MISSED: &str = "I am sorry, I missed the last few moments. Could you repeat that?";

impl Machine {
    /// Another node asks for the session.
    pub(super) fn asked_to_leave(&mut self, now: Now) {
        self.leave_by.get_or_insert(now.instant + LEAVE_PATIENCE);
    }

    /// Leaves, where it was asked to and now may.
    pub(super) fn leave_where_asked(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let Some(leave_by) = self.leave_by else { return };
        if self.left || self.ending.is_some() {
            return;
        }
        let late = now.instant >= leave_by;
        self.leave_is_late = late;
        let may = match &self.doing {
            Doing::Waiting | Doing::Listening { .. } | Doing::Suspended { .. } => true,
            Doing::Thinking { .. } => late,
            Doing::Talking(talk) => late && !talk.sentences.iter().any(|said| said.stage == Stage::Releasing),
            Doing::Ended => false,
        };
        if !may {
            return;
        }
        if let Doing::Talking(talk) = &self.doing {
            let talk = talk.clone();
            self.record_rest(&talk, now, effects);
            let sentences = talk.sentences.iter().take_while(|said| said.stage == Stage::Released).count();
            effects.push(Effect::Heard { turn: talk.turn, sentences });
        }
        self.left = true;
        effects.extend([Effect::CancelThought, Effect::StopVoice, Effect::Leave]);
    }

    /// What was worded of a cut turn and not recorded: the next owner says it.
    fn record_rest(&mut self, talk: &Talk, now: Now, effects: &mut Vec<Effect>) {
        let unrecorded = talk.sentences.iter().any(|said| said.stage == Stage::Worded);
        if !talk.complete || !unrecorded {
            return;
        }
        let sentences = talk.sentences.iter().map(|said| said.sentence.text.clone()).collect();
        let turn = to_record(&self.agenda, talk, sentences, true, self.used_at(now.instant), now);
        self.next_turn = self.next_turn.max(talk.turn.next());
        effects.push(Effect::Record { turn, receipt: Receipt::Sentence(talk.turn, talk.sentences.len() - 1) });
    }

    /// Asks for what was lost to be said again.
    pub(super) fn ask_again(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let why = Why::Reply { encourages: false, unanswered: false };
        let mut talk = Talk::new(self.next_turn, why, 0, crate::session::agenda::Move::Stay);
        talk.complete = true;
        super::talk::push(&mut talk, Sentence { text: MISSED.to_owned(), emotion: Emotion::Warm }, effects);
        self.doing = Doing::Talking(talk);
        self.advance(now, effects);
    }
}
