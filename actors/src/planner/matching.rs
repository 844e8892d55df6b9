//! From what the recruiter wrote to the catalogue's skills: by name first, then by likeness.

use super::catalogue::{Catalogue, normalised};
use async_trait::async_trait;
use maya_protocol::interview::{Level, RequestedSkill};
use maya_providers::{ProviderError, embed::Embedder};

/// A skill near to what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct SkillMatch {
    /// Its name.
    pub skill: String,
    /// Cosine, -1 to 1.
    pub similarity: f32,
}

/// The index did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the skill index is not available: {0}")]
pub struct SkillIndexError(pub String);

/// Where a tenant's skills (the seeded ones and its own) are found.
#[async_trait]
pub trait SkillIndex: Send + Sync {
    /// The skills nearest to an embedding, nearest first.
    async fn nearest(&self, embedding: &[f32], k: usize) -> Result<Vec<SkillMatch>, SkillIndexError>;
    /// The tenant's own skill of exactly that name (case does not matter), as it is written there.
    async fn named(&self, _name: &str) -> Result<Option<String>, SkillIndexError> {
        Ok(None)
    }
}

/// When a likeness counts.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchSettings {
    /// From this cosine on two names mean one skill.
    pub threshold: f32,
    /// From this cosine on a skill is worth suggesting.
    pub suggest_from: f32,
}
impl Default for MatchSettings {
    fn default() -> Self {
        // With MiniLM, skills that are meant measured 0.49 and up ("Rust backend services"), foreign ones 0.42 at most
        // ("Forklift driving").
        Self { threshold: 0.47, suggest_from: 0.25 }
    }
}

/// Suggestions for a skill that was not found.
const SUGGESTIONS: usize = 3;

/// What was asked for, as the plan will use it.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedSkill {
    /// The catalogue's name, or the recruiter's where nothing matched.
    pub name: String,
    /// Every name the recruiter used for it.
    pub requested: Vec<String>,
    /// Whether the catalogue knows it.
    pub matched: bool,
    /// Whether the position cannot be filled without it.
    pub must_have: bool,
    /// The level asked for, where it was understood.
    pub level: Option<Level>,
    /// What may have been meant, where nothing matched.
    pub suggestions: Vec<String>,
}

/// Why skills could not be matched now.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ResolveError {
    /// The embedder failed.
    #[error(transparent)]
    Embedder(#[from] ProviderError),
    /// The index failed; may pass.
    #[error(transparent)]
    Index(#[from] SkillIndexError),
}
impl ResolveError {
    /// Whether trying again may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Embedder(error) => error.is_retryable(),
            Self::Index(_) => true,
        }
    }
}

/// Matches every requested skill, in order; requests for one skill become one. Without an embedder they are matched by
/// name alone, and nothing is suggested.
pub async fn resolve(
    requested: &[RequestedSkill],
    catalogue: &Catalogue,
    index: &dyn SkillIndex,
    embedder: Option<&dyn Embedder>,
    settings: &MatchSettings,
) -> Result<Vec<ResolvedSkill>, ResolveError> {
    let mut resolved: Vec<ResolvedSkill> = Vec::new();
    for request in requested.iter().filter(|request| !request.name.trim().is_empty()) {
        let one = resolve_one(request, catalogue, index, embedder, settings).await?;
        match resolved.iter_mut().find(|other| normalised(&other.name) == normalised(&one.name)) {
            Some(other) => {
                other.requested.extend(one.requested);
                other.must_have |= one.must_have;
                other.level = other.level.max(one.level);
            }
            None => resolved.push(one),
        }
    }
    Ok(resolved)
}

async fn resolve_one(
    request: &RequestedSkill,
    catalogue: &Catalogue,
    index: &dyn SkillIndex,
    embedder: Option<&dyn Embedder>,
    settings: &MatchSettings,
) -> Result<ResolvedSkill, ResolveError> {
    let name = request.name.trim();
    let resolved = |skill: &str, matched, suggestions| ResolvedSkill {
        name: skill.to_owned(),
        requested: vec![name.to_owned()],
        matched,
        must_have: request.must_have,
        level: request.level.as_deref().and_then(level),
        suggestions,
    };
    if let Some(own) = index.named(name).await? {
        return Ok(resolved(&own, true, vec![]));
    }
    if let Some(skill) = catalogue.find(name) {
        return Ok(resolved(&skill.name, true, vec![]));
    }
    let Some(embedder) = embedder else { return Ok(resolved(name, false, vec![])) };
    let embeddings = embedder.embed(vec![name.to_owned()]).await?;
    let near = match embeddings.first().filter(|embedding| embedding.iter().all(|x| x.is_finite())) {
        Some(embedding) => index.nearest(embedding, SUGGESTIONS).await?,
        None => return Err(ProviderError::retry("embedder", "no usable embedding").into()),
    };
    match near.first() {
        Some(best) if best.similarity >= settings.threshold => Ok(resolved(&best.skill, true, vec![])),
        _ => {
            let worth = near.into_iter().filter(|near| near.similarity >= settings.suggest_from);
            Ok(resolved(name, false, worth.take(SUGGESTIONS).map(|near| near.skill).collect()))
        }
    }
}

/// A level in the recruiter's words.
fn level(text: &str) -> Option<Level> {
    let text = normalised(text);
    let says = |words: &[&str]| text.split(' ').any(|word| words.contains(&word));
    if says(&["lead", "principal", "staff", "expert", "head", "architect"]) {
        Some(Level::Lead)
    } else if says(&["senior", "advanced", "proficient", "strong"]) {
        Some(Level::Senior)
    } else if says(&["mid", "intermediate", "medium", "middle", "regular"]) {
        Some(Level::Mid)
    } else if says(&["junior", "entry", "basic", "basics", "beginner", "trainee", "graduate"]) {
        Some(Level::Junior)
    } else {
        None
    }
}

/// An index in memory, for tests and for a process without a database.
#[derive(Debug, Clone, Default)]
pub struct MemoryIndex {
    rows: Vec<(String, Vec<f32>)>,
}

impl MemoryIndex {
    /// Embeds a whole catalogue.
    pub async fn of(catalogue: &Catalogue, embedder: &dyn Embedder) -> Result<Self, ProviderError> {
        let texts = catalogue.skills().iter().map(|skill| skill.embedding_text()).collect();
        let embeddings = embedder.embed(texts).await?;
        let names = catalogue.skills().iter().map(|skill| skill.name.clone());
        Ok(Self { rows: names.zip(embeddings).collect() })
    }
}

#[async_trait]
impl SkillIndex for MemoryIndex {
    async fn nearest(&self, embedding: &[f32], k: usize) -> Result<Vec<SkillMatch>, SkillIndexError> {
        let cosine = |row: &[f32]| row.iter().zip(embedding).map(|(x, y)| x * y).sum::<f32>();
        let mut all: Vec<SkillMatch> =
            self.rows.iter().map(|(skill, row)| SkillMatch { skill: skill.clone(), similarity: cosine(row) }).collect();
        all.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        all.truncate(k);
        Ok(all)
    }
}
