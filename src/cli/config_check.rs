//! `maya config check`: all that is wrong at once, or the configuration in effect without its secrets.

use crate::config::{Config, Role};
use clap::Subcommand;
use std::path::Path;

/// `maya config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Checks the configuration and prints it, secrets redacted
    Check {
        /// For a process that plays these roles, comma-separated [default: all]
        #[arg(long, value_delimiter = ',', value_name = "ROLE")]
        roles: Vec<Role>,
    },
}

impl ConfigCommand {
    /// Checks.
    pub fn run(self, file: Option<&Path>) -> anyhow::Result<()> {
        let ConfigCommand::Check { roles } = self;
        let roles = if roles.is_empty() { Role::ALL.to_vec() } else { roles };
        let config = Config::load(file)?;
        let checked = config.check(&roles)?;
        for warning in checked.warnings {
            eprintln!("warning: {warning}");
        }
        print!("{}", config.to_redacted_toml());
        Ok(())
    }
}
