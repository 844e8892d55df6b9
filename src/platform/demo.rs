//! The platform of `maya demo`: all of it, in this process, on free ports, in a data folder of its own.

use super::{
    Platform,
    interrupt::Interrupt,
    senses::{Senses, Wanted},
    start,
};
use crate::{
    cli::{candidate::Voice, demo::Running},
    config::{Config, Role, VoiceKind},
};
use anyhow::{Context as _, bail};
use maya_gateway::{auth, keys, sealed::Sealing, tenants};
use maya_protocol::clock;
use maya_providers::tts::TextToSpeech;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};
use url::Url;

/// A platform with a tenant on it.
pub struct Demo {
    platform: Platform,
    running: Running,
}

impl Demo {
    /// What the demo is held on.
    pub fn running(&self) -> &Running {
        &self.running
    }
    /// Stops it.
    pub async fn stop(self) {
        self.platform.stop().await;
    }
}

/// Starts it.
pub async fn start_demo(mut config: Config, keep: Option<PathBuf>, interrupt: &Interrupt) -> anyhow::Result<Demo> {
    config.data_dir = config.data_dir.join("demo");
    config.database.url = None;
    config.log.level = std::env::var("MAYA_LOG__LEVEL").unwrap_or_else(|_| "warn".to_owned());
    for role in Role::ALL {
        config.set_listen(role, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    }
    let keep = keep.unwrap_or_else(|| config.data_dir.join("interviews"));
    let sealing = Sealing::new(config.keys()?.sealing());
    let kind = config.voices.kind;
    let platform = start(config, Wanted { roles: &Role::ALL, candidate: true }, interrupt).await?;
    match interrupt.or(prepare(&platform, &sealing, kind, keep)).await {
        Ok(running) => Ok(Demo { platform, running }),
        Err(error) => {
            platform.stop().await;
            Err(error)
        }
    }
}

/// A tenant, its keys, and the voices.
async fn prepare(platform: &Platform, sealing: &Sealing, kind: VoiceKind, keep: PathBuf) -> anyhow::Result<Running> {
    let store = &platform.connected.shared.store;
    let tenant = tenants::create(store, sealing, "Demo", Some("people@demo.example")).await?;
    let operator = keys::create(store, tenant.tenant_id, "demo operator", auth::Role::Operator).await?;
    let listens = platform.listens();
    let url = |role| -> anyhow::Result<Url> {
        let address = listens.get(&role).context("every role was started")?;
        Ok(Url::parse(&format!("http://{address}/"))?)
    };
    let embedding = platform.senses.embedding.clone().await;
    let talking = platform.senses.talking.clone().await;
    let voice = match (kind, &talking.second_voice) {
        (VoiceKind::Scripted, _) => Voice::Scripted,
        (VoiceKind::Local, Some(voice)) => Voice::Synthesized(voice.clone()),
        (VoiceKind::Local, None) => Voice::Espeak,
    };
    Ok(Running {
        gateway: url(Role::Gateway)?,
        edge: url(Role::Edge)?,
        tenant_id: tenant.tenant_id.to_string(),
        api_key: tenant.api_key,
        operator_key: Some(operator.api_key),
        webhook_secret: tenant.webhook_secret,
        voice,
        ear: Some(talking.interview.hears.clone()),
        keep,
        senses: embedding.report.iter().chain(&talking.report).cloned().collect(),
    })
}

/// The voice of a test candidate on its own.
pub async fn candidate_voice() -> anyhow::Result<Arc<dyn TextToSpeech>> {
    let config = Config::load(None)?;
    let senses = Senses::begin(&config, Wanted { roles: &[], candidate: true }, clock::system());
    senses.settled();
    let talking = senses.talking.clone().await;
    match &talking.second_voice {
        Some(voice) => Ok(voice.clone()),
        None => bail!("there is no voice for the candidate: {}", talking.report.join("; ")),
    }
}
