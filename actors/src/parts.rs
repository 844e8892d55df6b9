//! What the actors of a node are given: the seams, and how interviews behave.

use crate::{observe::Observer, placement::Budget, quota::Quotas, session::asides::Asides};
use maya_protocol::{bus::SharedBus, clock::SharedClock, ids::NodeId, pulse::Pulse, registry::SharedRegistry};
use maya_providers::{
    llm::LanguageModel,
    stt::SpeechToText,
    tts::TextToSpeech,
    vad::{EndOfTurn, VoiceActivity},
};
use maya_store::Store;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use std::{sync::Arc, time::Duration};

/// Chance, as an argument: the jitter of pauses.
pub type SharedRng = Arc<Mutex<StdRng>>;

/// The senses of an interviewer.
#[derive(Clone)]
#[allow(missing_docs, reason = "the types say it")]
pub struct Senses {
    pub hears: Arc<dyn SpeechToText>,
    pub speaks: Arc<dyn TextToSpeech>,
    pub notices: Arc<dyn VoiceActivity>,
    pub judges: Arc<dyn EndOfTurn>,
    /// Words the replies.
    pub thinks: Arc<dyn LanguageModel>,
}

/// How interviews behave.
#[derive(Debug, Clone)]
pub struct InterviewSettings {
    /// How long a candidate may say nothing before Maya does something about it.
    pub silence: Duration,
    /// How long a candidate may be away.
    pub grace: Duration,
    /// A turn ends after this much silence in any case.
    pub max_silence: Duration,
    /// Batch pieces closer together than this are one speech.
    pub batch_debounce: Duration,
    /// Speech that goes on is recorded in pieces, none longer: a node that is lost has no more than that to hear again.
    pub longest_piece: Duration,
    /// A recogniser must open its stream within.
    pub stream_opens: Duration,
    /// A recogniser must have the words of a turn that is over within.
    pub final_words: Duration,
    /// A candidate who waits for a reply that long is told that it comes.
    pub filler: Duration,
    /// A candidate who waits that long for the database is told of a technical problem.
    pub holding: Duration,
    /// The first token of a reply must come within.
    pub first_token: Duration,
    /// Every further token must come within.
    pub next_token: Duration,
    /// The first audio of a sentence must come within.
    pub first_audio: Duration,
    /// An actor at one piece of work without progress for that long is replaced.
    pub frozen: Duration,
    /// A session's lease in the registry.
    pub lease: Duration,
    /// Audio messages that may wait for one session.
    pub audio_bound: usize,
    /// What the node may carry.
    pub budget: Budget,
}
impl Default for InterviewSettings {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(8),
            grace: Duration::from_secs(300),
            max_silence: Duration::from_millis(2500),
            batch_debounce: Duration::from_millis(1500),
            longest_piece: Duration::from_secs(20),
            stream_opens: Duration::from_secs(3),
            final_words: Duration::from_secs(5),
            filler: Duration::from_secs(3),
            holding: Duration::from_secs(3),
            first_token: Duration::from_secs(6),
            next_token: Duration::from_secs(4),
            first_audio: Duration::from_secs(8),
            frozen: Duration::from_secs(10),
            lease: Duration::from_secs(6),
            audio_bound: 256,
            budget: Budget::default(),
        }
    }
}

/// What the actors of a node are given.
#[derive(Clone)]
#[allow(missing_docs, reason = "the types say it")]
pub struct Parts {
    pub node: NodeId,
    pub store: Store,
    pub bus: SharedBus,
    pub registry: SharedRegistry,
    pub clock: SharedClock,
    pub observer: Observer,
    pub rng: SharedRng,
    pub pulse: Pulse,
    pub quotas: Quotas,
    /// What Maya says beside the conversation, synthesised ahead.
    pub asides: Asides,
    pub senses: Senses,
    pub settings: InterviewSettings,
}
