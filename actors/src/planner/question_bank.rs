//! The seeded question bank: what a hiring manager would ask, with what a good answer shows.

use super::{ContentError, catalogue::normalised, read_all};
use maya_protocol::plan::{Difficulty, Question};
use serde::Deserialize;
use std::{collections::HashMap, sync::LazyLock};

/// One question of the bank. `{skill}` and `{title}` in its texts are filled when it is used.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankQuestion {
    /// The skill it belongs to, `*` for any; none in opening, leadership and closing.
    #[serde(default)]
    pub skill: String,
    /// How demanding it is.
    #[serde(default = "applied")]
    pub difficulty: Difficulty,
    /// As it is spoken.
    pub text: String,
    /// What a good answer shows.
    pub signals: Vec<Signal>,
}

/// One thing a good answer shows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// For people.
    pub expect: String,
    /// The word stems by which it is heard.
    pub keywords: Vec<String>,
    /// Put when the answer lacked it.
    pub follow_up: String,
}

fn applied() -> Difficulty {
    Difficulty::Applied
}

impl BankQuestion {
    /// The question of a plan, its id yet to be given.
    pub fn fill(&self, skill: &str, title: &str) -> Question {
        let fill = |text: &String| text.replace("{skill}", skill).replace("{title}", title);
        Question {
            id: String::new(),
            text: fill(&self.text),
            difficulty: self.difficulty,
            expected_signals: self.signals.iter().map(|signal| fill(&signal.expect)).collect(),
            follow_ups: self.signals.iter().map(|signal| fill(&signal.follow_up)).collect(),
            signal_keywords: self.signals.iter().map(|signal| signal.keywords.clone()).collect(),
        }
    }
}

/// The seeded question bank.
#[derive(Debug, Clone, Default)]
pub struct QuestionBank {
    by_skill: HashMap<String, Vec<BankQuestion>>,
    /// Fit for any skill, with `{skill}`.
    pub generic: Vec<BankQuestion>,
    /// To begin with.
    pub opening: Vec<BankQuestion>,
    /// For those who lead.
    pub leadership: Vec<BankQuestion>,
    /// To end with.
    pub closing: Vec<BankQuestion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    question: Vec<BankQuestion>,
    #[serde(default)]
    opening: Vec<BankQuestion>,
    #[serde(default)]
    leadership: Vec<BankQuestion>,
    #[serde(default)]
    closing: Vec<BankQuestion>,
}

static SEEDED: LazyLock<QuestionBank> =
    LazyLock::new(|| QuestionBank::load().expect("the content compiled into the binary is valid, as its tests prove"));

impl QuestionBank {
    /// The bank that is compiled in.
    pub fn seeded() -> &'static Self {
        &SEEDED
    }
    /// Reads the compiled-in files.
    pub fn load() -> Result<Self, ContentError> {
        let mut bank = Self::default();
        for (file, content) in read_all::<File>("questions")? {
            for question in content.question {
                match question.skill.as_str() {
                    "" => {
                        let problem = format!("no skill: {}", question.text);
                        return Err(ContentError { file, problem });
                    }
                    "*" => bank.generic.push(question),
                    skill => bank.by_skill.entry(normalised(skill)).or_default().push(question),
                }
            }
            bank.opening.extend(content.opening);
            bank.leadership.extend(content.leadership);
            bank.closing.extend(content.closing);
        }
        Ok(bank)
    }
    /// The questions of a catalogue skill; none for one that a tenant added.
    pub fn of(&self, skill: &str) -> &[BankQuestion] {
        self.by_skill.get(&normalised(skill)).map_or(&[], Vec::as_slice)
    }
    /// Every question, with the skill it stands under.
    pub fn all(&self) -> impl Iterator<Item = &BankQuestion> {
        let rest = [&self.generic, &self.opening, &self.leadership, &self.closing].into_iter().flatten();
        self.by_skill.values().flatten().chain(rest)
    }
}
