//! Sounds for words in no dictionary (names, new products): letter names for initialisms, spelling rules for the rest.

/// Names of the letters `a` to `z` in misaki's phonemes.
const NAMES: [&str; 26] = [
    "ˈA",
    "bˈi",
    "sˈi",
    "dˈi",
    "ˈi",
    "ˈɛf",
    "ʤˈi",
    "ˈAʧ",
    "ˈI",
    "ʤˈA",
    "kˈA",
    "ˈɛl",
    "ˈɛm",
    "ˈɛn",
    "ˈO",
    "pˈi",
    "kjˈu",
    "ˈɑɹ",
    "ˈɛs",
    "tˈi",
    "jˈu",
    "vˈi",
    "dˈʌbᵊlju",
    "ˈɛks",
    "wˈI",
    "zˈi",
];

/// Spelling to sound; the longest that fits wins, the first of two equal ones.
const RULES: [(&str, &str); 95] = [
    ("tion", "ʃən"),
    ("sion", "ʒən"),
    ("ough", "O"),
    ("augh", "ɔ"),
    ("eigh", "A"),
    ("tch", "ʧ"),
    ("dge", "ʤ"),
    ("igh", "I"),
    ("sch", "ʃ"),
    ("que", "k"),
    ("eau", "O"),
    ("ture", "ʧəɹ"),
    ("ai", "A"),
    ("ay", "A"),
    ("au", "ɔ"),
    ("aw", "ɔ"),
    ("ar", "ɑɹ"),
    ("ch", "ʧ"),
    ("ck", "k"),
    ("cc", "k"),
    ("ce", "sɛ"),
    ("ci", "sɪ"),
    ("cy", "sI"),
    ("dd", "d"),
    ("ea", "i"),
    ("ee", "i"),
    ("ei", "A"),
    ("er", "əɹ"),
    ("eu", "u"),
    ("ew", "u"),
    ("ey", "i"),
    ("ff", "f"),
    ("gg", "ɡ"),
    ("gh", "ɡ"),
    ("gn", "n"),
    ("ge", "ʤɛ"),
    ("ie", "i"),
    ("ir", "ɜɹ"),
    ("kn", "n"),
    ("kh", "k"),
    ("ll", "l"),
    ("mm", "m"),
    ("ng", "ŋ"),
    ("nn", "n"),
    ("nk", "ŋk"),
    ("oa", "O"),
    ("oi", "Y"),
    ("oo", "u"),
    ("or", "ɔɹ"),
    ("ou", "W"),
    ("ow", "O"),
    ("oy", "Y"),
    ("ph", "f"),
    ("pp", "p"),
    ("ps", "s"),
    ("qu", "kw"),
    ("rh", "ɹ"),
    ("rr", "ɹ"),
    ("sh", "ʃ"),
    ("ss", "s"),
    ("th", "θ"),
    ("tt", "t"),
    ("ue", "u"),
    ("ui", "u"),
    ("ur", "ɜɹ"),
    ("wh", "w"),
    ("wr", "ɹ"),
    ("zz", "z"),
    ("zh", "ʒ"),
    ("a", "æ"),
    ("b", "b"),
    ("c", "k"),
    ("d", "d"),
    ("e", "ɛ"),
    ("f", "f"),
    ("g", "ɡ"),
    ("h", "h"),
    ("i", "ɪ"),
    ("j", "ʤ"),
    ("k", "k"),
    ("l", "l"),
    ("m", "m"),
    ("n", "n"),
    ("o", "ɑ"),
    ("p", "p"),
    ("q", "k"),
    ("r", "ɹ"),
    ("s", "s"),
    ("t", "t"),
    ("u", "ʌ"),
    ("v", "v"),
    ("w", "w"),
    ("x", "ks"),
    ("y", "i"),
    ("z", "z"),
];
/// Vowels before one consonant and a final `e`, and vowels that end a word.
const LONG: [(char, &str); 5] = [('a', "A"), ('e', "i"), ('i', "I"), ('o', "O"), ('u', "u")];
const FINAL: [(char, &str); 5] = [('a', "ə"), ('e', ""), ('i', "i"), ('o', "O"), ('u', "u")];
const VOWELS: &str = "AIOWYæɛɪɑɔʌəɜiuʊ";

/// Each letter by its name: `KPI` -> `kˈA pˈi ˈI`.
pub fn spell(word: &str) -> String {
    let names: Vec<&str> = plain(word).bytes().map(|b| NAMES[usize::from(b - b'a')]).collect();
    // Only the last letter keeps the main stress, as speakers do.
    let last = names.len().saturating_sub(1);
    let spelt = names.iter().enumerate().map(|(i, n)| if i < last { n.replace('ˈ', "ˌ") } else { (*n).to_owned() });
    spelt.collect()
}

/// A pronunciation of a word by rules, with its main stress.
pub fn sound_out(word: &str) -> String {
    let word = plain(word);
    if !word.contains(['a', 'e', 'i', 'o', 'u', 'y']) {
        return spell(&word);
    }
    let letters: Vec<char> = word.chars().collect();
    let mut sounds: Vec<String> = Vec::new();
    let mut i = 0;
    while i < letters.len() {
        let rest = &word[i..];
        let vowel = |table: &[(char, &'static str)]| table.iter().find(|(c, _)| *c == letters[i]).map(|(_, s)| *s);
        let consonant = |at: usize| letters.get(at).is_some_and(|c| !"aeiouyw".contains(*c));
        let ends = i + 1 == letters.len();
        let magic = i + 3 == letters.len() && consonant(i + 1) && letters[i + 2] == 'e';
        let (sound, used) = match (ends && i > 0, magic) {
            (true, _) if vowel(&FINAL).is_some() => (vowel(&FINAL).unwrap_or_default(), 1),
            (_, true) if vowel(&LONG).is_some() => (vowel(&LONG).unwrap_or_default(), 1),
            _ => RULES
                .iter()
                .filter(|(spelling, _)| rest.starts_with(spelling))
                .max_by_key(|(spelling, _)| spelling.len())
                .map_or(("", 1), |(spelling, sound)| (*sound, spelling.len())),
        };
        // "ce" and "ge" at the end are the consonant alone.
        let silent = i + used == letters.len() && matches!(&word[i..], "ce" | "ge" | "que");
        sounds.push(if silent { sound.trim_end_matches('ɛ').to_owned() } else { sound.to_owned() });
        i += used;
    }
    stress(&sounds.concat())
}

/// Puts the main stress on the first syllable of two, on the last but one of more.
fn stress(sounds: &str) -> String {
    let vowels: Vec<usize> = sounds.char_indices().filter(|(_, c)| VOWELS.contains(*c)).map(|(at, _)| at).collect();
    let at = match vowels.len() {
        0 => return sounds.to_owned(),
        1 | 2 => vowels[0],
        n => vowels[n - 2],
    };
    format!("{}ˈ{}", &sounds[..at], &sounds[at..])
}

/// Lower-case `a` to `z` only; accents are taken off.
fn plain(word: &str) -> String {
    let base = |c: char| match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ð' | 'ď' | 'đ' => "d",
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'ì'..='ï' | 'ī' | 'ı' => "i",
        'ł' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => "o",
        'œ' => "oe",
        'ř' => "r",
        'ś' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ť' | 'ț' => "t",
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => "",
    };
    word.to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_string() } else { base(c).to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unknown_words_sound_like_their_spelling() {
        assert_eq!(spell("KPI"), "kˌApˌiˈI");
        assert_eq!(sound_out("Okonkwo"), "ɑkˈɑŋkwO");
        assert_eq!(sound_out("Zade"), "zˈAd");
        assert_eq!(sound_out("grpc"), spell("grpc"));
        assert_eq!(sound_out("Müller"), "mˈʌləɹ");
    }

    proptest! {
        #[test]
        fn a_word_with_letters_is_never_silent(word in "[a-zA-Z]{2,20}") {
            prop_assert!(!sound_out(&word).is_empty());
        }
        #[test]
        fn any_text_is_sounded_without_panic(word in "\\PC{0,20}") {
            sound_out(&word);
        }
    }
}
