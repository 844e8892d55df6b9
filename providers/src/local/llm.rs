//! A language model on this machine, behind the same seam as one behind an endpoint.
//!
//! Two threads, each with a working memory of its own over one set of weights: a conversation never waits for a plan or
//! an assessment to be written. What computes is behind [`Engine`]: llama.cpp, in builds with the feature `local-llm`.

mod engine;
#[cfg(feature = "local-llm")]
mod llama;
mod prompt;
#[cfg(test)]
mod tests;
mod utf8;

use super::worker::Worker;
use crate::{
    ProviderError,
    llm::{LanguageModel, LlmRequest, TokenStream, schema, thoughts::Thoughts},
};
use async_trait::async_trait;
use engine::{Engine, Finish, Job, Listener};
use futures::{StreamExt, stream};
use serde_json::Value;
use std::{path::Path, sync::Arc};
use tokio::sync::mpsc;

const NAME: &str = "local-llm";
/// Requests that may wait for one thread; callers beyond it wait for room.
const DEPTH: usize = 16;
/// A document that does not fit is asked for once more.
const ATTEMPTS: usize = 2;

/// How a model is run.
#[derive(Debug, Clone)]
pub struct LlmOptions {
    /// Tokens of prompt and answer together; a longer prompt loses what was said first.
    pub context: u32,
    /// Threads that compute one answer.
    pub threads: usize,
    /// Where chance begins; the same seed, prompt and model word the same answer.
    pub seed: u32,
}
impl Default for LlmOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
        Self { context: 8192, threads, seed: rand::random() }
    }
}

type Lane = Arc<Worker<Box<dyn Engine>>>;

/// A language model on this machine. Cheap to clone; the model is loaded once.
#[derive(Clone)]
pub struct LocalLlm {
    conversation: Lane,
    documents: Lane,
    name: Arc<str>,
}

impl LocalLlm {
    /// Whether this build can run one.
    pub const AVAILABLE: bool = cfg!(feature = "local-llm");

    /// Loads a GGUF file. Blocks while it is read.
    #[cfg(feature = "local-llm")]
    pub fn load(file: &Path, options: &LlmOptions) -> Result<Self, ProviderError> {
        let model = llama::Model::load(file)?;
        let engine = || model.engine(options).map(|engine| Box::new(engine) as Box<dyn Engine>);
        Self::with(model.name(), engine()?, engine()?)
    }

    /// Says that this build cannot run one.
    #[cfg(not(feature = "local-llm"))]
    pub fn load(_file: &Path, _options: &LlmOptions) -> Result<Self, ProviderError> {
        Err(ProviderError::fatal(NAME, "this build runs no model by itself: build it with --features local-llm"))
    }

    fn with(name: &str, conversation: Box<dyn Engine>, documents: Box<dyn Engine>) -> Result<Self, ProviderError> {
        let lane = |engine| Worker::start(NAME, DEPTH, vec![engine]).map(Arc::new);
        Ok(Self {
            conversation: lane(conversation)?,
            documents: lane(documents)?,
            name: format!("local:{name}").into(),
        })
    }
}

/// Has a job done. The pieces of its answer come as they are made, then why there are no more; whoever drops the
/// receiver stops the work at its next step, or before it begins.
fn ask(lane: &Lane, job: Job) -> mpsc::Receiver<Result<Told, ProviderError>> {
    // as much as there can be, so that a slow listener never holds the thread up
    let (teller, heard) = mpsc::channel(job.max_tokens as usize + 2);
    let lane = lane.clone();
    tokio::spawn(maya_protocol::trace::carry(async move {
        let listener = Listener::new(teller.clone());
        let done = lane.run(0, move |engine| match listener.is_gone() {
            true => Ok(Finish::Abandoned),
            false => engine.generate(&job, &listener),
        });
        let last = done.await.map(Told::Finished);
        let _ = teller.send(last).await;
    }));
    heard
}

/// What is told of a job.
enum Told {
    Piece(String),
    Finished(Finish),
}

#[async_trait]
impl LanguageModel for LocalLlm {
    /// Returns with the first words at hand, so that what can be tried again fails here and not in the stream.
    async fn stream(&self, request: LlmRequest) -> Result<TokenStream, ProviderError> {
        let mut answer = Answer { told: ask(&self.conversation, Job::of(request)), thoughts: Thoughts::default() };
        let Some(first) = answer.next().await else { return Err(ProviderError::retry(NAME, "an empty answer")) };
        let first = first?;
        let rest = stream::unfold(answer, |mut answer| async move {
            let piece = answer.next().await?;
            Some((piece, answer))
        });
        Ok(stream::iter([Ok(first)]).chain(rest).boxed())
    }

    async fn json(&self, request: LlmRequest, schema: &Value) -> Result<Value, ProviderError> {
        let mut failure = ProviderError::retry(NAME, "nothing was answered");
        for _ in 0..ATTEMPTS {
            let job = Job { schema: Some(schema.clone()), ..Job::of(request.clone()) };
            match self.document(job, schema).await {
                Err(error) if error.is_retryable() => failure = error,
                answer => return answer,
            }
        }
        Err(failure)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl LocalLlm {
    async fn document(&self, job: Job, schema: &Value) -> Result<Value, ProviderError> {
        let mut told = ask(&self.documents, job);
        let mut text = String::new();
        loop {
            match told.recv().await {
                Some(Ok(Told::Piece(piece))) => text.push_str(&piece),
                Some(Ok(Told::Finished(Finish::Ended))) => break,
                Some(Ok(Told::Finished(Finish::Cut))) => {
                    return Err(ProviderError::retry(NAME, "the answer was longer than allowed"));
                }
                Some(Ok(Told::Finished(Finish::Abandoned))) | None => {
                    return Err(ProviderError::retry(NAME, "the model's thread is gone"));
                }
                Some(Err(error)) => return Err(error),
            }
        }
        let document = serde_json::from_str(&text).map_err(|_| ProviderError::retry(NAME, "the answer is not JSON"))?;
        match schema::mismatch(&document, schema) {
            None => Ok(document),
            Some(place) => Err(ProviderError::retry(NAME, format!("the answer does not fit the schema at {place}"))),
        }
    }
}

/// An answer in words, without the model's thinking aloud.
struct Answer {
    told: mpsc::Receiver<Result<Told, ProviderError>>,
    thoughts: Thoughts,
}

impl Answer {
    async fn next(&mut self) -> Option<Result<String, ProviderError>> {
        loop {
            match self.told.recv().await? {
                Ok(Told::Piece(piece)) => {
                    if let Some(spoken) = self.thoughts.spoken(&piece) {
                        return Some(Ok(spoken));
                    }
                }
                // a reply that was cut is still a reply
                Ok(Told::Finished(_)) => return self.thoughts.rest().map(Ok),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
