//! The voice fails.

use super::stage::{Cast, failure};
use async_trait::async_trait;
use maya_providers::{
    ProviderError,
    testing::{Fault, Faults, ModemTts},
    tts::{PcmStream, SynthesisRequest, TextToSpeech},
};
use std::{sync::Arc, time::Duration};

/// A voice that fails with one sentence.
struct Stumbles {
    over: &'static str,
    fault: Fault,
}

#[async_trait]
impl TextToSpeech for Stumbles {
    async fn synthesize(&self, request: SynthesisRequest) -> Result<PcmStream, ProviderError> {
        let faults = if request.text == self.over { Faults::always(self.fault) } else { Faults::none() };
        ModemTts::default().with_faults(faults).synthesize(request).await
    }
    fn speaks(&self, language: &str) -> bool {
        ModemTts::default().speaks(language)
    }
    fn name(&self) -> &str {
        "stumbles"
    }
}

/// The second of five sentences of an opening has no voice.
async fn without_the_second(fault: Fault, reason: &str) {
    let mut cast = Cast::new().await;
    cast.senses.speaks = Arc::new(Stumbles { over: "Two.", fault });
    cast.settings.first_audio = Duration::from_millis(500);
    let stage = cast.set().await;
    let words = ["One.", "Two.", "Three.", "Four.", "Question one?"];
    let mut tx = stage.ground.store.tenant(stage.tenant).await.unwrap();
    sqlx::query("update sessions set opening = $2 where id = $1")
        .bind(stage.session.0)
        .bind(serde_json::json!(words))
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    stage.join().await;
    stage.listening(1).await;
    assert_eq!(stage.heard(), ["One.", "(shown) Two.", "Three.", "Four.", "Question one?"]);
    assert_eq!(stage.kept().await, ["maya: One. Two. Three. Four. Question one?"]);
    let shown = failure(&stage.shown());
    assert!(shown.contains("sentence 1 of t0 has no voice") && shown.contains(reason), "{shown}");
    stage.forget();
    stage.answer("All of it was clear.").await;
    assert_eq!(stage.heard().last().map(String::as_str), Some("Question two?"));
}

#[tokio::test]
async fn a_sentence_whose_voice_is_refused_is_shown_and_the_others_are_heard() {
    without_the_second(Fault::Retry, "scripted fault").await;
}

#[tokio::test]
async fn a_sentence_whose_voice_hangs_is_shown_and_the_others_are_heard() {
    without_the_second(Fault::Hang, "no answer in time").await;
}
