//! Two ends of the service over a real socket.

use super::*;
use crate::{
    audio::AgentBody,
    ids::{ConnectionId, Epoch, NodeId, TenantId},
    trace::{self, TraceContext},
    tree::{NodeState, NodeView},
};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct Recorder {
    delivered: Mutex<Vec<(AgentMessage, u64)>>,
    here: Option<ConnectionId>,
}

#[async_trait]
impl PeerHandler for Recorder {
    async fn deliver(&self, message: AgentMessage, offset: u64) -> Delivered {
        let here = self.here == Some(message.connection);
        self.delivered.lock().push((message, offset));
        if here { Delivered::Here } else { Delivered::NotHere }
    }
    async fn tree(&self, known: &Known) -> Option<TreeChanges> {
        let node = NodeView {
            id: NodeId("n1".into()),
            roles: vec!["edge".into()],
            zone: None,
            version: "1".into(),
            state: NodeState::Serving,
            started_at: "2026-11-27T10:00:00Z".parse().unwrap(),
            sessions: 0,
            tree: None,
        };
        // far more than gRPC's usual four megabytes
        let rows = (0..40_000).map(|id| (id, bytes::Bytes::from_static(&[b'x'; 200]))).collect();
        let known = Known { run: "r".into(), version: known.version + 1 };
        Some(TreeChanges { node, known, whole: false, rows, removed: vec![7] })
    }
    async fn act(&self, action: Value) -> Result<Value, ActError> {
        match action["kind"].as_str() {
            Some("drain") => Ok(serde_json::json!({"done": true})),
            Some("trace") => Ok(serde_json::json!({"trace": trace::current().map(|trace| trace.to_string())})),
            _ => Err(ActError::Unknown),
        }
    }
}

struct Plain;
impl PeerHandler for Plain {}

async fn start(
    handler: Arc<dyn PeerHandler>,
    at: Option<&str>,
) -> (String, CancellationToken, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind(at.unwrap_or("127.0.0.1:0")).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let task = tokio::spawn(async move { serve(listener, handler, "s3cret", stopped).await.unwrap() });
    (address, stop, task)
}

fn message(connection: ConnectionId, text: &str) -> AgentMessage {
    AgentMessage {
        session: SessionId::fresh(),
        tenant: TenantId::fresh(),
        partition: 5,
        epoch: Epoch(2),
        connection,
        trace: Some(TraceContext::fresh()),
        body: AgentBody::Transcript { utterance_id: crate::ids::TurnId(1), text: text.into(), r#final: false },
    }
}

#[tokio::test]
async fn deliveries_keep_their_order_and_learn_their_outcome() {
    let here = ConnectionId::fresh();
    let recorder = Arc::new(Recorder { here: Some(here), ..Default::default() });
    let (address, _stop, _task) = start(recorder.clone(), None).await;
    let peers = Peers::new("s3cret").unwrap();
    let sent: Vec<AgentMessage> = (0..200).map(|n| message(here, &n.to_string())).collect();
    let mut answers = Vec::new();
    for (offset, message) in sent.iter().enumerate() {
        answers.push(peers.deliver(&address, message, offset as u64).unwrap());
    }
    for answer in answers {
        assert_eq!(answer.await, Ok(Delivered::Here));
    }
    let delivered: Vec<(AgentMessage, u64)> = std::mem::take(&mut recorder.delivered.lock());
    assert_eq!(delivered, sent.into_iter().zip(0..).collect::<Vec<_>>());
    let stranger = peers.deliver(&address, &message(ConnectionId::fresh(), "x"), 0).unwrap();
    assert_eq!(stranger.await, Ok(Delivered::NotHere));
}

#[tokio::test]
async fn a_stranger_is_refused_and_a_plain_node_says_what_it_lacks() {
    let (address, _stop, _task) = start(Arc::new(Recorder::default()), None).await;
    let stranger = Peers::new("wrong").unwrap();
    assert!(matches!(stranger.tree(&address, &Known::default()).await, Err(PeerError::Unavailable(_))));
    assert!(stranger.deliver(&address, &message(ConnectionId::fresh(), "x"), 0).unwrap().await.is_err());

    let peers = Peers::new("s3cret").unwrap();
    let tree = peers.tree(&address, &Known { run: "r".into(), version: 4 }).await.unwrap().unwrap();
    assert_eq!((tree.node.id, tree.known.version, tree.whole), (NodeId("n1".into()), 5, false));
    assert_eq!((tree.rows.len(), tree.rows[9].0, tree.removed), (40_000, 9, vec![7]));
    let done = peers.act(&address, &serde_json::json!({"kind": "drain"})).await.unwrap().unwrap();
    assert_eq!(done, serde_json::json!({"done": true}));
    assert_eq!(peers.act(&address, &Value::Null).await.unwrap(), Err(ActError::Unknown));
    let trace = TraceContext::fresh();
    let said = trace::within(trace, peers.act(&address, &serde_json::json!({"kind": "trace"}))).await;
    let there: TraceContext = said.unwrap().unwrap()["trace"].as_str().unwrap().parse().unwrap();
    assert!(there.is_with(trace) && there != trace);

    let (plain, _stop, _task) = start(Arc::new(Plain), None).await;
    assert_eq!(peers.tree(&plain, &Known::default()).await.unwrap(), None);
    peers.replaced(&plain, SessionId::fresh(), 3).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_comes_back_is_served_again_and_a_lost_one_fills_up() {
    let here = ConnectionId::fresh();
    let handler = || Arc::new(Recorder { here: Some(here), ..Default::default() });
    let (address, stop, task) = start(handler(), None).await;
    let peers = Peers::new("s3cret").unwrap();
    assert_eq!(peers.deliver(&address, &message(here, "a"), 0).unwrap().await, Ok(Delivered::Here));
    stop.cancel();
    task.await.unwrap();
    let full = (0..20_000).any(|n| peers.deliver(&address, &message(here, "b"), n).is_err());
    assert!(full, "a lost peer's queue has a bound");
    let (_address, _stop, _task) = start(handler(), Some(&address)).await;
    let back = async {
        loop {
            if let Ok(answer) = peers.deliver(&address, &message(here, "c"), 0)
                && answer.await == Ok(Delivered::Here)
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), back).await.expect("the peer is served again");
}
