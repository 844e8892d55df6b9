//! A platform of real processes on a data dir of its own, stopped in order at the end.

use anyhow::{Context, Result, bail, ensure};
use maya_embedded::{Cache, PrivatePostgres, postgres::Options};
use maya_testkit::Kafka;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

const ROLES: [&str; 7] = ["gateway", "planner", "interviewer", "assessor", "edge", "recorder", "notifier"];
/// How long a process may take to be ready, and to stop.
const PATIENCE: Duration = Duration::from_secs(90);

/// One platform's settings and data.
pub struct Site {
    data: TempDir,
    env: BTreeMap<String, String>,
}

/// A running `maya serve`.
pub struct Maya {
    child: Child,
    listen: Value,
    node: String,
}

impl Site {
    /// The embedded default with scripted voices, on free ports. `MAYA_*` of this process's environment goes first.
    pub fn new() -> Result<Self> {
        let data = tempfile::Builder::new().prefix("maya-bench").tempdir()?;
        let mut site = Self { data, env: BTreeMap::new() };
        site.set("MAYA_DATA_DIR", site.folder().display().to_string());
        site.set("MAYA_CACHE_DIR", cache().root().display());
        site.set("MAYA_VOICES__KIND", "scripted");
        site.set("MAYA_LOG__LEVEL", "warn");
        for role in ROLES {
            site.set(&format!("MAYA_{}__LISTEN", role.to_uppercase()), "127.0.0.1:0");
        }
        let own = ["MAYA_CACHE_DIR", "MAYA_BIN"];
        let ours = std::env::vars().filter(|(name, _)| name.starts_with("MAYA_") && !own.contains(&name.as_str()));
        site.env.extend(ours);
        Ok(site)
    }

    /// Where its data is.
    pub fn folder(&self) -> &Path {
        self.data.path()
    }

    /// Sets a variable of the environment for what is started from now on.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.env.insert(name.to_owned(), value.to_string());
    }

    /// Puts the bus on that broker, by login and encryption, and makes its topics.
    pub fn on_kafka(&mut self, kafka: &Kafka) -> Result<()> {
        self.set("MAYA_KAFKA__BROKERS", &kafka.sasl_ssl);
        self.set("MAYA_KAFKA__SECURITY_PROTOCOL", "SASL_SSL");
        self.set("MAYA_KAFKA__SASL_MECHANISM", "SCRAM-SHA-512");
        self.set("MAYA_KAFKA__SASL_USERNAME", &kafka.username);
        self.set("MAYA_KAFKA__SASL_PASSWORD", &kafka.password);
        self.set("MAYA_KAFKA__CA_FILE", kafka.ca_file.display());
        let made = self.command(&["topics", "--create"])?.output()?;
        ensure!(made.status.success(), "maya topics --create: {}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    }

    /// Puts database and registry where several processes reach them.
    pub fn on_parts(&mut self, database: &str, redis: &str) {
        self.set("MAYA_DATABASE__URL", database);
        self.set("MAYA_REDIS__URL", redis);
        self.set("MAYA_JOIN__KEY", "a join key of thirty-two bytes...");
    }

    /// `maya` with these arguments on this site.
    pub fn command(&self, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary()?);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAYA_")) {
            command.env_remove(name);
        }
        command.args(args).envs(&self.env).current_dir(self.folder()).stdin(Stdio::null());
        Ok(command)
    }

    /// Starts these roles, comma-separated (all where there are none), and waits until they are ready.
    pub async fn serve(&self, roles: &str) -> Result<Maya> {
        let args: &[&str] = if roles.is_empty() { &["serve"] } else { &["serve", "--roles", roles] };
        Maya::start(self.command(args)?).await
    }

    /// The same with a data dir of its own, beside other processes.
    pub async fn serve_apart(&mut self, name: &str, roles: &str) -> Result<Maya> {
        self.set("MAYA_DATA_DIR", self.folder().join(name).display().to_string());
        self.serve(roles).await
    }

    /// Makes a tenant; its ADMIN key.
    pub fn tenant(&self) -> Result<String> {
        let output = self.command(&["tenant", "create", "--name", "Bench", "--json"])?.output()?;
        ensure!(output.status.success(), "maya tenant create: {}", String::from_utf8_lossy(&output.stderr));
        let made: Value = serde_json::from_slice(&output.stdout)?;
        Ok(made["apiKey"].as_str().context("a tenant has its key")?.to_owned())
    }
}

impl Maya {
    /// Starts, and reads the ready line.
    pub async fn start(command: Command) -> Result<Self> {
        let mut command = tokio::process::Command::from(command);
        // a measurement that fails leaves nothing behind
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().context("standard output is ours")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = match tokio::time::timeout(PATIENCE, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            Ok(_) => bail!("maya ended before it was ready"),
            Err(_) => bail!("maya is not ready within {PATIENCE:?}"),
        };
        let ready: Value = serde_json::from_str(&line).with_context(|| format!("no ready line: {line}"))?;
        let node = ready["node"].as_str().context("a node has its name")?.to_owned();
        Ok(Self { child, listen: ready["listen"].clone(), node })
    }

    /// `host:port` of a role.
    pub fn address(&self, role: &str) -> Result<String> {
        Ok(self.listen[role].as_str().with_context(|| format!("{role} listens"))?.to_owned())
    }

    /// Its name among the nodes.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Stops it in order.
    pub async fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(self.pid().cast_signed()), Signal::SIGTERM)?;
        tokio::time::timeout(PATIENCE, self.child.wait()).await.context("maya does not stop")??;
        Ok(())
    }
}

/// A private PostgreSQL in a folder of its own; both go with what is returned.
pub async fn database(durable: bool) -> Result<(TempDir, PrivatePostgres)> {
    let folder = tempfile::tempdir()?;
    let options = Options { durable, dies_with_us: true, ..Options::default() };
    let postgres = PrivatePostgres::start_with(&cache(), folder.path(), options).await?;
    Ok((folder, postgres))
}

/// Where fetched parts are: `MAYA_CACHE_DIR`, or the workspace's.
pub fn cache() -> Cache {
    let workspace = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.maya/cache");
    Cache::at(std::env::var_os("MAYA_CACHE_DIR").map_or_else(workspace, PathBuf::from))
}

/// `MAYA_BIN`, or the binary of this very build.
fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("MAYA_BIN") {
        return Ok(path.into());
    }
    let path = std::env::current_exe()?.with_file_name("maya");
    ensure!(path.is_file(), "{} is not there: cargo build --release -p maya", path.display());
    Ok(path)
}

/// An interview that lacks nothing, as a recruiter's system sends it.
pub fn complete_interview() -> Value {
    json!({
        "externalId": "ats-4711",
        "language": "en-US",
        "durationMinutes": 30,
        "candidate": {
            "name": "Jordan Ellis",
            "email": "jordan@example.com",
            "resume": "Six years of payment services in Rust and Java; before that, data pipelines at a bank. Led a team of four through the migration of a ledger to PostgreSQL. Speaks at meetups."
        },
        "position": { "title": "Backend Engineer", "level": "MID", "description": "Runs the payment services, on call every sixth week." },
        "skills": [
            { "name": "Rust", "level": "MID", "mustHave": true },
            { "name": "PostgreSQL", "level": "MID", "mustHave": true },
            { "name": "System design", "mustHave": false }
        ],
        "metadata": { "requisition": "r-1" }
    })
}
