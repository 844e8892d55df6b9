//! Which words are forms of which: a few suffix rules and the irregular verbs people use of their work.

/// Past and participle forms that no suffix rule finds.
const IRREGULAR: [(&str, &str); 50] = [
    ("began", "begin"),
    ("begun", "begin"),
    ("broke", "break"),
    ("broken", "break"),
    ("brought", "bring"),
    ("built", "build"),
    ("bought", "buy"),
    ("caught", "catch"),
    ("chose", "choose"),
    ("chosen", "choose"),
    ("did", "do"),
    ("done", "do"),
    ("drew", "draw"),
    ("drove", "drive"),
    ("fell", "fall"),
    ("felt", "feel"),
    ("fought", "fight"),
    ("found", "find"),
    ("gave", "give"),
    ("given", "give"),
    ("gone", "go"),
    ("went", "go"),
    ("grew", "grow"),
    ("held", "hold"),
    ("kept", "keep"),
    ("knew", "know"),
    ("known", "know"),
    ("led", "lead"),
    ("learnt", "learn"),
    ("lost", "lose"),
    ("made", "make"),
    ("meant", "mean"),
    ("met", "meet"),
    ("paid", "pay"),
    ("ran", "run"),
    ("said", "say"),
    ("saw", "see"),
    ("seen", "see"),
    ("sent", "send"),
    ("sold", "sell"),
    ("spoke", "speak"),
    ("spoken", "speak"),
    ("taught", "teach"),
    ("thought", "think"),
    ("told", "tell"),
    ("took", "take"),
    ("taken", "take"),
    ("understood", "understand"),
    ("won", "win"),
    ("wrote", "write"),
];

/// Whether a word is a form of a keyword's word. A keyword of four letters or more is a stem: whatever begins with
/// it is meant ("escalat" hears "escalated"); a final e or y may have given way ("measure" hears "measuring").
pub fn is_form_of(word: &str, key: &str) -> bool {
    if word == key {
        return true;
    }
    if let Some((_, base)) = IRREGULAR.iter().find(|(form, _)| *form == word)
        && *base == key
    {
        return true;
    }
    if key.chars().count() <= 3 {
        if let Some(stem) = key.strip_suffix('y') {
            return word.strip_prefix(stem).is_some_and(|rest| matches!(rest, "ies" | "ied" | "ying" | "ys"));
        }
        let Some(rest) = word.strip_prefix(key) else { return false };
        let doubled = key.chars().last().is_some_and(|last| {
            rest.strip_prefix(last).is_some_and(|rest| matches!(rest, "ed" | "ing" | "er" | "ers"))
        });
        return doubled || matches!(rest, "s" | "es" | "d" | "ed" | "ing" | "'s");
    }
    if word.starts_with(key) {
        return true;
    }
    let shorter = key.strip_suffix(['e', 'y']);
    shorter.and_then(|stem| word.strip_prefix(stem)).is_some_and(|rest| {
        matches!(rest, "ed" | "ing" | "es" | "er" | "ers" | "ies" | "ied" | "ation" | "ations" | "ion")
    })
}
