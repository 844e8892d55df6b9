//! The threads, the queue and the judging of answers, over an engine that does what a test says.

use super::*;
use crate::llm::{Message, Role};
use parking_lot::Mutex;
use serde_json::json;
use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc as sync,
    },
    time::Duration,
};

type Play = Box<dyn FnMut(&Job, &Listener) -> Result<Finish, ProviderError> + Send>;

struct Played(Play);
impl Engine for Played {
    fn generate(&mut self, job: &Job, listener: &Listener) -> Result<Finish, ProviderError> {
        (self.0)(job, listener)
    }
}

fn played(play: impl FnMut(&Job, &Listener) -> Result<Finish, ProviderError> + Send + 'static) -> Box<dyn Engine> {
    Box::new(Played(Box::new(play)))
}

fn silent() -> Box<dyn Engine> {
    played(|_, _| Err(ProviderError::fatal(NAME, "not of this test")))
}

fn says(pieces: &'static [&'static str], finish: Finish) -> Box<dyn Engine> {
    played(move |_, listener| {
        pieces.iter().for_each(|piece| assert!(listener.tell((*piece).to_owned())));
        Ok(finish)
    })
}

fn conversation(engine: Box<dyn Engine>) -> LocalLlm {
    LocalLlm::with("test", engine, silent()).unwrap()
}

fn documents(engine: Box<dyn Engine>) -> LocalLlm {
    LocalLlm::with("test", silent(), engine).unwrap()
}

fn request() -> LlmRequest {
    let messages = vec![Message { role: Role::User, content: "Hello".to_owned() }];
    LlmRequest { messages, facts: None, max_tokens: 8, temperature: 0.0 }
}

async fn heard(model: &LocalLlm) -> Vec<Result<String, String>> {
    match model.stream(request()).await {
        Ok(stream) => stream.map(|piece| piece.map_err(|error| error.to_string())).collect().await,
        Err(error) => vec![Err(error.to_string())],
    }
}

fn schema() -> Value {
    json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } })
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("in time")
}

#[tokio::test]
async fn pieces_come_in_order_and_a_cut_reply_is_a_reply() {
    for finish in [Finish::Ended, Finish::Cut] {
        let model = conversation(says(&["[warm] ", "Good", " day."], finish));
        assert_eq!(heard(&model).await, ["[warm] ", "Good", " day."].map(|piece| Ok(piece.to_owned())));
        assert_eq!(model.name(), "local:test");
    }
}

#[tokio::test]
async fn thoughts_are_not_spoken_and_nothing_is_an_error() {
    let model = conversation(says(&["<think>hm", "</think>", "\n", "Yes", "."], Finish::Ended));
    assert_eq!(heard(&model).await.into_iter().collect::<Result<String, _>>().unwrap(), "Yes.");
    for nothing in [&[][..], &["<think>only thought"]] {
        assert!(heard(&conversation(says(nothing, Finish::Cut))).await[0].is_err());
    }
}

#[tokio::test]
async fn an_engine_that_fails_or_panics_is_an_error_and_answers_the_next() {
    let mut turn = 0;
    let model = conversation(played(move |_, listener| {
        turn += 1;
        match turn {
            1 => Err(ProviderError::fatal(NAME, "too long")),
            2 => panic!("expected in this test"),
            3 => {
                listener.tell("half a".to_owned());
                Err(ProviderError::retry(NAME, "decoding failed"))
            }
            _ => Ok(Finish::Ended).inspect(|_| assert!(listener.tell("Yes.".to_owned()))),
        }
    }));
    assert!(!model.stream(request()).await.err().unwrap().is_retryable());
    assert!(model.stream(request()).await.err().unwrap().is_retryable());
    let broken = heard(&model).await;
    assert_eq!((broken.len(), broken[0].clone(), broken[1].is_err()), (2, Ok("half a".to_owned()), true));
    assert_eq!(heard(&model).await, [Ok("Yes.".to_owned())]);
}

#[tokio::test]
async fn who_goes_away_stops_the_work_and_who_waits_behind_is_served() {
    let (stopped, stops) = sync::channel();
    let mut turn = 0;
    let model = conversation(played(move |_, listener| {
        turn += 1;
        if turn == 1 {
            assert!(listener.tell("first".to_owned()));
            // a model that would go on for ever
            while !listener.is_gone() {
                std::thread::yield_now();
            }
            stopped.send(()).unwrap();
            return Ok(Finish::Abandoned);
        }
        Ok(Finish::Ended).inspect(|_| assert!(listener.tell("second".to_owned())))
    }));
    let mut leaving = model.stream(request()).await.unwrap();
    assert_eq!(leaving.next().await.unwrap().unwrap(), "first");
    let mut gave_up = Box::pin(model.stream(request()));
    assert!(futures::poll!(gave_up.as_mut()).is_pending());
    drop(gave_up);
    let waiting = tokio::spawn({
        let model = model.clone();
        async move { heard(&model).await }
    });
    drop(leaving);
    assert_eq!(soon(waiting).await.unwrap(), [Ok("second".to_owned())]);
    stops.recv_timeout(Duration::from_secs(30)).unwrap();
}

#[tokio::test]
async fn a_conversation_does_not_wait_for_a_document_and_no_thread_for_a_listener() {
    let (release, released) = sync::channel::<()>();
    let released = Mutex::new(released);
    let writes = played(move |_, listener| {
        let _ = released.lock().recv();
        listener.tell("{\"n\":1}".to_owned());
        Ok(Finish::Ended)
    });
    let model = LocalLlm::with("test", says(&["a", "b", "c", "d", "e", "f", "g", "h"], Finish::Cut), writes).unwrap();
    let document = tokio::spawn({
        let model = model.clone();
        async move { model.json(request(), &schema()).await }
    });
    // nobody takes these words, and the next caller is served all the same
    let _unheard = soon(model.stream(request())).await.unwrap();
    assert_eq!(soon(heard(&model)).await.len(), 8);
    release.send(()).unwrap();
    assert_eq!(soon(document).await.unwrap().unwrap(), json!({ "n": 1 }));
}

#[tokio::test]
async fn a_document_is_asked_for_with_its_schema_and_once_more_where_it_does_not_fit() {
    for (first, fits_at_last) in [("{\"n\":\"one\"}", true), ("{\"n\":", true), ("no", false)] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let model = documents(played(move |job, listener| {
            assert_eq!(job.schema, Some(schema()));
            let again = count.fetch_add(1, Ordering::Relaxed) > 0;
            listener.tell(if again && fits_at_last { "{\"n\":2}" } else { first }.to_owned());
            Ok(Finish::Ended)
        }));
        let answer = model.json(request(), &schema()).await;
        match fits_at_last {
            true => assert_eq!(answer.unwrap(), json!({ "n": 2 })),
            false => assert!(answer.unwrap_err().is_retryable()),
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
    let refused = documents(silent()).json(request(), &schema()).await.unwrap_err();
    assert!(!refused.is_retryable(), "what will not pass is not asked again");
    let cut = documents(says(&["{\"n\":1}"], Finish::Cut)).json(request(), &schema()).await.unwrap_err();
    assert!(cut.is_retryable());
}

#[cfg(not(feature = "local-llm"))]
#[test]
fn a_build_without_it_says_what_to_do() {
    let error = LocalLlm::load(Path::new("any.gguf"), &LlmOptions::default()).err().unwrap();
    assert!(!LocalLlm::AVAILABLE && !error.is_retryable());
    assert!(error.to_string().contains("--features local-llm"), "{error}");
}
