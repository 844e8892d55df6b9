//! Words that dictionaries of general English read wrongly or not at all: `lexicon.toml`.

use crate::ProviderError;
use serde::Deserialize;
use std::collections::HashMap;

/// The table: written form to spoken words, and word to phonemes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lexicon {
    say: HashMap<String, String>,
    phonemes: HashMap<String, String>,
}

impl Lexicon {
    /// The one shipped with maya.
    pub fn builtin() -> Result<Self, ProviderError> {
        let mut lexicon: Self =
            toml::from_str(include_str!("../lexicon.toml")).map_err(|e| ProviderError::fatal("lexicon", e))?;
        lexicon.phonemes = lexicon.phonemes.into_iter().map(|(word, sound)| (word.to_lowercase(), sound)).collect();
        Ok(lexicon)
    }
    /// How a written form is said in words, e.g. `C++` -> `C plus plus`. The case matters.
    pub fn say(&self, written: &str) -> Option<&str> {
        self.say.get(written).map(String::as_str)
    }
    /// How a word sounds (misaki's American phonemes), its `s` and `'s` included. The case does not matter.
    pub fn phonemes(&self, word: &str) -> Option<String> {
        let word = word.to_lowercase();
        if let Some(sound) = self.phonemes.get(&word) {
            return Some(sound.clone());
        }
        let stem = word.strip_suffix("'s").or_else(|| word.strip_suffix('s'))?;
        let sound = self.phonemes.get(stem)?;
        Some(match sound.chars().last()? {
            's' | 'z' | 'ʃ' | 'ʒ' | 'ʧ' | 'ʤ' => format!("{sound}ᵻz"),
            'p' | 't' | 'k' | 'f' | 'θ' => format!("{sound}s"),
            _ => format!("{sound}z"),
        })
    }
    #[cfg(test)]
    pub(super) fn all_phonemes(&self) -> impl Iterator<Item = (&String, &String)> {
        self.phonemes.iter()
    }
}
