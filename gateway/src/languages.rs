//! Which languages an interview may be held in: what the configured voices speak.

/// Whether a text has the form of a BCP 47 tag: `en`, `en-US`.
pub fn is_tag(text: &str) -> bool {
    let mut subtags = text.split('-');
    let primary = subtags.next().unwrap_or_default();
    (2..=8).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_alphabetic())
        && subtags.all(|subtag| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The tag under which a wanted language is spoken. A configured tag stands for itself, whatever the case, and for
/// every longer one that begins with it: `en` for `en-GB`, but not `en-US` for `en` or `en-GB`.
pub(crate) fn spoken(configured: &[String], wanted: &str) -> Option<String> {
    if !is_tag(wanted) {
        return None;
    }
    let same = configured.iter().find(|tag| tag.eq_ignore_ascii_case(wanted));
    same.cloned().or_else(|| configured.iter().any(|tag| covers(tag, wanted)).then(|| wanted.to_owned()))
}

/// Whether a tag is a beginning of a longer one, by whole subtags.
fn covers(tag: &str, longer: &str) -> bool {
    longer.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag))
        && longer.as_bytes().get(tag.len()) == Some(&b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_tag_stands_for_itself_and_for_longer_ones() {
        let configured = ["en-US", "de", "pt-BR"].map(str::to_owned);
        let spoken = |wanted| spoken(&configured, wanted);
        assert_eq!(spoken("EN-us").as_deref(), Some("en-US"), "as it is configured");
        assert_eq!(spoken("de-AT").as_deref(), Some("de-AT"));
        assert_eq!(spoken("DE-1996").as_deref(), Some("DE-1996"));
        for none in ["en", "en-GB", "pt", "deu", "d", "fr", "", "de-", "de--AT", "de_AT", "de-AT; drop", "dé-AT"] {
            assert_eq!(spoken(none), None, "{none}");
        }
    }

    #[test]
    fn a_language_alone_takes_every_region() {
        let english = ["en".to_owned()];
        for tag in ["en", "en-US", "en-GB", "en-Latn-IN"] {
            assert!(spoken(&english, tag).is_some(), "{tag}");
        }
        assert_eq!(spoken(&english, "eng-US"), None);
    }
}
