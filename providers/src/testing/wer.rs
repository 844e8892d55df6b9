//! Word error rate: how many words a listener got wrong, after both texts are written the same way.

use crate::number_words::{ONES, TENS};
use std::collections::HashMap;

/// Substituted, missing and added words of `hypothesis`, as a share of the words of `reference`: 0 is perfect, more than 1
/// is possible. Case, punctuation, contractions, and how numbers are written make no difference. An empty reference is
/// 0 for an empty hypothesis, else 1.
pub fn wer(reference: &str, hypothesis: &str) -> f64 {
    let (errors, words) = errors(reference, hypothesis);
    match words {
        0 => f64::from(u8::from(errors > 0)),
        _ => errors as f64 / words as f64,
    }
}

/// The two numbers [`wer`] divides, so that several lines can be summed before dividing.
pub fn errors(reference: &str, hypothesis: &str) -> (usize, usize) {
    let (reference, hypothesis) = (words(reference), words(hypothesis));
    (distance(&reference, &hypothesis), reference.len())
}

/// Words in the one form in which they are compared.
pub fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace(['’', '‘'], "'").replace('%', " percent ").replace('&', " and ");
    let text = money(&text);
    let mut words = Vec::new();
    for token in text.split(|c: char| c.is_whitespace() || "-—–/".contains(c)) {
        let token = token.trim_matches(|c: char| !c.is_alphanumeric());
        match contraction(token) {
            Some(long) => words.extend(long.split(' ').map(str::to_owned)),
            None => plain(token, &mut words),
        }
    }
    small_numbers(words)
}

/// `$5` -> `5 dollars`, so that the sign is said where speakers say it.
fn money(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for token in text.split_whitespace() {
        match token.strip_prefix('$') {
            Some(amount) => out.push_str(&format!("{amount} dollars")),
            None => out.push_str(token),
        }
        out.push(' ');
    }
    out
}

/// Letters and digits of a token; `3.5` becomes `3 point 5`, `1,200` `1200`, `node.js` `node js`, `1st` `first`.
fn plain(token: &str, words: &mut Vec<String>) {
    let numeric = token.chars().all(|c| c.is_ascii_digit() || ".,".contains(c));
    let token = if numeric { token.replace(',', "").replace('.', " point ") } else { token.replace('\'', "") };
    for word in token.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        words.push(match ORDINALS.iter().find(|(short, _)| *short == word) {
            Some((_, long)) => (*long).into(),
            None => word.to_owned(),
        });
    }
}

const ORDINALS: [(&str, &str); 10] = [
    ("1st", "first"),
    ("2nd", "second"),
    ("3rd", "third"),
    ("4th", "fourth"),
    ("5th", "fifth"),
    ("6th", "sixth"),
    ("7th", "seventh"),
    ("8th", "eighth"),
    ("9th", "ninth"),
    ("10th", "tenth"),
];

fn contraction(token: &str) -> Option<String> {
    let whole = match token {
        "can't" | "cannot" => "can not",
        "won't" => "will not",
        "let's" => "let us",
        "gonna" => "going to",
        "wanna" => "want to",
        "okay" => "ok",
        _ => "",
    };
    if !whole.is_empty() {
        return Some(whole.into());
    }
    let (stem, ending) = token.split_once('\'')?;
    let ending = match ending {
        "m" => "am",
        "re" => "are",
        "ve" => "have",
        "ll" => "will",
        "d" => "would",
        "s" if ["it", "that", "he", "she", "what", "there", "here", "who", "where", "how"].contains(&stem) => "is",
        "t" => return Some(format!("{} not", stem.strip_suffix('n')?)),
        _ => return None,
    };
    Some(format!("{stem} {ending}"))
}

/// Number words become digits: `forty five` -> `45`, `two hundred fifty` -> `250`, `twenty twenty four` -> `2024`.
fn small_numbers(words: Vec<String>) -> Vec<String> {
    let units: HashMap<&str, u64> = ONES.iter().zip(0..).map(|(w, n)| (*w, n)).collect();
    let tens: HashMap<&str, u64> = TENS.iter().zip(0..).skip(2).map(|(w, n)| (*w, n * 10)).collect();
    let mut out: Vec<String> = Vec::new();
    let mut i = 0;
    while i < words.len() {
        let Some((value, used)) = group(&words[i..], &units, &tens) else {
            out.push(words[i].clone());
            i += 1;
            continue;
        };
        i += used;
        // A year is two groups: "nineteen" "ninety eight".
        if let (10..=20, Some((rest @ 10..=99, more))) = (value, group(&words[i..], &units, &tens)) {
            out.push((value * 100 + rest).to_string());
            i += more;
        } else {
            out.push(value.to_string());
        }
    }
    out
}

/// One number said as words, and how many words that took.
fn group(words: &[String], units: &HashMap<&str, u64>, tens: &HashMap<&str, u64>) -> Option<(u64, usize)> {
    let (mut total, mut current, mut used) = (0u64, 0u64, 0);
    let mut room = u64::MAX;
    for word in words {
        let word = word.as_str();
        if let Some(n) = units.get(word).filter(|n| **n < room) {
            current += n;
            room = 1;
        } else if let Some(n) = tens.get(word).filter(|_| room > 10) {
            current += n;
            room = 10;
        } else if word == "hundred" && (1..10).contains(&current) && used > 0 {
            current *= 100;
            room = 100;
        } else if let ("thousand", 1..) | ("million", 1..) = (word, current) {
            total += current * if word == "thousand" { 1000 } else { 1_000_000 };
            current = 0;
            room = 1000;
        } else if word == "and"
            && room == 100
            && words.get(used + 1).is_some_and(|w| units.contains_key(w.as_str()) || tens.contains_key(w.as_str()))
        {
            // "two hundred and fifty"
        } else {
            break;
        }
        used += 1;
    }
    (used > 0).then_some((total + current, used))
}

/// Levenshtein's distance over words.
fn distance(a: &[String], b: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let best = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writing_makes_no_difference() {
        for (a, b) in [
            ("We cut it by 40%.", "we cut it by forty percent"),
            ("I'm sure it's fine, don't worry", "I am sure it is fine do not worry"),
            ("in 1998 and 2024", "in nineteen ninety eight and twenty twenty four"),
            ("1,200 users, 250ms", "one thousand two hundred users 250ms"),
            ("two hundred and fifty", "250"),
            ("It cost $5", "it cost five dollars"),
            ("the 1st full-stack one", "The first full stack one"),
            ("", ""),
        ] {
            assert_eq!(wer(a, b), 0.0, "{:?} {:?}", words(a), words(b));
        }
    }

    #[test]
    fn each_kind_of_error_counts_once() {
        assert_eq!(errors("a b c d", "a x c d"), (1, 4));
        assert_eq!(errors("a b c d", "a c d"), (1, 4));
        assert_eq!(errors("a b c d", "a b b c d"), (1, 4));
        assert_eq!(wer("", "hello"), 1.0);
        assert_eq!(wer("hello there", ""), 1.0);
    }

    #[test]
    fn numbers_side_by_side_stay_apart() {
        assert_eq!(words("one two three"), ["1", "2", "3"]);
        assert_eq!(words("twenty five"), ["25"]);
        assert_eq!(words("three million and one"), ["3000000", "and", "1"]);
        assert_eq!(words("a hundred"), ["a", "hundred"]);
    }

    proptest! {
        #[test]
        fn it_is_a_distance(a in "[a-e ]{0,30}", b in "[a-e ]{0,30}") {
            prop_assert_eq!(wer(&a, &a), 0.0);
            prop_assert_eq!(errors(&a, &b).0, errors(&b, &a).0);
            prop_assert!(errors(&a, &b).0 <= words(&a).len().max(words(&b).len()));
        }
        #[test]
        fn any_text_is_compared_without_panic(a in "\\PC{0,40}", b in "\\PC{0,40}") {
            wer(&a, &b);
        }
    }
}
