//! What the ear must hear, and what it must not.

use super::*;
use proptest::prelude::*;

fn keys(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn words_are_heard_in_their_forms() {
    for (word, key) in [
        ("escalated", "escalat"),
        ("measuring", "measure"),
        ("used", "use"),
        ("using", "using"),
        ("planned", "plan"),
        ("ran", "run"),
        ("running", "run"),
        ("built", "build"),
        ("tried", "try"),
        ("policies", "policy"),
        ("asked", "ask"),
    ] {
        assert!(is_form_of(word, key), "{word} is a form of {key}");
    }
    for (word, key) in [("user", "use"), ("runway", "run"), ("card", "care"), ("whole", "who")] {
        assert!(!is_form_of(word, key), "{word} is no form of {key}");
    }
}

#[test]
fn sentences_keep_numbers_and_abbreviations_whole() {
    let text = "Dr. Jones asked for 3.5 mg.  I checked it, e.g. the dose! Did it help? Yes";
    let found: Vec<&str> = sentences(text).into_iter().map(|range| &text[range]).collect();
    assert_eq!(found, ["Dr. Jones asked for 3.5 mg.", "I checked it, e.g. the dose!", "Did it help?", "Yes"]);
}

#[test]
fn a_claim_and_its_denial_are_told_apart() {
    let keys = keys(&["lifetime", "borrow", "data race"]);
    let heard =
        |text: &str| listen(text, &keys).iter().map(|hit| (keys[hit.keyword].clone(), hit.denied)).collect::<Vec<_>>();
    let affirmed = [
        "I have used lifetimes for years.",
        "You cannot have data races in safe code.",
        "I make sure that we never borrow twice.",
        "I did not like it at first, but lifetimes helped me.",
        "Not only did I use lifetimes, I taught them.",
    ];
    for text in affirmed {
        let hits = heard(text);
        assert!(hits.len() == 1 && !hits[0].1, "{text}: {hits:?}");
    }
    let denied = [
        "I have never used lifetimes.",
        "I don't know what lifetimes are.",
        "Lifetimes I have never understood.",
        "No experience with lifetimes.",
        "I haven't worked with lifetimes yet.",
        "I am not familiar with lifetimes.",
    ];
    for text in denied {
        let hits = heard(text);
        assert!(hits.len() == 1 && hits[0].1, "{text}: {hits:?}");
    }
    assert_eq!(
        heard("I've never used lifetimes, borrows or anything.").iter().filter(|(_, denied)| *denied).count(),
        2
    );
    assert_eq!(coverage("I have never used lifetimes.", &keys), 0.0);
    assert_eq!(coverage("Lifetimes and borrowing prevent a data race.", &keys), 3.0);
}

#[test]
fn requests_about_the_question_are_heard_and_stories_are_not() {
    for text in ["Could you repeat the question, please?", "Sorry, I didn’t catch that.", "Pardon?"] {
        assert!(asks_to_repeat(text), "{text}");
    }
    assert!(!asks_to_repeat(
        "The patient did not hear well, so I always spoke slowly and asked her to say it back to me in her own words."
    ));
    assert!(declines("Hmm, I don't know, sorry."));
    assert!(!declines("I know that."));
}

#[test]
fn a_signal_without_keywords_is_heard_by_its_own_words() {
    let question = maya_protocol::plan::Question {
        id: "q1".into(),
        text: "How do you assess a wound?".into(),
        difficulty: maya_protocol::plan::Difficulty::Applied,
        expected_signals: vec!["Describes measuring the wound and the surrounding skin".into()],
        follow_ups: vec!["What do you measure?".into()],
        signal_keywords: vec![],
    };
    let keys = keywords(&question, 0);
    assert!(coverage("I measured the wounds every day.", &keys) >= 2.0, "{keys:?}");
    assert!(keywords(&question, 7).is_empty());
}

proptest! {
    #[test]
    fn any_text_is_heard_without_panic_and_ranges_are_its_own(text in "\\PC{0,200}", key in "\\PC{0,12}") {
        for range in sentences(&text) {
            let piece = &text[range];
            prop_assert_eq!(piece.trim(), piece);
        }
        for token in tokens(&text) {
            prop_assert!(!text[token.span].is_empty());
        }
        listen(&text, &[key]);
        asks_to_repeat(&text);
    }
}
