//! How far what was recognised is from what was said, word by word.

use maya_providers::testing::wer::words;
use serde::Serialize;

/// Words that are missing, added or wrong, of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Errors {
    /// Missing, added and wrong words.
    pub errors: usize,
    /// Words of the reference.
    pub words: usize,
}
impl Errors {
    /// Their share; of no words, 0 if none was added and 1 if some were.
    pub fn rate(self) -> f64 {
        if self.words == 0 { f64::from(u8::from(self.errors > 0)) } else { self.errors as f64 / self.words as f64 }
    }
}

/// One line, what was recognised of it, and how far they are apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Aligned {
    /// As it was said.
    pub said: String,
    /// As it was recognised.
    pub recognised: String,
    /// The distance.
    #[serde(flatten)]
    pub errors: Errors,
}

/// Lays recognised text against the lines, over the borders of its pieces: a line may have become two utterances, two
/// lines one. Each recognised word goes to the line that it is nearest to in the best alignment of all.
pub fn align(lines: &[String], recognised: &[String]) -> Vec<Aligned> {
    let reference: Vec<(usize, String)> = lines
        .iter()
        .enumerate()
        .flat_map(|(line, text)| words(text).into_iter().map(move |word| (line, word)))
        .collect();
    let heard: Vec<String> = recognised.iter().flat_map(|text| words(text)).collect();
    let mut aligned: Vec<Aligned> = lines
        .iter()
        .map(|line| Aligned {
            said: line.clone(),
            recognised: String::new(),
            errors: Errors { errors: 0, words: words(line).len() },
        })
        .collect();
    if aligned.is_empty() {
        return aligned;
    }
    let (rows, columns) = (reference.len(), heard.len());
    // cost[i][j]: from the i-th word said and the j-th word heard to the end
    let mut cost = vec![vec![0usize; columns + 1]; rows + 1];
    for i in (0..=rows).rev() {
        for j in (0..=columns).rev() {
            cost[i][j] = match (i < rows, j < columns) {
                (false, _) => columns - j,
                (true, false) => rows - i,
                (true, true) => {
                    let replaced = cost[i + 1][j + 1] + usize::from(reference[i].1 != heard[j]);
                    replaced.min(cost[i + 1][j] + 1).min(cost[i][j + 1] + 1)
                }
            };
        }
    }
    let (mut i, mut j, mut line) = (0, 0, 0);
    while i < rows || j < columns {
        let same = i < rows && j < columns && reference[i].1 == heard[j];
        if i < rows && j < columns && cost[i][j] == cost[i + 1][j + 1] + usize::from(!same) {
            line = reference[i].0;
            aligned[line].errors.errors += usize::from(!same);
            push(&mut aligned[line].recognised, &heard[j]);
            (i, j) = (i + 1, j + 1);
        } else if i < rows && cost[i][j] == cost[i + 1][j] + 1 {
            line = reference[i].0;
            aligned[line].errors.errors += 1;
            i += 1;
        } else {
            aligned[line].errors.errors += 1;
            push(&mut aligned[line].recognised, &heard[j]);
            j += 1;
        }
    }
    aligned
}

/// The sum over lines.
pub fn total<'a>(lines: impl IntoIterator<Item = &'a Aligned>) -> Errors {
    lines.into_iter().fold(Errors::default(), |sum, line| Errors {
        errors: sum.errors + line.errors.errors,
        words: sum.words + line.errors.words,
    })
}

fn push(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(lines: &[&str], heard: &[&str]) -> Vec<(String, usize)> {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        align(&own(lines), &own(heard)).into_iter().map(|line| (line.recognised, line.errors.errors)).collect()
    }
    fn owned(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
        expected.iter().map(|(text, errors)| ((*text).to_owned(), *errors)).collect()
    }

    #[test]
    fn lines_find_their_words_over_the_borders_of_utterances() {
        let lines = ["I wrote a service in Rust.", "It served 25 users."];
        assert_eq!(
            run(&lines, &["I wrote a service", "in rust. It served", "twenty-five users"]),
            owned(&[("i wrote a service in rust", 0), ("it served 25 users", 0)])
        );
        assert_eq!(
            run(&lines, &["I wrote service in Russia.", "It served 25 of users."]),
            owned(&[("i wrote service in russia", 2), ("it served 25 of users", 1)])
        );
        assert_eq!(run(&lines, &[]), owned(&[("", 6), ("", 4)]));
        assert_eq!(run(&[], &["what?"]), owned(&[]));
    }

    #[test]
    fn no_words_are_no_error_unless_some_are_heard() {
        assert_eq!(Errors::default().rate(), 0.0);
        assert_eq!(Errors { errors: 1, words: 0 }.rate(), 1.0);
    }
}
