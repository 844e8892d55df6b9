//! A site: the settings and the data dir that the processes of one platform share.

use super::{DEADLINE, Maya, Rest};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;

const ROLES: [&str; 7] = ["gateway", "planner", "interviewer", "assessor", "edge", "recorder", "notifier"];

/// One platform's settings.
pub struct Site {
    data: TempDir,
    env: BTreeMap<String, String>,
}

/// A customer.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub id: String,
    pub api_key: String,
    pub webhook_secret: String,
}

impl Site {
    /// The default of one process: a private PostgreSQL, the embedded bus and registry, voices by script.
    pub fn embedded() -> Self {
        let data = tempfile::Builder::new().prefix("maya-site").tempdir().expect("a temporary folder");
        let mut site = Self { data, env: BTreeMap::new() };
        let folder = site.folder().display().to_string();
        site.set("MAYA_DATA_DIR", folder);
        site.set("MAYA_CACHE_DIR", maya_testkit::cache().root().display());
        site.set("MAYA_VOICES__KIND", "scripted");
        site.set("MAYA_LOG__LEVEL", "info");
        site.set("MAYA_LOG__JSON", false);
        for role in ROLES {
            site.set(&format!("MAYA_{}__LISTEN", role.to_uppercase()), "127.0.0.1:0");
        }
        site
    }

    /// The same on a database of the test process's server, which is quick to have and ends with the test process.
    pub async fn quick() -> Self {
        let mut site = Self::embedded();
        site.set("MAYA_DATABASE__URL", maya_testkit::postgres().await.fresh_database().await);
        site
    }

    /// Where its data is.
    pub fn folder(&self) -> &Path {
        self.data.path()
    }

    /// Its database, where that is not a private one.
    pub fn database(&self) -> &str {
        &self.env["MAYA_DATABASE__URL"]
    }

    /// Sets a variable of the environment for what is started from now on.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.env.insert(name.to_owned(), value.to_string());
    }

    /// `maya` with these arguments in this site's environment, and in none else.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_maya"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAYA_")) {
            command.env_remove(name);
        }
        command.args(args).envs(&self.env).current_dir(self.folder());
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, args: &[&str]) -> Output {
        self.run_within(DEADLINE, args).await
    }

    /// The same for a command that may take that long.
    pub async fn run_within(&self, limit: Duration, args: &[&str]) -> Output {
        let mut command = tokio::process::Command::from(self.command(args));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let output = command.spawn().expect("the binary can be started").wait_with_output();
        let output = tokio::time::timeout(limit, output).await;
        output.unwrap_or_else(|_| panic!("maya {args:?} does not end")).expect("our own child")
    }

    /// Runs a command that prints one JSON object and must do well.
    pub async fn run_json(&self, args: &[&str]) -> Value {
        let output = self.run(args).await;
        assert!(output.status.success(), "maya {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("maya {args:?} printed no JSON: {error}"))
    }

    /// Starts roles, comma-separated; all where there are none.
    pub async fn serve(&self, roles: &str) -> Maya {
        let args: &[&str] = if roles.is_empty() { &["serve"] } else { &["serve", "--roles", roles] };
        Maya::start(self.command(args)).await
    }

    /// Makes a tenant.
    pub async fn tenant(&self) -> Tenant {
        let made = self.run_json(&["tenant", "create", "--name", "Acme", "--json"]).await;
        let text = |field: &str| made[field].as_str().unwrap_or_else(|| panic!("{field} in {made}")).to_owned();
        Tenant { id: text("tenantId"), api_key: text("apiKey"), webhook_secret: text("webhookSecret") }
    }

    /// Makes a key of a role for a tenant.
    pub async fn key(&self, tenant: &Tenant, role: &str) -> String {
        let made = self.run_json(&["key", "create", "--tenant", &tenant.id, "--role", role, "--json"]).await;
        made["apiKey"].as_str().unwrap_or_else(|| panic!("apiKey in {made}")).to_owned()
    }

    /// A tenant, and its ADMIN at the door of a gateway.
    pub async fn customer(&self, gateway: &Maya) -> (Tenant, Rest) {
        let tenant = self.tenant().await;
        let rest = Rest::new(&gateway.url("gateway"), &tenant.api_key);
        (tenant, rest)
    }
}
