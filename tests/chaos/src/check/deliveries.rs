//! Every event was published and applied once; every webhook that was owed came, once, and can be trusted.

use super::Rule;
use crate::evidence::Evidence;
use std::collections::{BTreeMap, BTreeSet};

/// Who applies what: docs/contracts.md, "Services and ports".
const CONSUMERS: [(&str, &[&str]); 7] = [
    ("interview.info_needed", &["notifier"]),
    ("skill.validation.requested", &["planner"]),
    ("interview.plan.created", &["gateway"]),
    ("interview.approved", &["interviewer"]),
    ("interview.session.changed", &["gateway"]),
    ("interview.completed", &["gateway", "assessor"]),
    ("interview.assessment.ready", &["gateway"]),
];

/// What a customer is told when an interview comes to a state.
const NEWS: [(&str, &str); 8] = [
    ("INFO_NEEDED", "interview.info_needed"),
    ("PENDING", "interview.plan_generated"),
    ("APPROVED", "interview.approved"),
    ("IN_PROGRESS", "interview.started"),
    ("COMPLETED", "interview.completed"),
    ("ABANDONED", "interview.completed"),
    ("ASSESSMENT_READY", "interview.assessment_ready"),
    ("ASSESSMENT_COMPLETED", "interview.assessment_completed"),
];

pub(super) fn check(evidence: &Evidence, add: &mut impl FnMut(Rule, Option<&str>, String)) {
    events(evidence, add);
    webhooks(evidence, add);
}

fn events(evidence: &Evidence, add: &mut impl FnMut(Rule, Option<&str>, String)) {
    let mut taken: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in &evidence.taken {
        *taken.entry((&row.event, &row.consumer)).or_default() += 1;
        match (row.done, &row.error) {
            (true, None) => {}
            (true, Some(error)) => {
                add(Rule::EventLost, None, format!("{} gave {} up: {error}", row.consumer, row.topic));
            }
            (false, error) => {
                add(Rule::EventLost, None, format!("{} has not applied {}: {error:?}", row.consumer, row.topic));
            }
        }
    }
    let sent: BTreeSet<&str> = evidence.sent.iter().map(|event| event.event.as_str()).collect();
    for row in evidence.taken.iter().filter(|row| !sent.contains(row.event.as_str())) {
        add(Rule::EventTwice, None, format!("{} applied a {} that nobody sent", row.consumer, row.topic));
    }
    for event in &evidence.sent {
        if !event.published {
            add(Rule::EventLost, None, format!("{} {} was not published", event.topic, event.event));
        }
        let consumers = CONSUMERS.iter().find(|(topic, _)| *topic == event.topic);
        for consumer in consumers.map_or(&[][..], |(_, consumers)| *consumers) {
            match taken.get(&(event.event.as_str(), *consumer)).copied().unwrap_or_default() {
                1 => {}
                0 if event.published => {
                    add(Rule::EventLost, None, format!("{} {} never came to {consumer}", event.topic, event.event));
                }
                0 => {}
                times => {
                    let what = format!("{} {} was taken {times} times by {consumer}", event.topic, event.event);
                    add(Rule::EventTwice, None, what);
                }
            }
        }
    }
}

fn webhooks(evidence: &Evidence, add: &mut impl FnMut(Rule, Option<&str>, String)) {
    for hook in &evidence.hooks {
        if let Some(fault) = &hook.fault {
            add(Rule::WebhookInvalid, Some(&hook.interview), format!("{}: {fault}", hook.kind));
        }
    }
    for delivery in &evidence.deliveries {
        let came = evidence.hooks.iter().any(|hook| hook.message == delivery.message && hook.fault.is_none());
        if delivery.state != "DELIVERED" || !came {
            let what = format!("{} is {} and came: {came}", delivery.kind, delivery.state);
            add(Rule::WebhookLost, Some(&delivery.interview), what);
        }
    }
    for interview in &evidence.interviews {
        let mut owed: BTreeMap<&str, usize> = BTreeMap::new();
        for step in &interview.moves {
            for (_, kind) in NEWS.iter().filter(|(state, _)| *state == step.to) {
                *owed.entry(kind).or_default() += 1;
            }
        }
        let mut came: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for hook in evidence.hooks.iter().filter(|hook| hook.interview == interview.id) {
            came.entry(&hook.kind).or_default().insert(&hook.message);
        }
        for (_, kind) in NEWS.iter().filter(|(state, _)| *state != "ABANDONED") {
            let (owed, came) = (owed.get(kind).copied().unwrap_or_default(), came.get(kind).map_or(0, BTreeSet::len));
            let rule = if came < owed { Rule::WebhookLost } else { Rule::WebhookTwice };
            if came != owed {
                add(rule, Some(&interview.id), format!("{kind} was owed {owed} times and came {came} times"));
            }
        }
    }
}
