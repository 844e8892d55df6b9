//! Embeddings without a model: like spelling is near.

use super::faults::{Fault, Faults, Latency};
use crate::{
    ProviderError,
    embed::{DIMENSIONS, Embedder},
};
use async_trait::async_trait;

const NAME: &str = "hash-embedder/1";

/// Hashes words and their letter triples into a unit vector; the same text always gives the same vector.
#[derive(Debug, Clone, Default)]
pub struct HashEmbedder {
    latency: Latency,
    faults: Faults,
}

impl HashEmbedder {
    /// How long it takes to answer.
    pub fn with_latency(mut self, latency: Latency) -> Self {
        self.latency = latency;
        self
    }
    /// What goes wrong.
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }
}

#[async_trait]
impl Embedder for HashEmbedder {
    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, ProviderError> {
        match self.faults.begin(NAME, self.latency).await? {
            Some(Fault::StallAfter(_)) => std::future::pending().await,
            Some(Fault::DieAfter(_)) => Err(ProviderError::retry(NAME, "scripted death")),
            Some(_) => Ok(vec![vec![f32::NAN; DIMENSIONS]; texts.len()]),
            None => Ok(texts.iter().map(|text| place(text)).collect()),
        }
    }
    fn name(&self) -> &str {
        NAME
    }
}

fn place(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0f32; DIMENSIONS];
    let mut add = |feature: &str, weight: f32| {
        let hash = fnv(feature);
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        vector[(hash % DIMENSIONS as u64) as usize] += sign * weight;
    };
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        add(&word, 2.0);
        let padded: Vec<char> = format!("<{word}>").chars().collect();
        for triple in padded.windows(3) {
            add(&triple.iter().collect::<String>(), 1.0);
        }
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length == 0.0 {
        vector[0] = 1.0;
    } else {
        vector.iter_mut().for_each(|x| *x /= length);
    }
    vector
}

/// FNV-1a with a final mix (std's hasher may change between releases).
fn fnv(text: &str) -> u64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash ^ (hash >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn like_texts_are_near_and_all_are_of_unit_length() {
        let texts = ["wound care", "wound management", "Wound  Care", "kubernetes", ""].map(String::from).to_vec();
        let places = HashEmbedder::default().embed(texts).await.unwrap();
        let near = |a: usize, b: usize| places[a].iter().zip(&places[b]).map(|(x, y)| x * y).sum::<f32>();
        for (i, place) in places.iter().enumerate() {
            assert_eq!(place.len(), DIMENSIONS);
            assert!((near(i, i) - 1.0).abs() < 1e-4);
        }
        assert!(near(0, 2) > 0.999);
        assert!(near(0, 1) > near(0, 3) + 0.2);
    }
}
