//! A server in the OpenAI protocol that counts, and fills in a form.

use axum::{Json, Router, body::Body, response::IntoResponse, routing::post};
use bytes::Bytes;
use futures::{StreamExt, stream};
use maya_providers::openai::{OpenAi, OpenAiSettings};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const NUMBERS: [&str; 10] = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

pub async fn model() -> OpenAi {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/chat/completions", post(complete));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    OpenAi::new(OpenAiSettings::new(url, "counter", None)).unwrap()
}

async fn complete(Json(asked): Json<Value>) -> impl IntoResponse {
    if asked["stream"] != true {
        let form = json!({ "language": "Rust", "years": 6, "tags": ["servers"] });
        return Body::from(json!({ "choices": [{ "message": { "content": form.to_string() } }] }).to_string());
    }
    let most = asked["max_tokens"].as_u64().unwrap() as usize;
    let words = NUMBERS.iter().cycle().take(most.min(30)).map(|word| {
        let chunk = json!({ "choices": [{ "delta": { "content": format!("{word}, ") } }] });
        format!("data: {chunk}\n\n")
    });
    let events = words.chain(["data: [DONE]\n\n".to_owned()]).map(|event| Ok::<_, std::io::Error>(Bytes::from(event)));
    Body::from_stream(stream::iter(events.collect::<Vec<_>>()).then(|event| async {
        tokio::task::yield_now().await;
        event
    }))
}
