//! What this process hears, speaks and thinks with. A sense that cannot be had is said, with what to do; the rest serves.

mod absent;
mod thinking;

use crate::config::{Agent, Config, MayaVoice, Role, VoiceKind};
use absent::{NoEar, NoJudge, NoVoice};
use maya_actors::parts::Senses as InterviewSenses;
use maya_embedded::{Cache, Part};
use maya_protocol::clock::SharedClock;
use maya_providers::{
    embed::Embedder,
    llm::LanguageModel,
    local::{LocalOptions, LocalSenses, ModelPaths, VoiceChoice},
    stt::SpeechToText,
    testing::{EnergyVad, HashEmbedder, ModemStt, ModemTts, ScriptedEndOfTurn},
    tts::TextToSpeech,
    vad::{EndOfTurn, VoiceActivity},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use thinking::Models;

/// The senses of this process.
pub struct Senses {
    /// Of the interviewer.
    pub interview: InterviewSenses,
    /// Of the planner and the gateway's skills.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// The planner's model; none: the question bank alone.
    pub plans: Option<Arc<dyn LanguageModel>>,
    /// The assessor's model; none: the rubric's signals alone.
    pub judges: Option<Arc<dyn LanguageModel>>,
    /// Of a test candidate.
    pub second_voice: Option<Arc<dyn TextToSpeech>>,
    /// For people: each sense with its name, or what to do to have it.
    pub report: Vec<String>,
}

impl Senses {
    /// Loads what the roles need; fetches what is not in the cache.
    pub async fn load(config: &Config, roles: &[Role], clock: SharedClock) -> Self {
        match config.voices.kind {
            VoiceKind::Scripted => Self::scripted(config, roles).await,
            VoiceKind::Local => Self::local(config, roles, clock).await,
        }
    }

    async fn scripted(config: &Config, roles: &[Role]) -> Self {
        let models = Models::load(config, roles).await;
        let interview = InterviewSenses {
            hears: Arc::new(ModemStt::default()),
            speaks: Arc::new(ModemTts::default()),
            notices: Arc::new(EnergyVad),
            judges: Arc::new(ScriptedEndOfTurn::default()),
            thinks: models.interviewer(),
        };
        let scripted = "hearing and voices are scripted: text as tones, and back".to_owned();
        Self {
            interview,
            embedder: Some(Arc::new(HashEmbedder::default())),
            plans: models.of(Agent::Planner),
            judges: models.of(Agent::Assessor),
            second_voice: None,
            report: [scripted].into_iter().chain(models.missing).collect(),
        }
    }

    async fn local(config: &Config, roles: &[Role], clock: SharedClock) -> Self {
        let interviews = roles.contains(&Role::Interviewer);
        let embeds = roles.contains(&Role::Planner) || roles.contains(&Role::Gateway);
        let mut wanted = Vec::new();
        if interviews || embeds {
            wanted.push(Part::OnnxRuntime);
        }
        if embeds {
            wanted.push(Part::MiniLm);
        }
        if interviews {
            wanted.extend([Part::Moonshine, Part::Piper, Part::Turn]);
            if config.voices.maya != MayaVoice::Piper {
                wanted.push(Part::Kokoro);
            }
        }
        let cache = Cache::at(&config.cache_dir);
        let mut folders: Vec<(&'static str, PathBuf)> = Vec::new();
        let mut report = Vec::new();
        for part in wanted {
            match cache.ensure(part).await {
                Ok(folder) => folders.push((part.name(), folder)),
                Err(error) => report.push(error.to_string()),
            }
        }
        let folder = |name: &str| folders.iter().find(|(part, _)| *part == name).map(|(_, folder)| folder.clone());
        let models = Models::load(config, roles).await;
        let chosen = config.data_dir.join("voice");
        let options = LocalOptions {
            voice: match config.voices.maya {
                MayaVoice::Auto => remembered(&chosen),
                MayaVoice::Kokoro => VoiceChoice::Kokoro,
                MayaVoice::Piper => VoiceChoice::Piper,
            },
            ..LocalOptions::default()
        };
        let local = LocalSenses::load(ModelPaths::in_folders(folder), options, clock).await;
        if let Some(voice) = &local.maya_voice
            && config.voices.maya == MayaVoice::Auto
        {
            // only a hint for the next start, which measures again where it cannot be read
            let _ = std::fs::create_dir_all(&config.data_dir).and_then(|()| std::fs::write(&chosen, voice.name()));
        }
        report.extend(local.report.names.iter().map(|(sense, name)| format!("{sense:?}: {name}")));
        let needed = |sense| match sense {
            maya_providers::local::Sense::Embedding => embeds,
            _ => interviews,
        };
        for missing in local.missing.iter().filter(|missing| needed(missing.sense)) {
            let line = format!("{:?} is missing: {}", missing.sense, missing.what_to_do);
            tracing::warn!("{line}");
            report.push(line);
        }
        let interview = InterviewSenses {
            hears: local.stt.unwrap_or_else(|| Arc::new(NoEar) as Arc<dyn SpeechToText>),
            speaks: local.maya_voice.unwrap_or_else(|| Arc::new(NoVoice) as Arc<dyn TextToSpeech>),
            // loudness is a poor judge of speech, and better than deafness
            notices: local.vad.unwrap_or_else(|| Arc::new(EnergyVad) as Arc<dyn VoiceActivity>),
            judges: local.end_of_turn.unwrap_or_else(|| Arc::new(NoJudge) as Arc<dyn EndOfTurn>),
            thinks: models.interviewer(),
        };
        report.push(format!("Thinking: {}", interview.thinks.name()));
        report.extend(models.missing.iter().cloned());
        Self {
            interview,
            embedder: local.embedder,
            plans: models.of(Agent::Planner),
            judges: models.of(Agent::Assessor),
            second_voice: local.second_voice,
            report,
        }
    }
}

/// The voice that an earlier start found this machine to keep up with: measuring takes longer than all else at a start.
fn remembered(file: &Path) -> VoiceChoice {
    match std::fs::read_to_string(file).as_deref().map(|name| name.split('/').next().unwrap_or_default()) {
        Ok("kokoro") => VoiceChoice::Kokoro,
        Ok("piper") => VoiceChoice::Piper,
        _ => VoiceChoice::Auto,
    }
}
