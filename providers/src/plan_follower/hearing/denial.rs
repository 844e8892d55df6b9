//! Where a speaker denies: "I have never used…" is no evidence of use.

use super::Token;

const FIRST_PERSON: [&str; 16] = [
    "i",
    "we",
    "i'm",
    "i've",
    "i'd",
    "i'll",
    "we've",
    "we're",
    "we'd",
    "my",
    "our",
    "me",
    "us",
    "personally",
    "honestly",
    "really",
];
const TURNS: [&str; 12] =
    ["but", "however", "although", "though", "instead", "because", "so", "which", "while", "whereas", "until", "then"];

/// For each word, whether it stands where the speaker denies: behind a negation of their own ("I never", "we don't",
/// "no experience with"), or before one in the same clause ("Rust I have never used"). What a speaker says about
/// the world ("you cannot have two owners") or makes sure of ("so that we never lose data") is no denial.
pub(super) fn denied_words(words: &[Token]) -> Vec<bool> {
    let mut denied = vec![false; words.len()];
    let mut start = 0;
    while start < words.len() {
        let end = (start + 1..words.len()).find(|at| starts_clause(words, *at)).unwrap_or(words.len());
        let clause = &words[start..end];
        if let Some(negation) = (0..clause.len()).find(|at| is_denial(words, start, start + at)) {
            // Before the negation only what it is about: "Rust I have never used".
            let from = if clause[..negation].iter().any(|word| is_modal_frame(&word.word)) { negation } else { 0 };
            denied[start + from..end].fill(true);
        }
        start = end;
    }
    denied
}

fn starts_clause(words: &[Token], at: usize) -> bool {
    let word = words[at].word.as_str();
    if TURNS.contains(&word) {
        return true;
    }
    // "… , and I did …" begins anew; "never used A and B" does not.
    word == "and" && words.get(at + 1).is_some_and(|next| FIRST_PERSON[..9].contains(&next.word.as_str()))
}

fn is_modal_frame(word: &str) -> bool {
    matches!(word, "sure" | "ensure" | "ensures" | "ensured" | "ensuring")
}

fn is_denial(words: &[Token], clause: usize, at: usize) -> bool {
    let word = words[at].word.as_str();
    let next = words.get(at + 1).map_or("", |next| next.word.as_str());
    let negates = match word {
        "never" | "cannot" | "neither" | "nor" | "hardly" | "unfamiliar" => true,
        "not" => !matches!(next, "only" | "just" | "least" | "surprisingly"),
        "no" => {
            return matches!(next, "experience" | "idea" | "knowledge" | "practical" | "real" | "clue" | "training")
                || words.get(at + 2).is_some_and(|after| after.word == "experience");
        }
        "without" => return false,
        "lack" | "lacking" => true,
        contracted => contracted.ends_with("n't"),
    };
    if !negates {
        return false;
    }
    let before = &words[clause..at];
    if before.iter().any(|word| is_modal_frame(&word.word)) || words[clause].word == "so" {
        return false;
    }
    // "Never used it." / "Not really." / "I …, I have never …"
    let near = &before[before.len().saturating_sub(5)..];
    before.is_empty() || near.iter().any(|word| FIRST_PERSON.contains(&word.word.as_str()))
}
