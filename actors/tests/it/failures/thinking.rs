//! The model fails.

use super::stage::{Cast, Stage, failure};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use maya_providers::{
    ProviderError,
    llm::{LanguageModel, LlmRequest, Task, TokenStream},
    testing::{Fault, Faults, FaultyLlm, Latency},
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// A model that always goes on to the next question, in words of its own.
struct GoesOn(&'static str);

#[async_trait]
impl LanguageModel for GoesOn {
    async fn stream(&self, request: LlmRequest) -> Result<TokenStream, ProviderError> {
        let text = match request.facts.map(|facts| facts.task) {
            Some(Task::Respond { next: Some(next), .. }) => self.0.replace("{}", &next.text),
            other => panic!("not in this interview: {other:?}"),
        };
        let tokens: Vec<_> = text.split_inclusive(' ').map(|token| Ok(token.to_owned())).collect();
        Ok(stream::iter(tokens).boxed())
    }
    async fn json(&self, _: LlmRequest, _: &Value) -> Result<Value, ProviderError> {
        Err(ProviderError::fatal("goes-on", "writes no documents"))
    }
    fn name(&self) -> &str {
        "goes-on"
    }
}

const REPLY: &str = "[next] Good. I see. {}";
const ANSWER: &str = "I did that for years.";

/// An interview whose model fails as said with its first reply; the answer was given, and replied to.
async fn with(reply: &'static str, faults: Faults) -> Stage {
    let mut cast = Cast::new().await;
    cast.senses.thinks = Arc::new(FaultyLlm::new(GoesOn(reply), Latency::default(), faults));
    cast.settings.first_token = Duration::from_millis(1_500);
    cast.settings.next_token = Duration::from_millis(500);
    let stage = cast.play().await;
    stage.answer(ANSWER).await;
    let kept = stage.kept().await;
    assert_eq!(kept[1], format!("candidate: {ANSWER}"));
    let said = stage.heard().into_iter().filter(|line| !line.starts_with("(aside)")).collect::<Vec<_>>();
    assert_eq!(kept[2..], [format!("maya: {}", said.join(" "))], "kept is what was heard, and no aside");
    stage
}

/// The plan words the reply: its question, and not a word of the model's.
fn the_plan_goes_on(stage: &Stage) {
    let heard = stage.heard();
    assert!(heard.last().is_some_and(|line| line == "Question two?"), "{heard:?}");
    assert!(heard.len() > 1 && !heard.contains(&"Good.".to_owned()), "{heard:?}");
}

#[tokio::test]
async fn without_a_fault_the_model_is_heard() {
    let stage = with(REPLY, Faults::none()).await;
    assert_eq!(stage.heard(), ["Good.", "I see.", "Question two?"]);
    assert_eq!(failure(&stage.shown()), "");
}

#[tokio::test]
async fn a_late_first_token_is_bridged_and_then_replaced() {
    let mut cast = Cast::new().await;
    let faults = Faults::none().on_call(0, Fault::Hang);
    cast.senses.thinks = Arc::new(FaultyLlm::new(GoesOn(REPLY), Latency::default(), faults));
    cast.settings.filler = Duration::from_millis(200);
    cast.settings.first_token = Duration::from_millis(2_000);
    let stage = cast.play().await;
    stage.answer(ANSWER).await;
    let heard = stage.heard();
    assert_eq!(heard[0], "(aside) One moment, please.");
    assert!(heard.len() > 2 && heard.last().is_some_and(|line| line == "Question two?"), "{heard:?}");
    assert_eq!(heard.iter().filter(|line| line.starts_with("(aside)")).count(), 1);
    let kept = stage.kept().await;
    assert_eq!(kept[2], format!("maya: {}", heard[1..].join(" ")), "an aside is no turn");
    assert_eq!(failure(&stage.shown()), "no answer in time");
}

#[tokio::test]
async fn a_stream_that_stalls_ends_with_its_last_whole_sentence_and_the_question() {
    let stage = with(REPLY, Faults::none().on_call(0, Fault::StallAfter(3))).await;
    assert_eq!(stage.heard(), ["Good.", "Question two?"]);
    assert_eq!(failure(&stage.shown()), "broke off: tokens stalled");
    stage.forget();
    stage.answer("And that too.").await;
    assert_eq!(
        stage.heard().last().map(String::as_str),
        Some("Question three?"),
        "the cursor is where it was heard to be"
    );
}

#[tokio::test]
async fn noise_instead_of_tokens_is_not_spoken() {
    let stage = with(REPLY, Faults::none().on_call(0, Fault::Garbage)).await;
    the_plan_goes_on(&stage);
    assert!(failure(&stage.shown()).contains("no speech"), "{}", failure(&stage.shown()));
}

#[tokio::test]
async fn json_instead_of_words_is_not_spoken() {
    let stage = with("{\"reply\": \"Good. {}\", \"move\": \"next\"", Faults::none()).await;
    the_plan_goes_on(&stage);
    assert!(failure(&stage.shown()).contains("no speech"), "{}", failure(&stage.shown()));
}

#[tokio::test]
async fn a_short_quota_is_waited_out_and_a_long_one_is_not() {
    let stage = with(REPLY, Faults::none().on_call(0, Fault::Quota(Some(Duration::from_millis(100))))).await;
    assert_eq!(stage.heard(), ["Good.", "I see.", "Question two?"]);
    assert!(failure(&stage.shown()).contains("quota"), "{}", failure(&stage.shown()));
    let faults = Faults::none().on_call(0, Fault::Quota(Some(Duration::from_secs(60))));
    let stage = with(REPLY, faults.clone()).await;
    the_plan_goes_on(&stage);
    assert_eq!(faults.calls(), 1, "asked once");
    assert!(failure(&stage.shown()).contains("quota"), "{}", failure(&stage.shown()));
}

#[tokio::test]
async fn what_a_provider_blocks_is_passed_over_in_neutral_words() {
    let stage = with(REPLY, Faults::none().on_call(0, Fault::Blocked)).await;
    assert_eq!(stage.heard(), ["Thank you. Let us go on.", "Question two?"]);
    assert!(failure(&stage.shown()).contains("content filter"), "{}", failure(&stage.shown()));
}

#[tokio::test]
async fn a_mind_that_falls_is_followed_by_the_plan() {
    // this model panics at what it is not made for: the mind falls with it
    struct Panics;
    #[async_trait]
    impl LanguageModel for Panics {
        async fn stream(&self, _: LlmRequest) -> Result<TokenStream, ProviderError> {
            panic!("a defect")
        }
        async fn json(&self, _: LlmRequest, _: &Value) -> Result<Value, ProviderError> {
            panic!("a defect")
        }
        fn name(&self) -> &str {
            "panics"
        }
    }
    let mut cast = Cast::new().await;
    cast.senses.thinks = Arc::new(Panics);
    let stage = cast.play().await;
    stage.answer(ANSWER).await;
    the_plan_goes_on(&stage);
    assert_eq!(stage.kept().await.len(), 3);
    assert!(failure(&stage.shown()).contains("the mind fell"), "{}", failure(&stage.shown()));
}
