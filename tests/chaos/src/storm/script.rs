//! What a candidate says: lines that can be told apart by words that no other line has.

use rand::{Rng, rngs::StdRng};
use std::collections::BTreeSet;

/// More than an interview asks for.
const LINES: usize = 40;
const MARKS: usize = 6;

/// Lines for one interview.
pub fn lines(rng: &mut StdRng) -> Vec<String> {
    let mut used = BTreeSet::new();
    let mut word = || loop {
        let word: String = (0..3).map(|_| syllable(rng)).collect();
        if used.insert(word.clone()) {
            return word;
        }
    };
    let line = |_| {
        let [a, b, c, d, e, f]: [String; MARKS] = std::array::from_fn(|_| word());
        format!("We ran {a} beside {b}, then {c} took over from {d}, because {e} was slower than {f}.")
    };
    (0..LINES).map(line).collect()
}

fn syllable(rng: &mut StdRng) -> String {
    const FIRST: &[u8] = b"bdfgklmnprstvz";
    const SECOND: &[u8] = b"aeiou";
    let of = |letters: &[u8], rng: &mut StdRng| char::from(letters[rng.random_range(0..letters.len())]);
    [of(FIRST, rng), of(SECOND, rng)].iter().collect()
}
