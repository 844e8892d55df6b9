//! The roles a process may play.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// One role; a process plays any subset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The REST Integration API.
    Gateway,
    /// Writes interview plans.
    Planner,
    /// Maya: holds the interviews.
    Interviewer,
    /// Writes assessments.
    Assessor,
    /// The candidates' WebSockets and page.
    Edge,
    /// Joins video to objects.
    Recorder,
    /// Tells people what waits for them.
    Notifier,
}

impl Role {
    /// Every role, in the order in which they start.
    pub const ALL: [Role; 7] =
        [Role::Gateway, Role::Planner, Role::Interviewer, Role::Assessor, Role::Edge, Role::Recorder, Role::Notifier];
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Gateway => "gateway",
            Role::Planner => "planner",
            Role::Interviewer => "interviewer",
            Role::Assessor => "assessor",
            Role::Edge => "edge",
            Role::Recorder => "recorder",
            Role::Notifier => "notifier",
        }
    }
}
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::as_str);
        Self::ALL.into_iter().find(|role| role.as_str() == text.trim()).ok_or_else(|| {
            let near = super::suggest::nearest(text, &known).map(|name| format!("; did you mean {name}?"));
            format!("is none of {}{}", known.join(", "), near.unwrap_or_default())
        })
    }
}
