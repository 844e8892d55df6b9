//! A prompt that fits: what was said first is left out first, the rules and the last words never.

use crate::llm::{Message, Role};

/// The most of the messages, in order, that `fits` takes; `None` where not even the rules and the last words do.
pub(super) fn fitting(messages: &[Message], fits: impl Fn(&[Message]) -> bool) -> Option<Vec<Message>> {
    let (rules, said): (Vec<_>, Vec<_>) = messages.iter().cloned().partition(|message| message.role == Role::System);
    (0..said.len().max(1)).find_map(|left_out| {
        // a conversation that begins with an answer of ours is not what models have learnt from
        let begins = said.get(left_out).is_none_or(|first| left_out == 0 || first.role == Role::User);
        let shown: Vec<Message> = rules.iter().chain(&said[left_out.min(said.len())..]).cloned().collect();
        (begins && fits(&shown)).then_some(shown)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: Role, content: &str) -> Message {
        Message { role, content: content.to_owned() }
    }
    fn talk() -> Vec<Message> {
        vec![
            message(Role::System, "rules"),
            message(Role::User, "one"),
            message(Role::Assistant, "two"),
            message(Role::User, "three"),
        ]
    }
    fn contents(messages: Option<Vec<Message>>) -> Option<Vec<String>> {
        messages.map(|messages| messages.into_iter().map(|message| message.content).collect())
    }

    #[test]
    fn what_was_said_first_goes_first_and_the_rules_stay() {
        let within = |most: usize| contents(fitting(&talk(), |shown| shown.len() <= most));
        assert_eq!(within(4).unwrap(), ["rules", "one", "two", "three"]);
        // never with our own words at the beginning
        assert_eq!(within(3).unwrap(), ["rules", "three"]);
        assert_eq!(within(2).unwrap(), ["rules", "three"]);
        assert_eq!(within(1), None);
    }

    #[test]
    fn rules_alone_are_a_prompt() {
        let rules = [message(Role::System, "rules")];
        assert_eq!(contents(fitting(&rules, |_| true)).unwrap(), ["rules"]);
        assert_eq!(contents(fitting(&rules, |_| false)), None);
    }
}
