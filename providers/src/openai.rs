//! Any OpenAI-compatible endpoint: Ollama, vLLM, llama.cpp, or the service that gave the protocol its name.
//!
//! Chat completions only, by streaming (server-sent events) or as JSON against a schema. Time-outs are told apart:
//! to connect, to the first token, between tokens. Error messages carry no prompt, no answer, no URL and no key.

mod sse;

use crate::{
    ProviderError,
    llm::{LanguageModel, LlmRequest, Message, Role, TokenStream, schema, thoughts},
};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use reqwest::{Response, StatusCode, Url};
use serde_json::{Value, json};
use sse::TokenReader;
use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

const NAME: &str = "openai";

/// Where the model is, and how long it may take.
#[derive(Clone)]
pub struct OpenAiSettings {
    /// The API's base, e.g. `http://127.0.0.1:11434/v1`; without a path, `/v1` is meant.
    pub url: String,
    /// As the server names it.
    pub model: String,
    /// Sent as a bearer token, where there is one.
    pub api_key: Option<String>,
    /// To connect.
    pub connect: Duration,
    /// From the request to the first token.
    pub first_token: Duration,
    /// Between two tokens.
    pub between_tokens: Duration,
    /// For a whole JSON answer.
    pub document: Duration,
}

impl OpenAiSettings {
    /// Time-outs fit for a live conversation.
    pub fn new(url: impl Into<String>, model: impl Into<String>, api_key: Option<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            api_key,
            connect: Duration::from_secs(3),
            first_token: Duration::from_secs(10),
            between_tokens: Duration::from_secs(5),
            document: Duration::from_secs(180),
        }
    }
    fn endpoint(&self) -> Result<Url, ProviderError> {
        let invalid = |_| ProviderError::fatal(NAME, "the model's URL is not one");
        let mut url = Url::parse(self.url.trim()).map_err(invalid)?;
        let path = match url.path().trim_end_matches('/') {
            "" => "/v1/chat/completions".to_owned(),
            path if path.ends_with("/chat/completions") => path.to_owned(),
            path => format!("{path}/chat/completions"),
        };
        url.set_path(&path);
        Ok(url)
    }
}

impl fmt::Debug for OpenAiSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiSettings")
            .field("url", &self.url)
            .field("model", &self.model)
            .field("api_key", &self.api_key.as_ref().map(|_| "redacted"))
            .finish_non_exhaustive()
    }
}

/// A model behind an OpenAI-compatible endpoint.
#[derive(Debug)]
pub struct OpenAi {
    settings: OpenAiSettings,
    endpoint: Url,
    client: reqwest::Client,
    name: String,
    /// Whether this server was found to know no `json_schema`.
    plain_json: AtomicBool,
}

impl OpenAi {
    /// Prepares a client; nothing is sent yet.
    pub fn new(settings: OpenAiSettings) -> Result<Self, ProviderError> {
        // Whoever comes first installs it; a second time is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoint = settings.endpoint()?;
        let mut client = reqwest::Client::builder().connect_timeout(settings.connect);
        if endpoint.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]")) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|_| ProviderError::fatal(NAME, "no HTTP client could be made"))?;
        let name = format!("openai:{}", settings.model);
        Ok(Self { settings, endpoint, client, name, plain_json: AtomicBool::new(false) })
    }

    async fn post(&self, body: &Value) -> Result<Response, ProviderError> {
        let mut request = self.client.post(self.endpoint.clone()).json(body);
        if let Some(key) = &self.settings.api_key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await.map_err(broken)?;
        match response.status() {
            status if status.is_success() => Ok(response),
            status => Err(refusal(status, &response)),
        }
    }

    fn body(&self, request: &LlmRequest) -> Value {
        json!({
            "model": self.settings.model,
            "messages": request.messages,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
        })
    }

    async fn document(&self, body: &Value) -> Result<String, ProviderError> {
        let answer = self.post(body).await?.bytes().await.map_err(broken)?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|_| garbage("the answer is not JSON"))?;
        let choice = &answer["choices"][0];
        if choice["finish_reason"] == "content_filter" {
            return Err(filtered());
        }
        let content = choice["message"]["content"].as_str().ok_or_else(|| garbage("the answer has no content"))?;
        Ok(thoughts::without(content).to_owned())
    }

    async fn typed(&self, request: &LlmRequest, schema: &Value) -> Result<String, ProviderError> {
        if !self.plain_json.load(Ordering::Relaxed) {
            let mut body = self.body(request);
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": { "name": "answer", "strict": true, "schema": schema },
            });
            match self.document(&body).await {
                // `refusal` words a 400 so; every other fatal answer is final.
                Err(ProviderError::Fatal { message, .. }) if message == bad_request() => {}
                answer => return answer,
            }
        }
        let mut request = request.clone();
        let ask = format!("\n\nAnswer with one JSON value that fits this JSON Schema, and nothing else:\n{schema}");
        match request.messages.first_mut() {
            Some(first) if first.role == Role::System => first.content.push_str(&ask),
            _ => request.messages.insert(0, Message { role: Role::System, content: ask }),
        }
        let mut body = self.body(&request);
        body["response_format"] = json!({ "type": "json_object" });
        let answer = self.document(&body).await?;
        self.plain_json.store(true, Ordering::Relaxed);
        Ok(answer)
    }
}

#[async_trait]
impl LanguageModel for OpenAi {
    /// Returns with the first token at hand, so that what can be tried again fails here and not in the stream.
    async fn stream(&self, request: LlmRequest) -> Result<TokenStream, ProviderError> {
        let mut body = self.body(&request);
        body["stream"] = json!(true);
        let opening = async {
            let mut reader = TokenReader::new(self.post(&body).await?);
            let first = reader.next().await?;
            Ok::<_, ProviderError>((first, reader))
        };
        let (first, reader) = within(self.settings.first_token, "no first token in time", opening).await?;
        let Some(first) = first else { return Err(garbage("an empty answer")) };
        let limit = self.settings.between_tokens;
        let rest = stream::unfold(Some(reader), move |reader| async move {
            let mut reader = reader?;
            match within(limit, "no token in time", reader.next()).await {
                Ok(Some(token)) => Some((Ok(token), Some(reader))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(stream::iter([Ok(first)]).chain(rest).boxed())
    }

    async fn json(&self, request: LlmRequest, schema: &Value) -> Result<Value, ProviderError> {
        let content = within(self.settings.document, "no answer in time", self.typed(&request, schema)).await?;
        let document: Value =
            serde_json::from_str(unfenced(&content)).map_err(|_| garbage("the document is not JSON"))?;
        match schema::mismatch(&document, schema) {
            None => Ok(document),
            Some(place) => Err(garbage(&format!("the document does not fit its schema at {place}"))),
        }
    }

    fn name(&self) -> &str {
        &self.name
    }
}

async fn within<T>(
    limit: Duration,
    message: &str,
    work: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(ProviderError::retry(NAME, message)))
}

/// JSON without the Markdown fence that some models put around it.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```json").or_else(|| text.strip_prefix("```"));
    inner.and_then(|inner| inner.strip_suffix("```")).map_or(text, str::trim)
}

fn refusal(status: StatusCode, response: &Response) -> ProviderError {
    match status {
        StatusCode::TOO_MANY_REQUESTS => {
            let after = response.headers().get(reqwest::header::RETRY_AFTER);
            let seconds = after.and_then(|value| value.to_str().ok()).and_then(|value| value.trim().parse().ok());
            ProviderError::Quota { provider: NAME, retry_after: seconds.map(Duration::from_secs) }
        }
        StatusCode::BAD_REQUEST => ProviderError::fatal(NAME, bad_request()),
        StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_EARLY => {
            ProviderError::retry(NAME, format!("the server answered {}", status.as_u16()))
        }
        status if status.is_server_error() => {
            ProviderError::retry(NAME, format!("the server answered {}", status.as_u16()))
        }
        status => ProviderError::fatal(NAME, format!("the server answered {}", status.as_u16())),
    }
}

fn bad_request() -> &'static str {
    "the server answered 400"
}

/// An error of the connection; its text has no URL, which may hold a secret.
fn broken(error: reqwest::Error) -> ProviderError {
    if error.is_builder() {
        return ProviderError::fatal(NAME, "the request could not be made");
    }
    let what = if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "timed out"
    } else {
        "the connection broke"
    };
    ProviderError::retry(NAME, what)
}

fn garbage(what: &str) -> ProviderError {
    ProviderError::retry(NAME, what)
}

fn filtered() -> ProviderError {
    ProviderError::Blocked { provider: NAME }
}

#[cfg(test)]
mod tests;
