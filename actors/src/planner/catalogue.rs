//! The seeded catalogue of skills: what every tenant finds, under its own names and under those that people use.

use super::{ContentError, read_all};
use serde::Deserialize;
use std::{collections::HashMap, sync::LazyLock};

/// One skill of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueSkill {
    /// The name that plans and assessments use.
    pub name: String,
    /// `software`, `data`, `product`, `sales`, `care` or `support`.
    pub domain: String,
    /// Other names for exactly this skill.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// One line.
    pub description: String,
}

impl CatalogueSkill {
    /// What is embedded of it: name, other names, description.
    pub fn embedding_text(&self) -> String {
        let names = std::iter::once(&self.name).chain(&self.aliases).map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("{names}. {}", self.description)
    }
}

/// The seeded catalogue.
#[derive(Debug, Clone)]
pub struct Catalogue {
    skills: Vec<CatalogueSkill>,
    by_name: HashMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    skill: Vec<CatalogueSkill>,
}

static SEEDED: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::load().expect("the content compiled into the binary is valid, as its tests prove"));

impl Catalogue {
    /// The catalogue that is compiled in.
    pub fn seeded() -> &'static Self {
        &SEEDED
    }
    /// Reads and checks the compiled-in files.
    pub fn load() -> Result<Self, ContentError> {
        let mut catalogue = Self { skills: vec![], by_name: HashMap::new() };
        for (file, content) in read_all::<File>("catalogue")? {
            for skill in content.skill {
                catalogue.add(skill).map_err(|problem| ContentError { file: file.clone(), problem })?;
            }
        }
        Ok(catalogue)
    }
    fn add(&mut self, skill: CatalogueSkill) -> Result<(), String> {
        let index = self.skills.len();
        for name in std::iter::once(&skill.name).chain(&skill.aliases) {
            let key = normalised(name);
            if key.is_empty() {
                return Err(format!("{}: an empty name", skill.name));
            }
            match self.by_name.insert(key, index) {
                Some(other) if other != index => {
                    return Err(format!("{name} names both {} and {}", skill.name, self.skills[other].name));
                }
                _ => {}
            }
        }
        self.skills.push(skill);
        Ok(())
    }
    /// All skills, in a fixed order.
    pub fn skills(&self) -> &[CatalogueSkill] {
        &self.skills
    }
    /// The skill of that name or alias; case, punctuation and words such as "skills" do not matter.
    pub fn find(&self, name: &str) -> Option<&CatalogueSkill> {
        let key = normalised(name);
        let exact = self.by_name.get(&key).or_else(|| self.by_name.get(bare(&key)));
        exact.map(|index| &self.skills[*index])
    }
}

/// Lower case, one space between words, no punctuation but what tells `C`, `C++` and `C#` apart.
pub(super) fn normalised(name: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || matches!(c, '+' | '#') { c } else { ' ' };
    let lower = name.to_lowercase().replace('&', " and ");
    lower.chars().map(kept).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without words that say only that it is a skill.
fn bare(key: &str) -> &str {
    let mut key = key;
    for filler in [" skills", " skill", " experience", " knowledge", " programming", " language"] {
        key = key.strip_suffix(filler).unwrap_or(key);
    }
    for filler in ["experience with ", "experience in ", "knowledge of "] {
        key = key.strip_prefix(filler).unwrap_or(key);
    }
    key
}
