//! Thinking on script: given answers in order, or a real engine with latencies and faults.

use super::faults::{Fault, Faults, Latency, bend};
use crate::{
    ProviderError,
    llm::{LanguageModel, LlmRequest, TokenStream},
};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use serde_json::Value;
use std::{collections::VecDeque, sync::Arc};

const NAME: &str = "scripted-llm";

/// Answers with what it was given, in order; out of answers, it refuses for good. Clones share the script.
#[derive(Debug, Clone, Default)]
pub struct ScriptedLlm {
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    answers: VecDeque<Result<Value, ProviderError>>,
    requests: Vec<LlmRequest>,
}

impl ScriptedLlm {
    /// Will give these answers; a string is streamed, anything else is for [`LanguageModel::json`].
    pub fn answering(answers: impl IntoIterator<Item = Result<Value, ProviderError>>) -> Self {
        let script = Script { answers: answers.into_iter().collect(), requests: vec![] };
        Self { script: Arc::new(Mutex::new(script)) }
    }
    /// What it was asked.
    pub fn requests(&self) -> Vec<LlmRequest> {
        self.script.lock().requests.clone()
    }
    fn next(&self, request: LlmRequest) -> Result<Value, ProviderError> {
        let mut script = self.script.lock();
        script.requests.push(request);
        script.answers.pop_front().unwrap_or_else(|| Err(ProviderError::fatal(NAME, "out of answers")))
    }
}

#[async_trait]
impl LanguageModel for ScriptedLlm {
    async fn stream(&self, request: LlmRequest) -> Result<TokenStream, ProviderError> {
        let answer = self.next(request)?;
        let text = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
        let tokens: Vec<_> = text.split_inclusive(' ').map(|token| Ok(token.to_owned())).collect();
        Ok(stream::iter(tokens).boxed())
    }
    async fn json(&self, request: LlmRequest, _schema: &Value) -> Result<Value, ProviderError> {
        self.next(request)
    }
    fn name(&self) -> &str {
        NAME
    }
}

/// Another engine, slower and less reliable.
#[derive(Debug, Clone)]
pub struct FaultyLlm<M> {
    inner: M,
    latency: Latency,
    faults: Faults,
}

impl<M: LanguageModel> FaultyLlm<M> {
    /// Wraps an engine.
    pub fn new(inner: M, latency: Latency, faults: Faults) -> Self {
        Self { inner, latency, faults }
    }
}

#[async_trait]
impl<M: LanguageModel> LanguageModel for FaultyLlm<M> {
    async fn stream(&self, request: LlmRequest) -> Result<TokenStream, ProviderError> {
        let fault = self.faults.begin(NAME, self.latency).await?;
        let tokens = self.inner.stream(request).await?;
        Ok(bend(NAME, tokens, fault, self.latency.between, |_| "]{[\u{0}follow:99 ".to_owned()))
    }
    async fn json(&self, request: LlmRequest, schema: &Value) -> Result<Value, ProviderError> {
        match self.faults.begin(NAME, self.latency).await? {
            Some(Fault::StallAfter(_)) => std::future::pending().await,
            Some(Fault::DieAfter(_)) => Err(ProviderError::retry(NAME, "scripted death")),
            Some(_) => Ok(Value::Null),
            None => self.inner.json(request, schema).await,
        }
    }
    fn name(&self) -> &str {
        self.inner.name()
    }
}
