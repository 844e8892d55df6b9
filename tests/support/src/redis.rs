//! A real Redis, as a child of the test process.

use crate::{
    wait::eventually,
    workspace::{Scratch, free_ports},
};
use maya_embedded::child::spawn_tied;
use nix::sys::signal::Signal;
use std::{
    io,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::sync::OnceCell;

/// A Redis server on loopback, with nothing in it and nothing on disk.
pub struct Redis {
    port: u16,
    child: Option<Child>,
    data: Scratch,
}

/// The test process's Redis. Tests share it: name keys apart, and kill one of your own instead.
pub async fn redis() -> &'static Redis {
    static SHARED: OnceCell<Redis> = OnceCell::const_new();
    SHARED.get_or_init(Redis::start).await
}

impl Redis {
    /// One of its own, for a test that kills or empties it.
    pub async fn start() -> Self {
        let [port] = free_ports();
        let mut redis = Self { port, child: None, data: Scratch::new() };
        redis.restart().await;
        redis
    }

    /// Its URL, the same after a restart.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Ends it as `kill -9` does. What it held is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port, empty.
    pub async fn restart(&mut self) {
        self.kill();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(self.data.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match spawn_tied(command, Signal::SIGKILL) {
            Ok(child) => self.child = Some(child),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                panic!("redis-server is missing: run `./maya test`")
            }
            Err(error) => panic!("redis-server: {error}"),
        }
        let client = redis::Client::open(self.url()).expect("our own URL");
        eventually(Duration::from_secs(10), async || {
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            redis::cmd("PING").query_async::<String>(&mut connection).await.ok()
        })
        .await;
    }

    /// Empties it.
    pub async fn flush(&self) {
        let client = redis::Client::open(self.url()).expect("our own URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("redis takes connections");
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.expect("redis answers");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
