//! What Maya says beside the conversation: fixed lines for when something behind her does not work.
//!
//! An aside is no turn: it is never recorded, never worded by a model, and synthesised ahead, once a process, so that
//! saying it needs no provider. It is heard, and shown as a caption, under a turn number that no turn has.

use bytes::Bytes;
use dashmap::DashMap;
use futures::StreamExt;
use maya_protocol::audio::SPEAKING_RATE;
use maya_providers::tts::{Emotion, SynthesisRequest, TextToSpeech};
use std::{sync::Arc, time::Duration};

/// A fixed line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aside {
    /// The reply is late.
    Moment,
    /// What was said cannot be written down, so nothing is answered.
    Holding,
    /// What was said could not be understood.
    Sorry,
}

impl Aside {
    const ALL: [Aside; 3] = [Aside::Moment, Aside::Holding, Aside::Sorry];

    /// The words.
    pub fn text(self) -> &'static str {
        match self {
            Aside::Moment => "One moment, please.",
            Aside::Holding => "I have a technical problem. Please stay with me, I'll go on as soon as I can.",
            Aside::Sorry => "I'm sorry, I could not hear that. Could you say it once more?",
        }
    }
}

/// Bytes of a line that travel at once: one second.
pub(super) const PIECE: usize = SPEAKING_RATE as usize * 2;
/// How long one line may take to be synthesised.
const PATIENCE: Duration = Duration::from_secs(20);

/// The lines of a process, with their audio where a voice was there to give it.
#[derive(Clone, Default)]
pub struct Asides {
    spoken: Arc<DashMap<Aside, Bytes>>,
}

impl Asides {
    /// Gives the lines their audio, if they have none yet. They are English: in another language they stay unsaid.
    pub fn prepare(&self, voice: &Arc<dyn TextToSpeech>, language: &str) {
        if !is_said_in(language) {
            return;
        }
        for aside in Aside::ALL {
            // taken before it is there, so that it is asked for once
            if self.spoken.contains_key(&aside) {
                continue;
            }
            self.spoken.insert(aside, Bytes::new());
            let (spoken, voice, language) = (self.spoken.clone(), voice.clone(), language.to_owned());
            tokio::spawn(async move {
                match tokio::time::timeout(PATIENCE, synthesise(voice.as_ref(), aside, language)).await {
                    Ok(Some(pcm)) => drop(spoken.insert(aside, pcm)),
                    // the next session tries again
                    Ok(None) | Err(_) => drop(spoken.remove(&aside)),
                }
            });
        }
    }

    /// The audio of a line; empty: it is only shown. None in a language that it is not said in.
    pub fn audio(&self, aside: Aside, language: &str) -> Option<Bytes> {
        is_said_in(language).then(|| self.spoken.get(&aside).map(|pcm| pcm.clone()).unwrap_or_default())
    }
}

/// How long a line is heard, or read.
pub fn lasts(aside: Aside, pcm: &Bytes) -> Duration {
    const READING_MS_PER_CHAR: u64 = 55;
    match pcm.len() as u64 {
        0 => Duration::from_millis(aside.text().len() as u64 * READING_MS_PER_CHAR),
        bytes => Duration::from_millis(bytes * 1000 / (u64::from(SPEAKING_RATE) * 2)),
    }
}

fn is_said_in(language: &str) -> bool {
    language.split('-').next().is_some_and(|primary| primary.eq_ignore_ascii_case("en"))
}

async fn synthesise(voice: &dyn TextToSpeech, aside: Aside, language: String) -> Option<Bytes> {
    let request = SynthesisRequest { text: aside.text().to_owned(), language, emotion: Emotion::Warm };
    let mut pieces = voice.synthesize(request).await.ok()?;
    let mut pcm = Vec::new();
    while let Some(piece) = pieces.next().await {
        pcm.extend_from_slice(&piece.ok()?);
    }
    (!pcm.is_empty() && pcm.len() % 2 == 0).then(|| pcm.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use maya_providers::testing::{Fault, Faults, ModemTts};

    #[tokio::test]
    async fn lines_are_ready_before_they_are_needed_and_one_that_failed_is_tried_again() {
        let asides = Asides::default();
        let faults = Faults::always(Fault::Fatal);
        let voice: Arc<dyn TextToSpeech> = Arc::new(ModemTts::default().with_faults(faults.clone()));
        asides.prepare(&voice, "de-DE");
        assert_eq!((faults.calls(), asides.audio(Aside::Holding, "de-DE")), (0, None));
        asides.prepare(&voice, "en-US");
        while faults.calls() < 3 || !asides.spoken.is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(asides.audio(Aside::Holding, "en-US"), Some(Bytes::new()), "shown, not heard");
        faults.heal();
        asides.prepare(&voice, "en-US");
        while asides.audio(Aside::Holding, "en-US").is_none_or(|pcm| pcm.is_empty()) {
            tokio::task::yield_now().await;
        }
        asides.prepare(&voice, "en-US");
        assert_eq!(faults.calls(), 6, "once a process");
    }
}
