//! Where the conversation stands in its plan, and what Maya may say next. Pure: plan, answers and time in, a task out.

use maya_protocol::{
    interview::{Speaker, Turn, TurnContext},
    plan::{Plan, Question},
};
use maya_providers::llm::{CloseReason, Task};
use std::{sync::Arc, time::Duration};

/// Follow-ups to one question, at most.
const MOST_FOLLOW_UPS: usize = 2;
/// What a question with its answer takes at the least; no question is begun with less time left.
const SHORTEST_EXCHANGE: Duration = Duration::from_secs(20);
/// Questions in a row without an answer after which Maya closes.
const MOST_UNANSWERED: u32 = 2;

/// What a reply did to the plan's cursor, once it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Stays with the question (repeated, encouraged, answered freely).
    Stay,
    /// Put that follow-up.
    FollowUp(usize),
    /// Put the next question.
    Next,
    /// Closed.
    Close,
}

/// The plan and the place in it.
#[derive(Debug, Clone)]
pub struct Agenda {
    plan: Arc<Plan>,
    /// Index over [`Plan::questions`] of the question that was last put.
    cursor: usize,
    follow_ups: Vec<usize>,
    unanswered: u32,
    /// Interview time used when the current section was entered.
    section_since: Duration,
}

impl Agenda {
    /// At the first question, which the greeting puts.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan, cursor: 0, follow_ups: Vec::new(), unanswered: 0, section_since: Duration::ZERO }
    }

    /// Where the recorded turns left it.
    pub fn rebuild(plan: Arc<Plan>, turns: &[Turn]) -> Self {
        let mut agenda = Self::new(plan);
        for turn in turns {
            if turn.speaker == Speaker::Candidate {
                agenda.count_answered();
                continue;
            }
            let cursor = turn.context.question.map_or(agenda.cursor, |question| question as usize);
            if agenda.section_of(cursor) != agenda.section_of(agenda.cursor) {
                agenda.section_since = Duration::from_millis(turn.context.used_ms);
            }
            agenda.cursor = cursor;
            agenda.follow_ups = turn.context.follow_ups.iter().map(|&index| index as usize).collect();
            agenda.unanswered = turn.context.unanswered;
        }
        agenda
    }

    /// What a turn recorded now carries for a rebuild.
    pub fn context(&self) -> TurnContext {
        TurnContext {
            question: Some(self.cursor as u32),
            follow_ups: self.follow_ups.iter().map(|&index| index as u32).collect(),
            unanswered: self.unanswered,
            ..TurnContext::default()
        }
    }

    /// The question that was last put.
    pub fn question(&self) -> Question {
        self.question_at(self.cursor).expect("a plan without a question is not approved")
    }

    /// What to say to an answer.
    pub fn respond(&self, answer: String, used: Duration, remaining: Duration) -> Task {
        if remaining < SHORTEST_EXCHANGE {
            return Task::Close { reason: CloseReason::TimeUsed };
        }
        let next = self.next_index(used).and_then(|index| self.question_at(index));
        let question = self.question();
        let open: Vec<usize> = if self.follow_ups.len() < MOST_FOLLOW_UPS && !self.section_is_over(used) {
            (0..question.follow_ups.len()).filter(|index| !self.follow_ups.contains(index)).collect()
        } else {
            Vec::new()
        };
        if next.is_none() && (open.is_empty() || question.expected_signals.is_empty()) {
            return Task::Close { reason: CloseReason::Finished };
        }
        Task::Respond { question, answer, open, next }
    }

    /// What to say to silence; `encouraged` tells that the question was already put again.
    pub fn silence(&self, encouraged: bool, used: Duration, remaining: Duration) -> Task {
        if remaining < SHORTEST_EXCHANGE {
            return Task::Close { reason: CloseReason::TimeUsed };
        }
        if !encouraged {
            return Task::Encourage { question: self.question() };
        }
        if self.unanswered + 1 >= MOST_UNANSWERED {
            return Task::Close { reason: CloseReason::NoAnswers };
        }
        match self.next_index(used).and_then(|index| self.question_at(index)) {
            Some(next) => Task::MoveOn { next },
            None => Task::Close { reason: CloseReason::Finished },
        }
    }

    /// Whether that follow-up of the current question may still be put.
    pub fn may_follow_up(&self, index: usize) -> bool {
        index < self.question().follow_ups.len() && !self.follow_ups.contains(&index)
    }

    /// The first follow-up of the current question that was not put yet.
    pub fn open_follow_up(&self) -> Option<usize> {
        (0..self.question().follow_ups.len()).find(|index| self.may_follow_up(*index))
    }

    /// A question stayed without an answer.
    pub fn count_unanswered(&mut self) {
        self.unanswered += 1;
    }

    /// A question was answered.
    pub fn count_answered(&mut self) {
        self.unanswered = 0;
    }

    /// Moves the cursor as the reply that was said asks.
    pub fn apply(&mut self, by: Move, used: Duration) {
        match by {
            Move::Stay | Move::Close => {}
            Move::FollowUp(index) => self.follow_ups.push(index),
            Move::Next => {
                if let Some(next) = self.next_index(used) {
                    if self.section_of(next) != self.section_of(self.cursor) {
                        self.section_since = used;
                    }
                    self.cursor = next;
                    self.follow_ups.clear();
                }
            }
        }
    }

    /// The next question: the following one, or the next section's first where this section's time is used.
    fn next_index(&self, used: Duration) -> Option<usize> {
        let count = self.plan.questions().count();
        let mut next = self.cursor + 1;
        if self.section_is_over(used) {
            let here = self.section_of(self.cursor);
            while next < count && self.section_of(next) == here {
                next += 1;
            }
        }
        (next < count).then_some(next)
    }

    fn section_is_over(&self, used: Duration) -> bool {
        let minutes = self.section_of(self.cursor).map_or(0, |section| self.plan.sections[section].minutes);
        // a section without minutes of its own still gets one exchange
        let budget = Duration::from_secs(u64::from(minutes) * 60).max(SHORTEST_EXCHANGE);
        used.saturating_sub(self.section_since) >= budget
    }

    fn section_of(&self, index: usize) -> Option<usize> {
        let mut before = 0;
        self.plan.sections.iter().position(|section| {
            before += section.questions.len();
            index < before
        })
    }

    fn question_at(&self, index: usize) -> Option<Question> {
        self.plan.questions().nth(index).map(|(_, question)| question.clone())
    }
}
