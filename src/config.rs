//! The configuration: one documented struct, defaults embedded, every error said at once, before a port is bound.
//!
//! `config.default.toml` lists every key with its default; a file and `MAYA_SECTION__KEY` override single keys.

mod keys;
mod load;
mod role;
mod secret;
mod sections;
pub mod suggest;
mod validate;

pub use keys::Keys;
pub use load::{ConfigErrors, Problem};
pub use role::Role;
pub use secret::Secret;
pub use sections::*;

use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

/// Everything that may be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each section's type says what it is for")]
pub struct Config {
    /// The environment's name; see [`Config::environment`].
    pub env: Option<String>,
    /// What this machine keeps.
    pub data_dir: PathBuf,
    /// Downloads.
    pub cache_dir: PathBuf,
    pub database: Database,
    pub kafka: Kafka,
    pub redis: Redis,
    pub llm: Llm,
    pub gateway: Gateway,
    pub planner: Listen,
    pub interviewer: Listen,
    pub assessor: Listen,
    pub edge: Edge,
    pub recorder: Listen,
    pub notifier: Listen,
    pub join: Join,
    pub startup: Startup,
    pub node: Node,
    pub secrets: Secrets,
    pub auth: Auth,
    pub bus: Bus,
    pub voices: Voices,
    pub interview: Interview,
    pub budget: Budget,
    pub mail: Mail,
    pub blobs: Blobs,
    pub limits: Limits,
    pub log: Log,
}

impl Config {
    /// The environment in effect: as named, else development as long as all listens are loopback.
    pub fn environment(&self) -> &str {
        let loopback = Role::ALL.iter().all(|role| self.listen(*role).ip().is_loopback());
        match &self.env {
            Some(name) => name,
            None if loopback => "development",
            None => "production",
        }
    }
    /// Whether http and loopback callback URLs are allowed.
    pub fn is_development(&self) -> bool {
        self.environment() == "development"
    }
    /// Where a role listens.
    pub fn listen(&self, role: Role) -> SocketAddr {
        match role {
            Role::Gateway => self.gateway.listen,
            Role::Planner => self.planner.listen,
            Role::Interviewer => self.interviewer.listen,
            Role::Assessor => self.assessor.listen,
            Role::Edge => self.edge.listen,
            Role::Recorder => self.recorder.listen,
            Role::Notifier => self.notifier.listen,
        }
    }
    /// Sets where a role listens (a busy port is replaced by a free one).
    pub fn set_listen(&mut self, role: Role, listen: SocketAddr) {
        match role {
            Role::Gateway => self.gateway.listen = listen,
            Role::Planner => self.planner.listen = listen,
            Role::Interviewer => self.interviewer.listen = listen,
            Role::Assessor => self.assessor.listen = listen,
            Role::Edge => self.edge.listen = listen,
            Role::Recorder => self.recorder.listen = listen,
            Role::Notifier => self.notifier.listen = listen,
        }
    }
    /// The configuration in effect as TOML, secrets redacted.
    pub fn to_redacted_toml(&self) -> String {
        let mut shown = self.clone();
        shown.env = Some(self.environment().to_owned());
        toml::to_string_pretty(&shown).expect("a configuration is a TOML table")
    }
}
