//! What operators do to nodes and sessions: permitted, with a reason, written down, carried to the owner. And what they
//! see, only as it changes, also while registry and bus are away.

use crate::support::{Api, INTERVIEWS, PATIENCE};
use async_trait::async_trait;
use axum::body::Body;
use http_body_util::BodyExt;
use maya_gateway::auth::Role;
use maya_protocol::{
    ids::{NodeId, SessionId},
    registry::{NodeRecord, Registry, redis::RedisRegistry},
    rpc::{ActError, PeerHandler, serve},
    tree::{Known, NodeState, NodeView, TreeChanges},
};
use maya_store::placements;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::{CancellationToken, DropGuard};

const TTL: Duration = Duration::from_secs(60);

/// A node with two actors, of which one changes when told to; it takes every operation but a drain.
#[derive(Default)]
struct Node {
    asked: Mutex<Vec<Value>>,
    phase: Mutex<(u64, &'static str)>,
}

fn actor(id: u64, parent: Option<&str>, kind: &str, phase: &str) -> (u64, bytes::Bytes) {
    let view = json!({"id": format!("{kind}-{id}"), "parent": parent, "kind": kind, "name": "x", "phase": phase, "ageMs": 1,
        "mailbox": 0, "oldestMs": 0, "handled": 0, "restarts": 0, "lastFailure": null, "busy": "IDLE"});
    (id, view.to_string().into())
}

#[async_trait]
impl PeerHandler for Node {
    async fn tree(&self, known: &Known) -> Option<TreeChanges> {
        let (version, phase) = *self.phase.lock();
        let node = NodeView {
            id: NodeId("node-a".to_owned()),
            roles: vec!["interviewer".to_owned()],
            zone: None,
            version: "1".to_owned(),
            state: NodeState::Serving,
            started_at: chrono::DateTime::UNIX_EPOCH,
            sessions: 1,
            tree: None,
        };
        let whole = known.run != "run";
        let mut rows = Vec::new();
        if whole {
            rows.push(actor(1, None, "node", "serving"));
        }
        if whole || known.version < version {
            rows.push(actor(2, Some("node-1"), "session", phase));
        }
        Some(TreeChanges { node, known: Known { run: "run".to_owned(), version }, whole, rows, removed: Vec::new() })
    }
    async fn act(&self, action: Value) -> Result<Value, ActError> {
        self.asked.lock().push(action.clone());
        match action["operation"].as_str() {
            Some("drain") => Err(ActError::Refused("it drains already".to_owned())),
            _ => Ok(Value::Null),
        }
    }
}

async fn serving() -> (Arc<Node>, NodeRecord, DropGuard) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let record = json!({"id": "node-a", "roles": ["interviewer"], "zone": null, "version": "1", "state": "SERVING",
        "rpc": listener.local_addr().unwrap().to_string(), "load": 1, "startedAt": "2026-01-01T00:00:00Z"});
    let node = Arc::new(Node::default());
    *node.phase.lock() = (1, "listening");
    let stop = CancellationToken::new();
    let (handler, stopped) = (node.clone(), stop.clone().cancelled_owned());
    tokio::spawn(async move { serve(listener, handler, "secret", stopped).await });
    (node, serde_json::from_value(record).unwrap(), stop.drop_guard())
}

/// A live session that `node-a` owns.
async fn owned(api: &Api) -> (String, SessionId) {
    let (interview, session) = api.approved().await;
    let mut tx = api.store.system().await.unwrap();
    let placement = placements::read(&mut tx, session).await.unwrap();
    let node = NodeId("node-a".to_owned());
    placements::claim(&mut tx, session, placement.epoch, &node).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    (interview, session)
}

/// The next event of a stream: its name and its data.
async fn event(body: &mut Body, buffer: &mut String) -> (String, Value) {
    loop {
        if let Some(end) = buffer.find("\n\n") {
            let text: String = buffer.drain(..end + 2).collect();
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if let (Some(event), Some(data)) = (field("event:"), field("data:")) {
                return (event.to_owned(), serde_json::from_str(data).unwrap());
            }
            continue;
        }
        let frame = tokio::time::timeout(PATIENCE, body.frame()).await.expect("an event").unwrap().unwrap();
        if let Ok(bytes) = frame.into_data() {
            buffer.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}

#[tokio::test]
async fn an_action_needs_a_reason_reaches_the_owner_and_is_in_the_interviews_audit_log() {
    let api = Api::start().await;
    let (node, record, _stop) = serving().await;
    api.registry.put_node(&record, TTL).await.unwrap();
    let (interview, session) = owned(&api).await;
    let operator = api.key(Role::Operator).await;
    let post = async |path: String, body: Value| {
        api.send(Api::request("POST", &path, &[("x-api-key", &operator)], Some(&body))).await
    };
    let session_path = |action: &str| format!("/api/v1/actors/{session}/{action}");
    assert_eq!(post(session_path("end"), json!({})).await.expect(422).wrong(), ["reason"]);
    assert_eq!(post(session_path("end"), json!({"reason": "  "})).await.expect(422).wrong(), ["reason"]);
    assert_eq!(post(session_path("restart"), json!({"reason": "stuck"})).await.expect(422).wrong(), ["kind"]);
    let unknown = format!("/api/v1/actors/{}/end", SessionId::fresh());
    post(unknown, json!({"reason": "x"})).await.expect(404);
    assert!(node.asked.lock().is_empty());

    let taken = post(session_path("end"), json!({"reason": "the line is bad"})).await.expect(200);
    assert_eq!(taken.body, json!({"node": "node-a", "action": "end_session"}));
    let ear = json!({"reason": "deaf", "kind": "speech_to_text"});
    post(session_path("restart"), ear).await.expect(200);
    post(session_path("rotate-stt"), json!({"reason": "slow"})).await.expect(200);
    post(session_path("move"), json!({"reason": "hot", "to": "node-b"})).await.expect(200);
    let asked = node.asked.lock().clone();
    assert_eq!(
        asked,
        [
            json!({"operation": "end", "session": session}),
            json!({"operation": "restartActor", "session": session, "kind": "speech_to_text"}),
            json!({"operation": "rotateStt", "session": session}),
            json!({"operation": "move", "session": session, "to": "node-b"}),
        ]
    );
    let audit = api.get(&format!("{INTERVIEWS}/{interview}/events?limit=200")).await.expect(200);
    let entries: Vec<&Value> = audit.body["items"].as_array().unwrap().iter().collect();
    let ended = entries.iter().find(|entry| entry["action"] == "operator.end_session").expect("it is written");
    assert_eq!(ended["detail"]["reason"], "the line is bad");
    assert!(ended["actor"].as_str().unwrap().starts_with("key:"), "{ended}");
}

#[tokio::test]
async fn what_a_node_refuses_is_said_and_written() {
    let api = Api::start().await;
    let (node, record, _stop) = serving().await;
    api.registry.put_node(&record, TTL).await.unwrap();
    let operator = api.key(Role::Operator).await;
    let post = async |path: &str| {
        let body = json!({"reason": "new kernel"});
        api.send(Api::request("POST", path, &[("x-api-key", &operator)], Some(&body))).await
    };
    let refused = post("/api/v1/nodes/node-a/drain").await.expect(409);
    assert_eq!(refused.body["detail"], "it drains already");
    post("/api/v1/nodes/node-a/pause").await.expect(200);
    post("/api/v1/nodes/node-a/resume").await.expect(200);
    post("/api/v1/nodes/node-none/drain").await.expect(404);
    assert_eq!(
        node.asked.lock()[1..],
        [
            json!({"operation": "pauseAdmission", "paused": true}),
            json!({"operation": "pauseAdmission", "paused": false})
        ]
    );
    let mut tx = api.store.tenant(api.tenant.tenant_id).await.unwrap();
    let written: Vec<(String, Value)> =
        sqlx::query_as("select action, detail from audit_log where action like 'operator.%' order by id")
            .fetch_all(tx.conn())
            .await
            .unwrap();
    let actions: Vec<&str> = written.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(
        actions,
        ["operator.drain_node", "operator.drain_node", "operator.pause_admission", "operator.resume_admission"]
    );
    assert_eq!(written[0].1["reason"], "new kernel");
    assert_eq!(written[1].1["refused"], "it drains already");
}

#[tokio::test]
async fn a_viewer_is_told_only_what_changed_and_the_tree_is_whole_all_the_same() {
    let api = Api::start().await;
    let (node, record, _stop) = serving().await;
    api.registry.put_node(&record, TTL).await.unwrap();
    let operator = api.key(Role::Operator).await;
    let request = |path: &str| Api::request("GET", path, &[("x-api-key", &operator)], None);
    let (status, mut body) = api.head(request("/api/v1/actors/stream")).await;
    assert_eq!(status, 200);
    let mut buffer = String::new();
    let (name, first) = event(&mut body, &mut buffer).await;
    assert_eq!((name.as_str(), first["nodes"][0]["actors"].as_array().unwrap().len()), ("snapshot", 2));
    *node.phase.lock() = (2, "thinking");
    let (name, next) = event(&mut body, &mut buffer).await;
    assert_eq!((name.as_str(), &next["nodes"][0]["whole"]), ("delta", &json!(false)));
    assert_eq!(next["nodes"][0]["actors"].as_array().unwrap().len(), 1);
    assert_eq!(next["nodes"][0]["actors"][0]["phase"], "thinking");
    let tree = api.send(request("/api/v1/actors")).await.expect(200).body;
    assert_eq!(tree["nodes"][0]["tree"]["children"][0]["phase"], "thinking");
    let heads = api.send(request("/api/v1/nodes")).await.expect(200).body;
    assert_eq!((&heads["mayAct"], &heads["nodes"][0]["tree"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn the_last_known_nodes_are_shown_and_obey_while_registry_and_bus_are_away() {
    let mut redis = maya_testkit::Redis::start().await;
    let (node, record, _stop) = serving().await;
    let shared: Arc<dyn Registry> = Arc::new(RedisRegistry::connect(&redis.url(), "test").unwrap());
    let api = Api::start_from(|parts| {
        parts.registry = shared.clone();
        // this process runs beside it, and answers nobody yet
        parts.own =
            Some(NodeRecord { id: NodeId("node-own".to_owned()), rpc: "127.0.0.1:1".to_owned(), ..record.clone() });
    })
    .await;
    shared.put_node(&record, TTL).await.unwrap();
    let operator = api.key(Role::Operator).await;
    let (_, session) = owned(&api).await;
    let request = |path: &str| Api::request("GET", path, &[("x-api-key", &operator)], None);
    api.send(request("/api/v1/actors")).await.expect(200);

    redis.kill();
    api.bus.close().await;
    *node.phase.lock() = (2, "speaking");
    let tree = api.send(request("/api/v1/actors")).await.expect(200).body;
    assert_eq!(tree["nodes"][0]["tree"]["children"][0]["phase"], "speaking", "it is asked directly");
    assert_eq!(tree["nodes"][1]["id"], "node-own", "and this process is known to itself");
    let end = format!("/api/v1/actors/{session}/end");
    let body = json!({"reason": "the registry is down"});
    api.send(Api::request("POST", &end, &[("x-api-key", &operator)], Some(&body))).await.expect(200);
    assert_eq!(node.asked.lock().len(), 1);
}

#[tokio::test]
async fn an_emptied_registry_takes_no_node_off_the_board() {
    let api = Api::start().await;
    let (_node, record, _stop) = serving().await;
    api.registry.put_node(&record, TTL).await.unwrap();
    let operator = api.key(Role::Operator).await;
    let shown = async || {
        let request = Api::request("GET", "/api/v1/nodes", &[("x-api-key", &operator)], None);
        let nodes = api.send(request).await.expect(200).body["nodes"].clone();
        nodes.as_array().unwrap().iter().map(|node| node["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shown().await, ["SERVING"]);
    api.registry.lose_everything();
    assert_eq!(shown().await, ["SERVING"], "its next beat is on the way");
}
