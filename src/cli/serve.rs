//! `maya serve`: the roles that were asked for, until the process is told to stop.

use crate::{
    config::{Config, Role},
    platform,
};
use clap::Args;
use std::path::Path;

/// `maya serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Which roles, comma-separated [default: all]
    #[arg(long, value_delimiter = ',', value_name = "ROLE")]
    roles: Vec<Role>,
}

impl Serve {
    /// Serves.
    pub async fn run(self, file: Option<&Path>) -> anyhow::Result<()> {
        let mut roles = self.roles;
        if roles.is_empty() {
            roles = Role::ALL.to_vec();
        }
        roles.sort_unstable();
        roles.dedup();
        let config = Config::load(file)?;
        let checked = config.check(&roles)?;
        platform::serve(config, &roles, &checked.warnings).await
    }
}
