//! The deterministic engine `question-bank/1`: the same request gives the same plan.

use super::{
    budget,
    matching::ResolvedSkill,
    question_bank::{BankQuestion, QuestionBank},
    rubric,
};
use maya_protocol::{
    interview::{InterviewBrief, Level},
    plan::{Difficulty, Plan, PlanWarning, Question, Section},
};
use std::collections::HashSet;

pub(super) const NAME: &str = "question-bank/1";
/// The skill that a lead is judged on besides those asked for.
const LEADERSHIP: &str = "Leadership";
/// Where the brief leaves it open.
const DEFAULT_MINUTES: u32 = 30;

/// What a plan is written from.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanRequest {
    /// What is known of the interview.
    pub brief: InterviewBrief,
    /// Its skills, matched.
    pub skills: Vec<ResolvedSkill>,
    /// Whether only their names were compared, for want of an embedding model that answers.
    pub by_name_only: bool,
    /// Which try this is, from 0; another number gives other questions.
    pub rotation: u32,
    /// Why the last plan was rejected, where it was.
    pub feedback: Option<String>,
}

impl PlanRequest {
    /// Whole minutes, the default where the brief leaves it open.
    pub fn minutes(&self) -> u32 {
        self.brief.duration_minutes.unwrap_or(DEFAULT_MINUTES)
    }
    pub(super) fn level(&self) -> Level {
        self.brief.position.level.unwrap_or(Level::Mid)
    }
    pub(super) fn title(&self) -> &str {
        self.brief.position.title.as_deref().map_or("", str::trim)
    }
    /// Refuses what no plan can be written from.
    pub(super) fn check(&self) -> Result<(), PlanRefused> {
        if !(1..=180).contains(&self.minutes()) {
            return Err(PlanRefused::Duration(self.minutes()));
        }
        if self.title().is_empty() {
            return Err(PlanRefused::NoTitle);
        }
        if self.skills.is_empty() {
            return Err(PlanRefused::NoSkills);
        }
        Ok(())
    }
    /// Must-haves first, otherwise as the recruiter ordered them.
    pub(super) fn by_importance(&self) -> Vec<&ResolvedSkill> {
        let mut skills: Vec<&ResolvedSkill> = self.skills.iter().collect();
        skills.sort_by_key(|skill| !skill.must_have);
        skills
    }
    /// What the person who approves should know, whoever writes the plan.
    pub(super) fn warnings(&self, covered: &[Section]) -> Vec<PlanWarning> {
        let warning = |code: &str, message: String, suggestions: Vec<String>| PlanWarning {
            code: code.to_owned(),
            message,
            suggestions,
        };
        let mut warnings: Vec<PlanWarning> = Vec::new();
        for skill in self.skills.iter().filter(|skill| !skill.matched) {
            let mut message = format!("\"{}\" is not in the catalogue, so its questions are general ones.", skill.name);
            if self.by_name_only {
                message.push_str(" Skills are matched by name only: the embedding model is missing, or fails.");
            }
            warnings.push(warning("unmatched_skill", message, skill.suggestions.clone()));
        }
        if self.brief.position.level.is_none() {
            let message = "The position has no level; the questions are for somebody who works alone on known ground.";
            warnings.push(warning("missing_field", message.to_owned(), vec![]));
        }
        if self.brief.duration_minutes.is_none() {
            let message = format!("The duration is open; {DEFAULT_MINUTES} minutes are planned.");
            warnings.push(warning("missing_field", message, vec![]));
        }
        let left_out: Vec<&str> = self
            .by_importance()
            .into_iter()
            .map(|skill| skill.name.as_str())
            .filter(|name| !covered.iter().any(|section| section.skill.as_deref() == Some(name)))
            .collect();
        if !left_out.is_empty() {
            let message = format!("{} minutes are too short to ask about: {}.", self.minutes(), left_out.join(", "));
            warnings.push(warning("short_duration", message, vec![]));
        }
        warnings
    }
}

/// Why no plan can be written, for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanRefused {
    /// Outside 1 to 180 minutes.
    #[error("an interview takes 1 to 180 minutes, not {0}")]
    Duration(u32),
    /// Nothing to ask about.
    #[error("no skill is asked for")]
    NoSkills,
    /// Nothing to say it is for.
    #[error("the position has no title")]
    NoTitle,
}

/// Writes a plan from the bank.
pub fn plan(request: &PlanRequest, bank: &QuestionBank) -> Result<Plan, PlanRefused> {
    request.check()?;
    let skills = request.by_importance();
    let wants_leadership = request.level() == Level::Lead && !skills.iter().any(|s| s.name.contains(LEADERSHIP));
    let must_haves: Vec<bool> = skills.iter().map(|skill| skill.must_have).collect();
    let budget = budget::share(request.minutes(), &must_haves, wants_leadership);

    let mut writer = Writer { request, bank, asked: HashSet::new(), sections: vec![] };
    writer.section("Opening", None, budget.opening, |writer| writer.some_of(&bank.opening, 1));
    for (skill, minutes) in skills.iter().zip(&budget.skills) {
        let count = budget::questions(*minutes, usize::MAX);
        writer.section(&skill.name, Some(&skill.name), *minutes, |writer| writer.of_skill(skill, count));
    }
    if let Some(minutes) = budget.leadership {
        let count = budget::questions(minutes, bank.leadership.len());
        writer.section("Leading people", Some(LEADERSHIP), minutes, |writer| writer.some_of(&bank.leadership, count));
    }
    writer.section("Closing", None, budget.closing, |writer| writer.some_of(&bank.closing, 1));

    let sections = numbered(writer.sections);
    let rubric = rubric::of(&sections, &request.skills);
    let warnings = request.warnings(&sections);
    Ok(Plan { sections, rubric, warnings, written_by: NAME.to_owned() })
}

/// Gives every question its id, in the order they are asked.
pub(super) fn numbered(mut sections: Vec<Section>) -> Vec<Section> {
    let questions = sections.iter_mut().flat_map(|section| &mut section.questions);
    for (n, question) in questions.enumerate() {
        question.id = format!("q{}", n + 1);
    }
    sections
}

struct Writer<'a> {
    request: &'a PlanRequest,
    bank: &'a QuestionBank,
    /// Texts of the bank, before they are filled.
    asked: HashSet<String>,
    sections: Vec<Section>,
}

impl Writer<'_> {
    fn section(
        &mut self,
        title: &str,
        skill: Option<&str>,
        minutes: u32,
        ask: impl FnOnce(&mut Self) -> Vec<Question>,
    ) {
        let questions = ask(self);
        self.sections.push(Section { title: title.to_owned(), skill: skill.map(str::to_owned), minutes, questions });
    }
    /// So many of a list, beginning where the rotation says.
    fn some_of(&mut self, list: &[BankQuestion], count: usize) -> Vec<Question> {
        let start = self.request.rotation as usize * count;
        self.take(list.iter().collect(), "", start, count)
    }
    /// The skill's own questions first, then general ones, each by what its level is asked; then easiest first.
    fn of_skill(&mut self, skill: &ResolvedSkill, count: usize) -> Vec<Question> {
        let wanted = wanted(skill.level.unwrap_or(self.request.level()));
        let by_level = |questions: &[usize], list: &[BankQuestion]| -> Vec<usize> {
            wanted.iter().flat_map(|d| questions.iter().copied().filter(|i| list[*i].difficulty == *d)).collect()
        };
        let (own, generic) = (self.bank.of(&skill.name), &self.bank.generic);
        let own_order = by_level(&(0..own.len()).collect::<Vec<_>>(), own);
        let generic_order = by_level(&(0..generic.len()).collect::<Vec<_>>(), generic);
        let pool: Vec<&BankQuestion> =
            own_order.iter().map(|i| &own[*i]).chain(generic_order.iter().map(|i| &generic[*i])).collect();
        let count = if skill.matched && !own.is_empty() {
            sensible(count, own_order.len(), pool.len())
        } else {
            count.min(pool.len())
        };
        let start = self.request.rotation as usize * count;
        let mut questions = self.take(pool, &skill.name, start, count);
        questions.sort_by_key(|question| question.difficulty);
        questions
    }
    /// So many of the pool from `start` on, in a circle; what was put about another skill in the same words comes last.
    fn take(&mut self, pool: Vec<&BankQuestion>, skill: &str, start: usize, count: usize) -> Vec<Question> {
        let turned = (0..pool.len()).map(|i| pool[(start + i) % pool.len()]);
        let (known, fresh): (Vec<_>, Vec<_>) = turned.partition(|question| self.asked.contains(&question.text));
        let taken = fresh.into_iter().chain(known).take(count);
        taken
            .map(|question| {
                self.asked.insert(question.text.clone());
                question.fill(skill, self.request.title())
            })
            .collect()
    }
}

/// A skill's own questions may take their time before general ones are added: one for every two that would fit.
fn sensible(count: usize, own: usize, most: usize) -> usize {
    if count <= own { count } else { (own + (count - own) / 2).min(most) }
}

/// The difficulties fit for a level, the fittest first.
fn wanted(level: Level) -> &'static [Difficulty] {
    match level {
        Level::Junior => &[Difficulty::Foundation, Difficulty::Applied],
        Level::Mid => &[Difficulty::Applied, Difficulty::Foundation, Difficulty::Expert],
        Level::Senior => &[Difficulty::Applied, Difficulty::Expert],
        Level::Lead => &[Difficulty::Expert, Difficulty::Applied],
    }
}
