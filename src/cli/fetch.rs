//! `maya fetch`: brings the parts a bare machine lacks into the cache, ahead of time.

use crate::config::Config;
use clap::Args;
use maya_embedded::{Cache, Part};

/// `maya fetch`
#[derive(Debug, Args)]
pub struct Fetch {
    /// Which parts [default: what an interview needs]
    parts: Vec<String>,
    /// Prints what is missing, and fetches nothing
    #[arg(long)]
    plan: bool,
}

impl Fetch {
    /// Fetches.
    pub async fn run(self, config: Config) -> anyhow::Result<()> {
        let cache = Cache::at(&config.cache_dir);
        let mut parts = Vec::new();
        for name in &self.parts {
            let found = Part::ALL.into_iter().find(|part| part.name() == name);
            let known = Part::ALL.map(Part::name).join(", ");
            parts.push(found.ok_or_else(|| anyhow::anyhow!("there is no part {name}; there are {known}"))?);
        }
        if parts.is_empty() {
            parts = Part::INTERVIEW.to_vec();
        }
        for missing in cache.plan_missing(&parts) {
            eprintln!("{:>7.1} MB  {:<12} {}", missing.download_bytes as f64 / 1e6, missing.part.name(), missing.about);
        }
        if self.plan {
            return Ok(());
        }
        for part in parts {
            println!("{:<12} {}", part.name(), cache.ensure(part).await?.display());
        }
        Ok(())
    }
}
