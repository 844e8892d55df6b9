//! Makes a failure's text fit for an operator's eyes: what is quoted in it may be what a candidate said.
//!
//! A panic over a string quotes the string, a provider's error quotes the request. The kind of a failure stands outside
//! the quotes, so they are all emptied; the whole text is in nobody's interest here.

/// The longest reason, in characters.
const LONGEST: usize = 160;

/// The text without anything that is quoted, without addresses, on one line, and short.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST));
    let mut quote: Option<char> = None;
    let mut before = ' ';
    let mut escaped = false;
    for letter in text.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(open) => match letter {
                '\\' => escaped = true,
                _ if letter == open => {
                    quote = None;
                    out.push('…');
                    out.push(letter);
                }
                _ => {}
            },
            None => {
                // an apostrophe inside a word opens nothing
                let opens = matches!(letter, '"' | '`') || (letter == '\'' && !before.is_alphanumeric());
                if opens {
                    quote = Some(letter);
                }
                out.push(if letter.is_control() { ' ' } else { letter });
            }
        }
        before = letter;
    }
    if quote.is_some() {
        out.push('…');
    }
    let words = out.split_whitespace().map(|word| if word.contains('@') { "…" } else { word });
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        None => line,
        Some((cut, _)) => format!("{}…", &line[..cut]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_panic_quotes_is_gone_and_its_kind_stays() {
        let said = "my name is Rosalind, I earned 90 000";
        let panic = std::panic::catch_unwind(|| format!("é{said}")[..1].len()).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("Rosalind"), "the standard library quotes the text: {text}");
        let plain = plain(text);
        assert!(!plain.contains("Rosalind") && plain.contains("char boundary"), "{plain}");
    }

    #[test]
    fn texts_of_providers_and_addresses_are_emptied() {
        let json = r#"400: {"error": {"message": "the input \"I am Ann\" is too long"}} for ann@example.com"#;
        assert_eq!(plain(json), r#"400: {"…": {"…": "…"}} for …"#);
        assert_eq!(plain("doesn't answer\nin time"), "doesn't answer in time");
        assert_eq!(plain("cut in the middle: \"I was"), "cut in the middle: \"…");
    }

    proptest! {
        #[test]
        fn nothing_that_is_quoted_survives(before in "[a-z ]{0,20}", said in "[A-Z]{3,40}", after in "[a-z ]{0,20}") {
            for quoted in [format!("{before} {said:?} {after}"), format!("{before} `{said}`{after}"), format!("{before} '{said}")] {
                prop_assert!(!plain(&quoted).contains(&said));
            }
        }
        #[test]
        fn it_is_always_one_short_line(text in any::<String>()) {
            let plain = plain(&text);
            prop_assert!(plain.chars().count() <= LONGEST + 1 && !plain.contains('\n'));
        }
    }
}
