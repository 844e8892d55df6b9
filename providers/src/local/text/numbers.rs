//! English numbers as words.

use crate::number_words::{ONES, TENS};

const SCALES: [(u64, &str); 5] = [
    (1_000_000_000_000_000, "quadrillion"),
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1_000, "thousand"),
];

/// `1250` -> `one thousand two hundred fifty`.
pub fn cardinal(n: u64) -> String {
    if n < 20 {
        return ONES[n as usize].into();
    }
    if n < 100 {
        return join(TENS[(n / 10) as usize].into(), n % 10);
    }
    if n < 1000 {
        return join(format!("{} hundred", ONES[(n / 100) as usize]), n % 100);
    }
    for (size, name) in SCALES {
        if n >= size {
            return join(format!("{} {name}", cardinal(n / size)), n % size);
        }
    }
    unreachable!("every number of 1000 or more has a scale")
}

fn join(head: String, rest: u64) -> String {
    if rest == 0 { head } else { format!("{head} {}", cardinal(rest)) }
}

/// `21` -> `twenty first`.
pub fn ordinal(n: u64) -> String {
    let words = cardinal(n);
    let (head, last) = match words.rsplit_once(' ') {
        Some((head, last)) => (format!("{head} "), last),
        None => (String::new(), words.as_str()),
    };
    let last = match last {
        "one" => "first".into(),
        "two" => "second".into(),
        "three" => "third".into(),
        "five" => "fifth".into(),
        "eight" => "eighth".into(),
        "nine" => "ninth".into(),
        "twelve" => "twelfth".into(),
        ty if ty.ends_with('y') => format!("{}ieth", &ty[..ty.len() - 1]),
        other => format!("{other}th"),
    };
    head + &last
}

/// `1998` -> `nineteen ninety eight`, `2005` -> `two thousand five`, `2024` -> `twenty twenty four`.
pub fn year(n: u64) -> String {
    let (century, rest) = (n / 100, n % 100);
    match (century, rest) {
        (20, 0..=9) => cardinal(n),
        (10..=99, 0) => format!("{} hundred", cardinal(century)),
        (10..=99, 1..=9) => format!("{} oh {}", cardinal(century), cardinal(rest)),
        (10..=99, _) => format!("{} {}", cardinal(century), cardinal(rest)),
        _ => cardinal(n),
    }
}

/// `nineteen ninety` -> `nineteen nineties`.
pub fn plural(words: &str) -> String {
    match words.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{words}s"),
    }
}

/// Each digit by its name: `0.75` is read `zero point seven five`.
pub fn digits(text: &str) -> String {
    let names: Vec<&str> = text.bytes().filter(u8::is_ascii_digit).map(|d| ONES[usize::from(d - b'0')]).collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_read_them() {
        assert_eq!(cardinal(0), "zero");
        assert_eq!(cardinal(40), "forty");
        assert_eq!(cardinal(1_250_003), "one million two hundred fifty thousand three");
        assert_eq!(ordinal(21), "twenty first");
        assert_eq!(ordinal(40), "fortieth");
        assert_eq!(year(1998), "nineteen ninety eight");
        assert_eq!(year(2005), "two thousand five");
        assert_eq!(year(1905), "nineteen oh five");
        assert_eq!(plural(&year(1990)), "nineteen nineties");
        assert_eq!(digits("075"), "zero seven five");
        cardinal(u64::MAX);
    }
}
