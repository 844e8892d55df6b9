//! What operators see: nodes that answer and nodes that do not, once for all who look.

use crate::support::{Api, INTERVIEWS, PATIENCE, complete};
use async_trait::async_trait;
use axum::body::Body;
use http_body_util::BodyExt;
use maya_gateway::auth::Role;
use maya_protocol::{
    ids::{NodeId, SessionId},
    registry::{NodeRecord, Registry},
    rpc::{PeerHandler, serve},
    supervision::{Happening, SupervisionEvent},
    tree::{Known, NodeState, NodeView, TreeChanges},
};
use maya_store::supervision;
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

const TTL: Duration = Duration::from_secs(60);

/// A node that counts how often it was asked.
struct Node {
    view: NodeView,
    asked: AtomicU32,
}

#[async_trait]
impl PeerHandler for Node {
    async fn tree(&self, _known: &Known) -> Option<TreeChanges> {
        let sessions = self.asked.fetch_add(1, Ordering::SeqCst);
        Some(TreeChanges::bare(NodeView { sessions, ..self.view.clone() }))
    }
}

fn record(api: &Api, id: &str, rpc: String) -> NodeRecord {
    NodeRecord {
        id: NodeId(id.to_owned()),
        roles: vec!["interviewer".to_owned()],
        zone: None,
        version: "1".to_owned(),
        state: NodeState::Serving,
        rpc,
        load: 3,
        weight: 8,
        started_at: api.clock.utc(),
    }
}

/// A node that answers, in the registry.
async fn node(api: &Api, id: &str) -> (Arc<Node>, CancellationToken) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let record = record(api, id, listener.local_addr().unwrap().to_string());
    let view = NodeView {
        id: record.id.clone(),
        roles: record.roles.clone(),
        zone: None,
        version: "1".to_owned(),
        state: NodeState::Serving,
        started_at: record.started_at,
        sessions: 0,
        tree: None,
    };
    let node = Arc::new(Node { view, asked: AtomicU32::new(0) });
    let stop = CancellationToken::new();
    let (handler, stopped) = (node.clone(), stop.clone().cancelled_owned());
    tokio::spawn(async move { serve(listener, handler, "secret", stopped).await });
    api.registry.put_node(&record, TTL).await.unwrap();
    (node, stop)
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
async fn nodes_that_do_not_answer_are_shown_as_such_and_only_operators_look() {
    let api = Api::start().await;
    let (_node, _stop) = node(&api, "node-a").await;
    api.registry.put_node(&record(&api, "node-dead", "127.0.0.1:1".to_owned()), TTL).await.unwrap();
    let operator = api.key(Role::Operator).await;
    let get = async |path: &str, key: &str| api.send(Api::request("GET", path, &[("x-api-key", key)], None)).await;
    let nodes = get("/api/v1/nodes", &operator).await.expect(200);
    let states: Vec<_> =
        nodes.body["nodes"].as_array().unwrap().iter().map(|node| (&node["id"], &node["state"])).collect();
    assert_eq!(
        format!("{states:?}"),
        r#"[(String("node-a"), String("SERVING")), (String("node-dead"), String("UNREACHABLE"))]"#
    );
    for path in ["/api/v1/nodes", "/api/v1/actors", "/api/v1/actors/stream", "/api/v1/interviews/states"] {
        assert_eq!(get(path, &api.tenant.api_key).await.status, 403, "{path}");
        assert_eq!(api.send(Api::request("GET", path, &[], None)).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn one_poller_serves_all_viewers_and_stops_when_the_last_has_left() {
    let api = Api::start().await;
    let (node, _stop) = node(&api, "node-a").await;
    let operator = api.key(Role::Operator).await;
    let request = || Api::request("GET", "/api/v1/actors/stream", &[("x-api-key", &operator)], None);
    assert!(!api.state.watch.is_polling());
    let mut viewers = Vec::new();
    for _ in 0..20 {
        let (status, mut body) = api.head(request()).await;
        assert_eq!(status, 200);
        let mut buffer = String::new();
        let (name, data) = event(&mut body, &mut buffer).await;
        assert_eq!((name.as_str(), &data["nodes"][0]["node"]["id"]), ("snapshot", &"node-a".into()));
        viewers.push((body, buffer));
    }
    let before = node.asked.load(Ordering::SeqCst);
    for (body, buffer) in &mut viewers {
        let (name, data) = event(body, buffer).await;
        assert_eq!((name.as_str(), &data["nodes"][0]["node"]["id"]), ("delta", &"node-a".into()));
        assert_eq!(data["gone"], serde_json::json!([]));
    }
    assert!(node.asked.load(Ordering::SeqCst) < before + 20, "asked once a look, not once a viewer");
    // a node that leaves is told
    api.registry.remove_node(&NodeId("node-a".to_owned())).await.unwrap();
    let (body, buffer) = &mut viewers[0];
    loop {
        let (_, data) = event(body, buffer).await;
        if data["gone"] == serde_json::json!(["node-a"]) {
            break;
        }
    }
    drop(viewers);
    maya_testkit::eventually(PATIENCE, || async { (!api.state.watch.is_polling()).then_some(()) }).await;
}

#[tokio::test]
async fn operators_see_how_many_interviews_stand_where_and_nothing_more() {
    let api = Api::start().await;
    api.planned().await;
    api.post(INTERVIEWS, complete()).await.expect(201);
    let operator = api.key(Role::Operator).await;
    let path = "/api/v1/interviews/states";
    let states = api.send(Api::request("GET", path, &[("x-api-key", &operator)], None)).await.expect(200);
    assert_eq!(states.body, serde_json::json!({"states": {"PENDING": 1, "VALIDATING_SKILLS": 1}}));
    let list = api.send(Api::request("GET", INTERVIEWS, &[("x-api-key", &operator)], None)).await;
    assert_eq!(list.status, 403);
}

#[tokio::test]
async fn operators_read_what_happened_to_a_session_that_is_gone() {
    let api = Api::start().await;
    let session = SessionId::fresh();
    let event = |node: &str, session| SupervisionEvent {
        at: api.clock.utc(),
        node: NodeId(node.to_owned()),
        session,
        interview: None,
        epoch: None,
        actor: "session".to_owned(),
        what: Happening::GivenUp,
        reason: "it fell too often".to_owned(),
    };
    let mut tx = api.store.system().await.unwrap();
    supervision::append(&mut tx, &[event("node-gone", Some(session)), event("node-a", None)]).await.unwrap();
    tx.commit().await.unwrap();
    let operator = api.key(Role::Operator).await;
    let get = async |query: &str| {
        let path = format!("/api/v1/actors/history{query}");
        api.send(Api::request("GET", &path, &[("x-api-key", &operator)], None)).await
    };
    assert_eq!(get("").await.expect(200).body["events"].as_array().unwrap().len(), 2);
    let of_session = get(&format!("?session={session}")).await.expect(200).body;
    assert_eq!(of_session["events"][0]["what"], "GIVEN_UP");
    assert_eq!(of_session["events"][0]["node"], "node-gone");
    assert_eq!(of_session["events"].as_array().unwrap().len(), 1);
    assert_eq!(get("?node=node-a&limit=1").await.expect(200).body["events"].as_array().unwrap().len(), 1);
    assert_eq!(get("?session=nonsense").await.expect(422).wrong(), ["session"]);
    assert_eq!(get("?limit=0").await.expect(422).wrong(), ["limit"]);
}
