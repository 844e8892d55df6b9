//! An ear for the modem: words come as their bytes arrive.

use super::{
    faults::{Fault, Faults, Latency, pause},
    is_english,
    modem::{self, Decoder},
};
use crate::{
    ProviderError,
    stt::{SpeechToText, SttConfig, SttEvent, SttInput, SttStream},
};
use async_trait::async_trait;
use std::time::Duration;
use tokio::sync::mpsc;

const NAME: &str = "modem-stt";
const RATE: u32 = 16_000;
/// Samples between two interim results: 200 ms.
const INTERIM_EVERY: usize = 3_200;

/// Hears modem speech (16 kHz). Latency: `first` before a stream opens, `between` before each final.
#[derive(Debug, Clone, Default)]
pub struct ModemStt {
    latency: Latency,
    faults: Faults,
    limit: Option<Duration>,
}

impl ModemStt {
    /// How long it takes to answer.
    pub fn with_latency(mut self, latency: Latency) -> Self {
        self.latency = latency;
        self
    }
    /// How long a stream lives; then it ends with an error.
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }
    /// What goes wrong; a call is an `open` or a `recognize`, a piece is an event.
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }
}

#[async_trait]
impl SpeechToText for ModemStt {
    async fn open(&self, config: &SttConfig) -> Result<SttStream, ProviderError> {
        if !is_english(&config.language) {
            return Err(ProviderError::fatal(NAME, "unknown language"));
        }
        let fault = self.faults.begin(NAME, self.latency).await?;
        let (input, inputs) = mpsc::channel(64);
        let (events, received) = mpsc::channel(64);
        let (limit, limited) = (self.limit, events.clone());
        let listening = listen(inputs, events, fault, self.latency);
        tokio::spawn(async move {
            let Some(limit) = limit else { return listening.await };
            if tokio::time::timeout(limit, listening).await.is_err() {
                let _ = limited.send(Err(ProviderError::retry(NAME, "the stream is over its limit"))).await;
            }
        });
        Ok(SttStream { input, events: received })
    }
    async fn recognize(&self, config: &SttConfig, pcm: Vec<i16>) -> Result<String, ProviderError> {
        if !is_english(&config.language) {
            return Err(ProviderError::fatal(NAME, "unknown language"));
        }
        match self.faults.begin(NAME, self.latency).await? {
            Some(Fault::StallAfter(_)) => std::future::pending().await,
            Some(Fault::DieAfter(_)) => Err(ProviderError::retry(NAME, "scripted death")),
            fault => Ok(heard(modem::decode(&pcm, RATE), fault)),
        }
    }
    fn stream_limit(&self) -> Option<Duration> {
        self.limit
    }
    fn speaks(&self, language: &str) -> bool {
        is_english(language)
    }
    fn name(&self) -> &str {
        NAME
    }
}

fn heard(text: String, fault: Option<Fault>) -> String {
    let text = text.trim();
    match fault {
        Some(Fault::Garbage) => text.chars().rev().chain(['\u{fffd}']).collect(),
        _ => text.to_owned(),
    }
}

async fn listen(
    mut inputs: mpsc::Receiver<SttInput>,
    events: mpsc::Sender<Result<SttEvent, ProviderError>>,
    fault: Option<Fault>,
    latency: Latency,
) {
    let (mut decoder, mut since, mut last, mut sent) = (Decoder::default(), 0, String::new(), 0);
    while let Some(input) = inputs.recv().await {
        let event = match input {
            SttInput::Audio(pcm) => {
                decoder.push(&pcm);
                since += pcm.len();
                if since < INTERIM_EVERY {
                    continue;
                }
                since = 0;
                let now = heard(decoder.text(), fault);
                if now == last {
                    continue;
                }
                last.clone_from(&now);
                SttEvent::Interim(now)
            }
            SttInput::Finish => {
                pause(latency.between).await;
                (since, last) = (0, String::new());
                SttEvent::Final(heard(decoder.take(), fault))
            }
        };
        match fault {
            Some(Fault::StallAfter(after)) if sent >= after => continue,
            Some(Fault::DieAfter(after)) if sent >= after => {
                let _ = events.send(Err(ProviderError::retry(NAME, "scripted death"))).await;
                return;
            }
            _ => sent += 1,
        }
        if events.send(Ok(event)).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english() -> SttConfig {
        SttConfig { language: "en-US".into(), hints: vec![] }
    }

    async fn say(stream: &SttStream, pcm: &[i16]) {
        for piece in pcm.chunks(317) {
            stream.input.send(SttInput::Audio(piece.to_vec())).await.unwrap();
        }
    }

    #[tokio::test]
    async fn interims_grow_into_one_final_an_utterance() {
        let mut stream = ModemStt::default().open(&english()).await.unwrap();
        let mut pcm = modem::encode("I worked on a ward because", RATE, 12);
        pcm.extend(modem::silence(RATE, 1_200));
        pcm.extend(modem::encode(" I like people.", RATE, 12));
        say(&stream, &pcm).await;
        stream.input.send(SttInput::Finish).await.unwrap();
        let mut interims = vec![];
        let text = loop {
            match stream.events.recv().await.unwrap().unwrap() {
                SttEvent::Interim(text) => interims.push(text),
                SttEvent::Final(text) => break text,
            }
        };
        assert_eq!(text, "I worked on a ward because I like people.");
        assert!(interims.len() > 1 && interims.iter().all(|interim| text.starts_with(interim.as_str())));
        stream.input.send(SttInput::Finish).await.unwrap();
        assert_eq!(stream.events.recv().await.unwrap().unwrap(), SttEvent::Final(String::new()));
    }

    #[tokio::test]
    async fn it_dies_in_the_middle_and_another_stream_hears_the_rest() {
        let stt = ModemStt::default().with_faults(Faults::none().on_call(0, Fault::DieAfter(1)));
        let pcm = modem::encode("A somewhat longer answer than that, to be sure of it.", RATE, 12);
        let mut dead = stt.open(&english()).await.unwrap();
        say(&dead, &pcm).await;
        assert!(dead.events.recv().await.unwrap().is_ok());
        assert!(dead.events.recv().await.unwrap().is_err());
        assert!(dead.events.recv().await.is_none());
        assert_eq!(
            stt.recognize(&english(), pcm).await.unwrap(),
            "A somewhat longer answer than that, to be sure of it."
        );
        assert!(!stt.speaks("de-DE"));
    }
}
