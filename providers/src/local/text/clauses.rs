//! Cuts a sentence where a speaker would breathe, so that its first clause is heard while the next is made.

/// The first piece should be about this long at most: it decides how soon Maya is heard.
const FIRST: usize = 60;
/// Later pieces may be longer: their melody is better whole. Also keeps far below the voices' limit (510 phonemes).
const LATER: usize = 140;
/// Shorter pieces sound chopped.
const LEAST: usize = 14;
/// Words a clause may begin with.
const CONJUNCTIONS: [&str; 12] =
    ["and", "but", "because", "so", "which", "who", "when", "where", "while", "or", "if", "that"];

/// Pieces of normalised words, in order; nothing is lost. A piece cut without a mark gets a comma: the voice stays up.
pub fn split(words: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = words.trim();
    while !rest.is_empty() {
        let limit = if pieces.is_empty() { FIRST } else { LATER };
        let cut = if rest.chars().count() <= limit + LEAST { rest.len() } else { cut(rest, limit) };
        let (piece, tail) = rest.split_at(cut);
        let mut piece = piece.trim().to_owned();
        rest = tail.trim();
        if !rest.is_empty() && piece.ends_with(|c: char| c.is_alphanumeric() || c == '\'') {
            piece.push(',');
        }
        pieces.push(piece);
    }
    pieces
}

/// Where to cut: the last mark within the limit, else the last conjunction, else the first of either after it, else a space.
fn cut(text: &str, limit: usize) -> usize {
    let mut marks = Vec::new();
    let mut joints = Vec::new();
    let mut spaces = Vec::new();
    let mut seen = 0;
    for (at, c) in text.char_indices() {
        seen += 1;
        if c != ' ' || seen < LEAST || text[at..].chars().count() < LEAST {
            continue;
        }
        let next = text[at + 1..].split(' ').next().unwrap_or_default();
        if text[..at].ends_with([',', ';', ':', '.', '!', '?']) {
            marks.push((seen, at));
        } else if CONJUNCTIONS.contains(&next) {
            joints.push((seen, at));
        }
        spaces.push((seen, at));
    }
    let within = |cuts: &[(usize, usize)]| cuts.iter().rev().find(|(n, _)| *n <= limit).map(|(_, at)| *at);
    let hard = LATER + LATER / 2;
    let after = marks.iter().chain(&joints).filter(|(n, _)| *n <= hard).min().map(|(_, at)| *at);
    within(&marks)
        .or_else(|| within(&joints))
        .or(after)
        .or_else(|| if text.chars().count() <= hard { Some(text.len()) } else { within(&spaces) })
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_sentences_are_cut_where_one_breathes() {
        assert_eq!(split("Tell me about a project you led."), ["Tell me about a project you led."]);
        assert_eq!(
            split(
                "Thanks for joining me today, I would like to hear about a project that you led from beginning to end, and what you learned."
            ),
            [
                "Thanks for joining me today,",
                "I would like to hear about a project that you led from beginning to end, and what you learned."
            ]
        );
        assert_eq!(
            split(
                "I would like to understand how you handled the disagreement because it sounds like a difficult time for the team."
            ),
            [
                "I would like to understand how you handled the disagreement,",
                "because it sounds like a difficult time for the team."
            ]
        );
    }

    proptest! {
        #[test]
        fn no_word_is_lost(words in "([a-z]{1,12}[,.]? ){0,80}") {
            let joined = split(&words).join(" ");
            let bare = |s: &str| s.replace([',', '.'], "").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(bare(&joined), bare(&words));
        }
    }
}
