//! The models of this machine, for real: what Maya says is heard back and compared.

mod broken;
mod ears;
mod judges;
mod voices;

use maya_embedded::Cache;
use maya_protocol::clock;
use maya_providers::{
    local::{LocalOptions, LocalSenses, ModelPaths, VoiceChoice},
    stt::SttConfig,
    tts::{SynthesisRequest, TextToSpeech},
};
use std::path::PathBuf;
use tokio::sync::OnceCell;

/// What Maya and candidates say in interviews: plain talk, numbers, names, jargon.
pub const LINES: [&str; 22] = [
    "Hello, I am Maya, and I will be holding your interview today.",
    "Tell me about a time you led a difficult project.",
    "Can you walk me through your experience with distributed systems and databases?",
    "I led a team of five engineers to migrate our payment service to Kubernetes.",
    "We reduced the latency by 40% after rewriting the cache layer in Rust.",
    "What would you do differently if you had to start that project again?",
    "My biggest weakness is that I sometimes take on too much work at once.",
    "I disagreed with my manager about the deadline, so I proposed a smaller scope.",
    "How do you handle conflict with a coworker who does not share your priorities?",
    "We stored every order in a relational database and kept the sessions in a cache.",
    "In my last role I was responsible for hiring, mentoring, and quarterly planning.",
    "In 2019 I joined a hospital with 250 beds and worked in the intensive care unit.",
    "The patient was given two milligrams every four hours, and we checked the blood pressure twice.",
    "I closed a deal worth $1,500,000 after nine months of negotiation.",
    "Between March and August we grew from twelve customers to 85.",
    "Thank you, Priya, that is a very clear example.",
    "Let me ask about the second part of your answer.",
    "I would first look at the logs, because most failures leave a trace there.",
    "She studied in Boston and later moved to Germany.",
    "We tested the change on ten percent of the traffic before the full release.",
    "Customers were angry, but I listened, apologised, and called each of them back.",
    "That is all from my side, do you have any questions for me?",
];

/// The cache's folder: `MAYA_CACHE_DIR`, or `.maya/cache` of the repository.
pub fn cache() -> Cache {
    match std::env::var_os("MAYA_CACHE_DIR") {
        Some(dir) => Cache::at(dir),
        None => Cache::at(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.maya/cache")),
    }
}

/// Paths of all models. Fails where one is missing: it is the real part of these tests.
pub fn paths() -> ModelPaths {
    let cache = cache();
    ModelPaths::in_folders(|part| {
        let folder = part.parse().ok().and_then(|part| cache.present(part));
        let root = cache.root().display();
        Some(folder.unwrap_or_else(|| panic!("{part} is not in {root}: run `./maya fetch` (or maya-fetch) first")))
    })
}

/// All senses, loaded once for all tests of this process.
pub async fn senses() -> &'static LocalSenses {
    static SENSES: OnceCell<LocalSenses> = OnceCell::const_new();
    let load = || async {
        let options = LocalOptions { voice: VoiceChoice::Kokoro, ..LocalOptions::default() };
        let senses = LocalSenses::load(paths(), options, clock::system()).await;
        println!("{:?}", senses.report);
        assert!(senses.missing.is_empty(), "{:?}", senses.missing);
        senses
    };
    SENSES.get_or_init(load).await
}

pub fn english() -> SttConfig {
    SttConfig { language: "en-US".into(), hints: Vec::new() }
}

pub fn request(text: &str) -> SynthesisRequest {
    SynthesisRequest { text: text.into(), language: "en-US".into(), emotion: Default::default() }
}

/// What a voice says, at the ear's 16 kHz.
pub async fn spoken(voice: &dyn TextToSpeech, text: &str) -> Vec<i16> {
    use futures::TryStreamExt as _;
    let pieces: Vec<_> = voice.synthesize(request(text)).await.unwrap().try_collect().await.unwrap();
    let samples: Vec<i16> = pieces.concat().as_chunks::<2>().0.iter().map(|s| i16::from_le_bytes(*s)).collect();
    to_16k(&samples)
}

/// Three samples of 24 kHz to two of 16 kHz, after a low pass at 7 kHz (windowed sinc, 31 taps).
fn to_16k(samples: &[i16]) -> Vec<i16> {
    let taps: Vec<f32> = (-15..=15)
        .map(|n: i32| {
            let x = std::f32::consts::PI * n as f32 * 7.0 / 12.0;
            let sinc = if n == 0 { 1.0 } else { x.sin() / x };
            sinc * (std::f32::consts::PI * n as f32 / 32.0).cos().powi(2) * 7.0 / 12.0
        })
        .collect();
    let at = |i: isize| f32::from(samples.get(usize::try_from(i).unwrap_or(usize::MAX)).copied().unwrap_or(0));
    let low = |i: usize| -> f32 { taps.iter().zip(-15isize..).map(|(t, n)| t * at(i as isize + n)).sum() };
    (0..samples.len() * 2 / 3)
        .map(|n| {
            let (whole, half) = (n * 3 / 2, n % 2 == 1);
            (if half { (low(whole) + low(whole + 1)) / 2.0 } else { low(whole) }) as i16
        })
        .collect()
}

/// Seeded noise: `loudness` is its deviation.
pub fn noise(samples: usize, loudness: f32) -> Vec<i16> {
    use rand::{Rng as _, SeedableRng as _};
    let mut rng = rand::rngs::StdRng::seed_from_u64(7);
    (0..samples)
        .map(|_| ((0..6).map(|_| rng.random_range(-1.0f32..1.0)).sum::<f32>() * loudness * 0.7) as i16)
        .collect()
}
