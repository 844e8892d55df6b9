//! The session as a pure machine: an input and the time go in, effects come out; nothing is awaited, nothing is random.
//!
//! What it keeps true, whatever comes in any order (`machine/tests.rs` tries): Maya's audio is let go only while the
//! floor is hers; every utterance that was heard is recorded once; a sentence is recorded before it is heard; the
//! session ends.

mod leave;
mod step;
mod talk;
#[cfg(test)]
mod tests;
mod waiting;
mod written;

use super::{
    agenda::{Agenda, Move},
    asides::Aside,
    sentences::Sentence,
    state::{Doing, Talk},
};
use chrono::{DateTime, Utc};
use maya_protocol::{
    event::SessionChange,
    ids::TurnId,
    interview::{Speaker, Turn},
    plan::Plan,
    session::{Outcome, Phase},
};
use maya_providers::llm::Task;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The time an input came at.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For deadlines.
    pub instant: Instant,
    /// For records.
    pub utc: DateTime<Utc>,
}

/// How a session behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Interview time.
    pub duration: Duration,
    /// How long a candidate may say nothing before Maya does something about it.
    pub silence: Duration,
    /// How long a candidate may be away.
    pub grace: Duration,
    /// A candidate who waits for a reply that long is told that it comes.
    pub filler: Duration,
    /// A candidate who waits that long for the database is told of a technical problem.
    pub holding: Duration,
}

/// What the candidate said, finalised.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// The words.
    pub text: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// Last (stream, sequence) of audio that it covers.
    pub covered: Option<(u64, u64)>,
    /// It is a piece: the candidate speaks on.
    pub goes_on: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the variants document the fields")]
pub enum Input {
    /// A connection of the candidate's opened.
    Joined,
    /// The current connection is gone.
    Left,
    /// The candidate ends the interview.
    Leave,
    /// The candidate began to make a sound like speech.
    Onset,
    /// It was over without words.
    Offset,
    /// The candidate speaks words over Maya, or goes on after a pause: the floor is theirs.
    Interruption,
    /// The candidate's words so far.
    Interim(String),
    /// The candidate's words.
    Utterance(Utterance),
    /// The candidate's words could not be made out.
    NotUnderstood,
    /// A sentence of the reply, which is not the last.
    Worded { thought: u64, sentence: Sentence },
    /// The reply is complete: its last sentence and what it does to the plan's cursor.
    ThoughtDone { thought: u64, last: Option<Sentence>, by: Option<Move> },
    /// No reply could be worded.
    ThoughtFailed { thought: u64 },
    /// What was to be recorded is in the database.
    Recorded(Receipt),
    /// A sentence has its first audio, or will have none.
    Voiced { turn: TurnId, sentence: usize },
    /// Audio of a sentence was let go; `done` with its last.
    Released { turn: TurnId, sentence: usize, ms: u64, done: bool },
    /// An aside was let go, of that length.
    AsideSaid { ms: u64 },
    /// The client has heard that much of a sentence.
    Played { turn: TurnId, sentence: u32, ms: u64 },
    /// The edge has written all of a sentence; `again`: it had before, and dropped this repetition.
    Written { turn: TurnId, sentence: usize, again: bool },
    /// A person called it off.
    Cancel,
    /// Its time is past.
    Expire,
    /// A person asks for a polite end.
    End,
    /// Another node asks for the session.
    HandOver,
    /// The end is in the database.
    Completed,
    /// The deadline of [`Machine::deadline`] came.
    Tick,
}

/// What was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// An utterance of the candidate's.
    Utterance(TurnId),
    /// A sentence of Maya's.
    Sentence(TurnId, usize),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the variants document the fields")]
pub enum Effect {
    /// Tell the candidate what Maya does.
    State { phase: Phase, reason: Option<String>, remaining: Duration },
    /// Show the candidate's words; final ones are recorded.
    Transcript { utterance: TurnId, text: String, is_final: bool },
    /// Write a turn (or more of it) under the fence, then answer [`Input::Recorded`].
    Record { turn: Turn, receipt: Receipt },
    /// Word a reply; `plain`: by the plan alone, because the model failed.
    Think { thought: u64, task: Task, reply: u32, plain: bool },
    /// Stop wording.
    CancelThought,
    /// Give a sentence its voice, ahead of time.
    Synthesize { turn: TurnId, sentence: usize, what: Sentence },
    /// Let a sentence's audio go, as it comes.
    Release { turn: TurnId, sentence: usize, text: String },
    /// Send the turn's final, empty frame.
    CloseTurn { turn: TurnId, sentence: usize },
    /// Say a fixed line beside the conversation, then answer [`Input::AsideSaid`].
    Say(Aside),
    /// Drop all voices and their audio.
    StopVoice,
    /// The candidate's client drops what it has not played; for a barge-in, when that was decided.
    Clear { turn: TurnId, barged_in_at: Option<DateTime<Utc>> },
    /// Tell everyone.
    Changed { change: SessionChange, reason: Option<String> },
    /// Write the end, then answer [`Input::Completed`].
    Complete { outcome: Outcome, reason: &'static str },
    /// Maya's turn was let go up to that sentence and need not be said again so far: kept beside the fence.
    Heard { turn: TurnId, sentences: usize },
    /// Give the session up once all is written; nothing is heard or said here after this.
    Leave,
    /// Close the socket in good order.
    CloseSocket,
    /// The actor may stop.
    Finish,
}

/// One live interview, without its body.
#[derive(Debug, Clone)]
pub struct Machine {
    settings: Settings,
    agenda: Agenda,
    opening: Vec<Sentence>,
    doing: Doing,
    /// Maya's last turn, as long as not all of it is known to be written, and nothing was said since.
    cut: Option<Talk>,
    /// Since when no turn of Maya's is known to be written to its end.
    unheard_since: Option<Instant>,
    connected: bool,
    started: bool,
    /// The candidate is making a sound like speech.
    speaking: bool,
    /// Candidate's words since Maya's last question was heard.
    answer: Vec<String>,
    /// The last of them are a piece: more is to come.
    goes_on: bool,
    next_turn: TurnId,
    thought: u64,
    reply: u32,
    /// Words waiting for their record, to be acknowledged by it.
    unrecorded: Vec<(TurnId, String)>,
    /// The candidate's last words that are recorded: acknowledged again at each join, for the first time may not have
    /// reached them.
    last_words: Vec<(TurnId, String)>,
    used: Duration,
    counted_to: Option<Instant>,
    phase_told: Option<Phase>,
    ending: Option<(Outcome, &'static str)>,
    waiting: waiting::Waiting,
    /// Another node asked for the session; a reply is cut after this.
    leave_by: Option<Instant>,
    leave_is_late: bool,
    left: bool,
    /// What the candidate said last is no longer in the log.
    missed: bool,
}

/// What a session is rebuilt from, beside its plan.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// Its turns, in order.
    pub turns: &'a [Turn],
    /// How many sentences of which turn of Maya's need not be said again.
    pub said: Option<(TurnId, usize)>,
    /// The log no longer holds what was said after them.
    pub missed: bool,
}

impl Machine {
    /// A session that nobody has joined yet.
    pub fn new(plan: Arc<Plan>, opening: Vec<Sentence>, settings: Settings) -> Self {
        Self {
            agenda: Agenda::new(plan),
            settings,
            opening,
            doing: Doing::Waiting,
            cut: None,
            unheard_since: None,
            connected: false,
            started: false,
            speaking: false,
            answer: Vec::new(),
            goes_on: false,
            next_turn: TurnId(0),
            thought: 0,
            reply: 0,
            unrecorded: Vec::new(),
            last_words: Vec::new(),
            used: Duration::ZERO,
            counted_to: None,
            phase_told: None,
            ending: None,
            waiting: waiting::Waiting::default(),
            leave_by: None,
            leave_is_late: false,
            left: false,
            missed: false,
        }
    }

    /// A session as its recorded turns left it, the candidate away; goes on when they join.
    pub fn rebuild(
        plan: Arc<Plan>,
        opening: Vec<Sentence>,
        settings: Settings,
        Recorded { turns, said, missed }: Recorded<'_>,
        now: Now,
    ) -> Self {
        let mut machine = Self::new(plan.clone(), opening, settings);
        let Some(last) = turns.last() else { return machine };
        machine.agenda = Agenda::rebuild(plan, turns);
        machine.started = true;
        machine.next_turn = last.turn_id.next();
        machine.reply = turns.len() as u32;
        machine.used = Duration::from_millis(turns.iter().map(|turn| turn.context.used_ms).max().unwrap_or(0));
        machine.last_words = last_words(turns);
        // a reply that was cut has not replied, where it was one to words
        let before_last = turns.iter().rev().nth(1).map(|turn| turn.speaker);
        let cut = last.context.unfinished && before_last == Some(Speaker::Candidate);
        if last.speaker == Speaker::Candidate || cut {
            machine.answer = machine.last_words.iter().map(|(_, text)| text.clone()).collect();
        }
        machine.goes_on = last.speaker == Speaker::Candidate && last.context.unfinished;
        machine.missed = missed;
        let said = said.filter(|(turn, _)| *turn == last.turn_id).map_or(0, |(_, sentences)| sentences);
        let all_said = said >= last.context.sentences.len() && !last.context.closing;
        let before = match last.speaker {
            Speaker::Maya if !all_said => {
                let mut talk = talk::recorded(last, said, &machine.opening);
                talk.breaks_off &= cut;
                Doing::Talking(talk)
            }
            _ => Doing::Listening { since: now.instant, encouraged: false, speaking: false },
        };
        machine.doing = Doing::Suspended { since: now.instant, before: Box::new(before) };
        machine
    }

    /// What the session does.
    pub fn phase(&self) -> Phase {
        self.doing.phase()
    }
    /// Whether the floor is Maya's: audio that comes now is speech over hers.
    pub fn is_talking(&self) -> bool {
        matches!(&self.doing, Doing::Talking(talk) if talk.has_begun())
    }
    /// Whether the session is over and recorded so.
    pub fn is_over(&self) -> bool {
        matches!(self.doing, Doing::Ended)
    }
    /// Turns begun so far.
    pub fn turns(&self) -> u32 {
        self.next_turn.0
    }
    /// Where the conversation stands in its plan.
    pub fn agenda(&self) -> &Agenda {
        &self.agenda
    }
    /// The thought that counts now.
    pub fn thought(&self) -> u64 {
        self.thought
    }
    /// Interview time left.
    pub fn remaining(&self, now: Instant) -> Duration {
        self.settings.duration.saturating_sub(self.used_at(now))
    }
    fn used_at(&self, now: Instant) -> Duration {
        self.used + self.counted_to.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

/// What the candidate said last, whether Maya has replied to it or not.
fn last_words(turns: &[Turn]) -> Vec<(TurnId, String)> {
    let replied = turns.iter().rev().skip_while(|turn| turn.speaker == Speaker::Maya);
    let mut words: Vec<_> = replied
        .take_while(|turn| turn.speaker == Speaker::Candidate)
        .map(|turn| (turn.turn_id, turn.text.clone()))
        .collect();
    words.reverse();
    words
}
