//! `maya serve`: the roles that were asked for, until the process is told to stop.

use crate::{
    config::{Config, Role},
    platform,
};
use clap::Args;
use maya_protocol::ids::NodeId;
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
        let platform = platform::start(config, roles).await?;
        for warning in checked.warnings {
            tracing::warn!("{warning}");
        }
        println!("{}", ready(platform.node(), platform.listens()));
        platform.wait().await
    }
}

/// The one line that says all is there.
fn ready(node: &NodeId, listens: impl IntoIterator<Item = (Role, std::net::SocketAddr)>) -> serde_json::Value {
    let listen: serde_json::Map<_, _> =
        listens.into_iter().map(|(role, address)| (role.to_string(), address.to_string().into())).collect();
    serde_json::json!({ "ready": true, "node": node, "listen": listen })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_the_contracts() {
        let node = NodeId("node-1".to_owned());
        let line = ready(&node, [(Role::Gateway, "127.0.0.1:3009".parse().unwrap())]).to_string();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"ready": true, "node": "node-1", "listen": {"gateway": "127.0.0.1:3009"}})
        );
    }
}
