//! What each input does.

use super::{Effect, Input, Machine, Now, Receipt, Utterance};
use crate::session::state::{Doing, Stage, Talk, Why};
use maya_protocol::{
    event::SessionChange,
    ids::TurnId,
    interview::{Speaker, Turn},
    session::{Outcome, Phase},
};
use maya_providers::llm::{CloseReason, Task};
use std::time::{Duration, Instant};

/// After which a thought counts as failed, whatever became of it.
const LONGEST_THOUGHT: Duration = Duration::from_secs(30);
/// How long over its time an interview may run before it is ended without a word.
const LONGEST_OVERRUN: Duration = Duration::from_secs(180);
/// How long a candidate who is speaking when the time is used may go on.
const LAST_WORDS: Duration = Duration::from_secs(45);
/// How long a candidate who was taken over in the middle of an answer may say nothing before it counts as whole.
const TO_GO_ON: Duration = Duration::from_secs(4);
/// The opening of a session that has none worded.
const NO_OPENING: &str = "a session is built with its opening";

impl Machine {
    /// Takes an input; returns what is to be done, in order.
    pub fn step(&mut self, input: Input, now: Now) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Input::Recorded(receipt) = input {
            self.waiting.written(receipt, now.instant);
        }
        if self.left {
            // what was on its way to the database is still acknowledged
            if let Input::Recorded(Receipt::Utterance(turn)) = input {
                self.acknowledge(turn, &mut effects);
            }
            return effects;
        }
        if let Some((outcome, _)) = self.ending {
            self.after_end(input, outcome, &mut effects);
            return effects;
        }
        match input {
            Input::Joined => self.joined(now, &mut effects),
            Input::Left => self.left(now, &mut effects),
            Input::Leave => match self.doing {
                Doing::Talking(Talk { why: Why::Closing(reason), .. }) => {
                    self.end(Outcome::Completed, closing_name(reason), &mut effects);
                }
                _ => self.end(Outcome::Abandoned, "candidate_left", &mut effects),
            },
            Input::Onset => self.onset(true),
            Input::Offset => {
                self.onset(false);
                if let Doing::Listening { since, .. } = &mut self.doing {
                    *since = now.instant;
                }
                self.advance(now, &mut effects);
            }
            Input::Interruption => self.interrupted(now, &mut effects),
            Input::Interim(text) => {
                if matches!(self.doing, Doing::Listening { .. }) && !text.is_empty() {
                    effects.push(Effect::Transcript { utterance: self.next_turn, text, is_final: false });
                }
            }
            Input::Utterance(utterance) => self.uttered(utterance, now, &mut effects),
            Input::NotUnderstood => self.not_understood(now, &mut effects),
            Input::AsideSaid { ms } => self.waiting.said(ms, now.instant),
            Input::Worded { thought, sentence } => self.worded(thought, sentence, now, &mut effects),
            Input::ThoughtDone { thought, last, by } => self.thought_done(thought, last, by, now, &mut effects),
            Input::ThoughtFailed { thought } => {
                if matches!(self.doing, Doing::Thinking { thought: current, .. } if current == thought) {
                    self.think_plainly(now.instant, &mut effects);
                }
                self.break_off(thought);
                self.advance(now, &mut effects);
            }
            Input::Recorded(Receipt::Utterance(turn)) => self.acknowledge(turn, &mut effects),
            Input::Recorded(Receipt::Sentence(turn, sentence)) => {
                self.with_sentence(turn, sentence, |said| {
                    if said.stage == Stage::Recording {
                        said.stage = Stage::Recorded;
                    }
                });
                self.advance(now, &mut effects);
            }
            Input::Voiced { turn, sentence } => {
                self.with_sentence(turn, sentence, |said| said.voiced = true);
                self.advance(now, &mut effects);
            }
            Input::Released { turn, sentence, ms, done } => {
                self.released(turn, sentence, ms, done, now);
                self.advance(now, &mut effects);
            }
            Input::Played { turn, sentence, ms } => {
                if let Doing::Talking(talk) = &mut self.doing
                    && talk.turn == turn
                    && talk.marked.is_none_or(|mark| mark < (sentence, ms))
                {
                    talk.marked = Some((sentence, ms));
                }
                self.settle(now, &mut effects);
            }
            Input::Written { turn, sentence, again } => self.written(turn, sentence, again, now, &mut effects),
            Input::Cancel => self.end(Outcome::Cancelled, "cancelled", &mut effects),
            Input::Expire => self.end(Outcome::Expired, "expired", &mut effects),
            Input::End => self.close_politely(now, &mut effects),
            Input::HandOver => self.asked_to_leave(now),
            Input::Completed => {}
            Input::Tick => self.tick(now, &mut effects),
        }
        self.leave_where_asked(now, &mut effects);
        if !self.left {
            self.tell_phase(now, &mut effects);
        }
        self.waiting.watch(&effects, now.instant);
        effects
    }

    /// When [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        if self.left {
            return None;
        }
        let leave_by = self.leave_by.filter(|_| self.ending.is_none() && !self.leave_is_late);
        let aside = self.aside_due().map(|(_, at)| at);
        [self.next_step(), leave_by, aside].into_iter().flatten().min()
    }

    fn next_step(&self) -> Option<Instant> {
        let limit = self.counted_to.map(|since| since + self.settings.duration.saturating_sub(self.used));
        match &self.doing {
            Doing::Waiting | Doing::Ended => None,
            Doing::Suspended { since, .. } => Some(*since + self.settings.grace),
            Doing::Thinking { since, .. } => Some(*since + LONGEST_THOUGHT),
            Doing::Talking(talk) => self.talk_deadline(talk).or(limit.map(|limit| limit + LONGEST_OVERRUN)),
            Doing::Listening { since, speaking: false, .. } => {
                let silent = *since + self.patience();
                Some(limit.map_or(silent, |limit| limit.min(silent)))
            }
            Doing::Listening { .. } => limit.map(|limit| limit + LAST_WORDS),
        }
    }

    /// After the end was decided only its record counts.
    fn after_end(&mut self, input: Input, outcome: Outcome, effects: &mut Vec<Effect>) {
        match input {
            Input::Completed if !self.is_over() => {
                self.doing = Doing::Ended;
                effects.push(self.ended_state(outcome));
                effects.extend([Effect::CloseSocket, Effect::Finish]);
            }
            Input::Joined if self.is_over() => effects.extend([self.ended_state(outcome), Effect::CloseSocket]),
            Input::Recorded(Receipt::Utterance(turn)) => self.acknowledge(turn, effects),
            _ => {}
        }
    }

    fn ended_state(&self, outcome: Outcome) -> Effect {
        let reason = serde_json::to_value(outcome).ok().and_then(|name| name.as_str().map(str::to_owned));
        Effect::State { phase: Phase::Ended, reason, remaining: Duration::ZERO }
    }

    fn joined(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.connected = true;
        self.speaking = false;
        self.unheard_since = None;
        self.counted_to.get_or_insert(now.instant);
        self.phase_told = None;
        self.acknowledge_again(effects);
        // said once: where a turn of hers is said again, that asks for what was missed
        let missed = std::mem::take(&mut self.missed);
        if !self.started {
            self.started = true;
            effects.push(Effect::Changed { change: SessionChange::Started, reason: None });
            assert!(!self.opening.is_empty(), "{NO_OPENING}");
            self.greet(effects);
            self.advance(now, effects);
            return;
        }
        let before = match std::mem::replace(&mut self.doing, Doing::Waiting) {
            Doing::Suspended { before, .. } => {
                effects.push(Effect::Changed { change: SessionChange::Resumed, reason: None });
                *before
            }
            // a second connection replaced the first
            other => other,
        };
        match before {
            Doing::Talking(talk) => self.say_again(talk, now, effects),
            Doing::Thinking { task, .. } => self.think(task, now.instant, effects),
            Doing::Listening { .. } if missed => self.ask_again(now, effects),
            Doing::Listening { .. } if self.cut.is_some() => {
                if let Some(cut) = self.cut.take() {
                    self.say_again(cut, now, effects);
                }
            }
            Doing::Listening { .. } | Doing::Waiting if !self.answer.is_empty() && !self.goes_on => {
                self.respond(now, effects);
            }
            Doing::Listening { encouraged, .. } => {
                self.doing = Doing::Listening { since: now.instant, encouraged, speaking: false };
            }
            Doing::Waiting | Doing::Suspended { .. } | Doing::Ended => self.listen(now.instant),
        }
    }

    fn left(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if !self.connected {
            return;
        }
        self.connected = false;
        self.speaking = false;
        self.used = self.used_at(now.instant);
        self.counted_to = None;
        let mut before = std::mem::replace(&mut self.doing, Doing::Waiting);
        match &mut before {
            // a reply that is half worded is worded to its end: its question comes last
            Doing::Talking(talk) => {
                let unheard = talk.first_to_repeat(now.instant);
                talk.marked = Some((unheard as u32, 0));
            }
            _ => effects.push(Effect::CancelThought),
        }
        effects.push(Effect::StopVoice);
        self.doing = Doing::Suspended { since: now.instant, before: Box::new(before) };
        effects.push(Effect::Changed { change: SessionChange::Suspended, reason: None });
    }

    fn onset(&mut self, on: bool) {
        self.speaking = on;
        match &mut self.doing {
            Doing::Listening { speaking, .. } | Doing::Thinking { speaking, .. } => *speaking = on,
            _ => {}
        }
    }

    /// The floor goes to the candidate.
    fn interrupted(&mut self, now: Now, effects: &mut Vec<Effect>) {
        match &self.doing {
            Doing::Talking(Talk { why: Why::Closing(_), .. }) => {}
            Doing::Talking(talk) => {
                if talk.written.is_empty() {
                    self.acknowledge_again(effects);
                }
                if talk.has_begun() {
                    effects.push(Effect::Clear { turn: talk.turn, barged_in_at: Some(now.utc) });
                }
                if talk.is_recorded() {
                    effects.push(Effect::Heard { turn: talk.turn, sentences: talk.recorded_text().len() });
                }
                effects.extend([Effect::CancelThought, Effect::StopVoice]);
                self.listen(now.instant);
                self.onset(true);
            }
            Doing::Thinking { task, .. } if !matches!(task, Task::Close { .. }) => {
                effects.push(Effect::CancelThought);
                self.listen(now.instant);
                self.onset(true);
            }
            _ => {}
        }
    }

    fn uttered(&mut self, utterance: Utterance, now: Now, effects: &mut Vec<Effect>) {
        let goes_on = utterance.goes_on;
        if !goes_on {
            self.onset(false);
        }
        let text = utterance.text.trim().to_owned();
        if text.is_empty() || !self.started {
            if let Doing::Listening { since, .. } = &mut self.doing {
                *since = now.instant;
                if !goes_on && self.goes_on {
                    // its last piece was the whole of it
                    return self.answered(now, effects);
                }
            }
            self.advance(now, effects);
            return;
        }
        self.interrupted(now, effects);
        if !goes_on {
            self.onset(false);
        }
        if self.cut.take().is_some() {
            self.acknowledge_again(effects);
        }
        self.unheard_since = None;
        let turn_id = self.next_turn;
        self.next_turn = turn_id.next();
        let mut context = self.agenda.context();
        context.used_ms = self.used_at(now.instant).as_millis() as u64;
        context.covered = utterance.covered;
        context.unfinished = goes_on;
        self.unrecorded.push((turn_id, text.clone()));
        effects.push(Effect::Record {
            turn: Turn {
                turn_id,
                speaker: Speaker::Candidate,
                text: text.clone(),
                started_at: utterance.started_at,
                ended_at: utterance.ended_at,
                context,
            },
            receipt: Receipt::Utterance(turn_id),
        });
        self.answer.push(text);
        self.goes_on = goes_on;
        if !goes_on && matches!(self.doing, Doing::Listening { .. }) {
            self.answered(now, effects);
        }
    }

    /// The answer is whole.
    fn answered(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.agenda.count_answered();
        self.respond(now, effects);
    }

    pub(super) fn respond(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.goes_on = false;
        let answer = self.answer.join(" ");
        let used = self.used_at(now.instant);
        let task = if asks_to_repeat(&answer) && self.remaining(now.instant) > Duration::from_secs(20) {
            Task::Repeat { question: self.agenda.question() }
        } else {
            self.agenda.respond(answer, used, self.remaining(now.instant))
        };
        self.think(task, now.instant, effects);
    }

    pub(super) fn think(&mut self, task: Task, now: Instant, effects: &mut Vec<Effect>) {
        self.reply += 1;
        self.cut = None;
        self.begin_thought(task, false, now, effects);
    }

    /// The model failed: the plan words the reply; where that failed too, the floor goes back.
    fn think_plainly(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        match self.doing.clone() {
            Doing::Thinking { task, plain: false, .. } => self.begin_thought(task, true, now, effects),
            _ => self.listen(now),
        }
    }

    fn begin_thought(&mut self, task: Task, plain: bool, since: Instant, effects: &mut Vec<Effect>) {
        self.thought += 1;
        let (thought, speaking) = (self.thought, self.speaking);
        effects.push(Effect::Think { thought, task: task.clone(), reply: self.reply, plain });
        self.doing = Doing::Thinking { task, thought, since, speaking, plain };
    }

    pub(super) fn listen(&mut self, now: Instant) {
        self.doing = Doing::Listening { since: now, encouraged: false, speaking: self.speaking };
    }

    /// The candidate's last words, whose acknowledgement may have been lost with what followed it: no edge has told that it
    /// wrote that.
    fn acknowledge_again(&self, effects: &mut Vec<Effect>) {
        let again = self.last_words.iter().cloned();
        effects.extend(again.map(|(utterance, text)| Effect::Transcript { utterance, text, is_final: true }));
    }

    fn acknowledge(&mut self, turn: TurnId, effects: &mut Vec<Effect>) {
        if let Some(at) = self.unrecorded.iter().position(|(id, _)| *id == turn) {
            let (utterance, text) = self.unrecorded.remove(at);
            if self.last_words.last().is_some_and(|(last, _)| last.next() != utterance) {
                self.last_words.clear();
            }
            self.last_words.push((utterance, text.clone()));
            effects.push(Effect::Transcript { utterance, text, is_final: true });
        }
    }

    fn close_politely(&mut self, now: Now, effects: &mut Vec<Effect>) {
        match &self.doing {
            Doing::Talking(Talk { why: Why::Closing(_), .. }) => {}
            _ if !self.connected => self.end(Outcome::Completed, "requested", effects),
            doing => {
                if let Doing::Talking(talk) = doing
                    && talk.has_begun()
                {
                    effects.push(Effect::Clear { turn: talk.turn, barged_in_at: None });
                }
                effects.extend([Effect::CancelThought, Effect::StopVoice]);
                self.think(Task::Close { reason: CloseReason::Requested }, now.instant, effects);
            }
        }
    }

    fn tick(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.say_aside(now, effects);
        let used = self.used_at(now.instant);
        if self.connected && used >= self.settings.duration + LONGEST_OVERRUN {
            return self.end(Outcome::Completed, closing_name(CloseReason::TimeUsed), effects);
        }
        match self.doing.clone() {
            Doing::Suspended { since, .. } if now.instant >= since + self.settings.grace => {
                self.end(Outcome::Abandoned, "candidate_away", effects);
            }
            Doing::Thinking { since, .. } if now.instant >= since + LONGEST_THOUGHT => {
                effects.push(Effect::CancelThought);
                self.think_plainly(now.instant, effects);
            }
            Doing::Listening { since, encouraged, speaking } => {
                let over = used.saturating_sub(self.settings.duration);
                let time_is_used = used >= self.settings.duration && (!speaking || over >= LAST_WORDS);
                if time_is_used {
                    return self.think(Task::Close { reason: CloseReason::TimeUsed }, now.instant, effects);
                }
                if !speaking && now.instant >= since + self.patience() {
                    if self.goes_on {
                        return self.answered(now, effects);
                    }
                    if let Some(unheard) = self.unheard(now.instant) {
                        self.acknowledge_again(effects);
                        return self.say_again(unheard, now, effects);
                    }
                    let task = self.agenda.silence(encouraged, used, self.remaining(now.instant));
                    if encouraged {
                        self.agenda.count_unanswered();
                    }
                    self.think(task, now.instant, effects);
                }
            }
            Doing::Talking(_) => self.settle(now, effects),
            _ => {}
        }
    }

    /// How long a candidate may say nothing.
    fn patience(&self) -> Duration {
        if self.goes_on { TO_GO_ON.min(self.settings.silence) } else { self.settings.silence }
    }

    pub(super) fn end(&mut self, outcome: Outcome, reason: &'static str, effects: &mut Vec<Effect>) {
        if let Doing::Talking(talk) = &self.doing
            && talk.has_begun()
            && !matches!(talk.why, Why::Closing(_))
        {
            effects.push(Effect::Clear { turn: talk.turn, barged_in_at: None });
        }
        self.ending = Some((outcome, reason));
        effects.extend([Effect::CancelThought, Effect::StopVoice, Effect::Complete { outcome, reason }]);
    }

    /// Tells the candidate of a phase once.
    fn tell_phase(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let phase = self.phase();
        if self.ending.is_none() && self.connected && self.phase_told != Some(phase) {
            self.phase_told = Some(phase);
            let state = Effect::State { phase, reason: None, remaining: self.remaining(now.instant) };
            // it is told before the first audio of its phase
            let at =
                effects.iter().position(|effect| matches!(effect, Effect::Release { .. })).unwrap_or(effects.len());
            effects.insert(at, state);
        }
    }
}

/// The name of a reason in events and in the API.
pub(super) fn closing_name(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Finished => "all_questions_asked",
        CloseReason::TimeUsed => "time_used",
        CloseReason::NoAnswers => "no_answers",
        CloseReason::Requested => "requested",
    }
}

/// Whether the candidate asks to hear the question again, and says little else.
fn asks_to_repeat(answer: &str) -> bool {
    const ASKS: &[&str] =
        &["repeat", "say that again", "say it again", "didn't hear", "did not hear", "didn't catch", "pardon"];
    let answer = answer.to_lowercase();
    answer.split_whitespace().count() <= 14 && ASKS.iter().any(|ask| answer.contains(ask))
}
