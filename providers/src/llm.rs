//! The seam to what thinks: a prompt in, tokens or JSON out.

pub(crate) mod schema;
pub(crate) mod thoughts;

use crate::ProviderError;
use async_trait::async_trait;
use futures::stream::BoxStream;
use maya_protocol::plan::Question;
use serde::Serialize;

/// Who said something in a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Role {
    System,
    User,
    Assistant,
}

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Message {
    pub role: Role,
    pub content: String,
}

/// A request. `messages` is for models that read; `facts` are the same facts as values, for an engine that does not.
#[derive(Debug, Clone)]
pub struct LlmRequest {
    /// The prompt, system message first.
    pub messages: Vec<Message>,
    /// What the prompt was rendered from, where it is an interviewer's.
    pub facts: Option<InterviewFacts>,
    /// Bound of the answer.
    pub max_tokens: u32,
    /// 0 to 2.
    pub temperature: f32,
}

/// What the interviewer's prompt is rendered from.
#[derive(Debug, Clone, PartialEq)]
pub struct InterviewFacts {
    /// What Maya may do now.
    pub task: Task,
    /// First name of the candidate.
    pub candidate: String,
    /// Title of the position.
    pub title: String,
    /// BCP 47.
    pub language: String,
    /// Counts replies, so that wording varies without chance.
    pub reply: u32,
}

/// What Maya may do now. The session decides this from plan and clock; the model words it, and chooses only in `Respond`.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Greet, say what this is, and ask the first question.
    #[allow(missing_docs)]
    Greet { duration_minutes: u32, first: Question },
    /// Acknowledge the answer; then put one follow-up (tag `[follow:i]`, an index of `question.follow_ups` in
    /// `open`) or go on to `next` (tag `[next]`). Without `next`, only a follow-up or `[close]`.
    #[allow(missing_docs)]
    Respond { question: Question, answer: String, open: Vec<usize>, next: Option<Question> },
    /// The candidate was silent: encourage, and put the question again in short.
    #[allow(missing_docs)]
    Encourage { question: Question },
    /// The candidate was silent again: move on kindly and put the next question.
    #[allow(missing_docs)]
    MoveOn { next: Question },
    /// The candidate asked to hear it again, or what was said could not be understood.
    #[allow(missing_docs)]
    Repeat { question: Question },
    /// Thank, say what happens next, say goodbye. Ask nothing.
    #[allow(missing_docs)]
    Close { reason: CloseReason },
}

/// Why the interview ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// All was asked.
    Finished,
    /// The time is used.
    TimeUsed,
    /// Two questions stayed without answer.
    NoAnswers,
    /// A person asked for it over the API.
    Requested,
}

/// Pieces of text in order. Tags stand in square brackets before the sentence they belong to:
/// moves (`[follow:1]`, `[next]`, `[close]`) and emotions (`[warm]`, `[encouraging]`, `[curious]`, `[serious]`).
pub type TokenStream = BoxStream<'static, Result<String, ProviderError>>;

/// Something that thinks.
#[async_trait]
pub trait LanguageModel: Send + Sync + 'static {
    /// Streams an answer.
    async fn stream(&self, request: LlmRequest) -> Result<TokenStream, ProviderError>;
    /// Answers with JSON that fits the schema (JSON Schema); what does not fit is a retryable error.
    async fn json(&self, request: LlmRequest, schema: &serde_json::Value) -> Result<serde_json::Value, ProviderError>;
    /// For reports and metrics, e.g. `plan-follower/1`, `openai:llama3.1`.
    fn name(&self) -> &str;
}
