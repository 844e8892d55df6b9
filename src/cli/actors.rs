//! `maya actors`: the live actors of all nodes, the worst first, as wide as the terminal is.

mod table;

use super::api::Api;
use anyhow::Context as _;
use clap::Args;
use maya_protocol::tree::NodeView;
use std::{io::IsTerminal as _, time::Duration};
use terminal_size::{Height, Width, terminal_size};
use url::Url;

/// Where the output is no terminal, nothing is cut.
const UNBOUNDED: usize = 200;

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
                let (columns, lines) = size();
                // a page that is shown again fits the screen; one that is printed once may be scrolled
                let lines = lines.filter(|_| self.watch);
                let clear = if lines.is_some() { "\x1b[2J\x1b[H" } else { "" };
                print!("{clear}{}", table::of(nodes, columns, lines));
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

/// Columns, and lines where there is a screen.
fn size() -> (usize, Option<usize>) {
    match terminal_size().filter(|_| std::io::stdout().is_terminal()) {
        Some((Width(columns), Height(lines))) => (columns.into(), Some(lines.into())),
        None => (UNBOUNDED, None),
    }
}
