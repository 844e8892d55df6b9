//! Maya's voice and a test candidate's, out of two engines. An engine that nobody needs is not loaded: each takes up to
//! a second and 200 MB.

use super::{
    Kokoro, Phonemizer, Piper, Runtime,
    load::{Loaded, LocalOptions, ModelPaths, Sense, absent, on_a_thread, part, with},
    voice_choice::{KEEPS_UP, Measured, VoiceChoice, measure},
};
use crate::tts::TextToSpeech;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use maya_protocol::clock::SharedClock;
use std::{path::PathBuf, sync::Arc};

type Voice = Arc<dyn TextToSpeech>;

/// Begins when it is first waited for.
type Lazy<T> = Shared<BoxFuture<'static, Loaded<T>>>;

/// The voices that were wanted.
pub(super) struct Voices {
    pub(super) maya: Option<Loaded<Voice>>,
    pub(super) second: Option<Loaded<Voice>>,
    /// Only where the choice needed it.
    pub(super) kokoro: Option<Measured>,
}

/// The engines, and what both need.
pub(super) struct Engines {
    phonemizer: Lazy<Arc<Phonemizer>>,
    piper: Lazy<Arc<Piper>>,
    kokoro: Lazy<Arc<Kokoro>>,
    kokoro_voices: Option<PathBuf>,
    clock: SharedClock,
}

impl Engines {
    /// Begins to load what the choice needs for certain.
    pub(super) fn begin(
        runtime: &Loaded<Runtime>,
        paths: &ModelPaths,
        options: &LocalOptions,
        clock: &SharedClock,
    ) -> Self {
        let engines = Self {
            phonemizer: lazy(|| Phonemizer::load().map_err(|error| error.to_string())),
            piper: lazy({
                let (runtime, paths) = (runtime.clone(), paths.clone());
                move || {
                    let config = paths.piper_config.as_ref().ok_or_else(|| absent("piper configuration"))?;
                    part(&runtime, &paths.piper_model, "piper", |runtime, model| Piper::load(runtime, model, config))
                }
            }),
            kokoro: lazy({
                let (runtime, paths) = (runtime.clone(), paths.clone());
                move || {
                    let vocabulary = paths.kokoro_vocab.as_ref().ok_or_else(|| absent("kokoro vocabulary"))?;
                    part(&runtime, &paths.kokoro_model, "kokoro", |runtime, model| {
                        Kokoro::load(runtime, model, vocabulary)
                    })
                }
            }),
            kokoro_voices: paths.kokoro_voices_dir.clone(),
            clock: clock.clone(),
        };
        let (maya, second) = (options.wants(Sense::MayaVoice), options.wants(Sense::SecondVoice));
        // the second voice is the other engine's
        if second || (maya && options.voice != VoiceChoice::Kokoro) {
            tokio::spawn(engines.piper.clone());
        }
        if second || (maya && options.voice != VoiceChoice::Piper) {
            tokio::spawn(engines.kokoro.clone());
        }
        if second || maya {
            tokio::spawn(engines.phonemizer.clone());
        }
        engines
    }

    /// The voices, chosen. Where that is left to us Kokoro is measured now, so nothing else of ours should be running.
    pub(super) async fn choose(self, options: &LocalOptions) -> Voices {
        let mut voices = Voices { maya: None, second: None, kokoro: None };
        if !options.wants(Sense::MayaVoice) && !options.wants(Sense::SecondVoice) {
            return voices;
        }
        let kokoro_leads = match options.voice {
            VoiceChoice::Kokoro => true,
            VoiceChoice::Piper => false,
            VoiceChoice::Auto => {
                if let Ok(kokoro) = self.kokoro(&options.maya_voice).await {
                    voices.kokoro = measure(&*kokoro, &*self.clock).await.ok();
                }
                voices.kokoro.is_some_and(|kokoro| kokoro.rtf < KEEPS_UP)
            }
        };
        let maya = match kokoro_leads {
            true => self.kokoro(&options.maya_voice).await,
            false => self.piper().await,
        };
        // the other one is better than none
        let (maya, is_kokoro) = match (maya, kokoro_leads) {
            (Err(why), true) => (self.piper().await.map_err(|_| why), false),
            (Err(why), false) => (self.kokoro(&options.maya_voice).await.map_err(|_| why), true),
            (maya, leads) => (maya, leads),
        };
        if options.wants(Sense::SecondVoice) {
            voices.second = Some(match (is_kokoro, self.kokoro(&options.second_voice).await) {
                (true, kokoro) => self.piper().await.or(kokoro),
                (false, kokoro) => kokoro,
            });
        }
        voices.maya = options.wants(Sense::MayaVoice).then_some(maya);
        voices
    }

    async fn piper(&self) -> Loaded<Voice> {
        let piper = self.piper.clone().await?;
        Ok(Arc::new(piper.voice(self.phonemizer.clone().await?, self.clock.clone())))
    }

    async fn kokoro(&self, name: &str) -> Loaded<Voice> {
        let kokoro = self.kokoro.clone().await?;
        let phonemizer = self.phonemizer.clone().await?;
        with(&self.kokoro_voices, "kokoro voices", |dir| kokoro.voice(dir, name, phonemizer, self.clock.clone()))
            .map(|voice| Arc::new(voice) as Voice)
    }
}

fn lazy<T: Send + Sync + 'static>(load: impl FnOnce() -> Loaded<T> + Send + 'static) -> Lazy<Arc<T>> {
    async move { on_a_thread(load).await.map(Arc::new) }.boxed().shared()
}
