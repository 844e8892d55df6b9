//! Smart-turn: judges from the melody of the voice whether the speaker has finished or only pauses.

mod mel;

use super::{runtime::Runtime, worker::Worker};
use crate::{ProviderError, vad::EndOfTurn};
use async_trait::async_trait;
use mel::LogMel;
use ort::{session::Session, value::Tensor};
use std::path::Path;

const PROVIDER: &str = "smart-turn";

/// The model.
pub struct SmartTurn {
    worker: Worker<Model>,
}

struct Model {
    session: Session,
    mel: LogMel,
}

impl SmartTurn {
    /// Loads the model (`smart-turn-v3.2-cpu.onnx`).
    pub fn load(runtime: &Runtime, model: &Path) -> Result<Self, ProviderError> {
        let session = runtime.session(PROVIDER, model)?;
        Ok(Self { worker: Worker::start(PROVIDER, 64, vec![Model { session, mel: LogMel::new() }])? })
    }
}

#[async_trait]
impl EndOfTurn for SmartTurn {
    async fn probability(&self, pcm: Vec<i16>) -> Result<f32, ProviderError> {
        self.worker.run(0, move |model| model.judge(&pcm)).await
    }
}

impl Model {
    fn judge(&mut self, pcm: &[i16]) -> Result<f32, ProviderError> {
        let failed = |e: ort::Error| ProviderError::retry(PROVIDER, e);
        let features = self.mel.features(pcm);
        let input = Tensor::from_array(([1, mel::BANDS, mel::FRAMES], features)).map_err(failed)?;
        let outputs = self.session.run(ort::inputs!["input_features" => input]).map_err(failed)?;
        let answer = outputs[0].try_extract_tensor::<f32>().map_err(failed)?.1.first().copied();
        answer.ok_or_else(|| ProviderError::fatal(PROVIDER, "the model answered nothing"))
    }
}
