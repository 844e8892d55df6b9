//! What a session is doing, as data: everything that matters in a phase lives in its variant.

use super::{agenda::Move, sentences::Sentence};
use maya_protocol::{ids::TurnId, session::Phase};
use maya_providers::llm::{CloseReason, Task};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// How far ahead of the candidate's ear audio is let go: enough to bridge a hiccup, little enough that a barge-in
/// leaves few recorded words unheard.
pub const LEAD: Duration = Duration::from_millis(1500);

/// What a session does now.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one a session, and it is never moved about")]
pub enum Doing {
    /// Approved, never joined.
    Waiting,
    /// Maya speaks: the opening, a reply, or the closing.
    Talking(Talk),
    /// The floor is the candidate's.
    Listening {
        /// Since when nothing was said.
        since: Instant,
        /// The question was already put again.
        encouraged: bool,
        /// The candidate is speaking.
        speaking: bool,
    },
    /// A reply is being worded; nothing of it was heard yet.
    Thinking {
        /// What is worded.
        task: Task,
        /// Which attempt at it the answers must belong to.
        thought: u64,
        /// Since when.
        since: Instant,
        /// The candidate has begun to speak again.
        speaking: bool,
        /// By the plan alone, because the model failed.
        plain: bool,
    },
    /// The candidate is away.
    Suspended {
        /// Since when.
        since: Instant,
        /// What was interrupted.
        before: Box<Doing>,
    },
    /// Over.
    Ended,
}

/// Why Maya speaks; decides the phase's name and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The opening.
    Greeting,
    /// A reply; whether it puts the same question to a silent candidate again.
    Reply {
        /// The next silence leads on.
        encourages: bool,
        /// The question before it stayed without an answer.
        unanswered: bool,
    },
    /// The closing.
    Closing(CloseReason),
}

/// A turn of Maya's, sentence by sentence.
#[derive(Debug, Clone)]
pub struct Talk {
    /// Which turn.
    pub turn: TurnId,
    /// Why she speaks.
    pub why: Why,
    /// Which wording the sentences come from.
    pub thought: u64,
    /// In order.
    pub sentences: Vec<Said>,
    /// No more sentences will come.
    pub complete: bool,
    /// What saying the last sentence does to the plan's cursor.
    pub by: Move,
    /// When all audio let go so far will have been heard.
    pub heard_at: Option<Instant>,
    /// The client told what it has heard, so its marks decide and not the clock alone.
    pub marked: Option<(u32, u64)>,
    /// The turn's final frame has left.
    pub closed: bool,
    /// Sentences that the candidate's edge has written to the end.
    pub written: BTreeSet<usize>,
    /// Its rest was lost with its owner: what it replied to is replied to anew after it.
    pub breaks_off: bool,
}

/// One sentence on its way to the candidate's ear.
#[derive(Debug, Clone)]
pub struct Said {
    /// The words.
    pub sentence: Sentence,
    /// How far it is.
    pub stage: Stage,
    /// Its voice has its first audio, or has given up.
    pub voiced: bool,
    /// Audio let go, in milliseconds.
    pub released_ms: u64,
}

/// How far a sentence is: it is recorded before its first audio leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Worded.
    Worded,
    /// On its way to the database.
    Recording,
    /// In the database.
    Recorded,
    /// Its audio is being let go.
    Releasing,
    /// All its audio was let go.
    Released,
}

impl Said {
    /// One that nobody has said yet.
    pub fn worded(sentence: Sentence) -> Self {
        Self { sentence, stage: Stage::Worded, voiced: false, released_ms: 0 }
    }
}

impl Talk {
    /// A turn that has no sentence yet.
    pub fn new(turn: TurnId, why: Why, thought: u64, by: Move) -> Self {
        Self {
            turn,
            why,
            thought,
            sentences: Vec::new(),
            complete: false,
            by,
            heard_at: None,
            marked: None,
            closed: false,
            written: BTreeSet::new(),
            breaks_off: false,
        }
    }
    /// Whether every sentence was let go and no other will come.
    pub fn all_released(&self) -> bool {
        self.complete && self.sentences.iter().all(|said| said.stage == Stage::Released)
    }
    /// Whether any audio was let go.
    pub fn has_begun(&self) -> bool {
        self.sentences.iter().any(|said| matches!(said.stage, Stage::Releasing | Stage::Released))
    }
    /// Whether any sentence is in the database (or on its way).
    pub fn is_recorded(&self) -> bool {
        self.sentences.iter().any(|said| said.stage != Stage::Worded)
    }
    /// The words recorded so far.
    pub fn recorded_text(&self) -> Vec<String> {
        self.sentences
            .iter()
            .filter(|said| said.stage != Stage::Worded)
            .map(|said| said.sentence.text.clone())
            .collect()
    }
    /// The first sentence that the candidate has not heard to its end at `now`.
    pub fn first_unheard(&self, now: Instant) -> usize {
        if let Some((sentence, played)) = self.marked {
            let whole = self
                .sentences
                .get(sentence as usize)
                .is_some_and(|said| said.stage == Stage::Released && played + 60 >= said.released_ms);
            return sentence as usize + usize::from(whole);
        }
        let Some(heard_at) = self.heard_at else { return 0 };
        let mut unheard = heard_at.saturating_duration_since(now);
        for (index, said) in self.sentences.iter().enumerate().rev() {
            let length = Duration::from_millis(said.released_ms);
            if said.released_ms == 0 {
                continue;
            }
            if unheard.is_zero() {
                return index + 1;
            }
            if unheard <= length {
                return index;
            }
            unheard -= length;
        }
        0
    }
}

impl Doing {
    /// The candidate's name for it.
    pub fn phase(&self) -> Phase {
        match self {
            Doing::Waiting => Phase::Waiting,
            Doing::Talking(Talk { why: Why::Greeting, .. }) => Phase::Greeting,
            Doing::Talking(Talk { why: Why::Closing(_), .. }) => Phase::Closing,
            // until the first audio leaves, a reply is still being thought of
            Doing::Talking(talk) if !talk.has_begun() => Phase::Thinking,
            Doing::Talking(_) => Phase::Speaking,
            Doing::Listening { .. } => Phase::Listening,
            Doing::Thinking { task: Task::Close { .. }, .. } => Phase::Closing,
            Doing::Thinking { .. } => Phase::Thinking,
            Doing::Suspended { .. } => Phase::Suspended,
            Doing::Ended => Phase::Ended,
        }
    }
}
