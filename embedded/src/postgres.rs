//! The private PostgreSQL: the database when none is configured, kept in the data folder, listening on loopback only.
//!
//! Several processes may use one at the same time; the last to stop shuts it down. One that was left behind by a
//! process that was killed is found through its data folder and used as it is.
//!
//! Below `<data>/postgres/`: `data/` (PostgreSQL's own), `password`, `server.log`, `start.lock`, `users.lock`.
//!
//! As root the server runs as `nobody`, since PostgreSQL refuses root, and its data may lie below a folder that nobody
//! may enter. So every path is given to it as `/proc/self/fd/N/…`, where N is that folder, opened by us and
//! inherited: no parent is walked, and no path is too long.

mod error;
mod install;
mod pidfile;
mod server;

pub use error::PostgresError;

use crate::{
    cache::Cache,
    lock::{FileLock, Mode},
    manifest::Part,
};
use error::at;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use pidfile::Running;
use server::Home;
use std::{path::Path, process::Child, time::Duration};

/// How to run the server.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether a committed transaction survives a power cut. Off only for tests.
    pub durable: bool,
    /// Whether the server ends with this process, however it ends. Otherwise it is left for the next one to adopt.
    pub dies_with_us: bool,
    /// How many connections it takes.
    pub max_connections: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { durable: true, dies_with_us: false, max_connections: 100 }
    }
}

/// A running private server, and this process's claim on it.
#[derive(Debug)]
pub struct PrivatePostgres {
    home: Home,
    url: String,
    running: Running,
    child: Option<Child>,
    claim: Option<FileLock>,
}

impl PrivatePostgres {
    /// Starts the server of this data folder, or joins the one that runs; makes the database if there is none.
    pub async fn start(cache: &Cache, data_dir: &Path) -> Result<Self, PostgresError> {
        Self::start_with(cache, data_dir, Options::default()).await
    }

    /// As [`PrivatePostgres::start`]. The options count only when no server runs yet.
    pub async fn start_with(cache: &Cache, data_dir: &Path, options: Options) -> Result<Self, PostgresError> {
        let home = Home::prepare(data_dir)?;
        let lock = home.path("start.lock");
        let _starting = FileLock::take(&lock, Mode::Exclusive).await.map_err(at(&lock))?;
        let users = home.path("users.lock");
        let claim = FileLock::take(&users, Mode::Shared).await.map_err(at(&users))?;
        let adopted = match home.running() {
            Some(running) => server::wait_ready(&home, running.pid, None).await.ok(),
            None => None,
        };
        let (running, child) = match adopted {
            Some(running) => {
                tracing::info!(postgres.pid = running.pid, "joined the private postgres that was running");
                (running, None)
            }
            None => {
                let install = install::usable(&cache.ensure(Part::Postgres).await?, home.run_as)?;
                server::initialise(&home, &install, options).await?;
                let (running, child) = server::launch(&home, &install, options).await?;
                tracing::info!(postgres.pid = running.pid, "private postgres started");
                (running, Some(child))
            }
        };
        let url = home.url(&running)?;
        Ok(Self { home, url, running, child, claim: Some(claim) })
    }

    /// The superuser's connection URL. It holds the password: not for logs.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.running.pid
    }

    /// Gives up this process's claim; the last one shuts the server down and waits until it has ended. Returns whether
    /// it was shut down.
    pub async fn stop(mut self) -> Result<bool, PostgresError> {
        let lock = self.home.path("start.lock");
        // nobody joins while we look whether we are the last
        let _starting = FileLock::take(&lock, Mode::Exclusive).await.map_err(at(&lock))?;
        if !self.is_last_user() {
            return Ok(false);
        }
        let child = self.child.take();
        shut_down(&self.home, &self.running, child).await?;
        Ok(true)
    }

    /// Lets go of our claim and sees whether another is left.
    fn is_last_user(&mut self) -> bool {
        drop(self.claim.take());
        matches!(FileLock::try_take(&self.home.path("users.lock"), Mode::Exclusive), Ok(Some(_)))
    }
}

impl Drop for PrivatePostgres {
    /// What `stop` does, without waiting.
    fn drop(&mut self) {
        if self.claim.is_some() && self.is_last_user() {
            signal(&self.running, Signal::SIGINT);
        }
    }
}

/// The superuser's URL of the server that runs for this data folder, if one runs.
pub fn find_running(data_dir: &Path) -> Option<String> {
    let home = Home::open(data_dir).ok()?;
    let running = home.running().filter(|running| running.ready)?;
    home.url(&running).ok()
}

/// Shuts down the server of this data folder whoever started it, and waits for its end. Returns whether one ran.
pub async fn stop_running(data_dir: &Path) -> Result<bool, PostgresError> {
    let Ok(home) = Home::open(data_dir) else { return Ok(false) };
    let Some(running) = home.running() else { return Ok(false) };
    shut_down(&home, &running, None).await?;
    Ok(true)
}

/// Ends the server in order: clients are disconnected, what is committed is written down.
async fn shut_down(home: &Home, running: &Running, mut child: Option<Child>) -> Result<(), PostgresError> {
    signal(running, Signal::SIGINT);
    let ended = async {
        loop {
            // a child must be reaped before it is gone
            if let Some(child) = &mut child {
                let _ = child.try_wait();
            }
            // its pid file goes a moment before it does
            if !home.is_at_work(running.pid) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.map_err(|_| PostgresError::DoesNotStop(running.pid))
}

fn signal(running: &Running, signal: Signal) {
    // gone already is as good
    let _ = kill(Pid::from_raw(running.pid.cast_signed()), signal);
}
