//! BERT's tokenizer (uncased WordPiece): words and marks, then the longest pieces the vocabulary has.

use crate::ProviderError;
use std::{collections::HashMap, path::Path};

/// Tokens of a text at most, its two marks included.
const MOST: usize = 256;
/// Longer words are unknown, as in the original.
const LONGEST_WORD: usize = 100;

pub(super) struct WordPiece {
    ids: HashMap<String, i64>,
    start: i64,
    end: i64,
    unknown: i64,
}

impl WordPiece {
    /// Reads `vocab.txt`: one piece a line, its number is its id.
    pub(super) fn read(file: &Path) -> Result<Self, ProviderError> {
        let wrong = |e: String| ProviderError::fatal("minilm", format!("{}: {e}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
        Self::from_lines(text.lines()).ok_or_else(|| wrong("no BERT vocabulary".into()))
    }

    fn from_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Self> {
        let ids: HashMap<String, i64> = lines.enumerate().map(|(id, piece)| (piece.to_owned(), id as i64)).collect();
        let (start, end, unknown) = (*ids.get("[CLS]")?, *ids.get("[SEP]")?, *ids.get("[UNK]")?);
        Some(Self { ids, start, end, unknown })
    }

    pub(super) fn encode(&self, text: &str) -> Vec<i64> {
        let mut tokens = vec![self.start];
        for word in words(text) {
            self.pieces(&word, &mut tokens);
            if tokens.len() >= MOST {
                break;
            }
        }
        tokens.truncate(MOST - 1);
        tokens.push(self.end);
        tokens
    }

    fn pieces(&self, word: &str, tokens: &mut Vec<i64>) {
        let before = tokens.len();
        let mut rest = word;
        let mut prefix = "";
        while !rest.is_empty() && word.chars().count() <= LONGEST_WORD {
            let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let found = ends.into_iter().find_map(|end| {
                let id = self.ids.get(&format!("{prefix}{}", &rest[..end]))?;
                Some((*id, end))
            });
            let Some((id, end)) = found else { break };
            tokens.push(id);
            rest = &rest[end..];
            prefix = "##";
        }
        if !rest.is_empty() {
            tokens.truncate(before);
            tokens.push(self.unknown);
        }
    }
}

/// Lower-case words; each mark and each CJK sign is a word of its own. Accents of Latin letters are taken off.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.to_lowercase().chars().map(unaccented) {
        let alone = c.is_ascii_punctuation() || ('\u{4e00}'..='\u{9fff}').contains(&c) || "“”‘’–—…•".contains(c);
        if (c.is_whitespace() || c.is_control() || alone) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if alone {
            words.push(c.to_string());
        } else if !c.is_whitespace() && !c.is_control() {
            word.push(c);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn unaccented(c: char) -> char {
    match c {
        'à'..='å' => 'a',
        'ç' => 'c',
        'è'..='ë' => 'e',
        'ì'..='ï' => 'i',
        'ñ' => 'n',
        'ò'..='ö' => 'o',
        'ù'..='ü' => 'u',
        'ý' | 'ÿ' => 'y',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fall_into_the_longest_known_pieces() {
        let vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "kube", "##rnet", "##es", "a", ",", "cafe", "##r"];
        let words = WordPiece::from_lines(vocabulary.into_iter()).unwrap();
        assert_eq!(words.encode("Kuber, a Café"), [2, 4, 10, 8, 7, 9, 3]);
        assert_eq!(words.encode("kubernetes"), [2, 4, 5, 6, 3]);
        assert_eq!(words.encode("kubernetq"), [2, 1, 3]);
        assert_eq!(words.encode("kuber"), [2, 4, 10, 3]);
        assert_eq!(words.encode(&"a ".repeat(1000)).len(), MOST);
        assert!(WordPiece::from_lines("garbage".lines()).is_none());
    }
}
