//! Maya's turn: worded, recorded, voiced, let go, heard; in that order for every sentence.

use super::{Effect, Machine, Now, Receipt, step::closing_name};
use crate::session::{
    agenda::{Agenda, Move},
    sentences::Sentence,
    state::{Doing, LEAD, Said, Stage, Talk, Why},
};
use maya_protocol::{
    ids::TurnId,
    interview::{Speaker, Turn, TurnContext},
    session::Outcome,
};
use maya_providers::{
    llm::{CloseReason, Task},
    tts::Emotion,
};
use std::time::{Duration, Instant};

/// The way from an edge to an ear, where the client does not tell what it has heard.
const SLACK: Duration = Duration::from_millis(150);
/// How long marks may lag behind the clock before the clock decides.
const MARK_GRACE: Duration = Duration::from_secs(3);

/// A recorded turn as it will be said again, from the sentence after those that were `said`. Of an `opening` that was cut
/// the rest is known; of a reply it is not.
pub(super) fn recorded(turn: &Turn, said: usize, opening: &[Sentence]) -> Talk {
    let why = if turn.context.closing {
        Why::Closing(CloseReason::Finished)
    } else if turn.turn_id == TurnId(0) {
        Why::Greeting
    } else {
        Why::Reply { encourages: false, unanswered: false }
    };
    // the cursor that it left is already in the turn's context
    let mut talk = Talk::new(turn.turn_id, why, 0, Move::Stay);
    talk.complete = true;
    talk.sentences = turn
        .context
        .sentences
        .iter()
        .enumerate()
        .map(|(number, text)| Said {
            sentence: Sentence { text: text.clone(), emotion: Emotion::Neutral },
            stage: if number < said { Stage::Released } else { Stage::Recorded },
            voiced: number < said,
            released_ms: 0,
        })
        .collect();
    talk.marked = Some((said as u32, 0));
    talk.written = (0..said).collect();
    if turn.context.unfinished {
        match talk.why {
            Why::Greeting => {
                let rest = opening.iter().skip(talk.sentences.len()).cloned();
                talk.sentences.extend(rest.map(Said::worded));
            }
            Why::Reply { .. } => talk.breaks_off = true,
            Why::Closing(_) => {}
        }
    }
    talk
}

/// A turn as it is recorded with those sentences; only where they are the `whole` of it is the plan's cursor moved.
pub(super) fn to_record(
    agenda: &Agenda,
    talk: &Talk,
    sentences: Vec<String>,
    whole: bool,
    used: Duration,
    now: Now,
) -> Turn {
    let mut agenda = agenda.clone();
    if whole {
        agenda.apply(talk.by, used);
    }
    Turn {
        turn_id: talk.turn,
        speaker: Speaker::Maya,
        text: sentences.join(" "),
        started_at: now.utc,
        ended_at: now.utc,
        context: TurnContext {
            used_ms: used.as_millis() as u64,
            closing: matches!(talk.why, Why::Closing(_)),
            unfinished: !whole || talk.breaks_off,
            sentences,
            ..agenda.context()
        },
    }
}

impl Machine {
    pub(super) fn greet(&mut self, effects: &mut Vec<Effect>) {
        let mut talk = Talk::new(self.next_turn, Why::Greeting, 0, Move::Stay);
        talk.complete = true;
        for sentence in self.opening.clone() {
            push(&mut talk, sentence, effects);
        }
        self.doing = Doing::Talking(talk);
    }

    /// Says a turn again from the first sentence that was not heard to its end.
    pub(super) fn say_again(&mut self, mut talk: Talk, now: Now, effects: &mut Vec<Effect>) {
        let from = talk.first_to_repeat(now.instant);
        // of what another owner let go the edge knows better whether it was cut
        if from < talk.sentences.len() && talk.has_begun() && talk.heard_at.is_some() {
            effects.push(Effect::Clear { turn: talk.turn, barged_in_at: None });
        }
        effects.push(Effect::StopVoice);
        // not on this connection
        talk.written.retain(|sentence| *sentence < from);
        talk.heard_at = None;
        talk.marked = None;
        talk.closed = false;
        for (number, said) in talk.sentences.iter_mut().enumerate().skip(from) {
            said.released_ms = 0;
            said.voiced = false;
            said.stage = match said.stage {
                Stage::Releasing | Stage::Released => Stage::Recorded,
                stage => stage,
            };
            effects.push(Effect::Synthesize { turn: talk.turn, sentence: number, what: said.sentence.clone() });
        }
        self.doing = Doing::Talking(talk);
        self.advance(now, effects);
    }

    pub(super) fn worded(&mut self, thought: u64, sentence: Sentence, now: Now, effects: &mut Vec<Effect>) {
        if let Some(talk) = self.talk_of(thought) {
            push(talk, sentence, effects);
            self.advance(now, effects);
        }
    }

    pub(super) fn thought_done(
        &mut self,
        thought: u64,
        last: Option<Sentence>,
        by: Option<Move>,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        let nothing_worded = matches!(self.doing, Doing::Thinking { thought: current, .. } if current == thought);
        if nothing_worded && last.is_none() {
            return self.listen(now.instant);
        }
        let by = by.filter(|by| !matches!(by, Move::FollowUp(index) if !self.agenda.may_follow_up(*index)));
        let Some(talk) = self.talk_of(thought) else { return };
        if let Some(last) = last {
            push(talk, last, effects);
        }
        talk.complete = true;
        if matches!(talk.why, Why::Reply { encourages: false, unanswered: false }) {
            match by {
                Some(Move::Close) => {
                    talk.by = Move::Close;
                    talk.why = Why::Closing(CloseReason::Finished);
                }
                Some(by @ (Move::FollowUp(_) | Move::Stay)) => talk.by = by,
                Some(Move::Next) | None => {}
            }
        }
        self.advance(now, effects);
    }

    /// The turn that a thought is worded into, begun with its first sentence; none if the thought was given up.
    fn talk_of(&mut self, thought: u64) -> Option<&mut Talk> {
        if let Doing::Thinking { task, thought: current, .. } = &self.doing
            && *current == thought
        {
            let reply = Why::Reply { encourages: false, unanswered: false };
            let (why, by) = match task {
                Task::Greet { .. } => (Why::Greeting, Move::Stay),
                Task::Close { reason } => (Why::Closing(*reason), Move::Close),
                Task::Encourage { .. } => (Why::Reply { encourages: true, unanswered: false }, Move::Stay),
                Task::MoveOn { .. } => (Why::Reply { encourages: false, unanswered: true }, Move::Next),
                Task::Respond { next: Some(_), .. } => (reply, Move::Next),
                // one that says neither what it asks nor that it closes counts as a follow-up: their number is bounded,
                // so that a model which never closes is closed for
                Task::Respond { next: None, .. } => {
                    (reply, self.agenda.open_follow_up().map_or(Move::Stay, Move::FollowUp))
                }
                Task::Repeat { .. } => (reply, Move::Stay),
            };
            self.doing = Doing::Talking(Talk::new(self.next_turn, why, thought, by));
        }
        self.talk().filter(|talk| talk.thought == thought && thought != 0 && !talk.complete)
    }

    /// The turn of Maya's that is said, or will be said again when the candidate is back.
    fn talk(&mut self) -> Option<&mut Talk> {
        let doing = match &mut self.doing {
            Doing::Suspended { before, .. } => before,
            doing => doing,
        };
        match doing {
            Doing::Talking(talk) => Some(talk),
            _ => None,
        }
    }

    /// Whoever worded this reply is gone: it ends with what is out, and the question before it stands.
    pub(super) fn break_off(&mut self, thought: u64) {
        if let Some(talk) = self.talk().filter(|talk| talk.thought == thought && !talk.complete) {
            talk.complete = true;
            talk.by = Move::Stay;
        }
    }

    /// Takes the turn as far as it may go now: records its next sentence, lets recorded and voiced audio go.
    pub(super) fn advance(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let used = self.used_at(now.instant);
        let floor_is_free = !self.speaking;
        let Doing::Talking(talk) = &mut self.doing else { return };
        let Some(at) = talk.sentences.iter().position(|said| said.stage != Stage::Released) else {
            return self.settle(now, effects);
        };
        let is_last = talk.complete && at + 1 == talk.sentences.len();
        let due = talk.heard_at.is_none_or(|heard_at| heard_at <= now.instant + LEAD);
        match talk.sentences[at].stage {
            Stage::Worded if due => {
                talk.sentences[at].stage = Stage::Recording;
                let turn = to_record(&self.agenda, talk, talk.recorded_text(), is_last, used, now);
                self.next_turn = self.next_turn.max(talk.turn.next());
                effects.push(Effect::Record { turn, receipt: Receipt::Sentence(talk.turn, at) });
            }
            Stage::Recorded if due && talk.sentences[at].voiced && (floor_is_free || talk.has_begun()) => {
                talk.sentences[at].stage = Stage::Releasing;
                let text = talk.sentences[at].sentence.text.clone();
                effects.push(Effect::Release { turn: talk.turn, sentence: at, text });
            }
            _ => {}
        }
    }

    pub(super) fn released(&mut self, turn: TurnId, sentence: usize, ms: u64, done: bool, now: Now) {
        let Doing::Talking(talk) = &mut self.doing else { return };
        if talk.turn != turn {
            return;
        }
        let Some(said) = talk.sentences.get_mut(sentence).filter(|said| said.stage == Stage::Releasing) else { return };
        said.released_ms += ms;
        if done {
            said.stage = Stage::Released;
        }
        // the client plays an aside to its end first
        let from = talk.heard_at.max(self.waiting.aside_until()).map_or(now.instant, |until| until.max(now.instant));
        talk.heard_at = Some(from + Duration::from_millis(ms));
    }

    /// Once all was let go: the final frame; once all was heard: what follows.
    pub(super) fn settle(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let used = self.used_at(now.instant);
        let Doing::Talking(talk) = &mut self.doing else { return };
        if !talk.all_released() {
            return self.advance_if_due(now, effects);
        }
        if !talk.closed {
            talk.closed = true;
            effects.push(Effect::CloseTurn { turn: talk.turn, sentence: talk.sentences.len().saturating_sub(1) });
            // taken, so that a turn said again moves nothing twice
            let by = std::mem::replace(&mut talk.by, Move::Stay);
            let replied = !talk.breaks_off;
            self.agenda.apply(by, used);
            if replied {
                self.answer.clear();
            }
        }
        let Doing::Talking(talk) = &self.doing else { return };
        if !is_heard(talk, now.instant) {
            return;
        }
        effects.push(Effect::Heard { turn: talk.turn, sentences: talk.first_unwritten() });
        match talk.why {
            Why::Closing(reason) => self.end(Outcome::Completed, closing_name(reason), effects),
            Why::Greeting | Why::Reply { .. } if talk.breaks_off => self.respond(now, effects),
            Why::Greeting | Why::Reply { .. } => {
                let encouraged = matches!(talk.why, Why::Reply { encourages: true, .. });
                self.keep_cut(now.instant);
                self.doing = Doing::Listening { since: now.instant, encouraged, speaking: self.speaking };
            }
        }
    }

    fn advance_if_due(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let waits = matches!(&self.doing, Doing::Talking(talk) if talk.sentences.iter().any(|said| said.stage != Stage::Released));
        if waits {
            self.advance(now, effects);
        }
    }

    /// When a talk next needs the clock: to let the next sentence go, or to give the floor back.
    pub(super) fn talk_deadline(&self, talk: &Talk) -> Option<Instant> {
        let heard_at = talk.heard_at?;
        if !talk.all_released() {
            // a sentence that waits for its record or its voice is woken by them
            let waits_for_time = talk
                .sentences
                .iter()
                .find(|said| said.stage != Stage::Released)
                .is_some_and(|said| said.stage == Stage::Worded || (said.stage == Stage::Recorded && said.voiced));
            return waits_for_time.then(|| heard_at.checked_sub(LEAD)).flatten();
        }
        Some(if talk.marked.is_some() { heard_at + MARK_GRACE } else { heard_at + SLACK })
    }

    pub(super) fn with_sentence(&mut self, turn: TurnId, sentence: usize, change: impl FnOnce(&mut Said)) {
        if let Some(talk) = self.talk()
            && talk.turn == turn
            && let Some(said) = talk.sentences.get_mut(sentence)
        {
            change(said);
        }
    }
}

/// Whether all that was let go has been heard: the client's marks say so, or its time has passed.
fn is_heard(talk: &Talk, now: Instant) -> bool {
    let Some(heard_at) = talk.heard_at else { return true };
    match talk.marked {
        Some(_) => talk.first_unheard(now) >= talk.sentences.len() || now >= heard_at + MARK_GRACE,
        None => now >= heard_at + SLACK,
    }
}

pub(super) fn push(talk: &mut Talk, sentence: Sentence, effects: &mut Vec<Effect>) {
    effects.push(Effect::Synthesize { turn: talk.turn, sentence: talk.sentences.len(), what: sentence.clone() });
    talk.sentences.push(Said::worded(sentence));
}
