//! The models on this machine: which parts they need, and what stands in for one that is missing.

use super::{
    Embedding, Loading, Talking, Wanted,
    absent::{NoEar, NoJudge, NoVoice},
    chosen::Chosen,
    thinking::Models,
};
use crate::config::{Config, MayaVoice, Role};
use maya_actors::parts::Senses as InterviewSenses;
use maya_embedded::{Cache, Part};
use maya_protocol::clock::SharedClock;
use maya_providers::{
    local::{KEEPS_UP, LocalOptions, LocalSenses, ModelPaths, Sense, VoiceChoice},
    stt::SpeechToText,
    testing::EnergyVad,
    tts::TextToSpeech,
    vad::{EndOfTurn, VoiceActivity},
};
use std::{path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

/// What is needed of the cache, and for what.
#[derive(Clone)]
pub struct LocalParts {
    cache: Cache,
    data_dir: PathBuf,
    voice: MayaVoice,
    embeds: bool,
    talks: bool,
    candidate: bool,
}

/// Parts that are there, and a line for each that is not.
#[derive(Default)]
struct Fetched {
    folders: Vec<(&'static str, PathBuf)>,
    failures: Vec<String>,
}

impl LocalParts {
    pub fn new(config: &Config, Wanted { roles, candidate }: Wanted) -> Self {
        Self {
            cache: Cache::at(&config.cache_dir),
            data_dir: config.data_dir.clone(),
            voice: config.voices.maya,
            embeds: roles.contains(&Role::Planner) || roles.contains(&Role::Gateway),
            talks: roles.contains(&Role::Interviewer),
            candidate,
        }
    }

    /// The embedder, where a role needs it.
    pub async fn embedding(self, clock: SharedClock) -> Embedding {
        if !self.embeds {
            return Embedding { embedder: None, report: Vec::new() };
        }
        let fetched = self.fetch(&[Part::OnnxRuntime, Part::MiniLm]).await;
        let options = LocalOptions { wanted: vec![Sense::Embedding], ..LocalOptions::default() };
        let local = LocalSenses::load(fetched.paths(), options, clock).await;
        Embedding { report: report(fetched, &local), embedder: local.embedder }
    }

    /// Ears and voices, where a role or a candidate needs them. Which voice this machine keeps up with is found out
    /// once, after everything else has `settled`; from then on it is remembered.
    pub async fn talking(self, models: Loading<Models>, clock: SharedClock, settled: CancellationToken) -> Talking {
        let mut wanted = Vec::new();
        let mut parts = vec![Part::OnnxRuntime];
        if self.talks {
            wanted.extend([Sense::Hearing, Sense::MayaVoice, Sense::VoiceActivity, Sense::EndOfTurn]);
            parts.extend([Part::Moonshine, Part::Turn]);
        }
        if self.candidate {
            wanted.push(Sense::SecondVoice);
        }
        if self.candidate || self.talks {
            parts.push(Part::Piper);
        }
        if self.candidate || (self.talks && self.voice != MayaVoice::Piper) {
            parts.push(Part::Kokoro);
        }
        let mut fetched = Fetched::default();
        if !wanted.is_empty() {
            fetched = self.fetch(&parts).await;
        }
        let matters = |part: &&str| [Part::OnnxRuntime.name(), Part::Kokoro.name()].contains(part);
        let parts = fetched.folders.iter().filter(|(part, _)| matters(part)).map(|(_, folder)| folder.as_path());
        let chosen = Chosen::new(&self.data_dir, parts);
        let voice = match self.voice {
            // a candidate alone is in a hurry, and one voice is as good as the other
            MayaVoice::Auto if !self.talks => chosen.recall().unwrap_or(VoiceChoice::Piper),
            MayaVoice::Auto => chosen.recall().unwrap_or(VoiceChoice::Auto),
            MayaVoice::Kokoro => VoiceChoice::Kokoro,
            MayaVoice::Piper => VoiceChoice::Piper,
        };
        if voice == VoiceChoice::Auto {
            settled.cancelled().await;
        }
        let options = LocalOptions { wanted, voice, ..LocalOptions::default() };
        let local = LocalSenses::load(fetched.paths(), options, clock).await;
        let mut report = report(fetched, &local);
        if let (Some(kokoro), Some(voice)) = (local.report.kokoro, &local.maya_voice) {
            let (rtf, undisturbed) = (kokoro.rtf, kokoro.undisturbed);
            report.push(format!(
                "Kokoro works {rtf:.2} s here for a second of speech; it speaks where that is under {KEEPS_UP}"
            ));
            if undisturbed {
                chosen.keep(voice.name(), rtf);
            } else {
                report.push("The machine was busy meanwhile: the next start measures again".to_owned());
            }
        }
        let models = models.await;
        let thinks = models.interviewer();
        if self.talks {
            report.push(format!("Thinking: {}", thinks.name()));
        }
        report.extend(models.missing.iter().cloned());
        Talking {
            interview: InterviewSenses {
                hears: local.stt.unwrap_or_else(|| Arc::new(NoEar) as Arc<dyn SpeechToText>),
                speaks: local.maya_voice.unwrap_or_else(|| Arc::new(NoVoice) as Arc<dyn TextToSpeech>),
                // loudness is a poor judge of speech, and better than deafness
                notices: local.vad.unwrap_or_else(|| Arc::new(EnergyVad) as Arc<dyn VoiceActivity>),
                judges: local.end_of_turn.unwrap_or_else(|| Arc::new(NoJudge) as Arc<dyn EndOfTurn>),
                thinks,
            },
            second_voice: local.second_voice,
            report,
        }
    }

    async fn fetch(&self, parts: &[Part]) -> Fetched {
        let mut fetched = Fetched::default();
        for &part in parts {
            match self.cache.ensure(part).await {
                Ok(folder) => fetched.folders.push((part.name(), folder)),
                Err(error) => fetched.failures.push(error.to_string()),
            }
        }
        fetched
    }
}

impl Fetched {
    fn paths(&self) -> ModelPaths {
        ModelPaths::in_folders(|name| {
            self.folders.iter().find(|(part, _)| *part == name).map(|(_, folder)| folder.clone())
        })
    }
}

/// What is there, and what is missing with what to do.
fn report(fetched: Fetched, local: &LocalSenses) -> Vec<String> {
    let mut report = fetched.failures;
    report.extend(local.report.names.iter().map(|(sense, name)| format!("{sense:?}: {name}")));
    for missing in &local.missing {
        let line = format!("{:?} is missing: {}", missing.sense, missing.what_to_do);
        tracing::warn!("{line}");
        report.push(line);
    }
    report
}
