//! Text to phonemes: normalise, cut into clauses, look up, sound out what is in no dictionary.

pub mod clauses;
pub mod letters;
pub mod lexicon;
pub mod normalize;
pub mod numbers;

use crate::ProviderError;
use lexicon::Lexicon;
use misaki_rs::{Fallback, G2P, Language, fallback::FallbackError};

/// American English to misaki's phonemes. Loads its dictionaries (tens of MB): share one.
pub struct Phonemizer {
    g2p: G2P,
    lexicon: Lexicon,
}

impl Phonemizer {
    /// Loads the dictionaries and maya's own words.
    pub fn load() -> Result<Self, ProviderError> {
        Ok(Self {
            g2p: G2P::with_fallback(Language::EnglishUS, Some(Box::new(SoundOut))),
            lexicon: Lexicon::builtin()?,
        })
    }

    /// The words that will be said (see `normalize.rs`).
    pub fn normalize(&self, text: &str) -> String {
        normalize::normalize(text, &self.lexicon)
    }

    /// Phonemes of normalised words, with their punctuation.
    pub fn phonemes(&self, words: &str) -> Result<String, ProviderError> {
        let marked: Vec<String> = words.split(' ').map(|word| self.mark(word)).collect();
        let (phonemes, _) =
            self.g2p.g2p(&marked.join(" ")).map_err(|_| ProviderError::fatal("misaki", "no phonemes for a word"))?;
        Ok(phonemes.replace('❓', ""))
    }

    /// Writes our own pronunciation beside a word, in misaki's notation.
    fn mark(&self, word: &str) -> String {
        // The notation's own brackets never survive normalising, but a caller may not have normalised.
        let word = word.replace(['[', ']'], "");
        let end = word.trim_end_matches(['.', ',', '!', '?', ';', ':']).len();
        let (core, tail) = word.split_at(end);
        let initials = core.strip_suffix("'s").or_else(|| core.strip_suffix('s')).unwrap_or(core);
        let plural = if initials.len() < core.len() { "z" } else { "" };
        let sound = self.lexicon.phonemes(core).or_else(|| {
            let spelt = initials.len() > 1
                && initials.chars().all(|c| c.is_ascii_uppercase())
                && !(initials.len() > 3 && self.is_word(initials));
            spelt.then(|| letters::spell(initials) + plural)
        });
        match sound {
            Some(sound) => format!("[{core}](/{sound}/){tail}"),
            None => word,
        }
    }

    /// Whether capitals are a word that is shouted or said as one (`NASA`), not an initialism.
    fn is_word(&self, capitals: &str) -> bool {
        self.g2p.lexicon.golds.contains_key(capitals) || self.g2p.lexicon.golds.contains_key(&capitals.to_lowercase())
    }
}

/// What misaki asks for a word in no dictionary.
struct SoundOut;

impl Fallback for SoundOut {
    fn phonemize(&self, word: &str) -> Result<String, FallbackError> {
        Ok(if word.chars().all(|c| c.is_uppercase()) { letters::spell(word) } else { letters::sound_out(word) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_our_lexicon_uses_known_phonemes() {
        let known = "ˈˌAIOWYæɛɪɑɔʌəɜiuʊᵊᵻbdfhjklmnpstvwzɡŋɹðθʃʒʤʧT";
        for (word, sound) in Lexicon::builtin().unwrap().all_phonemes() {
            assert!(sound.chars().all(|c| known.contains(c)), "{word}: {sound}");
            assert!(sound.contains('ˈ'), "{word} has no main stress");
        }
    }

    #[test]
    fn no_word_is_dropped() {
        let phonemizer = Phonemizer::load().unwrap();
        for word in
            ["Kubernetes", "PostgreSQL", "Okonkwo", "grpc", "triaging", "KPIs", "AWS", "Zscaler", "ITIL", "Nguyen's"]
        {
            let with = phonemizer.phonemes(&phonemizer.normalize(&format!("We used {word} here."))).unwrap();
            let without = phonemizer.phonemes("We used here.").unwrap();
            assert!(with.chars().count() > without.chars().count() + 2, "{word}: {with}");
        }
    }
}
