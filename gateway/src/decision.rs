//! The optional body of a decision: `{ comment }`, `{ reason, regenerate }`.

use crate::{
    fields::{Object, Wrong},
    problem::Error,
};
use serde_json::Value;

/// What a person says with a decision.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Decision {
    pub(crate) comment: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) regenerate: bool,
}
impl Decision {
    /// Reads it; `null` is as good as nothing.
    pub(crate) fn read(body: &Value) -> Result<Self, Error> {
        if body.is_null() {
            return Ok(Self::default());
        }
        let wrong = Wrong::default();
        let root = Object::root(body, &wrong);
        let decision = Self {
            comment: root.text("comment", 4_000),
            reason: root.text("reason", 4_000),
            regenerate: root.boolean("regenerate").unwrap_or(false),
        };
        wrong.unless(decision)
    }
}
