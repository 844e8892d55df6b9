//! "Did you mean …?"

/// The name nearest to what was written, if one is near enough to have been meant.
pub fn nearest<'a>(written: &str, names: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    let near = names.iter().map(|name| (distance(&written, name), *name)).min_by_key(|(distance, _)| *distance)?;
    (near.0 <= (near.1.len() / 3).max(1)).then_some(near.1)
}

/// Letters inserted, removed or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        let names = ["brokers", "sasl_username", "ca_file"];
        assert_eq!(nearest("broker", &names), Some("brokers"));
        assert_eq!(nearest("SASL_USER_NAME", &names), Some("sasl_username"));
        assert_eq!(nearest("zone", &names), None);
    }
}
