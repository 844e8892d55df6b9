//! Words one reply: the model's token stream, cut into sentences. Temporary: it ends with its reply.
//!
//! A model that refuses is asked once more, after a pause where its quota says so; one that is late is not, because the
//! candidate waits. Then the plan follower words the reply. A reply that breaks off after some sentences ends with the
//! question that it was to put. What a model's provider blocks is answered by a fixed sentence and the next question.

mod rescue;

use crate::{
    llm_prompt,
    observe::Observed,
    parts::Parts,
    session::{message::MindEvent, sentences::Splitter},
};
use futures::StreamExt;
use maya_protocol::interview::Turn;
use maya_providers::{
    ProviderError,
    llm::{InterviewFacts, LanguageModel, LlmRequest},
    plan_follower::PlanFollower,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// The pause before a model that refused is asked once more.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause that a quota may ask for: with a longer one the plan words the reply at once.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The actor.
pub struct LlmTurn;

/// What it is given.
pub struct LlmTurnArgs {
    /// Which thought of the session's it is.
    pub thought: u64,
    /// What to word.
    pub facts: InterviewFacts,
    /// By the plan alone: the model failed with this reply before.
    pub plain: bool,
    /// What was said so far.
    pub history: Arc<Vec<Turn>>,
    /// Where the sentences go.
    pub events: Box<dyn Fn(MindEvent) + Send + Sync>,
    /// Its place in the tree.
    pub probe: Observed,
    /// The seams.
    pub parts: Parts,
}

/// What it is told.
pub enum LlmTurnMessage {
    /// Think.
    Think,
}

impl Actor for LlmTurn {
    type Msg = LlmTurnMessage;
    type State = LlmTurnArgs;
    type Arguments = LlmTurnArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        args.probe.sent();
        myself.cast(LlmTurnMessage::Think)?;
        Ok(args)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        LlmTurnMessage::Think: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let _working = state.probe.work();
        state.probe.phase("wording");
        state.think().await;
        state.probe.handled();
        myself.stop(None);
        Ok(())
    }
}

/// Why a model's reply is not there, or not whole.
enum Failed {
    /// Nothing of it was worded.
    Unworded(Why),
    /// Sentences are out and stay said. Whether a question is among them, and what the reply's tags asked for.
    #[allow(missing_docs)]
    Broken { reason: String, asked: bool, by: Option<crate::session::agenda::Move> },
}

/// Why nothing was worded, by what may be done about it.
enum Why {
    /// It may be asked again, no sooner than that.
    Refused(String, Duration),
    /// It was late, or wrote nonsense: it would be again.
    Useless(String),
    /// It will not word this.
    Blocked(String),
}

impl LlmTurnArgs {
    /// Words the reply, by the model or without it; there always is one.
    async fn think(&self) {
        let request = llm_prompt::request(self.facts.clone(), &self.history);
        let model = self.parts.senses.thinks.as_ref();
        for last in [false, true] {
            if self.plain {
                break;
            }
            let why = match self.word(model, request.clone()).await {
                Ok(()) => return,
                Err(Failed::Broken { reason, asked, by }) => {
                    self.trouble(model, format!("broke off: {reason}"));
                    return self.done(if asked { (None, by) } else { rescue::question(&self.facts.task, by) });
                }
                Err(Failed::Unworded(why)) => why,
            };
            match why {
                Why::Refused(reason, pause) => {
                    self.trouble(model, reason);
                    if last || pause > LONGEST_PAUSE {
                        break;
                    }
                    sleep(pause).await;
                    self.probe.progress();
                }
                Why::Useless(reason) => {
                    self.trouble(model, reason);
                    break;
                }
                Why::Blocked(reason) => {
                    self.trouble(model, reason);
                    if let Some(neutral) = rescue::neutral(&self.facts.task) {
                        (self.events)(MindEvent::Worded { thought: self.thought, sentence: neutral });
                        return self.done(rescue::question(&self.facts.task, None));
                    }
                    break;
                }
            }
        }
        if let Err(Failed::Unworded(Why::Refused(reason, _) | Why::Useless(reason) | Why::Blocked(reason))) =
            self.word(&PlanFollower, request).await
        {
            // in a language that it does not speak, the plan's own words are left
            self.trouble(&PlanFollower, reason);
            self.done(rescue::question(&self.facts.task, None));
        }
    }

    fn trouble(&self, engine: &dyn LanguageModel, reason: String) {
        tracing::warn!(engine = engine.name(), error = %reason, "a reply was not worded");
        metrics::counter!("maya_llm_failures_total").increment(1);
        self.probe.restarted(&reason);
        (self.events)(MindEvent::Trouble { reason });
    }

    fn done(&self, (last, by): rescue::Ending) {
        (self.events)(MindEvent::Done { thought: self.thought, last, by });
    }

    async fn word(&self, engine: &dyn LanguageModel, request: LlmRequest) -> Result<(), Failed> {
        let unworded = |why| Err(Failed::Unworded(why));
        let settings = &self.parts.settings;
        self.probe.provider("asked");
        self.probe.waits_for(Some("model"));
        let mut stream = match timeout(settings.first_token, engine.stream(request)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return unworded(self.why(error)),
            Err(_) => return unworded(Why::Useless("no answer in time".to_owned())),
        };
        let mut splitter = Splitter::default();
        let (mut worded, mut asked) = (false, false);
        let mut patience = settings.first_token;
        loop {
            let failure = match timeout(patience, stream.next()).await {
                Ok(Some(Ok(piece))) => {
                    self.probe.provider("streaming");
                    self.probe.waits_for(None);
                    self.probe.progress();
                    patience = settings.next_token;
                    let sentences = splitter.push(&piece);
                    if rescue::is_speech(&sentences) {
                        for sentence in sentences {
                            worded = true;
                            asked |= sentence.text.contains('?');
                            (self.events)(MindEvent::Worded { thought: self.thought, sentence });
                        }
                        continue;
                    }
                    Why::Useless("it wrote what is no speech".to_owned())
                }
                Ok(Some(Err(error))) => self.why(error),
                Ok(None) => break,
                Err(_) => Why::Useless("tokens stalled".to_owned()),
            };
            if !worded {
                return unworded(failure);
            }
            let (Why::Refused(reason, _) | Why::Useless(reason) | Why::Blocked(reason)) = failure;
            return Err(Failed::Broken { reason, asked, by: splitter.finish().1 });
        }
        let (last, by) = splitter.finish();
        if !rescue::is_speech(last.as_slice()) || (last.is_none() && !worded) {
            let reason = "an empty reply, or no speech".to_owned();
            return if worded { Err(Failed::Broken { reason, asked, by }) } else { unworded(Why::Useless(reason)) };
        }
        self.done((last, by));
        Ok(())
    }

    fn why(&self, error: ProviderError) -> Why {
        self.parts.quotas.heed(&error);
        let reason = error.to_string();
        match error {
            ProviderError::Retry { .. } => Why::Refused(reason, PAUSE),
            ProviderError::Quota { retry_after, .. } => Why::Refused(reason, retry_after.unwrap_or(PAUSE)),
            ProviderError::Blocked { .. } => Why::Blocked(reason),
            ProviderError::Fatal { .. } => Why::Useless(reason),
        }
    }
}
