//! The contract of [`LanguageModel`], against every engine that reads a prompt: one behind an endpoint (a stand-in
//! server), and in builds with `local-llm` the model of this machine.

#[cfg(feature = "local-llm")]
mod local;
mod server;

use futures::StreamExt;
use maya_providers::llm::{LanguageModel, LlmRequest, Message, Role};
use serde_json::{Value, json};
use std::time::Duration;

/// Nothing takes longer on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(120);

macro_rules! contract {
    ($($test:ident,)*) => {
        mod behind_an_endpoint {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(&super::server::model().await).await; })*
        }
        #[cfg(feature = "local-llm")]
        mod on_this_machine {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(&super::local::model().await).await; })*
        }
    };
}
contract! {
    a_reply_comes_in_pieces_and_ends,
    a_reply_is_no_longer_than_allowed,
    a_document_fits_its_schema,
    who_goes_away_leaves_the_model_to_others,
    replies_may_be_asked_for_at_once,
    it_says_what_it_is,
}

fn request(system: &str, user: &str, max_tokens: u32) -> LlmRequest {
    let message = |role, content: &str| Message { role, content: content.to_owned() };
    LlmRequest {
        messages: vec![message(Role::System, system), message(Role::User, user)],
        facts: None,
        max_tokens,
        temperature: 0.0,
    }
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("in time")
}

async fn words(model: &dyn LanguageModel, request: LlmRequest) -> Vec<String> {
    let stream = soon(model.stream(request)).await.unwrap();
    soon(stream.map(Result::unwrap).collect()).await
}

fn counting() -> LlmRequest {
    request("You do as you are told.", "Count from one to thirty in words, separated by commas.", 200)
}

async fn a_reply_comes_in_pieces_and_ends(model: &dyn LanguageModel) {
    let pieces = words(model, counting()).await;
    assert!(pieces.len() > 3, "{pieces:?}");
    assert!(pieces.concat().to_lowercase().contains("three"), "{pieces:?}");
}

async fn a_reply_is_no_longer_than_allowed(model: &dyn LanguageModel) {
    let text = words(model, LlmRequest { max_tokens: 4, ..counting() }).await.concat();
    assert!(!text.is_empty() && text.split_whitespace().count() <= 5, "{text}");
}

async fn a_document_fits_its_schema(model: &dyn LanguageModel) {
    let schema = json!({
        "type": "object",
        "required": ["language", "years", "tags"],
        "additionalProperties": false,
        "properties": {
            "language": { "type": "string", "enum": ["Rust", "Java"] },
            "years": { "type": "integer", "minimum": 0, "maximum": 60 },
            "tags": { "type": "array", "minItems": 1, "maxItems": 3, "items": { "type": "string", "maxLength": 20 } }
        }
    });
    let asked = request("You fill in forms as JSON.", "I have written Rust for six years, mostly servers.", 200);
    let form = soon(model.json(asked, &schema)).await.unwrap();
    assert!(["Rust", "Java"].contains(&form["language"].as_str().unwrap()), "{form}");
    assert!(form["years"].as_u64().is_some_and(|years| years <= 60), "{form}");
    let tags = form["tags"].as_array().unwrap();
    assert!((1..=3).contains(&tags.len()) && tags.iter().all(Value::is_string), "{form}");
}

async fn who_goes_away_leaves_the_model_to_others(model: &dyn LanguageModel) {
    for _ in 0..3 {
        let mut stream = soon(model.stream(LlmRequest { max_tokens: 1_000, ..counting() })).await.unwrap();
        assert!(soon(stream.next()).await.unwrap().is_ok());
    }
    assert!(!words(model, LlmRequest { max_tokens: 4, ..counting() }).await.is_empty());
}

async fn replies_may_be_asked_for_at_once(model: &dyn LanguageModel) {
    let short = || words(model, LlmRequest { max_tokens: 8, ..counting() });
    let (a, b, c) = tokio::join!(short(), short(), short());
    assert!([a, b, c].iter().all(|pieces| !pieces.concat().is_empty()));
}

async fn it_says_what_it_is(model: &dyn LanguageModel) {
    let (kind, name) = model.name().split_once(':').unwrap();
    assert!(["openai", "local"].contains(&kind) && !name.is_empty());
}
