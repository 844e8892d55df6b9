//! Loads the senses that are wanted, each on a thread of its own, and says which are missing and what to do.

use super::{
    MiniLm, Moonshine, Runtime, Silero, SmartTurn,
    voice_choice::{Measured, VoiceChoice},
    voices::Engines,
};
use crate::{
    ProviderError,
    embed::Embedder,
    stt::SpeechToText,
    tts::TextToSpeech,
    vad::{EndOfTurn, VoiceActivity},
};
use maya_protocol::clock::SharedClock;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Where the models lie. Absent: that sense is missing.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "each is the file or folder of its name")]
pub struct ModelPaths {
    /// `libonnxruntime.so` (>= 1.22); all but hearing need it.
    pub onnxruntime: Option<PathBuf>,
    /// The folder with `libmoonshine.so`, its libraries and `tiny-en/`.
    pub moonshine_dir: Option<PathBuf>,
    pub piper_model: Option<PathBuf>,
    pub piper_config: Option<PathBuf>,
    pub kokoro_model: Option<PathBuf>,
    pub kokoro_vocab: Option<PathBuf>,
    /// `af_heart.bin` and its sisters.
    pub kokoro_voices_dir: Option<PathBuf>,
    pub minilm_model: Option<PathBuf>,
    pub bert_vocab: Option<PathBuf>,
    pub silero: Option<PathBuf>,
    pub smart_turn: Option<PathBuf>,
}

impl ModelPaths {
    /// Paths within the folders of the model cache (`embedded/manifest.toml` names parts and files): `folder` answers
    /// where a part lies, if it is there.
    pub fn in_folders(folder: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let file = |part: &str, name: &str| folder(part).map(|dir| dir.join(name));
        Self {
            onnxruntime: file("onnxruntime", "libonnxruntime.so"),
            moonshine_dir: folder("moonshine"),
            piper_model: file("piper", "en_US-joe-medium.onnx"),
            piper_config: file("piper", "en_US-joe-medium.onnx.json"),
            kokoro_model: file("kokoro", "kokoro.onnx"),
            kokoro_vocab: file("kokoro", "vocab.json"),
            kokoro_voices_dir: file("kokoro", "voices"),
            minilm_model: file("minilm", "model.onnx"),
            bert_vocab: file("minilm", "vocab.txt"),
            silero: file("turn", "silero_vad.onnx"),
            smart_turn: file("turn", "smart-turn.onnx"),
        }
    }
}

/// What may be chosen.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// What is loaded; the others are neither there nor missing.
    pub wanted: Vec<Sense>,
    /// Which voice is Maya's.
    pub voice: VoiceChoice,
    /// Maya's voice of Kokoro.
    pub maya_voice: String,
    /// The other voice of Kokoro (a man's), where Piper is Maya's or missing.
    pub second_voice: String,
    /// Recognisers (180 MB each); one serves about ten speakers.
    pub hearing_threads: usize,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            wanted: Sense::ALL.to_vec(),
            voice: VoiceChoice::Auto,
            maya_voice: "af_heart".into(),
            second_voice: "am_michael".into(),
            hearing_threads: 1,
        }
    }
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Sense {
    Hearing,
    MayaVoice,
    SecondVoice,
    Embedding,
    VoiceActivity,
    EndOfTurn,
}

impl Sense {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Hearing, Self::MayaVoice, Self::SecondVoice, Self::Embedding, Self::VoiceActivity, Self::EndOfTurn];
}

impl LocalOptions {
    /// Whether that sense is to be loaded.
    pub fn wants(&self, sense: Sense) -> bool {
        self.wanted.contains(&sense)
    }
}

/// A sense that could not be had.
#[derive(Debug, Clone)]
pub struct MissingSense {
    /// Which.
    pub sense: Sense,
    /// Why, and what to do about it.
    pub what_to_do: String,
}

/// All senses of this process.
pub struct LocalSenses {
    /// Hears.
    pub stt: Option<Arc<dyn SpeechToText>>,
    /// Speaks as Maya.
    pub maya_voice: Option<Arc<dyn TextToSpeech>>,
    /// Speaks as another person (test candidates).
    pub second_voice: Option<Arc<dyn TextToSpeech>>,
    /// Embeds.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// Notices speech.
    pub vad: Option<Arc<dyn VoiceActivity>>,
    /// Judges whether a turn is over.
    pub end_of_turn: Option<Arc<dyn EndOfTurn>>,
    /// What could not be loaded.
    pub missing: Vec<MissingSense>,
    /// For people.
    pub report: LocalReport,
}

/// What was loaded, and what it cost.
#[derive(Debug, Clone, Default)]
pub struct LocalReport {
    /// Each sense with its model's name.
    pub names: Vec<(Sense, String)>,
    /// From start to all loaded; a measuring of the voices included.
    pub load: Duration,
    /// What the process grew by, in MB.
    pub memory_mb: u64,
    /// Kokoro's speed, if it was measured.
    pub kokoro: Option<Measured>,
}

pub(super) type Loaded<T> = Result<T, String>;

impl LocalSenses {
    /// Loads what there is. Never fails: see [`LocalSenses::missing`].
    pub async fn load(paths: ModelPaths, options: LocalOptions, clock: SharedClock) -> Self {
        let started = clock.now();
        let before = resident_mb();
        let wants = |sense| options.wants(sense);
        let runtime = with(&paths.onnxruntime, "onnxruntime", |file| Runtime::load(file));
        // the voices take longest
        let engines = Engines::begin(&runtime, &paths, &options, &clock);
        // Silero takes tens of milliseconds, and hearing needs it
        let silero = (wants(Sense::VoiceActivity) || wants(Sense::Hearing))
            .then(|| part(&runtime, &paths.silero, "silero", |r, file| Silero::load(r, file)).map(Arc::new));
        let vad: Option<Arc<dyn VoiceActivity>> = silero.as_ref().and_then(|s| s.as_ref().ok()).map(|s| s.clone() as _);

        let stt = wanted(wants(Sense::Hearing), || {
            let (dir, vad, threads) = (paths.moonshine_dir.clone(), vad.clone(), options.hearing_threads);
            on_a_thread(move || with(&dir, "moonshine", |dir| Moonshine::load(dir, vad, threads)))
        });
        let minilm = wanted(wants(Sense::Embedding), || {
            let (runtime, model, vocabulary) = (runtime.clone(), paths.minilm_model.clone(), paths.bert_vocab.clone());
            on_a_thread(move || {
                let vocabulary = vocabulary.ok_or_else(|| absent("bert vocabulary"))?;
                part(&runtime, &model, "minilm", |r, file| MiniLm::load(r, file, &vocabulary))
            })
        });
        let smart_turn = wanted(wants(Sense::EndOfTurn), || {
            let (runtime, model) = (runtime.clone(), paths.smart_turn.clone());
            on_a_thread(move || part(&runtime, &model, "smart-turn", |r, file| SmartTurn::load(r, file)))
        });
        let (stt, minilm, smart_turn) = tokio::join!(stt, minilm, smart_turn);
        let voices = engines.choose(&options).await;

        let mut keep = Keep { missing: Vec::new(), report: LocalReport::default() };
        let stt = keep.one(Sense::Hearing, stt, |m| m.name().to_owned()).map(|m| Arc::new(m) as _);
        let embedder = keep.one(Sense::Embedding, minilm, |m| m.name().to_owned()).map(|m| Arc::new(m) as _);
        keep.one(Sense::VoiceActivity, silero, |_| "silero".into());
        let end_of_turn =
            keep.one(Sense::EndOfTurn, smart_turn, |_| "smart-turn-v3.2".into()).map(|m| Arc::new(m) as _);
        let maya_voice = keep.one(Sense::MayaVoice, voices.maya, |v| v.name().to_owned());
        let second_voice = keep.one(Sense::SecondVoice, voices.second, |v| v.name().to_owned());
        let Keep { missing, mut report } = keep;
        report.kokoro = voices.kokoro;
        report.load = clock.now() - started;
        report.memory_mb = resident_mb().saturating_sub(before);
        Self { stt, maya_voice, second_voice, embedder, vad, end_of_turn, missing, report }
    }
}

struct Keep {
    missing: Vec<MissingSense>,
    report: LocalReport,
}

impl Keep {
    /// What was wanted is there with its name, or missing with what to do.
    fn one<T>(&mut self, sense: Sense, loaded: Option<Loaded<T>>, name: impl Fn(&T) -> String) -> Option<T> {
        match loaded? {
            Ok(model) => {
                self.report.names.push((sense, name(&model)));
                Some(model)
            }
            Err(what_to_do) => {
                self.missing.push(MissingSense { sense, what_to_do });
                None
            }
        }
    }
}

/// A load, if it is wanted.
async fn wanted<T, F: Future<Output = Loaded<T>>>(wanted: bool, load: impl FnOnce() -> F) -> Option<Loaded<T>> {
    if wanted { Some(load().await) } else { None }
}

/// Runs a load on a thread of its own; a panic in it is a missing sense.
pub(super) async fn on_a_thread<T: Send + 'static>(load: impl FnOnce() -> Loaded<T> + Send + 'static) -> Loaded<T> {
    tokio::task::spawn_blocking(load).await.unwrap_or_else(|_| Err("loading panicked; fetch the models anew".into()))
}

pub(super) fn absent(what: &str) -> String {
    format!("{what} is not in the model cache: run `./maya fetch` with a network, or set its path in the configuration")
}

pub(super) fn with<T>(
    path: &Option<PathBuf>,
    what: &str,
    load: impl FnOnce(&PathBuf) -> Result<T, ProviderError>,
) -> Loaded<T> {
    let path = path.as_ref().ok_or_else(|| absent(what))?;
    load(path).map_err(|e| format!("{e}; if the file is damaged, delete it and run `./maya fetch`"))
}

pub(super) fn part<T>(
    runtime: &Loaded<Runtime>,
    path: &Option<PathBuf>,
    what: &str,
    load: impl FnOnce(&Runtime, &PathBuf) -> Result<T, ProviderError>,
) -> Loaded<T> {
    let runtime = runtime.as_ref().map_err(|e| format!("{what} needs ONNX Runtime: {e}"))?;
    with(path, what, |file| load(runtime, file))
}

/// Resident memory of this process; 0 where the system does not say.
fn resident_mb() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|s| s.split(' ').nth(1)?.parse::<u64>().ok()).unwrap_or(0);
    pages * 4096 / 1_048_576
}
