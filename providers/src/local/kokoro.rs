//! Kokoro-82M: the voice of quality, where the machine keeps up with it.

use super::{
    runtime::{Runtime, check_readable},
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

const PROVIDER: &str = "kokoro";
/// Numbers in one style; a voice file has one style for each length of the phonemes.
const STYLE: usize = 256;

/// More threads than this do not help.
const MOST_THREADS: usize = 4;

/// The model. Its voices share it.
pub struct Kokoro {
    worker: Arc<Worker<Model>>,
}

impl Kokoro {
    /// Loads the model (`kokoro-v1.0.int8.onnx`) and its vocabulary (`vocab.json`).
    pub fn load(runtime: &Runtime, model: &Path, vocabulary: &Path) -> Result<Self, ProviderError> {
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS));
        let session = runtime.session_on(threads, PROVIDER, model)?;
        let worker = Worker::start(PROVIDER, 64, vec![Model { session, vocabulary: read_vocabulary(vocabulary)? }])?;
        Ok(Self { worker: Arc::new(worker) })
    }

    /// One of its voices (`af_heart`, `am_michael`, …) from the folder of `.bin` files.
    pub fn voice(
        &self,
        voices: &Path,
        name: &str,
        phonemizer: Arc<Phonemizer>,
        clock: SharedClock,
    ) -> Result<KokoroVoice, ProviderError> {
        let file = voices.join(format!("{name}.bin"));
        check_readable(PROVIDER, &file)?;
        let bytes = std::fs::read(&file).map_err(|e| ProviderError::fatal(PROVIDER, e))?;
        let styles: Arc<[f32]> = bytes.as_chunks::<4>().0.iter().map(|c| f32::from_le_bytes(*c)).collect();
        if styles.len() < STYLE || bytes.len() % (STYLE * 4) != 0 || styles.iter().any(|s| !s.is_finite()) {
            return Err(ProviderError::fatal(PROVIDER, format!("{} is no voice", file.display())));
        }
        let speaker = Speaker { worker: self.worker.clone(), voice: styles, phonemizer, epoch: clock.now(), clock };
        Ok(KokoroVoice { name: format!("kokoro/{name}"), speaker })
    }
}

/// A voice of [`Kokoro`].
pub struct KokoroVoice {
    name: String,
    speaker: Speaker<Model>,
}

#[async_trait]
impl TextToSpeech for KokoroVoice {
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

struct Model {
    session: Session,
    vocabulary: HashMap<char, i64>,
}

impl Engine for Model {
    type Voice = Arc<[f32]>;

    fn render(&mut self, phonemes: &str, styles: &Arc<[f32]>, speed: f32) -> Result<Vec<f32>, ProviderError> {
        let failed = |e: ort::Error| ProviderError::retry(PROVIDER, e);
        let mut tokens = vec![0i64];
        tokens.extend(phonemes.chars().filter_map(|c| self.vocabulary.get(&c)));
        let count = tokens.len() - 1;
        tokens.push(0);
        let style = count.min(styles.len() / STYLE - 1) * STYLE;
        let outputs = self
            .session
            .run(ort::inputs![
                "tokens" => Tensor::from_array(([1, tokens.len()], tokens)).map_err(failed)?,
                "style" => Tensor::from_array(([1, STYLE], styles[style..style + STYLE].to_vec())).map_err(failed)?,
                "speed" => Tensor::from_array(([1], vec![speed])).map_err(failed)?
            ])
            .map_err(failed)?;
        let audio =
            outputs.get("audio").ok_or_else(|| ProviderError::fatal(PROVIDER, "the model has no output `audio`"))?;
        Ok(audio.try_extract_tensor::<f32>().map_err(failed)?.1.to_vec())
    }
}

fn read_vocabulary(file: &Path) -> Result<HashMap<char, i64>, ProviderError> {
    #[derive(serde::Deserialize)]
    struct File {
        vocab: HashMap<char, i64>,
    }
    let wrong = |e: String| ProviderError::fatal(PROVIDER, format!("{}: {e}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    Ok(serde_json::from_str::<File>(&text).map_err(|e| wrong(e.to_string()))?.vocab)
}
