//! The seam to what places words in a space where nearness is likeness.

use crate::ProviderError;
use async_trait::async_trait;

/// Numbers in an embedding (what `migrations/` declares the vector columns with).
pub const DIMENSIONS: usize = 384;

/// Something that embeds.
#[async_trait]
pub trait Embedder: Send + Sync + 'static {
    /// One unit-length vector of [`DIMENSIONS`] numbers a text, in order.
    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, ProviderError>;
    /// Names the space; vectors of two names are never compared.
    fn name(&self) -> &str;
}
