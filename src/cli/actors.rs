//! `maya actors`: the live actors of all nodes as a plain table.

use super::api::Api;
use anyhow::Context as _;
use clap::Args;
use maya_protocol::tree::{ActorView, NodeView};
use std::{fmt::Write as _, io::IsTerminal as _, time::Duration};
use url::Url;

/// `maya actors`
#[derive(Debug, Args)]
pub struct Actors {
    /// The gateway
    #[arg(long, default_value = "http://127.0.0.1:3009")]
    url: Url,
    /// An OPERATOR's key
    #[arg(long, env = "MAYA_API_KEY", hide_env_values = true)]
    api_key: String,
    /// Shows them again every second
    #[arg(long)]
    watch: bool,
    /// Prints the answer as it came
    #[arg(long)]
    json: bool,
}

impl Actors {
    /// Shows them.
    pub async fn run(self) -> anyhow::Result<()> {
        let api = Api::new(&self.url, self.api_key)?;
        loop {
            let mut answer = api.get("actors").await?;
            if self.json {
                println!("{answer}");
            } else {
                let nodes: Vec<NodeView> =
                    serde_json::from_value(answer["nodes"].take()).context("the gateway's answer")?;
                let clear = if self.watch && std::io::stdout().is_terminal() { "\x1b[2J\x1b[H" } else { "" };
                print!("{clear}{}", table(&nodes));
            }
            if !self.watch {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
        }
    }
}

fn table(nodes: &[NodeView]) -> String {
    let mut text = format!(
        "{:<44} {:<12} {:>9} {:>7} {:>9} {:>8}  {}\n",
        "ACTOR", "PHASE", "AGE", "MAILBOX", "HANDLED", "RESTARTS", "LAST FAILURE"
    );
    for node in nodes {
        let roles = node.roles.join(",");
        let _ = writeln!(text, "{} ({roles}; {:?}; {} sessions)", node.id, node.state, node.sessions);
        if let Some(tree) = &node.tree {
            rows(tree, 1, &mut text);
        }
    }
    text
}

fn rows(actor: &ActorView, depth: usize, text: &mut String) {
    let name = format!("{}{}", "  ".repeat(depth), actor.name);
    let age = format!("{:.1} s", actor.age_ms as f64 / 1000.0);
    let failure = actor.last_failure.as_ref().map_or("", |failure| failure.reason.as_str());
    let _ = writeln!(
        text,
        "{name:<44} {:<12} {age:>9} {:>7} {:>9} {:>8}  {failure}",
        actor.phase, actor.mailbox, actor.handled, actor.restarts
    );
    for child in &actor.children {
        rows(child, depth + 1, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_a_table() {
        let actor = |name: &str, children: serde_json::Value| {
            serde_json::json!({"id": name, "kind": "session", "name": name, "phase": "LISTENING", "ageMs": 1500,
                "mailbox": 0, "oldestMs": 0, "handled": 7, "restarts": 1, "lastFailure": null, "busy": "IDLE",
                "session": null, "children": children})
        };
        let tree = actor("node", serde_json::json!([actor("session s1", serde_json::json!([]))]));
        let node = serde_json::json!({"id": "node-1", "roles": ["interviewer"], "zone": null, "version": "0.1.0",
            "state": "SERVING", "startedAt": "2026-01-01T00:00:00Z", "sessions": 1, "tree": tree});
        let shown = table(&[serde_json::from_value(node).unwrap()]);
        assert!(shown.lines().count() == 4 && shown.contains("    session s1") && shown.contains("1.5 s"), "{shown}");
    }
}
