//! The agents' models: behind an endpoint, on this machine, or none, which their deterministic engines bear.

use crate::config::{Agent, Config, ModelKind, Role};
use maya_embedded::{Cache, Part};
use maya_providers::{
    ProviderError,
    llm::LanguageModel,
    local::{LlmOptions, LocalLlm},
    openai::{OpenAi, OpenAiSettings},
    plan_follower::PlanFollower,
};
use std::{path::PathBuf, sync::Arc};

/// What the agents of this process think with.
pub struct Models {
    found: Vec<(Agent, Arc<dyn LanguageModel>)>,
    /// For people: what could not be had.
    pub missing: Vec<String>,
}

impl Models {
    /// Prepares the models of these roles. A local one is loaded once, however many agents think with it, and fetched
    /// only where one does.
    pub async fn load(config: &Config, roles: &[Role]) -> Self {
        let mut models = Self { found: Vec::new(), missing: Vec::new() };
        let agents = [
            (Role::Planner, Agent::Planner),
            (Role::Interviewer, Agent::Interviewer),
            (Role::Assessor, Agent::Assessor),
        ];
        let mut local: Option<Result<LocalLlm, String>> = None;
        for (_, agent) in agents.into_iter().filter(|(role, _)| roles.contains(role)) {
            let configured = config.llm.of(agent);
            let model: Result<Arc<dyn LanguageModel>, String> = match configured.kind {
                Some(ModelKind::OpenAi) => endpoint(configured).map_err(|error| error.to_string()),
                Some(ModelKind::Local) => {
                    if local.is_none() {
                        local = Some(on_this_machine(config).await);
                    }
                    let loaded = local.clone().unwrap_or_else(|| Err("nothing was loaded".to_owned()));
                    loaded.map(|model| Arc::new(model) as Arc<dyn LanguageModel>)
                }
                Some(ModelKind::None) | None => continue,
            };
            match model {
                Ok(model) => models.found.push((agent, model)),
                Err(error) => {
                    tracing::error!(agent = ?agent, error = %error, "a configured model cannot be used");
                    models.missing.push(format!("{agent:?}: its model cannot be used: {error}"));
                }
            }
        }
        models
    }

    /// An agent's model.
    pub fn of(&self, agent: Agent) -> Option<Arc<dyn LanguageModel>> {
        self.found.iter().find(|(found, _)| *found == agent).map(|(_, model)| model.clone())
    }

    /// What words Maya's replies.
    pub fn interviewer(&self) -> Arc<dyn LanguageModel> {
        self.of(Agent::Interviewer).unwrap_or_else(|| Arc::new(PlanFollower))
    }
}

fn endpoint(configured: crate::config::Model) -> Result<Arc<dyn LanguageModel>, ProviderError> {
    let (Some(url), Some(model)) = (configured.url, configured.model) else {
        return Err(ProviderError::fatal("openai", "an endpoint needs a url and a model"));
    };
    let key = configured.api_key.map(|key| key.expose().to_owned());
    Ok(Arc::new(OpenAi::new(OpenAiSettings::new(url.as_str(), model, key))?))
}

async fn on_this_machine(config: &Config) -> Result<LocalLlm, String> {
    let file: PathBuf = match &config.llm.file {
        Some(file) => file.clone(),
        None => {
            let cache = Cache::at(&config.cache_dir);
            cache.ensure(Part::Llm).await.map_err(|error| error.to_string())?.join("model.gguf")
        }
    };
    let loaded = tokio::task::spawn_blocking(move || LocalLlm::load(&file, &LlmOptions::default())).await;
    loaded.map_err(|_| "loading it panicked".to_owned())?.map_err(|error| error.to_string())
}
