//! A real Redis, as a child of the test process.

use crate::{
    certificate::{self, Certificate},
    wait::eventually,
    workspace::{Scratch, free_ports},
};
use maya_embedded::child::spawn_tied;
use nix::sys::signal::Signal;
use redis::{Client, TlsCertificates};
use std::{
    fs, io,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::sync::OnceCell;

/// How long it may take to be up, on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A Redis server on loopback, with nothing in it and nothing on disk.
pub struct Redis {
    port: u16,
    certificate: Option<Certificate>,
    child: Option<Child>,
    data: Scratch,
}

/// The test process's Redis that speaks TLS. Tests share it as they do the other.
pub async fn redis_tls() -> &'static Redis {
    static SHARED: OnceCell<Redis> = OnceCell::const_new();
    SHARED.get_or_init(Redis::start_tls).await
}

/// The test process's Redis. Tests share it: name keys apart, and kill one of your own instead.
pub async fn redis() -> &'static Redis {
    static SHARED: OnceCell<Redis> = OnceCell::const_new();
    SHARED.get_or_init(Redis::start).await
}

impl Redis {
    /// One of its own, for a test that kills or empties it.
    pub async fn start() -> Self {
        Self::start_on(Scratch::new(), None).await
    }

    /// One of its own that speaks TLS only.
    pub async fn start_tls() -> Self {
        let data = Scratch::new();
        let certificate = certificate::write(data.path());
        Self::start_on(data, Some(certificate)).await
    }

    async fn start_on(data: Scratch, certificate: Option<Certificate>) -> Self {
        let [port] = free_ports();
        let mut redis = Self { port, certificate, child: None, data };
        redis.restart().await;
        redis
    }

    /// Its URL, the same after a restart.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}/", self.port)
    }

    /// The authority that signed its certificate (PEM).
    pub fn ca_file(&self) -> &Path {
        &self.certificate.as_ref().expect("this one speaks no TLS").ca_file
    }

    /// A client of it that trusts its authority.
    pub fn client(&self) -> Client {
        match &self.certificate {
            Some(certificate) => {
                let root_cert = Some(fs::read(&certificate.ca_file).expect("our own file"));
                Client::build_with_tls(self.url(), TlsCertificates { client_tls: None, root_cert })
            }
            None => Client::open(self.url()),
        }
        .expect("our own URL")
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
        let client = self.client();
        eventually(START, || {
            // one whose port is still taken for a moment ends at once
            if self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None))) {
                self.child = Some(self.spawn());
            }
            async {
                let mut connection = client.get_multiplexed_async_connection().await.ok()?;
                redis::cmd("PING").query_async::<String>(&mut connection).await.ok()
            }
        })
        .await;
    }

    fn spawn(&self) -> Child {
        let mut command = Command::new("redis-server");
        let port = self.port.to_string();
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        match &self.certificate {
            Some(Certificate { ca_file, server_pem }) => {
                command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"]);
                command.arg("--tls-cert-file").arg(server_pem).arg("--tls-key-file").arg(server_pem);
                command.arg("--tls-ca-cert-file").arg(ca_file);
            }
            None => {
                command.args(["--port", &port]);
            }
        }
        command.arg("--dir").arg(self.data.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match spawn_tied(command, Signal::SIGKILL) {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                panic!("redis-server is missing: run `./maya test`")
            }
            Err(error) => panic!("redis-server: {error}"),
        }
    }

    /// Empties it.
    pub async fn flush(&self) {
        let mut connection = self.client().get_multiplexed_async_connection().await.expect("redis takes connections");
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.expect("redis answers");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
