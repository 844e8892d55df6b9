//! `maya dlq`: dead letters, and bringing them back.

use crate::{config::Config, platform};
use clap::Subcommand;
use maya_protocol::topic::Topic;

/// `maya dlq …`
#[derive(Debug, Subcommand)]
pub enum Dlq {
    /// Lists dead letters: where they come from, and why they are dead
    List {
        /// Of this topic only
        topic: Option<String>,
        /// Prints one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Publishes dead letters to their topics again
    Replay {
        /// Of this topic only
        topic: Option<String>,
        /// From this offset on
        #[arg(long, default_value_t = 0)]
        from: u64,
    },
}

impl Dlq {
    /// Lists or replays.
    pub async fn run(self, config: Config) -> anyhow::Result<()> {
        match self {
            Dlq::List { topic, json } => {
                for letter in platform::dead_letters(config, find(topic)?).await? {
                    if json {
                        println!("{letter}");
                        continue;
                    }
                    let of = |name: &str| match &letter[name] {
                        serde_json::Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    println!("{:<34} {:>8}  {:<36}  {}", of("topic"), of("offset"), of("key"), of("error"));
                }
                Ok(())
            }
            Dlq::Replay { topic, from } => {
                let replayed = platform::replay_dead_letters(config, find(topic)?, from).await?;
                println!("{replayed} replayed");
                Ok(())
            }
        }
    }
}

fn find(name: Option<String>) -> anyhow::Result<Option<Topic>> {
    let Some(name) = name else { return Ok(None) };
    Topic::named(&name).map(Some).ok_or_else(|| anyhow::anyhow!("there is no topic {name}"))
}
