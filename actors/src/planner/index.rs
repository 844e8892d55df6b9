//! Skills in pgvector: the seeded catalogue and the tenant's own, found by likeness through HNSW.

use super::{Catalogue, SkillIndex, SkillIndexError, SkillMatch};
use async_trait::async_trait;
use maya_protocol::ids::TenantId;
use maya_providers::{ProviderError, embed::Embedder};
use maya_store::{Store, StoreError};
use sqlx::Row;

/// The skills that one tenant can see.
pub struct PgIndex {
    store: Store,
    tenant: TenantId,
    /// None: nothing is near.
    space: Option<String>,
}

/// Why the catalogue could not be seeded.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The embedder failed.
    #[error(transparent)]
    Embedder(#[from] ProviderError),
}

/// A vector as pgvector reads it.
fn literal(embedding: &[f32]) -> String {
    let numbers: Vec<String> = embedding.iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}

/// Embeds and writes the seeded catalogue where the database has another one (or one of another embedder).
pub async fn seed(store: &Store, catalogue: &Catalogue, embedder: &dyn Embedder) -> Result<usize, SeedError> {
    let mut tx = store.system().await?;
    // one process seeds, the others wait for it and find it done
    sqlx::query("select pg_advisory_xact_lock(hashtext('maya.catalogue'))")
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    let known: Vec<(String, String, String)> = sqlx::query_as("select name, description, space from catalogue_skills")
        .fetch_all(tx.conn())
        .await
        .map_err(StoreError::from)?;
    let skills = catalogue.skills();
    let is_known = |name: &str, description: &str| {
        known.iter().any(|(n, d, space)| n == name && d == description && space == embedder.name())
    };
    let new: Vec<_> = skills.iter().filter(|skill| !is_known(&skill.name, &skill.description)).collect();
    let names: Vec<&str> = skills.iter().map(|skill| skill.name.as_str()).collect();
    sqlx::query("delete from catalogue_skills where not name = any($1)")
        .bind(&names)
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    if !new.is_empty() {
        let embeddings = embedder.embed(new.iter().map(|skill| skill.embedding_text()).collect()).await?;
        for (skill, embedding) in new.iter().zip(&embeddings) {
            sqlx::query(
                "insert into catalogue_skills (name, domain, description, aliases, space, embedding)
                 values ($1, $2, $3, $4, $5, $6::vector)
                 on conflict (name) do update set domain = excluded.domain, description = excluded.description,
                     aliases = excluded.aliases, space = excluded.space, embedding = excluded.embedding",
            )
            .bind(&skill.name)
            .bind(&skill.domain)
            .bind(&skill.description)
            .bind(&skill.aliases)
            .bind(embedder.name())
            .bind(literal(embedding))
            .execute(tx.conn())
            .await
            .map_err(StoreError::from)?;
        }
    }
    tx.commit().await?;
    Ok(new.len())
}

impl PgIndex {
    /// The skills of that tenant in that embedder's space; by name only without one.
    pub fn new(store: Store, tenant: TenantId, embedder: Option<&dyn Embedder>) -> Self {
        Self { store, tenant, space: embedder.map(|embedder| embedder.name().to_owned()) }
    }

    async fn nearest_rows(&self, embedding: &[f32], k: usize) -> Result<Vec<SkillMatch>, StoreError> {
        let mut tx = self.store.tenant(self.tenant).await?;
        // one HNSW index holds all tenants' skills, and what it yields is filtered afterwards: let it go on until
        // enough of this tenant's are found, where pgvector can (0.8)
        sqlx::query(
            "select set_config('hnsw.iterative_scan', 'strict_order', true) from pg_extension
             where extname = 'vector' and extversion !~ '^0[.][0-7]([.]|$)'",
        )
        .execute(tx.conn())
        .await?;
        let rows = sqlx::query(
            "select name, 1 - distance as similarity from (
                 (select name, embedding <=> $1::vector as distance from catalogue_skills
                  where space = $2 order by embedding <=> $1::vector limit $3)
                 union all
                 (select name, embedding <=> $1::vector as distance from skills
                  where space = $2 and embedding is not null order by embedding <=> $1::vector limit $3)
             ) near order by distance limit $3",
        )
        .bind(literal(embedding))
        .bind(self.space.as_deref())
        .bind(k as i64)
        .fetch_all(tx.conn())
        .await?;
        rows.into_iter()
            .map(|row| {
                let similarity: f64 = row.try_get("similarity")?;
                Ok(SkillMatch { skill: row.try_get("name")?, similarity: similarity as f32 })
            })
            .collect()
    }

    async fn own(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut tx = self.store.tenant(self.tenant).await?;
        Ok(sqlx::query_scalar("select name from skills where lower(name) = lower($1) limit 1")
            .bind(name)
            .fetch_optional(tx.conn())
            .await?)
    }
}

#[async_trait]
impl SkillIndex for PgIndex {
    async fn nearest(&self, embedding: &[f32], k: usize) -> Result<Vec<SkillMatch>, SkillIndexError> {
        self.nearest_rows(embedding, k).await.map_err(|error| SkillIndexError(error.to_string()))
    }
    async fn named(&self, name: &str) -> Result<Option<String>, SkillIndexError> {
        self.own(name).await.map_err(|error| SkillIndexError(error.to_string()))
    }
}
