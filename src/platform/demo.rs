//! The platform of `maya demo`: all of it, in this process, on free ports, in a data folder of its own.

use super::{Platform, senses::Senses, start};
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
pub async fn start_demo(mut config: Config, keep: Option<PathBuf>) -> anyhow::Result<Demo> {
    config.data_dir = config.data_dir.join("demo");
    config.database.url = None;
    config.log.level = std::env::var("MAYA_LOG__LEVEL").unwrap_or_else(|_| "warn".to_owned());
    for role in Role::ALL {
        config.set_listen(role, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    }
    let keep = keep.unwrap_or_else(|| config.data_dir.join("interviews"));
    let sealing = Sealing::new(config.keys()?.sealing());
    let kind = config.voices.kind;
    let platform = start(config, Role::ALL.to_vec()).await?;
    let store = &platform.connected.store;
    let tenant = tenants::create(store, &sealing, "Demo", Some("people@demo.example")).await?;
    let operator = keys::create(store, tenant.tenant_id, "demo operator", auth::Role::Operator).await?;
    let listens = platform.listens();
    let url = |role| -> anyhow::Result<Url> {
        let address = listens.get(&role).context("every role was started")?;
        Ok(Url::parse(&format!("http://{address}/"))?)
    };
    let voice = match (kind, &platform.senses.second_voice) {
        (VoiceKind::Scripted, _) => Voice::Scripted,
        (VoiceKind::Local, Some(voice)) => Voice::Synthesized(voice.clone()),
        (VoiceKind::Local, None) => Voice::Espeak,
    };
    let running = Running {
        gateway: url(Role::Gateway)?,
        edge: url(Role::Edge)?,
        tenant_id: tenant.tenant_id.to_string(),
        api_key: tenant.api_key,
        operator_key: Some(operator.api_key),
        webhook_secret: tenant.webhook_secret,
        voice,
        ear: Some(platform.senses.interview.hears.clone()),
        keep,
        senses: platform.senses.report.clone(),
    };
    Ok(Demo { platform, running })
}

/// The voice of a test candidate on its own.
pub async fn candidate_voice() -> anyhow::Result<Arc<dyn TextToSpeech>> {
    let config = Config::load(None)?;
    let senses = Senses::load(&config, &[Role::Interviewer], clock::system()).await;
    match senses.second_voice {
        Some(voice) => Ok(voice),
        None => bail!("there is no voice for the candidate: {}", senses.report.join("; ")),
    }
}
