//! The interview plan: what Maya will ask, and what a good answer shows.

use serde::{Deserialize, Serialize};

/// How demanding a question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Difficulty {
    /// Fit for a first job.
    Foundation,
    /// Asks for a real story.
    Applied,
    /// Asks for trade-offs, failure and scale.
    Expert,
}

/// What Maya will ask; a person approves it before it goes live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// In the order of the conversation; their minutes sum to the interview's duration.
    pub sections: Vec<Section>,
    /// What scores mean, one entry a judged skill.
    pub rubric: Vec<RubricEntry>,
    /// For the person who approves.
    #[serde(default)]
    pub warnings: Vec<PlanWarning>,
    /// Which engine wrote it, e.g. `question-bank/1` or a model's name.
    #[serde(default)]
    pub written_by: String,
}

/// A stretch of the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// For people.
    pub title: String,
    /// The judged skill; none for opening and closing.
    #[serde(default)]
    pub skill: Option<String>,
    /// Time budget, whole minutes (a section may have none of its own).
    pub minutes: u32,
    /// In the order they are asked.
    pub questions: Vec<Question>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// Unique in the plan, e.g. `q3`.
    pub id: String,
    /// As it is spoken.
    pub text: String,
    /// How demanding.
    pub difficulty: Difficulty,
    /// What a good answer shows.
    pub expected_signals: Vec<String>,
    /// `follow_ups[i]` is put when the answer lacked `expected_signals[i]`.
    pub follow_ups: Vec<String>,
    /// `signal_keywords[i]`: word stems by which `expected_signals[i]` is heard in an answer. May be empty.
    #[serde(default)]
    pub signal_keywords: Vec<Vec<String>>,
}

/// What the scores of one skill mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RubricEntry {
    /// As in the sections.
    pub skill: String,
    /// Whether the position cannot be filled without it.
    pub must_have: bool,
    /// Descriptions of the scores 1, 3 and 5.
    pub scale: Vec<RubricLevel>,
}

/// One described score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RubricLevel {
    /// 0 to 5.
    pub score: u32,
    /// What an interview at that score shows.
    pub shows: String,
}

/// Something the person who approves should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanWarning {
    /// `unmatched_skill`, `missing_field`, `short_duration`.
    pub code: String,
    /// For a person.
    pub message: String,
    /// Catalogue skills that may have been meant.
    #[serde(default)]
    pub suggestions: Vec<String>,
}

impl Plan {
    /// All questions in the order they are asked, with their section; the position in this
    /// sequence is the plan cursor of [`crate::interview::TurnContext::question`].
    pub fn questions(&self) -> impl Iterator<Item = (&Section, &Question)> {
        self.sections.iter().flat_map(|section| section.questions.iter().map(move |question| (section, question)))
    }
}
