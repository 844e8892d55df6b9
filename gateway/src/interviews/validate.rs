//! A create body, field by field: wrong types and ranges are refused all at once; absence is completeness' affair.

use crate::{
    fields::{Object, Wrong, has_nul},
    languages,
    problem::Error,
    state::GatewaySettings,
    webhooks::address::{self, Reach},
};
use chrono::{DateTime, Utc};
use maya_protocol::interview::{Candidate, InterviewBrief, Position, RequestedSkill};
use serde_json::Value;

/// Characters of a name, a title, an id.
const SHORT: usize = 200;
/// Characters of a description.
const LONG: usize = 20_000;
/// Characters of a resume.
const RESUME: usize = 200_000;
/// Skills of one interview.
const MOST_SKILLS: usize = 50;
/// Bytes of `metadata` as JSON.
const METADATA: usize = 16 * 1024;
/// Minutes of the longest interview.
const LONGEST_MINUTES: u32 = 180;

/// Reads a brief.
pub(crate) fn brief(body: &Value, settings: &GatewaySettings, now: DateTime<Utc>) -> Result<InterviewBrief, Error> {
    let wrong = Wrong::default();
    let root = Object::root(body, &wrong);
    let (candidate, position) = (root.object("candidate"), root.object("position"));
    let brief = InterviewBrief {
        external_id: root.text("externalId", SHORT),
        callback_url: callback_url(&root, settings),
        language: language(&root, settings),
        duration_minutes: root.integer("durationMinutes", 1, LONGEST_MINUTES),
        opens_at: root.time("opensAt"),
        expires_at: expires_at(&root, now),
        candidate: Candidate {
            name: candidate.text("name", SHORT),
            email: email(&candidate),
            resume: candidate.text("resume", RESUME),
        },
        position: Position {
            title: position.text("title", SHORT),
            level: position.choice("level", "JUNIOR, MID, SENIOR, LEAD"),
            description: position.text("description", LONG),
        },
        skills: skills(&root),
        metadata: metadata(&root),
    };
    if let (Some(opens), Some(expires)) = (brief.opens_at, brief.expires_at)
        && opens >= expires
    {
        root.wrong("opensAt", "must be before expiresAt");
    }
    wrong.unless(brief)
}

fn callback_url(root: &Object<'_>, settings: &GatewaySettings) -> Option<String> {
    let text = root.text("callbackUrl", 2_000)?;
    let reach = if settings.development { Reach::Loopback } else { Reach::Public };
    match address::receiver(&text, reach) {
        Ok(_) => Some(text),
        Err(error) => {
            root.wrong("callbackUrl", error.to_string());
            None
        }
    }
}

fn language(root: &Object<'_>, settings: &GatewaySettings) -> Option<String> {
    let text = root.text("language", SHORT)?;
    let spoken = languages::spoken(&settings.languages, &text);
    if spoken.is_none() {
        root.wrong(
            "language",
            format!("no configured voice speaks it; these are spoken: {}", settings.languages.join(", ")),
        );
    }
    spoken
}

fn expires_at(root: &Object<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let at = root.time("expiresAt")?;
    if at <= now {
        root.wrong("expiresAt", "must be in the future");
    }
    Some(at)
}

fn email(candidate: &Object<'_>) -> Option<String> {
    let text = candidate.text("email", 254)?;
    let looks_right = text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !text.contains(char::is_whitespace)
    });
    if !looks_right || text.contains(['<', '>', ',', ';', '"']) {
        candidate.wrong("email", "must be one e-mail address");
    }
    Some(text)
}

fn skills(root: &Object<'_>) -> Vec<RequestedSkill> {
    let skills = root.objects("skills", MOST_SKILLS);
    skills
        .iter()
        .map(|skill| RequestedSkill {
            name: skill.required_text("name", SHORT),
            level: skill.text("level", SHORT),
            must_have: skill.boolean("mustHave").unwrap_or(false),
        })
        .collect()
}

fn metadata(root: &Object<'_>) -> serde_json::Map<String, Value> {
    let Some(value) = root.get("metadata") else { return serde_json::Map::new() };
    let Some(fields) = value.as_object() else {
        root.wrong("metadata", "must be an object");
        return serde_json::Map::new();
    };
    if has_nul(value) {
        root.wrong("metadata", "must not contain the character U+0000");
    } else if value.to_string().len() > METADATA {
        root.wrong("metadata", format!("must be at most {METADATA} bytes of JSON"));
    }
    fields.clone()
}

/// Applies an RFC 7396 merge patch.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let fields = target.as_object_mut().expect("it was made one above");
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::FieldError;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(body: Value) -> Result<InterviewBrief, Vec<FieldError>> {
        let settings = GatewaySettings::new("http://127.0.0.1:8080".parse().unwrap());
        match brief(&body, &settings, "2026-11-27T10:00:00Z".parse().unwrap()) {
            Ok(brief) => Ok(brief),
            Err(Error::Invalid(errors)) => Err(errors),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn any_field_may_be_absent_and_blank_is_absent() {
        assert_eq!(read(json!({})), Ok(InterviewBrief::default()));
        let blank = json!({"candidate": {"name": " ", "email": null}, "position": null, "skills": []});
        assert_eq!(read(blank), Ok(InterviewBrief::default()));
    }

    #[test]
    fn every_wrong_field_is_told_at_once() {
        let errors = read(json!({
            "externalId": 7, "callbackUrl": "ftp://x", "language": "tlh", "durationMinutes": 181,
            "expiresAt": "2020-01-01T00:00:00Z", "candidate": {"name": [], "email": "nobody", "resume": "a\u{0}b"},
            "position": {"title": "x".repeat(201), "level": "GURU", "description": {}},
            "skills": [{"level": 1}, "Rust", {"name": "Go", "mustHave": "yes"}], "metadata": []
        }))
        .unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        for field in [
            "externalId",
            "callbackUrl",
            "language",
            "durationMinutes",
            "expiresAt",
            "candidate.name",
            "candidate.email",
            "candidate.resume",
            "position.title",
            "position.level",
            "position.description",
            "skills[0].name",
            "skills[0].level",
            "skills[1]",
            "skills[2].mustHave",
            "metadata",
        ] {
            assert!(fields.contains(&field), "{field} is missing in {fields:?}");
        }
        assert_eq!(fields.len(), 16, "{fields:?}");
    }

    #[test]
    fn an_interview_opens_before_it_expires() {
        let window = |opens: &str| json!({"opensAt": opens, "expiresAt": "2999-01-01T00:00:00Z"});
        let brief = read(window("2998-12-31T23:00:00+01:00")).unwrap();
        assert_eq!(brief.opens_at.unwrap().to_rfc3339(), "2998-12-31T22:00:00+00:00");
        let errors = read(window("2999-01-01T00:00:00Z")).unwrap_err();
        assert_eq!(errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), ["opensAt"]);
    }

    #[test]
    fn a_language_that_no_voice_speaks_is_told_the_choices() {
        let spoken = |language: &str| read(json!({ "language": language })).map(|brief| brief.language);
        assert_eq!(spoken("EN-gb"), Ok(Some("en-GB".to_owned())));
        assert_eq!(spoken("en-IN"), Ok(Some("en-IN".to_owned())));
        let errors = spoken("de-DE").unwrap_err();
        assert!(errors[0].message.contains("en-US, en-GB, en"), "{errors:?}");
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), "[a-c]{0,2}".prop_map(Value::from)];
        leaf.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c]", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }
    proptest! {
        #[test]
        fn a_patch_applied_twice_changes_nothing_more(mut target in json_value(), patch in json_value()) {
            merge(&mut target, &patch);
            let once = target.clone();
            merge(&mut target, &patch);
            prop_assert_eq!(target, once);
        }
        #[test]
        fn anything_is_read_or_refused(body in json_value()) {
            let _ = read(body);
        }
    }
}
