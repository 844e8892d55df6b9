//! The processes of maya: each kind more than once, each killed and started again by itself.

use super::{
    parts::Parts,
    process::{Process, Recipe},
    schedule::Kind,
};
use anyhow::Context as _;
use maya_testkit::free_ports;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How often each kind is there.
pub const INTERVIEWERS: usize = 3;
/// How often each kind is there.
pub const EDGES: usize = 3;
const GATEWAYS: usize = 2;
const AGENTS: usize = 2;
/// Attempts to start a process again, as an orchestrator makes them, while what it needs is away.
const ATTEMPTS: usize = 10;
/// A line takes longer.
const SHORT_PIECES_MS: u64 = 2_000;

/// A place in the fleet, and the process that fills it now.
pub struct Member {
    /// What it is.
    pub kind: Kind,
    /// Where a role of it listens, where that is fixed.
    pub port: Option<u16>,
    recipe: Recipe,
    /// None: it was killed, and is not yet back.
    process: Mutex<Option<Process>>,
}

/// All of them.
pub struct Fleet {
    members: Vec<Member>,
    /// Of processes that ended without being killed.
    deaths: Mutex<Vec<String>>,
}

impl Fleet {
    /// Migrates, makes the topics and starts everything.
    pub async fn start(program: &Path, folder: &Path, parts: &Parts) -> anyhow::Result<Self> {
        let recipe = |name: String, roles: &str, more: &[(&str, String)]| {
            let mut env = parts.env.clone();
            let own = folder.join("data").join(&name);
            env.push(("MAYA_DATA_DIR".into(), own.display().to_string()));
            env.push(("MAYA_CACHE_DIR".into(), maya_testkit::cache().root().display().to_string()));
            for role in ["GATEWAY", "PLANNER", "INTERVIEWER", "ASSESSOR", "EDGE", "RECORDER", "NOTIFIER"] {
                env.push((format!("MAYA_{role}__LISTEN"), "127.0.0.1:0".into()));
            }
            env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            Recipe { name, program: program.to_owned(), roles: roles.to_owned(), env, folder: folder.to_owned() }
        };
        // a deployment's job
        let job = recipe("job".into(), "", &[]);
        for args in [&["migrate"][..], &["topics", "--create"]] {
            let output = tokio::process::Command::from(job.command(args)).output().await.context("the job")?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            anyhow::ensure!(output.status.success(), "maya {args:?}: {said}");
        }
        let later = |more: &[(&'static str, String)]| {
            let mut all =
                vec![("MAYA_STARTUP__MIGRATE", "false".to_owned()), ("MAYA_STARTUP__CREATE_TOPICS", "false".into())];
            all.extend_from_slice(more);
            all
        };
        let mut members = Vec::new();
        let mut add = |kind, recipe, port| members.push(Member { kind, port, recipe, process: Mutex::new(None) });
        for at in 0..INTERVIEWERS {
            // one of them records most lines in pieces, as others do long answers
            let pieces = [("MAYA_INTERVIEW__MAX_PIECE_MS", SHORT_PIECES_MS.to_string())];
            let more = later(if at == 0 { &pieces[..] } else { &[] });
            add(Kind::Interviewer, recipe(format!("interviewer-{at}"), "interviewer", &more), None);
        }
        for (at, (listen, _)) in parts.edges.iter().enumerate() {
            let more = later(&[("MAYA_EDGE__LISTEN", format!("127.0.0.1:{listen}"))]);
            add(Kind::Edge, recipe(format!("edge-{at}"), "edge", &more), Some(*listen));
        }
        for at in 0..GATEWAYS {
            let [port] = free_ports();
            let more = later(&[("MAYA_GATEWAY__LISTEN", format!("127.0.0.1:{port}"))]);
            add(Kind::Gateway, recipe(format!("gateway-{at}"), "gateway", &more), Some(port));
        }
        for at in 0..AGENTS {
            let roles = "planner,assessor,notifier,recorder";
            add(Kind::Agents, recipe(format!("agents-{at}"), roles, &later(&[])), None);
        }
        let fleet = Self { members, deaths: Mutex::default() };
        for member in 0..fleet.members.len() {
            fleet.begin(member).await?;
        }
        Ok(fleet)
    }

    /// The places of a kind.
    pub fn of(&self, kind: Kind) -> Vec<usize> {
        (0..self.members.len()).filter(|at| self.members[*at].kind == kind).collect()
    }

    /// A place.
    pub fn member(&self, at: usize) -> &Member {
        &self.members[at]
    }

    /// Which place a node fills.
    pub fn with_node(&self, node: &str) -> Option<usize> {
        self.members
            .iter()
            .position(|member| member.process.lock().as_ref().is_some_and(|process| process.node == node))
    }

    /// How many of a kind run.
    pub fn alive(&self, kind: Kind) -> usize {
        self.of(kind).into_iter().filter(|at| self.members[*at].process.lock().is_some()).count()
    }

    /// `kill -9`; whether it ran.
    pub fn kill(&self, at: usize) -> bool {
        match self.members[at].process.lock().take() {
            Some(mut process) => {
                process.kill();
                true
            }
            None => false,
        }
    }

    /// SIGSTOP, and SIGCONT after a while.
    pub async fn freeze(&self, at: usize, time: Duration) {
        let signal = |signal| {
            if let Some(process) = self.members[at].process.lock().as_ref() {
                process.signal(signal);
            }
        };
        signal(Signal::SIGSTOP);
        tokio::time::sleep(time).await;
        signal(Signal::SIGCONT);
    }

    /// Starts what was killed; tries again while it does not come up.
    pub async fn begin(&self, at: usize) -> anyhow::Result<()> {
        let member = &self.members[at];
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match member.recipe.start().await {
                Ok(process) => {
                    *member.process.lock() = Some(process);
                    return Ok(());
                }
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("{} was not started", member.recipe.name)))
    }

    /// Finds processes that ended by themselves, notes them and gives their places.
    pub fn fallen(&self) -> Vec<usize> {
        let mut found = Vec::new();
        for (at, member) in self.members.iter().enumerate() {
            let mut process = member.process.lock();
            if process.as_mut().is_some_and(Process::is_gone) {
                *process = None;
                self.deaths.lock().push(format!("{} ended by itself; see its log", member.recipe.name));
                found.push(at);
            }
        }
        found
    }

    /// What was noted of them.
    pub fn deaths(&self) -> Vec<String> {
        self.deaths.lock().clone()
    }

    /// A name for the report.
    pub fn name(&self, at: usize) -> &str {
        &self.members[at].recipe.name
    }

    /// A command of the binary in the environment of the first member.
    pub fn command(&self, args: &[&str]) -> std::process::Command {
        self.members[0].recipe.command(args)
    }

    /// The addresses of the gateways.
    pub fn gateways(&self) -> Vec<String> {
        let ports = self.of(Kind::Gateway).into_iter().filter_map(|at| self.members[at].port);
        ports.map(|port| format!("http://127.0.0.1:{port}")).collect()
    }
}

/// The binary that `./maya chaos` built, or the one beside this program.
pub fn beside_us() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    // a test's program is one folder deeper
    let found = here.ancestors().skip(1).take(2).map(|folder| folder.join("maya")).find(|path| path.is_file());
    found.context("there is no maya beside this program: build it, or say where it is (--maya)")
}
