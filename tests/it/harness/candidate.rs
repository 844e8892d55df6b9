//! The test candidate of the command line, in a process of its own.

use super::{LONGEST_INTERVIEW, Site};
use serde_json::Value;
use std::{io::Write as _, process::Stdio};
use tokio::process::Child;

/// What a candidate does.
pub struct Candidate {
    join: String,
    lines: String,
}

/// A candidate in an interview.
pub struct Holding {
    child: Child,
    _lines: tempfile::NamedTempFile,
}

impl Candidate {
    /// One who joins by that link and says nothing.
    pub fn new(join: &str) -> Self {
        Self { join: join.to_owned(), lines: String::new() }
    }

    /// What they say, a line an answer.
    pub fn speak(mut self, lines: &[&str]) -> Self {
        self.lines = lines.join("\n");
        self
    }

    /// Joins.
    pub fn start(&self, site: &Site) -> Holding {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(self.lines.as_bytes()).expect("our own file");
        let speak = file.path().display().to_string();
        let args = ["candidate", "--join", &self.join, "--speak", &speak, "--json", "--voice", "scripted"];
        let mut command = tokio::process::Command::from(site.command(&args));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Holding { child: command.spawn().expect("the binary can be started"), _lines: file }
    }

    /// Joins and holds the interview to its end.
    pub async fn hold(self, site: &Site) -> Value {
        self.start(site).report().await
    }
}

impl Holding {
    /// The interview's end, as the candidate saw it.
    pub async fn report(self) -> Value {
        let output = tokio::time::timeout(LONGEST_INTERVIEW, self.child.wait_with_output()).await;
        let output = output.expect("the interview ends").expect("our own child");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}
