//! Words one reply: the model's token stream, cut into sentences. Temporary: it ends with its reply.
//!
//! A model that is late, stalls or refuses is tried once more; then the plan follower words the reply, so that the
//! candidate never waits for an engine.

use crate::{
    llm_prompt,
    observe::Observed,
    parts::Parts,
    session::{message::MindEvent, sentences::Splitter},
};
use futures::StreamExt;
use maya_protocol::interview::Turn;
use maya_providers::{
    llm::{InterviewFacts, LanguageModel, LlmRequest},
    plan_follower::PlanFollower,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::sync::Arc;
use tokio::time::timeout;

/// The actor.
pub struct LlmTurn;

/// What it is given.
pub struct LlmTurnArgs {
    /// Which thought of the session's it is.
    pub thought: u64,
    /// What to word.
    pub facts: InterviewFacts,
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
        let request = llm_prompt::request(state.facts.clone(), &state.history);
        let engines: [Arc<dyn LanguageModel>; 3] =
            [state.parts.senses.thinks.clone(), state.parts.senses.thinks.clone(), Arc::new(PlanFollower)];
        for engine in engines {
            state.probe.phase("wording");
            match word(state, engine.as_ref(), request.clone()).await {
                Ok(()) => break,
                // sentences that are out stay said: the reply ends there
                Err(Failed { reason, worded: true }) => {
                    state.probe.failed(reason);
                    (state.events)(MindEvent::Done { thought: state.thought, last: None, by: None });
                    break;
                }
                Err(Failed { reason, worded: false }) => {
                    tracing::warn!(engine = engine.name(), error = %reason, "a reply was not worded");
                    metrics::counter!("maya_llm_failures_total").increment(1);
                    state.probe.restarted(reason);
                }
            }
        }
        state.probe.handled();
        myself.stop(None);
        Ok(())
    }
}

struct Failed {
    reason: String,
    worded: bool,
}

async fn word(state: &LlmTurnArgs, engine: &dyn LanguageModel, request: LlmRequest) -> Result<(), Failed> {
    let settings = &state.parts.settings;
    let mut worded = false;
    let fail = |reason: String, worded| Failed { reason, worded };
    state.probe.provider("asked");
    state.probe.waits_for(Some("model"));
    let stream = timeout(settings.first_token, engine.stream(request)).await;
    let mut stream = match stream {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(fail(error.to_string(), worded)),
        Err(_) => return Err(fail("no answer in time".to_owned(), worded)),
    };
    let mut splitter = Splitter::default();
    let mut patience = settings.first_token;
    loop {
        match timeout(patience, stream.next()).await {
            Ok(Some(Ok(piece))) => {
                patience = settings.next_token;
                state.probe.provider("streaming");
                state.probe.waits_for(None);
                state.probe.progress();
                for sentence in splitter.push(&piece) {
                    worded = true;
                    (state.events)(MindEvent::Worded { thought: state.thought, sentence });
                }
            }
            Ok(Some(Err(error))) => return Err(fail(error.to_string(), worded)),
            Ok(None) => break,
            Err(_) => return Err(fail("tokens stalled".to_owned(), worded)),
        }
    }
    let (last, by) = splitter.finish();
    if last.is_none() && !worded {
        return Err(fail("an empty reply".to_owned(), false));
    }
    (state.events)(MindEvent::Done { thought: state.thought, last, by });
    Ok(())
}
