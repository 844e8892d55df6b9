//! Domain events: what happened, in JSON, with CloudEvents attributes as headers.
//!
//! Readers ignore unknown fields. A new major version is read one release before it is written;
//! a version that is not known parks its key.

mod codec;
mod interview;
mod session;

pub use codec::{DecodeError, Event, HEADER_KEY_ID, Headers, header};
pub use interview::{
    AssessmentCompleted, AssessmentOutcome, AssessmentReady, InfoNeeded, InterviewApproved, PlanCreated, PlanOutcome,
    SkillValidationRequested,
};
pub use session::{Command, InterviewCompleted, SessionChange, SessionChanged, SessionCommand, TurnRecorded};

use crate::topic::Topic;
use serde::{Deserialize, Serialize};

/// Every domain event; the variant decides the topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "each payload documents itself")]
pub enum Payload {
    InfoNeeded(InfoNeeded),
    SkillValidationRequested(SkillValidationRequested),
    PlanCreated(PlanCreated),
    InterviewApproved(InterviewApproved),
    InterviewCompleted(InterviewCompleted),
    AssessmentReady(AssessmentReady),
    AssessmentCompleted(AssessmentCompleted),
    TurnRecorded(TurnRecorded),
    SessionChanged(SessionChanged),
    SessionCommand(SessionCommand),
}

macro_rules! payloads {
    ($($variant:ident => $key:ident),* $(,)?) => {
        impl Payload {
            /// The topic it travels on.
            pub fn topic(&self) -> Topic {
                match self { $(Payload::$variant(_) => Topic::$variant,)* }
            }
            /// The key that orders it.
            pub fn key(&self) -> String {
                match self { $(Payload::$variant(event) => event.$key.to_string(),)* }
            }
            /// Reads the JSON of that topic's event.
            pub fn from_json(topic: Topic, json: &[u8]) -> Result<Payload, serde_json::Error> {
                match topic {
                    $(Topic::$variant => serde_json::from_slice(json).map(Payload::$variant),)*
                    Topic::CandidateSpoken | Topic::AgentSpoken | Topic::CandidateTranscribed | Topic::CandidateVideo => {
                        Err(serde::de::Error::custom("not a domain topic"))
                    }
                }
            }
        }
        $(impl From<$variant> for Payload {
            fn from(event: $variant) -> Payload { Payload::$variant(event) }
        })*
    };
}
payloads! {
    InfoNeeded => interview_id,
    SkillValidationRequested => interview_id,
    PlanCreated => interview_id,
    InterviewApproved => interview_id,
    InterviewCompleted => interview_id,
    AssessmentReady => interview_id,
    AssessmentCompleted => interview_id,
    TurnRecorded => session_id,
    SessionChanged => session_id,
    SessionCommand => session_id,
}
