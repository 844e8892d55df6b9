//! One kept-alive HTTP/1.1 connection: a load generator must leave the machine to what it measures.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A connection, and the key that is sent with each request.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    key: String,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(host: &str, key: &str) -> Result<Self> {
        let stream = TcpStream::connect(host).await.with_context(|| format!("nothing answers on {host}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // its end shows in the next request
        tokio::spawn(connection);
        Ok(Self { sender, host: host.to_owned(), key: key.to_owned() })
    }

    /// Sends, and reads the whole answer.
    pub async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
        self.send_with(method, path, &[], body).await
    }

    /// The same with more headers.
    pub async fn send_with(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header("x-api-key", &self.key)
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// Reads JSON.
    pub async fn get(&mut self, path: &str) -> Result<Value> {
        let (status, body) = self.send(Method::GET, path, Bytes::new()).await?;
        ensure!(status.is_success(), "GET {path}: {status} {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }

    /// The process's metrics, as Prometheus reads them.
    pub async fn metrics(&mut self) -> Result<String> {
        let (_, text) = self.send(Method::GET, "/metrics", Bytes::new()).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Posts JSON, reads JSON.
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let (status, body) = self.send(Method::POST, path, Bytes::from(body.to_string())).await?;
        ensure!(status.is_success(), "POST {path}: {status} {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }
}
