//! The REST API as the command line calls it: like any client, with nothing internal.

use anyhow::{Context as _, bail};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// A client with a key.
#[derive(Clone)]
pub struct Api {
    http: Client,
    base: Url,
    key: String,
}

impl Api {
    /// Calls the gateway at that address.
    pub fn new(gateway: &Url, key: impl Into<String>) -> anyhow::Result<Self> {
        let http = Client::builder().timeout(Duration::from_secs(60)).build()?;
        Ok(Self { http, base: gateway.join("/api/v1/")?, key: key.into() })
    }
    /// Reads.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(self.request(Method::GET, path)?, path).await
    }
    /// Posts.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(self.request(Method::POST, path)?.json(body), path).await
    }
    fn request(&self, method: Method, path: &str) -> anyhow::Result<RequestBuilder> {
        Ok(self.http.request(method, self.base.join(path)?).header("X-API-Key", &self.key))
    }
    async fn send(&self, request: RequestBuilder, path: &str) -> anyhow::Result<Value> {
        let answer = request.send().await.with_context(|| format!("calling {path}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{path} answered {status}: {text}");
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{path} answered no JSON"))
    }
}
