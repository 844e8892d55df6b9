//! Tokens out of server-sent events, however the bytes are cut.

use super::{broken, filtered, garbage};
use crate::{ProviderError, llm::thoughts::Thoughts};
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use reqwest::Response;
use serde::Deserialize;
use std::collections::VecDeque;

/// A line longer than this is no token.
const MOST_BYTES: usize = 1 << 20;

/// Reads one streamed completion.
pub(super) struct TokenReader {
    body: BoxStream<'static, reqwest::Result<Bytes>>,
    lines: Vec<u8>,
    tokens: VecDeque<String>,
    thoughts: Thoughts,
    finished: bool,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
}

impl TokenReader {
    pub(super) fn new(response: Response) -> Self {
        Self {
            body: response.bytes_stream().boxed(),
            lines: vec![],
            tokens: VecDeque::new(),
            thoughts: Thoughts::default(),
            finished: false,
        }
    }

    /// The next token; none at the proper end. A stream that just stops is an error.
    pub(super) async fn next(&mut self) -> Result<Option<String>, ProviderError> {
        loop {
            if let Some(token) = self.tokens.pop_front() {
                return Ok(Some(token));
            }
            if self.finished {
                return Ok(None);
            }
            match self.body.next().await {
                Some(piece) => self.take(&piece.map_err(broken)?)?,
                None => return Err(garbage("the stream stopped before its end")),
            }
        }
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), ProviderError> {
        self.lines.extend_from_slice(piece);
        while let Some(end) = self.lines.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.lines.drain(..=end).collect();
            let line = std::str::from_utf8(&line).map_err(|_| garbage("the stream is not UTF-8"))?;
            if let Some(data) = line.trim_end().strip_prefix("data:") {
                self.event(data.trim_start())?;
            }
        }
        if self.lines.len() > MOST_BYTES { Err(garbage("an endless line")) } else { Ok(()) }
    }

    fn event(&mut self, data: &str) -> Result<(), ProviderError> {
        if self.finished || data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            self.end();
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|_| garbage("an event is not as it must be"))?;
        if chunk.error.is_some() {
            return Err(garbage("the server failed in the stream"));
        }
        for choice in chunk.choices.into_iter().take(1) {
            if let Some(content) = choice.delta.content {
                self.tokens.extend(self.thoughts.spoken(&content));
            }
            match choice.finish_reason.as_deref() {
                Some("content_filter") => return Err(filtered()),
                Some(_) => self.end(),
                None => {}
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        self.tokens.extend(self.thoughts.rest());
        self.finished = true;
    }
}
