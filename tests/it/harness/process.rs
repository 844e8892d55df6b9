//! A running `maya serve`, as a child of the test process.

use super::DEADLINE;
use maya_embedded::child::spawn_tied;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use tokio::sync::oneshot;

/// How long a process may take to start: a private PostgreSQL may have to be made first.
const START: Duration = Duration::from_secs(90);
/// What is shown of a failed process's log.
const TAIL: usize = 60;

/// A running process. It ends with the test, in good order.
pub struct Maya {
    child: Child,
    first_line: Option<oneshot::Receiver<String>>,
    ready: Value,
    log: tempfile::NamedTempFile,
}

impl Maya {
    /// Starts it and waits until it says that it is ready.
    pub async fn start(command: Command) -> Self {
        let mut maya = Self::spawn(command);
        maya.until_ready().await;
        maya
    }

    /// Starts it.
    pub fn spawn(mut command: Command) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a temporary file");
        let handle = log.reopen().expect("our own file");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(handle);
        // SIGTERM, so that a private PostgreSQL ends too when the test process is killed
        let mut child = spawn_tied(command, Signal::SIGTERM).expect("the binary can be started");
        let stdout = child.stdout.take().expect("standard output is piped");
        let (line, first_line) = oneshot::channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut first = String::new();
            let _ = stdout.read_line(&mut first);
            let _ = line.send(first);
            // an open pipe that nobody reads would stop who writes to it
            let _ = std::io::copy(&mut stdout, &mut std::io::sink());
        });
        Self { child, first_line: Some(first_line), ready: Value::Null, log }
    }

    /// Waits for the ready line; the roles that it names as still loading.
    pub async fn until_ready(&mut self) -> Vec<String> {
        let line = tokio::time::timeout(START, self.first_line.take().expect("there is one ready line")).await;
        let line = line.ok().and_then(Result::ok).unwrap_or_default();
        match serde_json::from_str::<Value>(&line) {
            Ok(ready) if ready["ready"] == true => self.ready = ready,
            _ => panic!("maya serve did not say that it is ready, but {line:?}\n{}", self.log()),
        }
        let loading = self.ready["loading"].as_array().into_iter().flatten();
        loading.filter_map(|role| role.as_str().map(str::to_owned)).collect()
    }

    /// `http://host:port` of a role.
    pub fn url(&self, role: &str) -> String {
        format!("http://{}", self.address(role))
    }

    /// `host:port` of a role.
    pub fn address(&self, role: &str) -> &str {
        self.ready["listen"][role].as_str().unwrap_or_else(|| panic!("no {role} in {}", self.ready))
    }

    /// What its roles count: the sum of a metric over all its labels, 0 where it is not there yet.
    pub async fn metric(&self, role: &str, name: &str) -> f64 {
        let text = reqwest::get(format!("{}/metrics", self.url(role))).await.expect("/metrics answers");
        let text = text.text().await.expect("/metrics is text");
        let values = text
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' ')));
        values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// All that it has logged.
    pub fn whole_log(&self) -> String {
        let mut text = String::new();
        let _ = File::open(self.log.path()).and_then(|mut file| file.read_to_string(&mut text));
        text
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        let text = self.whole_log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// SIGTERM, and waits until it has stopped.
    pub async fn terminate(mut self) -> ExitStatus {
        self.tell_to_stop();
        self.ended().await
    }

    /// SIGTERM.
    pub fn tell_to_stop(&self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
    }

    /// `kill -9`.
    pub async fn kill(mut self) {
        let _ = self.child.kill();
        self.ended().await;
    }

    /// Waits until it has stopped.
    pub async fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let ended = tokio::time::timeout(DEADLINE, async {
            loop {
                if let Some(status) = child.try_wait().expect("our own child") {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        match ended.await {
            Ok(status) => status,
            Err(_) => panic!("maya does not stop\n{}", self.log()),
        }
    }
}

impl Drop for Maya {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the end of {}'s log\n{}", self.ready["listen"], self.log());
        }
        self.tell_to_stop();
        for _ in 0..1000 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
