//! Moonshine tiny-en: hears English while it is spoken.
//!
//! The model takes whole pieces, so what is open is recognised again as it grows (50 times faster than speech) and what
//! ends in a pause is settled. The library's own streams do the same with less say; measured figures stand in the tests.

mod ffi;
mod segment;

use super::worker::Worker;
use crate::{
    ProviderError,
    stt::{SpeechToText, SttConfig, SttEvent, SttInput, SttStream},
    vad::{FRAME, VoiceActivity},
};
use async_trait::async_trait;
use segment::{Loudness, Segmenter};
use std::{path::Path, sync::Arc};
use tokio::sync::mpsc;

const PROVIDER: &str = "moonshine";
/// New audio between two interims: 400 ms at 16 kHz, and more where the open piece is long: hearing it again and again
/// then costs a stream no more than a sixth of a core.
const INTERIM: usize = 6_400;
const SHARE: usize = 8;
/// Messages of audio a stream may be behind (20 ms each: 10 s).
const BEHIND: usize = 512;
/// A final is wanted now; interims take what time is left.
const NOW: u64 = 0;
const WHEN_FREE: u64 = 1;
/// Fewer frames of speech than this (of 32 ms) with one of [`JUNK`]'s words is a noise, not a word.
const DOUBTFUL: usize = 15;
/// What the model makes of noises.
const JUNK: [&str; 9] = ["", "you", "thank you", "thanks", "bye", "oh", "the", "uh", "i"];

/// The recogniser. Its streams share it.
pub struct Moonshine {
    worker: Arc<Worker<ffi::Transcriber>>,
    vad: Arc<dyn VoiceActivity>,
}

impl Moonshine {
    /// Loads a folder of `libmoonshine.so`, its libraries and `tiny-en/`. `threads` recognisers (180 MB each) serve all streams.
    pub fn load(dir: &Path, vad: Option<Arc<dyn VoiceActivity>>, threads: usize) -> Result<Self, ProviderError> {
        let transcribers = (0..threads.max(1)).map(|_| ffi::Transcriber::load(dir)).collect::<Result<Vec<_>, _>>()?;
        let worker = Arc::new(Worker::start(PROVIDER, 256, transcribers)?);
        Ok(Self { worker, vad: vad.unwrap_or_else(|| Arc::new(Loudness)) })
    }

    fn ear(&self) -> Ear {
        Ear {
            worker: self.worker.clone(),
            segmenter: Segmenter::new(&*self.vad),
            settled: String::new(),
            open: (0, String::new()),
            unheard: 0,
        }
    }
}

#[async_trait]
impl SpeechToText for Moonshine {
    async fn open(&self, config: &SttConfig) -> Result<SttStream, ProviderError> {
        super::only_english(PROVIDER, &config.language)?;
        let (input, inputs) = mpsc::channel(BEHIND);
        let (outputs, events) = mpsc::channel(64);
        tokio::spawn(listen(self.ear(), inputs, outputs));
        Ok(SttStream { input, events })
    }

    async fn recognize(&self, config: &SttConfig, pcm: Vec<i16>) -> Result<String, ProviderError> {
        super::only_english(PROVIDER, &config.language)?;
        let mut ear = self.ear();
        // In pieces: the detector runs here, and half a second of audio costs it a millisecond.
        for chunk in pcm.chunks(8_000) {
            ear.hear(chunk).await?;
            tokio::task::yield_now().await;
        }
        ear.finish().await
    }

    fn speaks(&self, language: &str) -> bool {
        super::is_english(language)
    }

    fn name(&self) -> &str {
        "moonshine-tiny-en"
    }
}

/// One stream, until its owner goes away or recognition fails.
async fn listen(
    mut ear: Ear,
    mut inputs: mpsc::Receiver<SttInput>,
    outputs: mpsc::Sender<Result<SttEvent, ProviderError>>,
) {
    while let Some(input) = inputs.recv().await {
        let result = match input {
            SttInput::Audio(pcm) => ear.hear(&pcm).await.map(|()| None),
            SttInput::Finish => ear.finish().await.map(|text| Some(SttEvent::Final(text))),
        };
        let event = match result {
            // An interim only when nothing waits: a stream that is behind catches up first, and a `Finish` is seen.
            Ok(None) if inputs.is_empty() => ear.interim().await.map(|text| text.map(SttEvent::Interim)),
            other => other,
        };
        let sent = match event.transpose() {
            None => true,
            Some(Ok(event @ SttEvent::Interim(_))) => {
                // A reader that is slow misses interims, never finals.
                let _ = outputs.try_send(Ok(event));
                true
            }
            Some(Ok(event)) => outputs.send(Ok(event)).await.is_ok(),
            Some(Err(error)) => {
                let _ = outputs.send(Err(error)).await;
                false
            }
        };
        if !sent || outputs.is_closed() {
            return;
        }
    }
}

/// One utterance after another.
struct Ear {
    worker: Arc<Worker<ffi::Transcriber>>,
    segmenter: Segmenter,
    /// Text of the pieces that are complete.
    settled: String,
    /// Text of the open piece, and how many frames of speech it covers.
    open: (usize, String),
    /// Samples since the last interim.
    unheard: usize,
}

impl Ear {
    async fn hear(&mut self, pcm: &[i16]) -> Result<(), ProviderError> {
        self.unheard += pcm.len();
        for piece in self.segmenter.push(pcm) {
            let text = recognize(&self.worker, WHEN_FREE, &piece).await?;
            join(&mut self.settled, &text);
            self.open = (0, String::new());
        }
        Ok(())
    }

    async fn interim(&mut self) -> Result<Option<String>, ProviderError> {
        let voiced = self.segmenter.voiced();
        // A pause is heard at once: if the turn ends in it, the final is at hand.
        let due = self.unheard >= INTERIM.max(self.segmenter.open().len() / SHARE) || self.segmenter.pauses();
        if voiced == self.open.0 || !due {
            return Ok(None);
        }
        self.unheard = 0;
        let text = recognize(&self.worker, WHEN_FREE, self.segmenter.open()).await?;
        let text = if is_junk(&text, voiced) { String::new() } else { text };
        let changed = text != self.open.1;
        self.open = (voiced, text);
        let whole = self.whole();
        Ok((changed && !whole.is_empty()).then_some(whole))
    }

    async fn finish(&mut self) -> Result<String, ProviderError> {
        let voiced = self.segmenter.voiced();
        let piece = self.segmenter.finish();
        let (covered, mut text) = std::mem::take(&mut self.open);
        // What was heard last already covers all speech: the answer is at hand.
        if let (Some(piece), true) = (piece, covered != voiced) {
            text = recognize(&self.worker, NOW, &piece).await?;
            if is_junk(&text, voiced) {
                text.clear();
            }
        }
        self.unheard = 0;
        let mut whole = std::mem::take(&mut self.settled);
        join(&mut whole, &text);
        Ok(whole)
    }

    fn whole(&self) -> String {
        let mut whole = self.settled.clone();
        join(&mut whole, &self.open.1);
        whole
    }
}

async fn recognize(worker: &Worker<ffi::Transcriber>, due: u64, piece: &[i16]) -> Result<String, ProviderError> {
    let samples: Vec<f32> = piece.iter().map(|s| f32::from(*s) / 32_768.0).collect();
    worker
        .run(due, move |transcriber| {
            let lines = transcriber.transcribe(&samples)?;
            // The library cuts again; what it makes of the crumbs ("Thank you.") was not said.
            let frames = |seconds: f32| (seconds * 16_000.0) as usize / FRAME;
            let said = lines.iter().filter(|(text, seconds)| lines.len() == 1 || !is_junk(text, frames(*seconds)));
            Ok(said.map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(" "))
        })
        .await
}

fn join(whole: &mut String, text: &str) {
    if !whole.is_empty() && !text.is_empty() {
        whole.push(' ');
    }
    whole.push_str(text);
}

/// Whether this is what the model says to a click or a breath.
fn is_junk(text: &str, voiced: usize) -> bool {
    let bare = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    bare.is_empty() || (voiced < DOUBTFUL && JUNK.contains(&bare.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noises_are_no_words_and_words_are() {
        assert!(is_junk("You", 5));
        assert!(is_junk("?", 100));
        assert!(!is_junk("Yes.", 5));
        assert!(!is_junk("Thank you.", 20));
    }
}
