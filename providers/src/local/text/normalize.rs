//! Written English to words that can be looked up: numbers, money, dates, abbreviations, symbols.
//!
//! Nothing is dropped silently: what no rule knows stays and is sounded out later.

use super::{lexicon::Lexicon, numbers};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const UNITS: [(&str, &str, &str); 26] = [
    ("ms", "millisecond", "milliseconds"),
    ("s", "second", "seconds"),
    ("sec", "second", "seconds"),
    ("min", "minute", "minutes"),
    ("mins", "minute", "minutes"),
    ("h", "hour", "hours"),
    ("hr", "hour", "hours"),
    ("hrs", "hour", "hours"),
    ("kb", "kilobyte", "kilobytes"),
    ("mb", "megabyte", "megabytes"),
    ("gb", "gigabyte", "gigabytes"),
    ("tb", "terabyte", "terabytes"),
    ("pb", "petabyte", "petabytes"),
    ("kg", "kilogram", "kilograms"),
    ("mg", "milligram", "milligrams"),
    ("mcg", "microgram", "micrograms"),
    ("ml", "milliliter", "milliliters"),
    ("cm", "centimeter", "centimeters"),
    ("km", "kilometer", "kilometers"),
    ("lb", "pound", "pounds"),
    ("lbs", "pound", "pounds"),
    ("mph", "mile per hour", "miles per hour"),
    ("hz", "hertz", "hertz"),
    ("khz", "kilohertz", "kilohertz"),
    ("x", "times", "times"),
    ("px", "pixel", "pixels"),
];
/// A four-digit number after one of these is a year.
const BEFORE_YEARS: [&str; 17] = [
    "in", "since", "from", "until", "till", "by", "of", "before", "after", "during", "year", "between", "early",
    "late", "mid", "around", "to",
];
const CLOSING: &str = ".,!?;:)]}\"'”’…*_`";
const OPENING: &str = "([{\"'“‘*_`#";

/// Spoken words with the sentence's punctuation (`.,!?;:`), separated by single spaces.
pub fn normalize(text: &str, lexicon: &Lexicon) -> String {
    let text = text.replace("://", " ").replace(['—', '–'], "-").replace(" - ", ", ").replace(['’', '‘'], "'");
    let tokens: Vec<&str> = text.split_whitespace().collect();
    let mut out: Vec<String> = Vec::with_capacity(tokens.len());
    let mut i = 0;
    while i < tokens.len() {
        let previous = out.last().cloned().unwrap_or_default();
        let (words, used) = token(tokens[i], tokens.get(i + 1).copied(), &previous, lexicon);
        push(&mut out, &words);
        i += used;
    }
    out.join(" ")
}

/// Appends words; punctuation alone joins the word before it.
fn push(out: &mut Vec<String>, words: &str) {
    for word in words.split_whitespace() {
        match (out.last_mut(), word.chars().all(|c| ".,!?;:".contains(c))) {
            (_, false) => out.push(word.to_owned()),
            (Some(last), true) if !last.ends_with(['.', ',', '!', '?', ';', ':']) => last.extend(word.chars().take(1)),
            _ => {}
        }
    }
}

/// One token (and the next, if it belongs to it) to words, and how many tokens that used.
fn token(token: &str, next: Option<&str>, previous: &str, lexicon: &Lexicon) -> (String, usize) {
    // Longest first, so that "e.g." is found before its last stop is taken for the sentence's.
    let bare = token.trim_start_matches(|c| OPENING.contains(c));
    let mut core = bare;
    loop {
        if let Some(say) = lexicon.say(core) {
            // "etc." at the end of a sentence is also its full stop.
            let ends = core.ends_with('.') && next.is_none();
            return (format!("{say}{}{}", marks(&bare[core.len()..]), if ends { "." } else { "" }), 1);
        }
        match core.char_indices().next_back() {
            Some((at, c)) if CLOSING.contains(c) => core = &core[..at],
            _ => break,
        }
    }
    let tail = marks(&bare[core.len()..]);
    let opening = if token.starts_with('(') { ", " } else { "" };
    if let Some((words, used)) = money(core, next, &tail) {
        return (format!("{opening}{words}"), used);
    }
    (format!("{opening}{}{tail}", spoken(core, previous, lexicon)), 1)
}

/// What of the closing marks is heard: the strongest one; brackets are short pauses.
fn marks(closing: &str) -> String {
    match closing.chars().find(|c| ".!?;:…".contains(*c)) {
        Some('…') => ".".into(),
        Some(mark) => mark.to_string(),
        None if closing.contains([',', ')', ']']) => ",".into(),
        None => String::new(),
    }
}

fn spoken(core: &str, previous: &str, lexicon: &Lexicon) -> String {
    if core.is_empty() {
        return String::new();
    }
    if let Some(words) = percent(core)
        .or_else(|| date(core))
        .or_else(|| time(core))
        .or_else(|| ordinal(core))
        .or_else(|| decade(core))
        .or_else(|| year(core, previous))
        .or_else(|| number(core))
        .or_else(|| range(core))
        .or_else(|| with_unit(core))
    {
        return words;
    }
    if core.contains('@') || (core.contains('.') && core.split('.').all(|p| p.len() > 1)) {
        let spelt =
            core.replace('@', " at ").replace('.', " dot ").replace('_', " underscore ").replace('/', " slash ");
        return parts(&spelt, lexicon);
    }
    parts(core, lexicon)
}

/// Splits what is left at its symbols and between letters and digits, and reads each part.
fn parts(core: &str, lexicon: &Lexicon) -> String {
    let mut pieces: Vec<String> = vec![String::new()];
    let mut before = ' ';
    for c in core.chars() {
        let symbol = match c {
            '&' => " and ",
            '+' => " plus ",
            '=' => " equals ",
            '%' => " percent ",
            '~' => " about ",
            '<' => " less than ",
            '>' => " more than ",
            '°' => " degrees ",
            '@' => " at ",
            '$' => " dollars ",
            '€' => " euros ",
            '£' => " pounds ",
            '#' => " number ",
            c if c.is_alphanumeric() || c == '\'' => "",
            _ => " ",
        };
        if !symbol.is_empty() {
            pieces.extend([symbol.trim().to_owned(), String::new()]);
        } else {
            if before.is_alphanumeric() && before.is_ascii_digit() != c.is_ascii_digit() {
                pieces.push(String::new());
            }
            pieces.last_mut().expect("there is always a piece").push(c);
        }
        before = c;
    }
    let read = |piece: &String| match (number(piece), lexicon.say(piece)) {
        (_, Some(say)) => say.to_owned(),
        (Some(words), None) => words,
        (None, None) => piece.clone(),
    };
    let words: Vec<String> = pieces.iter().filter(|p| !p.is_empty()).map(read).collect();
    words.join(" ")
}

/// A plain number: `1,250`, `3.5`, `-4`, `1.2.3`.
fn number(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix('-').filter(|r| r.starts_with(|c: char| c.is_ascii_digit())) {
        return number(rest).map(|w| format!("minus {w}"));
    }
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut points = text.split('.');
    let whole = points.next()?;
    if !text.chars().all(|c| c.is_ascii_digit() || c == ',' || c == '.')
        || whole.split(',').skip(1).any(|g| g.len() != 3)
    {
        return None;
    }
    let whole: String = whole.chars().filter(|c| *c != ',').collect();
    // Long or zero-led digits are codes: read one by one.
    let mut words = match whole.parse::<u64>() {
        Ok(n) if !(whole.len() > 1 && whole.starts_with('0')) => numbers::cardinal(n),
        _ => numbers::digits(&whole),
    };
    for fraction in points {
        words += &format!(" point {}", numbers::digits(fraction));
    }
    Some(words)
}

fn percent(text: &str) -> Option<String> {
    let amount = text.strip_suffix('%')?;
    Some(format!("{} percent", number(amount).or_else(|| range(amount))?))
}

/// `$1,200`, `$3.50`, `€40k`, `$5 million`.
fn money(core: &str, next: Option<&str>, tail: &str) -> Option<(String, usize)> {
    let (unit, units, cents) = match core.chars().next()? {
        '$' => ("dollar", "dollars", "cents"),
        '€' => ("euro", "euros", "cents"),
        '£' => ("pound", "pounds", "pence"),
        _ => return None,
    };
    let amount = &core[core.chars().next()?.len_utf8()..];
    let (amount, scale) = scaled(amount);
    let words = number(amount)?;
    let following = next.map(|n| n.trim_end_matches(|c| CLOSING.contains(c)));
    if scale.is_empty()
        && tail.is_empty()
        && let Some(big @ ("thousand" | "million" | "billion" | "trillion")) = following
    {
        return Some((format!("{words} {big} {units}{}", marks(&next?[big.len()..])), 2));
    }
    let said = match amount.split_once('.') {
        Some((whole, part)) if part.len() == 2 && scale.is_empty() => {
            format!("{} {units} and {} {cents}", number(whole)?, numbers::cardinal(part.parse().ok()?))
        }
        _ if amount == "1" && scale.is_empty() => format!("one {unit}"),
        _ => format!("{words}{scale} {units}"),
    };
    Some((said + tail, 1))
}

/// Splits `40k` into `40` and ` thousand`.
fn scaled(amount: &str) -> (&str, &'static str) {
    match amount.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&amount[..at], " thousand"),
        Some((at, 'm' | 'M')) => (&amount[..at], " million"),
        Some((at, 'b' | 'B')) => (&amount[..at], " billion"),
        _ => (amount, ""),
    }
}

/// `2024-03-15`.
fn date(text: &str) -> Option<String> {
    let mut parts = text.split('-');
    let (y, m, d) = (parts.next()?, parts.next()?, parts.next()?);
    if y.len() != 4 || parts.next().is_some() {
        return None;
    }
    let month = MONTHS.get(m.parse::<usize>().ok()?.checked_sub(1)?)?;
    let day = d.parse().ok().filter(|d| (1..=31).contains(d))?;
    Some(format!("{month} {}, {}", numbers::ordinal(day), numbers::year(y.parse().ok()?)))
}

/// `10:30`, `9:05am`, `7pm`.
fn time(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let (clock, half) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(clock), _) => (clock, " A M"),
        (_, Some(clock)) => (clock, " P M"),
        _ => (lower.as_str(), ""),
    };
    let (hour, minute) = match clock.split_once(':') {
        Some((hour, minute)) if minute.len() == 2 => (hour, minute.parse::<u64>().ok()?),
        None if !half.is_empty() => (clock, 0),
        _ => return None,
    };
    let hour = hour.parse::<u64>().ok().filter(|h| *h < 25)?;
    let minutes = match minute {
        0 if half.is_empty() => " o'clock".into(),
        0 => String::new(),
        1..=9 => format!(" oh {}", numbers::cardinal(minute)),
        10..=59 => format!(" {}", numbers::cardinal(minute)),
        _ => return None,
    };
    Some(format!("{}{minutes}{half}", numbers::cardinal(hour)))
}

fn ordinal(text: &str) -> Option<String> {
    let at = text.len().checked_sub(2)?;
    let (n, suffix) = (text.get(..at)?, text.get(at..)?);
    matches!(suffix, "st" | "nd" | "rd" | "th").then(|| n.replace(',', "").parse().ok()).flatten().map(numbers::ordinal)
}

/// `1990s`, `90s`.
fn decade(text: &str) -> Option<String> {
    let n = text.strip_suffix('s')?.trim_end_matches('\'');
    let value: u64 = n.parse().ok()?;
    match n.len() {
        4 => Some(numbers::plural(&numbers::year(value))),
        2 if value >= 20 && value.is_multiple_of(10) => Some(numbers::plural(&numbers::cardinal(value))),
        _ => None,
    }
}

fn year(text: &str, previous: &str) -> Option<String> {
    let n: u64 = text.parse().ok().filter(|n| text.len() == 4 && (1900..2100).contains(n))?;
    let word = previous.trim_end_matches([',', '.']);
    let dated =
        BEFORE_YEARS.contains(&word.to_lowercase().as_str()) || MONTHS.contains(&word) || previous.ends_with(',');
    (n < 2000 || dated).then(|| numbers::year(n))
}

/// `3-5`, `2019-2021`.
fn range(text: &str) -> Option<String> {
    let (from, to) = text.split_once('-')?;
    let read = |n: &str| year(n, "in").or_else(|| number(n));
    Some(format!("{} to {}", read(from)?, read(to)?))
}

/// `10ms`, `5GB`, `3x`, `40k`.
fn with_unit(text: &str) -> Option<String> {
    let at = text.find(|c: char| c.is_alphabetic())?;
    let (amount, unit) = text.split_at(at);
    let words = number(amount)?;
    if let ("k" | "K" | "M" | "B", (_, scale)) = (unit, scaled(text)) {
        return Some(words + scale);
    }
    let unit = unit.to_lowercase();
    let (_, one, many) = UNITS.iter().find(|(short, ..)| *short == unit)?;
    Some(format!("{words} {}", if amount == "1" { one } else { many }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(text: &str) -> String {
        normalize(text, &Lexicon::builtin().unwrap())
    }

    #[test]
    fn written_forms_become_words() {
        for (written, spoken) in [
            ("We cut costs by 40% in 2023.", "We cut costs by forty percent in twenty twenty three."),
            ("It served 2000 users.", "It served two thousand users."),
            ("I raised $1.5 million, really.", "I raised one point five million dollars, really."),
            ("It cost $3.50 or €40k.", "It cost three dollars and fifty cents or forty thousand euros."),
            ("Tools, e.g. Terraform, etc.", "Tools, for example Terraform, et cetera."),
            ("I know C++, C# and Node.js.", "I know C plus plus, C sharp and node J S."),
            ("Between 3-5 years", "Between three to five years"),
            ("On 2024-03-15 at 10:30am", "On March fifteenth, twenty twenty four at ten thirty A M"),
            ("The 1st of the 1990s", "The first of the nineteen nineties"),
            (
                "p99 of 250ms (it was 3x slower)!",
                "p ninety nine of two hundred fifty milliseconds, it was three times slower!",
            ),
            ("write to jobs@maya.example", "write to jobs at maya dot example"),
            ("R&D and Q&A", "R and D and Q and A"),
            ("version 3.11.2", "version three point one one point two"),
            ("1,250 or 12,50", "one thousand two hundred fifty or twelve fifty"),
            ("**bold** — and “quoted”…", "bold, and quoted."),
            ("call 0049", "call zero zero four nine"),
        ] {
            assert_eq!(said(written), spoken, "{written}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_words_and_keeps_its_letters(text in "\\PC{0,60}") {
            let words = said(&text);
            prop_assert!(!words.contains("  "));
        }

        #[test]
        fn any_number_is_said(n in any::<u32>()) {
            let words = said(&n.to_string());
            prop_assert!(words.chars().all(|c| c.is_ascii_lowercase() || c == ' '));
        }
    }
}
