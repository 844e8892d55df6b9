//! `maya serve`: the roles that were asked for, until the process is told to stop.

use super::{
    interrupt::{Interrupt, early_stop_is_fine},
    senses::Wanted,
    start,
};
use crate::config::{Config, Role};
use maya_protocol::ids::NodeId;
use std::{collections::BTreeMap, net::SocketAddr};

/// Serves; prints the ready line as soon as the roles answer.
pub async fn serve(config: Config, roles: &[Role], warnings: &[String]) -> anyhow::Result<()> {
    let interrupt = Interrupt::listen()?;
    early_stop_is_fine(run(config, roles, warnings, &interrupt).await)
}

async fn run(config: Config, roles: &[Role], warnings: &[String], interrupt: &Interrupt) -> anyhow::Result<()> {
    let platform = start(config, Wanted { roles, candidate: false }, interrupt).await?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    println!("{}", ready(platform.node(), platform.listens(), &platform.loading()));
    platform.until_told(interrupt).await;
    platform.stop().await;
    Ok(())
}

/// The one line that says that all answers; `loading` names the roles that do not yet.
fn ready(node: &NodeId, listens: &BTreeMap<Role, SocketAddr>, loading: &[Role]) -> serde_json::Value {
    let listen: serde_json::Map<_, _> =
        listens.iter().map(|(role, address)| (role.to_string(), address.to_string().into())).collect();
    let mut line = serde_json::json!({ "ready": true, "node": node, "listen": listen });
    if !loading.is_empty() {
        line["loading"] = loading.iter().map(Role::to_string).collect();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_the_contracts() {
        let listens = BTreeMap::from([(Role::Interviewer, "127.0.0.1:7778".parse().unwrap())]);
        let node = NodeId("node-1".to_owned());
        let expected =
            serde_json::json!({"ready": true, "node": "node-1", "listen": {"interviewer": "127.0.0.1:7778"}});
        assert_eq!(ready(&node, &listens, &[]), expected);
        let loading = ready(&node, &listens, &[Role::Interviewer]);
        assert_eq!(loading["loading"], serde_json::json!(["interviewer"]));
    }
}
