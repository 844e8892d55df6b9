//! The planner's mind: skills are matched, a plan is written, a person approves it later.
//!
//! [`resolve`] matches what the recruiter asked for with the catalogue; [`plan`] is the deterministic engine
//! `question-bank/1`; [`LlmPlanner`] lets a model write the plan, checks it, and falls back to the bank. What is
//! consumed and published around them is not here.

pub mod agent;
mod budget;
mod catalogue;
mod engine;
pub mod index;
mod matching;
mod model;
mod question_bank;
mod rubric;

pub use catalogue::{Catalogue, CatalogueSkill};
pub use engine::{PlanRefused, PlanRequest, plan};
pub use matching::{
    MatchSettings, MemoryIndex, ResolveError, ResolvedSkill, SkillIndex, SkillIndexError, SkillMatch, resolve,
};
pub use model::LlmPlanner;
pub use question_bank::{BankQuestion, QuestionBank};

use include_dir::{Dir, include_dir};

/// The catalogue and the question bank, as files.
static CONTENT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/content");

/// A content file is not as it must be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct ContentError {
    /// Which file.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads every TOML file of a content folder.
fn read_all<T: serde::de::DeserializeOwned>(folder: &str) -> Result<Vec<(String, T)>, ContentError> {
    let broken = |file: &str, problem: String| ContentError { file: file.to_owned(), problem };
    let dir = CONTENT.get_dir(folder).ok_or_else(|| broken(folder, "the folder is missing".to_owned()))?;
    let mut files: Vec<_> = dir.files().filter(|file| file.path().extension().is_some_and(|e| e == "toml")).collect();
    files.sort_by_key(|file| file.path());
    files
        .into_iter()
        .map(|file| {
            let name = file.path().display().to_string();
            let text = file.contents_utf8().ok_or_else(|| broken(&name, "not UTF-8".to_owned()))?;
            let parsed = toml::from_str(text).map_err(|error| broken(&name, error.to_string()))?;
            Ok((name, parsed))
        })
        .collect()
}

#[cfg(test)]
mod tests;
