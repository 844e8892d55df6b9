//! Silero: notices speech. One model for all; each detector has only its state.

use super::runtime::Runtime;
use crate::{
    ProviderError,
    vad::{FRAME, VoiceActivity, VoiceDetector},
};
use ort::{session::Session, value::Tensor};
use parking_lot::Mutex;
use std::{path::Path, sync::Arc};

const PROVIDER: &str = "silero";
/// Samples of the frame before that the model also sees.
const CONTEXT: usize = 64;
const STATE: [usize; 3] = [2, 1, 128];

/// The model.
pub struct Silero {
    // A frame takes tens of microseconds, so one lock serves hundreds of streams.
    session: Arc<Mutex<Session>>,
}

impl Silero {
    /// Loads the model (`silero_vad_16k_op15.onnx`, or `silero_vad.onnx`).
    pub fn load(runtime: &Runtime, model: &Path) -> Result<Self, ProviderError> {
        let silero = Self { session: Arc::new(Mutex::new(runtime.session(PROVIDER, model)?)) };
        // A detector cannot report errors: a model of another shape is refused here.
        silero.detector().run(&[0; FRAME]).map_err(|e| ProviderError::fatal(PROVIDER, e))?;
        Ok(silero)
    }

    fn detector(&self) -> Detector {
        Detector { session: self.session.clone(), state: vec![0.0; 256], context: [0.0; CONTEXT] }
    }
}

impl VoiceActivity for Silero {
    fn start(&self) -> Box<dyn VoiceDetector> {
        Box::new(self.detector())
    }
}

struct Detector {
    session: Arc<Mutex<Session>>,
    state: Vec<f32>,
    context: [f32; CONTEXT],
}

impl Detector {
    fn run(&mut self, frame: &[i16; FRAME]) -> ort::Result<f32> {
        let mut input = Vec::with_capacity(CONTEXT + FRAME);
        input.extend_from_slice(&self.context);
        input.extend(frame.iter().map(|s| f32::from(*s) / 32_768.0));
        self.context.copy_from_slice(&input[FRAME..]);
        let mut session = self.session.lock();
        let outputs = session.run(ort::inputs![
            "input" => Tensor::from_array(([1, input.len()], input))?,
            "state" => Tensor::from_array((STATE, std::mem::take(&mut self.state)))?,
            "sr" => Tensor::from_array(([0usize; 0], vec![16_000i64]))?
        ])?;
        self.state = outputs["stateN"].try_extract_tensor::<f32>()?.1.to_vec();
        Ok(outputs["output"].try_extract_tensor::<f32>()?.1.first().copied().unwrap_or(0.0))
    }
}

impl VoiceDetector for Detector {
    fn probability(&mut self, frame: &[i16; FRAME]) -> f32 {
        self.run(frame).unwrap_or_else(|error| {
            // The model ran at load; what can fail now is memory. Silence is the answer that ends no turn wrongly.
            tracing::warn!(%error, "voice activity failed");
            self.state = vec![0.0; 256];
            0.0
        })
    }
}
