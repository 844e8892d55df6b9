//! What the absence of a field means: the one table.

use crate::tenants::TenantSettings;
use maya_protocol::interview::{InterviewBrief, MissingField, Severity};

/// A field that completeness looks at.
struct Field {
    name: &'static str,
    severity: Severity,
    message: &'static str,
    given: fn(&InterviewBrief) -> bool,
}

const FIELDS: &[Field] = &[
    Field {
        name: "candidate.name",
        severity: Severity::Critical,
        message: "the candidate's name is needed to address them",
        given: |brief| brief.candidate.name.is_some(),
    },
    Field {
        name: "candidate.email",
        severity: Severity::Critical,
        message: "the candidate's e-mail address is needed to invite them",
        given: |brief| brief.candidate.email.is_some(),
    },
    Field {
        name: "position.title",
        severity: Severity::Critical,
        message: "the position's title is needed to plan the interview",
        given: |brief| brief.position.title.is_some(),
    },
    Field {
        name: "skills",
        severity: Severity::Critical,
        message: "at least one skill is needed to plan the interview",
        given: |brief| !brief.skills.is_empty(),
    },
    Field {
        name: "position.level",
        severity: Severity::High,
        message: "the position's level decides how demanding the questions are",
        given: |brief| brief.position.level.is_some(),
    },
    Field {
        name: "durationMinutes",
        severity: Severity::High,
        message: "the duration decides how many questions there are",
        given: |brief| brief.duration_minutes.is_some(),
    },
    Field {
        name: "position.description",
        severity: Severity::High,
        message: "the position's description decides what the questions are about",
        given: |brief| brief.position.description.is_some(),
    },
    Field {
        name: "candidate.resume",
        severity: Severity::Medium,
        message: "without a resume, questions cannot refer to the candidate's own work",
        given: |brief| brief.candidate.resume.is_some(),
    },
    Field {
        name: LANGUAGE,
        severity: Severity::Medium,
        message: "the first language that is configured is assumed",
        given: |brief| brief.language.is_some(),
    },
    Field {
        name: "externalId",
        severity: Severity::Medium,
        message: "webhooks will carry no id of your own",
        given: |brief| brief.external_id.is_some(),
    },
];

/// The field whose absence is filled with the first language that is configured.
pub(crate) const LANGUAGE: &str = "language";

/// What the absence of a field means to that tenant, who may tighten it only; `None` if completeness does not look at it.
pub(crate) fn severity(field: &str, tenant: &TenantSettings) -> Option<Severity> {
    let severity = FIELDS.iter().find(|known| known.name == field)?.severity;
    Some(tenant.completeness.get(field).map_or(severity, |&wanted| severity.min(wanted)))
}

/// The absent fields of a brief, the gravest first. A waived field is not missed, unless it is critical.
pub(crate) fn missing(brief: &InterviewBrief, waived: &[String], tenant: &TenantSettings) -> Vec<MissingField> {
    let absent = FIELDS.iter().filter(|field| !(field.given)(brief));
    let mut missing: Vec<MissingField> = absent
        .filter_map(|field| {
            let severity = severity(field.name, tenant)?;
            let is_waived = severity != Severity::Critical && waived.iter().any(|name| name == field.name);
            (!is_waived).then(|| MissingField {
                field: field.name.to_owned(),
                severity,
                message: field.message.to_owned(),
            })
        })
        .collect();
    missing.sort_by_key(|field| field.severity);
    missing
}

/// Whether the interview must wait for a person.
pub(crate) fn needs_a_person(missing: &[MissingField]) -> bool {
    missing.iter().any(|field| field.severity != Severity::Medium)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_brief_misses_everything_and_a_tenant_may_only_tighten() {
        let nothing = InterviewBrief::default();
        let plain = TenantSettings::default();
        let all = missing(&nothing, &[], &plain);
        assert_eq!(all.len(), FIELDS.len());
        assert!(needs_a_person(&all));
        assert!(all.is_sorted_by_key(|field| field.severity));

        let waived: Vec<String> = FIELDS.iter().map(|field| field.name.to_owned()).collect();
        let left = missing(&nothing, &waived, &plain);
        assert!(left.iter().all(|field| field.severity == Severity::Critical));
        assert_eq!(left.len(), 4);

        let wanted = [("candidate.resume", Severity::High), ("candidate.name", Severity::Medium)];
        let strict = TenantSettings {
            completeness: wanted.map(|(name, severity)| (name.to_owned(), severity)).into(),
            ..TenantSettings::default()
        };
        assert_eq!(severity("candidate.resume", &strict), Some(Severity::High));
        assert_eq!(severity("candidate.name", &strict), Some(Severity::Critical));
        assert_eq!(severity("metadata", &strict), None);
    }
}
