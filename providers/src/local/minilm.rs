//! MiniLM (all-MiniLM-L6-v2, int8): short texts to points, near if alike.

mod wordpiece;

use super::{runtime::Runtime, worker::Worker};
use crate::{
    ProviderError,
    embed::{DIMENSIONS, Embedder},
};
use async_trait::async_trait;
use ort::{session::Session, value::Tensor};
use std::path::Path;
use wordpiece::WordPiece;

const PROVIDER: &str = "minilm";
/// Texts run together: more would make the short ones wait for the padding of the long ones.
const BATCH: usize = 16;

/// The embedder.
pub struct MiniLm {
    worker: Worker<Model>,
}

impl MiniLm {
    /// Loads the model and BERT's `vocab.txt`.
    pub fn load(runtime: &Runtime, model: &Path, vocabulary: &Path) -> Result<Self, ProviderError> {
        let words = WordPiece::read(vocabulary)?;
        let session = runtime.session(PROVIDER, model)?;
        Ok(Self { worker: Worker::start(PROVIDER, 64, vec![Model { session, words }])? })
    }
}

#[async_trait]
impl Embedder for MiniLm {
    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, ProviderError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            let batch = batch.to_vec();
            vectors.extend(self.worker.run(0, move |model| model.embed(&batch)).await?);
        }
        Ok(vectors)
    }
    fn name(&self) -> &str {
        "minilm-l6-v2-int8"
    }
}

struct Model {
    session: Session,
    words: WordPiece,
}

impl Model {
    fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, ProviderError> {
        let failed = |e: ort::Error| ProviderError::retry(PROVIDER, e);
        let encoded: Vec<Vec<i64>> = texts.iter().map(|t| self.words.encode(t)).collect();
        let (rows, width) = (encoded.len(), encoded.iter().map(Vec::len).max().unwrap_or(0));
        let mut ids = vec![0i64; rows * width];
        let mut mask = vec![0i64; rows * width];
        for (row, tokens) in encoded.iter().enumerate() {
            ids[row * width..][..tokens.len()].copy_from_slice(tokens);
            mask[row * width..][..tokens.len()].fill(1);
        }
        let outputs = self
            .session
            .run(ort::inputs![
                "input_ids" => Tensor::from_array(([rows, width], ids)).map_err(failed)?,
                "attention_mask" => Tensor::from_array(([rows, width], mask)).map_err(failed)?,
                "token_type_ids" => Tensor::from_array(([rows, width], vec![0i64; rows * width])).map_err(failed)?
            ])
            .map_err(failed)?;
        let states = outputs[0].try_extract_tensor::<f32>().map_err(failed)?.1;
        if states.len() != rows * width * DIMENSIONS {
            return Err(ProviderError::fatal(PROVIDER, "the model's output has another size"));
        }
        let rows = encoded.iter().zip(states.chunks(width * DIMENSIONS));
        Ok(rows.map(|(tokens, states)| pool(&states[..tokens.len() * DIMENSIONS])).collect())
    }
}

/// Mean of the tokens' states, at unit length.
fn pool(states: &[f32]) -> Vec<f32> {
    let mut sum = vec![0f32; DIMENSIONS];
    for state in states.chunks(DIMENSIONS) {
        for (total, x) in sum.iter_mut().zip(state) {
            *total += x;
        }
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    sum.iter_mut().for_each(|x| *x /= length);
    sum
}
