//! Against a stand-in at the level of the protocol: what a real server sends, and what a sick one does.

use super::*;
use axum::{Router, body::Body, extract::State, http::HeaderMap, response::IntoResponse, routing::post};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc};

/// What the stand-in answers to one request.
enum Answer {
    Pieces(Vec<&'static [u8]>),
    /// These pieces, then silence without an end.
    Stall(Vec<&'static [u8]>),
    /// These pieces, then the connection breaks.
    Reset(Vec<&'static [u8]>),
    Silence,
    Status(u16, Option<&'static str>),
    Document(Value),
}

#[derive(Default)]
struct Seen {
    answers: VecDeque<Answer>,
    requests: Vec<(Option<String>, Value)>,
}
type Shared = Arc<Mutex<Seen>>;

async fn complete(State(seen): State<Shared>, headers: HeaderMap, body: axum::Json<Value>) -> impl IntoResponse {
    let answer = {
        let mut seen = seen.lock();
        let key = headers.get("authorization").map(|key| key.to_str().unwrap().to_owned());
        seen.requests.push((key, body.0));
        seen.answers.pop_front().expect("an answer for every request")
    };
    let stream =
        |pieces: Vec<&'static [u8]>| stream::iter(pieces).map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
    let ok = |body| (StatusCode::OK, HeaderMap::new(), body);
    match answer {
        Answer::Pieces(pieces) => ok(Body::from_stream(stream(pieces).then(|piece| async {
            // Each piece is a chunk of its own on the wire.
            tokio::task::yield_now().await;
            piece
        }))),
        Answer::Stall(pieces) => ok(Body::from_stream(stream(pieces).chain(stream::pending()))),
        Answer::Reset(pieces) => {
            let broken = stream::iter([Err(std::io::Error::other("reset"))]);
            ok(Body::from_stream(stream(pieces).chain(broken)))
        }
        Answer::Silence => std::future::pending().await,
        Answer::Status(status, after) => {
            let mut headers = HeaderMap::new();
            if let Some(after) = after {
                headers.insert("retry-after", after.parse().unwrap());
            }
            (StatusCode::from_u16(status).unwrap(), headers, Body::from("{\"error\":{\"message\":\"secret prompt\"}}"))
        }
        Answer::Document(document) => ok(Body::from(document.to_string())),
    }
}

async fn stand_in(answers: Vec<Answer>) -> (OpenAi, Shared) {
    let seen = Shared::default();
    seen.lock().answers.extend(answers);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(seen.clone());
    tokio::spawn(async move {
        axum::serve(listener, router).await.unwrap_or_else(|never: std::io::Error| panic!("{never}"))
    });
    let settings = OpenAiSettings {
        first_token: Duration::from_millis(300),
        between_tokens: Duration::from_millis(200),
        document: Duration::from_millis(500),
        ..OpenAiSettings::new(url, "llama3.1", Some("sk-secret".into()))
    };
    (OpenAi::new(settings).unwrap(), seen)
}

fn request() -> LlmRequest {
    let message = |role, content: &str| Message { role, content: content.into() };
    LlmRequest {
        messages: vec![message(Role::System, "Be brief."), message(Role::User, "Hello")],
        facts: None,
        max_tokens: 50,
        temperature: 0.5,
    }
}

async fn heard(model: &OpenAi) -> (String, Option<ProviderError>) {
    let mut text = String::new();
    match model.stream(request()).await {
        Err(error) => return (text, Some(error)),
        Ok(mut tokens) => {
            while let Some(token) = tokens.next().await {
                match token {
                    Ok(token) => text.push_str(&token),
                    Err(error) => {
                        assert!(tokens.next().await.is_none(), "nothing after an error");
                        return (text, Some(error));
                    }
                }
            }
        }
    }
    (text, None)
}

const HELLO: &[u8] = b"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n";
const DONE: &[u8] = b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\n\n";

#[tokio::test]
async fn tokens_come_whole_from_bytes_that_are_cut() {
    let zoe: &'static [u8] =
        ": keep-alive\n\ndata: {\"choices\":[{\"delta\":{\"content\":\" Zoë\u{1f600}.\"}}],\"usage\":null}\n\n"
            .as_bytes();
    let at = zoe.iter().position(|byte| *byte == 0xc3).unwrap() + 1;
    let cut = [&[HELLO][..], &[&zoe[..at], &zoe[at..at + 3], &zoe[at + 3..]], &[DONE]].concat();
    let (model, seen) = stand_in(vec![Answer::Pieces(cut)]).await;
    assert_eq!(heard(&model).await.0, "Hello Zoë\u{1f600}.");
    let (key, body) = seen.lock().requests[0].clone();
    assert_eq!(key.as_deref(), Some("Bearer sk-secret"));
    assert_eq!((&body["model"], &body["stream"], &body["max_tokens"]), (&json!("llama3.1"), &json!(true), &json!(50)));
    assert_eq!(body["messages"][1], json!({ "role": "user", "content": "Hello" }));
    assert_eq!(model.name(), "openai:llama3.1");
    assert!(!format!("{model:?}").contains("sk-secret"));
}

#[tokio::test]
async fn a_sick_stream_is_a_retryable_error_after_what_was_heard() {
    let sick = vec![
        (Answer::Stall(vec![HELLO]), "Hello"),
        (Answer::Reset(vec![HELLO]), "Hello"),
        (Answer::Pieces(vec![HELLO]), "Hello"),
        (Answer::Pieces(vec![HELLO, b"data: {\"choices\": oops\n\n"]), "Hello"),
        (Answer::Pieces(vec![HELLO, b"data: {\"error\":{\"message\":\"x\"}}\n\n"]), "Hello"),
        (Answer::Pieces(vec![HELLO, b"data: \xff\xfe\n\n"]), "Hello"),
        (Answer::Silence, ""),
        (Answer::Stall(vec![]), ""),
        (Answer::Pieces(vec![b"<html>busy</html>"]), ""),
        (Answer::Pieces(vec![DONE]), ""),
        (Answer::Status(500, None), ""),
        (Answer::Status(503, None), ""),
    ];
    for (n, (answer, text)) in sick.into_iter().enumerate() {
        let (model, _) = stand_in(vec![answer]).await;
        let (said, error) = heard(&model).await;
        let error = error.unwrap_or_else(|| panic!("case {n} must fail"));
        // A first token may be lost with the connection that broke right behind it.
        assert!(said == text || said.is_empty(), "case {n}: {said}");
        assert!(matches!(error, ProviderError::Retry { .. }), "case {n}: {error}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart_and_carry_nothing_that_was_said() {
    for status in [400, 401, 403, 404] {
        let (model, _) = stand_in(vec![Answer::Status(status, None)]).await;
        let error = heard(&model).await.1.unwrap();
        assert!(matches!(error, ProviderError::Fatal { .. }));
        assert!(error.to_string().contains(&status.to_string()) && !error.to_string().contains("secret"));
    }
    let (model, _) = stand_in(vec![Answer::Status(429, Some("7")), Answer::Status(429, None)]).await;
    for wanted in [Some(Duration::from_secs(7)), None] {
        let error = heard(&model).await.1.unwrap();
        assert!(matches!(error, ProviderError::Quota { retry_after, .. } if retry_after == wanted));
    }
    let filtered: &[u8] = b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n";
    let (model, _) = stand_in(vec![Answer::Pieces(vec![HELLO, filtered])]).await;
    assert!(matches!(heard(&model).await.1, Some(ProviderError::Blocked { .. })));

    let away = OpenAi::new(OpenAiSettings::new("http://127.0.0.1:1/v1", "m", None)).unwrap();
    assert!(heard(&away).await.1.unwrap().is_retryable());
    assert!(OpenAi::new(OpenAiSettings::new("not a url", "m", None)).is_err_and(|error| !error.is_retryable()));
}

fn saying(content: &str) -> Answer {
    Answer::Document(
        json!({ "choices": [{ "message": { "role": "assistant", "content": content }, "finish_reason": "stop" }] }),
    )
}

fn score() -> Value {
    json!({ "type": "object", "properties": { "score": { "type": "integer" } }, "required": ["score"] })
}

#[tokio::test]
async fn documents_fit_their_schema_or_are_asked_for_again() {
    let (model, seen) = stand_in(vec![saying("{\"score\":4}")]).await;
    assert_eq!(model.json(request(), &score()).await.unwrap(), json!({ "score": 4 }));
    let format = seen.lock().requests[0].1["response_format"].clone();
    assert_eq!((&format["type"], &format["json_schema"]["schema"]), (&json!("json_schema"), &score()));

    for unfit in [
        saying("{\"score\":\"four\"}"),
        saying("{\"score\":"),
        Answer::Document(json!({ "choices": [] })),
        Answer::Pieces(vec![b"not json"]),
        Answer::Silence,
    ] {
        let (model, _) = stand_in(vec![unfit]).await;
        assert!(matches!(model.json(request(), &score()).await, Err(ProviderError::Retry { .. })));
    }
    let (model, _) = stand_in(vec![saying("<think>hm</think>```json\n{\"score\":1}\n```")]).await;
    assert_eq!(model.json(request(), &score()).await.unwrap(), json!({ "score": 1 }));
}

#[tokio::test]
async fn a_server_without_schemas_gets_the_schema_in_words_and_is_remembered() {
    let answers = vec![Answer::Status(400, None), saying("{\"score\":2}"), saying("{\"score\":3}")];
    let (model, seen) = stand_in(answers).await;
    for wanted in [2, 3] {
        assert_eq!(model.json(request(), &score()).await.unwrap(), json!({ "score": wanted }));
    }
    let requests = seen.lock().requests.clone();
    assert_eq!(requests.len(), 3);
    for (_, body) in &requests[1..] {
        assert_eq!(body["response_format"], json!({ "type": "json_object" }));
        assert!(body["messages"][0]["content"].as_str().unwrap().contains("\"score\""));
    }
    let (model, _) = stand_in(vec![Answer::Status(400, None), Answer::Status(400, None)]).await;
    assert!(matches!(model.json(request(), &score()).await, Err(ProviderError::Fatal { .. })));
}
