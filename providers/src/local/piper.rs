//! Piper's `joe`: the fast voice, six times cheaper than Kokoro.
//!
//! It was trained on espeak's phonemes; [`to_espeak`] maps ours to them, so that no GPL code is linked.

use super::{
    resample,
    runtime::Runtime,
    speech::{Engine, Speaker},
    text::Phonemizer,
    worker::Worker,
};
use crate::{
    ProviderError,
    tts::{PcmStream, SynthesisRequest, TextToSpeech},
};
use async_trait::async_trait;
use maya_protocol::clock::SharedClock;
use ort::{session::Session, value::Tensor};
use std::{collections::HashMap, path::Path, sync::Arc};

const PROVIDER: &str = "piper";
const PAD: i64 = 0;
const START: i64 = 1;
const END: i64 = 2;

/// The model.
pub struct Piper {
    name: String,
    worker: Arc<Worker<Model>>,
}

impl Piper {
    /// Loads the model (`en_US-joe-medium.onnx`) and its configuration (`….onnx.json`).
    pub fn load(runtime: &Runtime, model: &Path, config: &Path) -> Result<Self, ProviderError> {
        let config = Config::read(config)?;
        let session = runtime.session(PROVIDER, model)?;
        let name = format!("piper/{}", config.dataset.as_deref().unwrap_or("unnamed"));
        Ok(Self { name, worker: Arc::new(Worker::start(PROVIDER, 64, vec![Model { session, config }])?) })
    }

    /// Its one voice.
    pub fn voice(&self, phonemizer: Arc<Phonemizer>, clock: SharedClock) -> PiperVoice {
        let speaker = Speaker { worker: self.worker.clone(), voice: (), phonemizer, epoch: clock.now(), clock };
        PiperVoice { name: self.name.clone(), speaker }
    }
}

/// The voice of [`Piper`].
pub struct PiperVoice {
    name: String,
    speaker: Speaker<Model>,
}

#[async_trait]
impl TextToSpeech for PiperVoice {
    async fn synthesize(&self, request: SynthesisRequest) -> Result<PcmStream, ProviderError> {
        super::only_english(PROVIDER, &request.language)?;
        Ok(self.speaker.speak(&request.text, request.emotion))
    }
    fn speaks(&self, language: &str) -> bool {
        super::is_english(language)
    }
    fn name(&self) -> &str {
        &self.name
    }
}

#[derive(serde::Deserialize)]
struct Config {
    dataset: Option<String>,
    audio: Audio,
    inference: Inference,
    phoneme_id_map: HashMap<char, Vec<i64>>,
}

#[derive(serde::Deserialize)]
struct Audio {
    sample_rate: u32,
}

#[derive(serde::Deserialize)]
struct Inference {
    noise_scale: f32,
    length_scale: f32,
    noise_w: f32,
}

impl Config {
    fn read(file: &Path) -> Result<Self, ProviderError> {
        let wrong = |e: String| ProviderError::fatal(PROVIDER, format!("{}: {e}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
        let config: Self = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        if config.audio.sample_rate != 22_050 {
            return Err(wrong(format!("{} Hz is not supported, only 22050", config.audio.sample_rate)));
        }
        Ok(config)
    }
}

struct Model {
    session: Session,
    config: Config,
}

impl Engine for Model {
    type Voice = ();

    fn render(&mut self, phonemes: &str, (): &(), speed: f32) -> Result<Vec<f32>, ProviderError> {
        let failed = |e: ort::Error| ProviderError::retry(PROVIDER, e);
        let mut ids = vec![START, PAD];
        for id in to_espeak(phonemes).chars().filter_map(|c| self.config.phoneme_id_map.get(&c)?.first()) {
            ids.extend([*id, PAD]);
        }
        ids.push(END);
        let Inference { noise_scale, length_scale, noise_w } = self.config.inference;
        let scales = vec![noise_scale, length_scale / speed, noise_w];
        let outputs = self
            .session
            .run(ort::inputs![
                "input_lengths" => Tensor::from_array(([1], vec![ids.len() as i64])).map_err(failed)?,
                "input" => Tensor::from_array(([1, ids.len()], ids)).map_err(failed)?,
                "scales" => Tensor::from_array(([3], scales)).map_err(failed)?
            ])
            .map_err(failed)?;
        let audio =
            outputs.get("output").ok_or_else(|| ProviderError::fatal(PROVIDER, "the model has no output `output`"))?;
        Ok(resample::to_24k(audio.try_extract_tensor::<f32>().map_err(failed)?.1))
    }
}

/// misaki's American phonemes as espeak-ng writes them.
fn to_espeak(phonemes: &str) -> String {
    const PAIRS: [(&str, &str); 17] = [
        ("ɜɹ", "ɜː"),
        ("əɹ", "ɚ"),
        ("ɔɹ", "ɔːɹ"),
        ("ɑɹ", "ɑːɹ"),
        ("A", "eɪ"),
        ("I", "aɪ"),
        ("O", "oʊ"),
        ("W", "aʊ"),
        ("Y", "ɔɪ"),
        ("ʤ", "dʒ"),
        ("ʧ", "tʃ"),
        ("T", "ɾ"),
        ("ᵊ", "ə"),
        ("u", "uː"),
        ("ɑ", "ɑː"),
        ("ɔ", "ɔː"),
        ("i", "iː"),
    ];
    let mut out = String::with_capacity(phonemes.len() * 2);
    let mut rest = phonemes;
    while let Some(c) = rest.chars().next() {
        match PAIRS.iter().find(|(ours, _)| rest.starts_with(ours)) {
            // An unstressed final `i` (happy) is short.
            Some(("i", _)) if !rest[1..].starts_with(|c: char| c.is_alphabetic()) && !stressed(&out) => {
                out.push('i');
                rest = &rest[1..];
            }
            Some((ours, theirs)) => {
                out.push_str(theirs);
                rest = &rest[ours.len()..];
            }
            None => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

fn stressed(before: &str) -> bool {
    before.ends_with(['ˈ', 'ˌ'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phonemes_are_written_as_espeak_writes_them() {
        assert_eq!(to_espeak("həlˈO, wˈɜɹld"), "həlˈoʊ, wˈɜːld");
        assert_eq!(to_espeak("hˈæpi, ˈizi, mˌi."), "hˈæpi, ˈiːzi, mˌiː.");
        assert_eq!(to_espeak("fˈɔɹwəɹd ʤˈʌʤ"), "fˈɔːɹwɚd dʒˈʌdʒ");
    }
}
