//! JSON to a message, with the error that the contract has for each way it can fail.

use super::Refusal;
use maya_protocol::{audio::ErrorCode, wire::Up};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

const TYPES: [&str; 5] = ["AUDIO", "CONSENT", "VIDEO", "PLAYBACK", "LEAVE"];

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

pub(super) fn parse(text: &str) -> Result<Up, Refusal> {
    let refusal = match serde_json::from_str::<Up>(text) {
        Ok(up) => return Ok(up),
        Err(_) => match serde_json::from_str::<Kind<'_>>(text) {
            Err(_) => Refusal::new(ErrorCode::BadMessage, "not a JSON object with a type"),
            Ok(Kind { kind }) if !TYPES.contains(&&*kind) => {
                Refusal::new(ErrorCode::UnknownType, "no such message type")
            }
            Ok(Kind { kind }) if kind == "AUDIO" && !rate_is_a_number(text) => {
                Refusal::new(ErrorCode::BadAudio, "sampleRate must be a whole number of hertz")
            }
            Ok(_) => Refusal::new(ErrorCode::BadMessage, "a field is missing or of the wrong kind"),
        },
    };
    Err(refusal)
}

/// Whether `sampleRate`, where given, is a whole number that fits; NaN comes as a string, a fraction or worse.
fn rate_is_a_number(text: &str) -> bool {
    // A number that no machine holds reads as an unknown field, but not as a value.
    let Ok(value) = serde_json::from_str::<Value>(text) else { return false };
    match &value["sampleRate"] {
        Value::Null => true,
        rate => rate.as_u64().is_some_and(|rate| u32::try_from(rate).is_ok()),
    }
}
