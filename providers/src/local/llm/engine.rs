//! What computes an answer, as the rest sees it: one thread owns it, one job at a time.

use super::Told;
use crate::{
    ProviderError,
    llm::{LlmRequest, Message},
};
use serde_json::Value;
use tokio::sync::mpsc;

/// Makes an answer, piece by piece.
pub(super) trait Engine: Send {
    /// Tells the answer's pieces, and says why there are no more.
    fn generate(&mut self, job: &Job, listener: &Listener) -> Result<Finish, ProviderError>;
}

/// What is asked for.
pub(super) struct Job {
    pub(super) messages: Vec<Message>,
    pub(super) max_tokens: u32,
    pub(super) temperature: f32,
    /// The answer must be JSON that fits it.
    pub(super) schema: Option<Value>,
}

impl Job {
    pub(super) fn of(request: LlmRequest) -> Self {
        let LlmRequest { messages, max_tokens, temperature, .. } = request;
        Self { messages, max_tokens, temperature, schema: None }
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// The model was done.
    Ended,
    /// It was as long as allowed.
    Cut,
    /// Nobody listens any more.
    Abandoned,
}

/// Who waits for an answer.
pub(super) struct Listener(mpsc::Sender<Result<Told, ProviderError>>);

impl Listener {
    pub(super) fn new(teller: mpsc::Sender<Result<Told, ProviderError>>) -> Self {
        Self(teller)
    }
    /// Whether the work is of no use any more.
    pub(super) fn is_gone(&self) -> bool {
        self.0.is_closed()
    }
    /// Tells a piece; `false` if nobody listens.
    pub(super) fn tell(&self, piece: String) -> bool {
        self.0.try_send(Ok(Told::Piece(piece))).is_ok()
    }
}
