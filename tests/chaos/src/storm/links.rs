//! The ways between the parts, through toxiproxy: late, silent, reset, and whole again.

use super::schedule::Harm;
use anyhow::Context as _;
use maya_embedded::child::spawn_tied;
use maya_testkit::{eventually, free_ports};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A toxiproxy, as a child of this process.
pub struct Links {
    child: Child,
    api: String,
    http: reqwest::Client,
}

impl Links {
    /// Starts the server at that path.
    pub async fn start(server: &Path) -> anyhow::Result<Self> {
        let [port] = free_ports();
        let mut command = Command::new(server);
        command.args(["-host", "127.0.0.1", "-port", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = spawn_tied(command, Signal::SIGKILL).with_context(|| server.display().to_string())?;
        let links = Self { child, api: format!("http://127.0.0.1:{port}"), http: reqwest::Client::new() };
        eventually(Duration::from_secs(20), async || {
            links.http.get(format!("{}/version", links.api)).send().await.ok()
        })
        .await;
        Ok(links)
    }

    /// A way to a port of this machine; the port where it begins.
    pub async fn lay(&self, name: &str, to: u16) -> anyhow::Result<u16> {
        let [from] = free_ports();
        let proxy = json!({
            "name": name, "listen": format!("127.0.0.1:{from}"), "upstream": format!("127.0.0.1:{to}"), "enabled": true,
        });
        self.post("/proxies", &proxy).await?;
        Ok(from)
    }

    /// Harms a way, in both directions.
    pub async fn harm(&self, name: &str, harm: Harm) -> anyhow::Result<()> {
        let (kind, attributes) = match harm {
            Harm::Latency => ("latency", json!({ "latency": 500, "jitter": 200 })),
            // nothing passes; who waits is told when the toxic is taken away, by the end of the connection
            Harm::HalfOpen => ("timeout", json!({ "timeout": 0 })),
            Harm::Reset => ("reset_peer", json!({ "timeout": 0 })),
        };
        for stream in ["upstream", "downstream"] {
            let toxic = json!({ "name": stream, "type": kind, "stream": stream, "attributes": attributes });
            self.post(&format!("/proxies/{name}/toxics"), &toxic).await?;
        }
        Ok(())
    }

    /// Makes a way whole.
    pub async fn heal(&self, name: &str) -> anyhow::Result<()> {
        for stream in ["upstream", "downstream"] {
            let answer = self.http.delete(format!("{}/proxies/{name}/toxics/{stream}", self.api)).send().await?;
            answer.error_for_status().context("a toxic is not taken away")?;
        }
        Ok(())
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let answer = self.http.post(format!("{}{path}", self.api)).json(body).send().await?;
        answer.error_for_status().with_context(|| path.to_owned())?;
        Ok(())
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
