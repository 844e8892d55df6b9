//! The topic table: every topic of the platform, its partitions, its retention, what it is keyed by.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// What a topic's messages are keyed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyedBy {
    /// The interview's id.
    Interview,
    /// The session's id.
    Session,
}

/// What a topic carries, which decides its retention and its durability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// Domain events: durable, replayable, with a dead-letter topic.
    Events,
    /// Audio, video, captions: live, short-lived.
    Media,
}

macro_rules! topics {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $key:ident, $partitions:literal, $carries:ident;)*) => {
        /// A topic of the platform.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Topic { $($(#[$doc])* #[serde(rename = $name)] $variant,)* }
        impl Topic {
            /// Every topic, in the order of the table.
            pub const ALL: &'static [Topic] = &[$(Topic::$variant,)*];
            /// The name on the bus.
            pub const fn name(self) -> &'static str { match self { $(Topic::$variant => $name,)* } }
            /// The name of its dead-letter topic (used by domain topics only).
            pub const fn dead_letter_name(self) -> &'static str { match self { $(Topic::$variant => concat!($name, ".dlq"),)* } }
            /// What its messages are keyed by.
            pub const fn keyed_by(self) -> KeyedBy { match self { $(Topic::$variant => KeyedBy::$key,)* } }
            /// Partitions where configuration does not say otherwise.
            pub const fn default_partitions(self) -> u32 { match self { $(Topic::$variant => $partitions,)* } }
            /// What it carries.
            pub const fn carries(self) -> Carries { match self { $(Topic::$variant => Carries::$carries,)* } }
        }
    };
}

topics! {
    /// Data validation failed: a person must complete it.
    InfoNeeded = "interview.info_needed", Interview, 12, Events;
    /// Data complete: match the skills and write a plan.
    SkillValidationRequested = "skill.validation.requested", Interview, 12, Events;
    /// A plan was written, or refused with the reason.
    PlanCreated = "interview.plan.created", Interview, 12, Events;
    /// A person approved the plan: prepare the session.
    InterviewApproved = "interview.approved", Interview, 12, Events;
    /// Microphone audio and session signals.
    CandidateSpoken = "audio.candidate.spoken", Session, 100, Media;
    /// Maya's audio, her words and her state.
    AgentSpoken = "audio.agent.spoken", Session, 100, Media;
    /// Live interim and final transcripts.
    CandidateTranscribed = "audio.candidate.transcribed", Session, 100, Media;
    /// Camera and microphone WebM pieces of a consenting candidate.
    CandidateVideo = "video.candidate.stream", Session, 100, Media;
    /// The session ended: completed, abandoned, cancelled, failed.
    InterviewCompleted = "interview.completed", Interview, 12, Events;
    /// An assessment was generated: the human gate.
    AssessmentReady = "interview.assessment.ready", Interview, 12, Events;
    /// A recruiter approved the verdict.
    AssessmentCompleted = "interview.assessment.completed", Interview, 12, Events;
    /// The outbox's copy of each finalised utterance and spoken sentence.
    TurnRecorded = "interview.turn.recorded", Session, 100, Events;
    /// Started, suspended, resumed, ended.
    SessionChanged = "interview.session.changed", Session, 12, Events;
    /// Cancel, expire, end, move.
    SessionCommand = "interview.session.command", Session, 100, Events;
}

impl Topic {
    /// The topic of that name, if there is one.
    pub fn named(name: &str) -> Option<Topic> {
        Self::ALL.iter().copied().find(|topic| topic.name() == name)
    }
    /// How long the bus keeps a message.
    pub const fn retention(self) -> Duration {
        match self.carries() {
            Carries::Media => Duration::from_secs(2 * 3600),
            Carries::Events => Duration::from_secs(7 * 24 * 3600),
        }
    }
}
impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How long the bus keeps a dead letter.
pub const DEAD_LETTER_RETENTION: Duration = Duration::from_secs(14 * 24 * 3600);

/// A topic or the dead-letter topic beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// The topic itself.
    Main(Topic),
    /// Its dead letters (one partition).
    DeadLetter(Topic),
}

impl Channel {
    /// The name on the bus.
    pub const fn name(self) -> &'static str {
        match self {
            Channel::Main(topic) => topic.name(),
            Channel::DeadLetter(topic) => topic.dead_letter_name(),
        }
    }
    /// The topic, whichever channel of it this is.
    pub const fn topic(self) -> Topic {
        match self {
            Channel::Main(topic) | Channel::DeadLetter(topic) => topic,
        }
    }
    /// Every channel that must exist on the bus.
    pub fn all() -> impl Iterator<Item = Channel> {
        Topic::ALL.iter().flat_map(|&topic| {
            let dead = (topic.carries() == Carries::Events).then_some(Channel::DeadLetter(topic));
            std::iter::once(Channel::Main(topic)).chain(dead)
        })
    }
}
impl From<Topic> for Channel {
    fn from(topic: Topic) -> Self {
        Channel::Main(topic)
    }
}

/// The partition of a key, as every Java client computes it (murmur2, positive, modulo).
pub fn partition_of(key: &str, partitions: u32) -> u32 {
    (murmur2::murmur2(key.as_bytes(), murmur2::KAFKA_SEED) & 0x7fff_ffff) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `org.apache.kafka.common.utils.Utils.murmur2`, from Kafka's own UtilsTest.
    #[test]
    fn murmur2_agrees_with_java() {
        let cases: [(&str, i32); 5] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ];
        for (key, expected) in cases {
            assert_eq!(murmur2::murmur2(key.as_bytes(), murmur2::KAFKA_SEED) as i32, expected, "{key}");
            assert_eq!(partition_of(key, 100), ((expected & 0x7fff_ffff) % 100) as u32);
        }
    }

    #[test]
    fn names_are_unique_and_found() {
        for &topic in Topic::ALL {
            assert_eq!(Topic::named(topic.name()), Some(topic));
        }
        assert_eq!(Channel::all().count(), 14 + 10);
    }
}
