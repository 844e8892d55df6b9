//! What the server itself says of each turn's latency, read from the operators' view while the interview is live.

use crate::cli::api::Api;
use maya_protocol::tree::StageLatency;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::oneshot;

const EVERY: Duration = Duration::from_millis(500);

/// Collects until it is told to stop: each turn's stages, in order.
pub async fn collect(api: Api, session: String, mut stop: oneshot::Receiver<()>) -> Vec<StageLatency> {
    let mut seen: Vec<StageLatency> = Vec::new();
    loop {
        // a platform that shows no actors is no failure: the report then has the client's own measurements only
        if let Ok(actors) = api.get("actors").await
            && let Some(latency) = find(&actors, &session)
            && latency.total > 0
            && seen.last() != Some(&latency)
        {
            seen.push(latency);
        }
        tokio::select! {
            _ = &mut stop => return seen,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// The session's stages, wherever in the tree it lives.
fn find(value: &Value, session: &str) -> Option<StageLatency> {
    match value {
        Value::Object(fields) => {
            let ours = fields.get("sessionId").and_then(Value::as_str) == Some(session);
            match fields.get("latencyMs").filter(|_| ours) {
                Some(latency) => serde_json::from_value(latency.clone()).ok(),
                None => fields.values().find_map(|inner| find(inner, session)),
            }
        }
        Value::Array(items) => items.iter().find_map(|inner| find(inner, session)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_anywhere() {
        let of = |session: &str, total: u64| serde_json::json!({"session": {"sessionId": session, "latencyMs": {"total": total, "llm": 2}}});
        let tree = serde_json::json!({"items": [{"tree": {"children": [of("a", 1), of("b", 7)]}}]});
        assert_eq!(find(&tree, "b").unwrap().total, 7);
        assert_eq!(find(&tree, "c"), None);
    }
}
