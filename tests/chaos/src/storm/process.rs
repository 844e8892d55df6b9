//! One process of maya, which may be killed, frozen and started again on its ports.

use anyhow::{Context as _, bail};
use maya_embedded::child::spawn_tied;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::sync::oneshot;

/// How long a process may take to be ready, on a machine that is busy.
const START: Duration = Duration::from_secs(90);

/// How it is started.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// For the report and the log's name, e.g. `edge-2`.
    pub name: String,
    /// The binary, what it is told, and in which environment.
    pub program: PathBuf,
    /// Comma-separated.
    pub roles: String,
    /// All that it is told by.
    pub env: Vec<(String, String)>,
    /// Where its log goes.
    pub folder: PathBuf,
}

/// A running process.
pub struct Process {
    child: Child,
    /// Its name among the nodes.
    pub node: String,
}

impl Recipe {
    /// Starts it, and waits until it is ready.
    pub async fn start(&self) -> anyhow::Result<Process> {
        let log = self.folder.join(format!("{}.log", self.name));
        let log = File::options().create(true).append(true).open(&log).with_context(|| log.display().to_string())?;
        let mut command = self.command(&["serve", "--roles", &self.roles]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = spawn_tied(command, Signal::SIGKILL).with_context(|| self.program.display().to_string())?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let (line, ready) = oneshot::channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut first = String::new();
            let _ = stdout.read_line(&mut first);
            let _ = line.send(first);
            // an open pipe that nobody reads would stop who writes to it
            let _ = std::io::copy(&mut stdout, &mut std::io::sink());
        });
        let mut process = Process { child, node: String::new() };
        let line = tokio::time::timeout(START, ready).await.ok().and_then(Result::ok).unwrap_or_default();
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        let Some(node) = said["node"].as_str() else {
            process.kill();
            bail!("{} did not say that it is ready", self.name);
        };
        node.clone_into(&mut process.node);
        Ok(process)
    }

    /// The binary with other arguments, in the same environment and in none else.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAYA_")) {
            command.env_remove(name);
        }
        command.args(args).envs(self.env.iter().cloned()).current_dir(&self.folder);
        command
    }
}

impl Process {
    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGSTOP or SIGCONT.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), signal);
    }

    /// Whether it ended by itself, which it must not.
    pub fn is_gone(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
