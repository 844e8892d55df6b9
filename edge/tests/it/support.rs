//! A platform of edges in one process, a raw client, and an interviewer's end of the bus.

use crate::outage::UnsteadyRegistry;
use futures::{SinkExt, StreamExt};
use maya_edge::{Edge, EdgeParts, EdgeSettings};
use maya_protocol::{
    audio::{AgentBody, AgentMessage, CandidateBody, CandidateMessage},
    bus::{Bus, PartitionReader, SharedBus, StartAt, TopicSettings, embedded::EmbeddedBus},
    clock::{self, Clock, SystemClock},
    ids::{ConnectionId, Epoch, InterviewId, NodeId, SessionId, TenantId},
    join::{JoinClaims, JoinKey, JoinPage},
    pulse::Pulse,
    registry::{NodeRecord, Registry},
    rpc::{self, Peers},
    topic::Topic,
    trace::TraceContext,
    tree::NodeState,
};
use serde_json::Value;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, Message},
};
use tokio_util::sync::CancellationToken;

/// No step of a test may take longer.
pub const DEADLINE: Duration = Duration::from_secs(20);
pub const PARTITIONS: u32 = 8;

/// Waits for something that must come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what} did not come in time"))
}

pub struct Platform {
    pub bus: SharedBus,
    pub registry: Arc<UnsteadyRegistry>,
    pub key: JoinKey,
    edges: AtomicUsize,
    _dir: tempfile::TempDir,
}

impl Platform {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = TopicSettings { media_partitions: PARTITIONS, replication: 1 };
        let bus = EmbeddedBus::open(dir.path(), settings, clock::system()).unwrap();
        bus.ensure_topics(true).await.unwrap();
        let registry = Arc::new(UnsteadyRegistry::new());
        Self {
            bus,
            registry,
            key: JoinKey::new(b"0123456789abcdef0123456789abcdef"),
            edges: AtomicUsize::new(0),
            _dir: dir,
        }
    }

    pub async fn edge(&self, settings: EdgeSettings) -> TestEdge {
        self.edge_on(self.bus.clone(), settings).await
    }

    pub async fn edge_on(&self, bus: SharedBus, settings: EdgeSettings) -> TestEdge {
        let (http, peers) =
            (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let record = NodeRecord {
            id: self.edge_id(),
            roles: vec!["edge".into()],
            zone: None,
            version: "test".into(),
            state: NodeState::Serving,
            rpc: peers.local_addr().unwrap().to_string(),
            load: 0,
            weight: 8,
            started_at: SystemClock.utc(),
        };
        let edge = Edge::start(EdgeParts {
            node: record.id.clone(),
            bus,
            registry: self.registry.clone(),
            join_key: self.key.clone(),
            clock: clock::system(),
            peers: Peers::new("s3cret").unwrap(),
            pulse: Pulse::new(clock::system()),
            settings,
        })
        .await
        .unwrap();
        self.registry.put_node(&record, Duration::from_secs(600)).await.unwrap();
        let address = http.local_addr().unwrap().to_string();
        let (router, handler, stop) = (edge.router(), edge.peer_handler(), CancellationToken::new());
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move { axum::serve(http, router).await });
        tokio::spawn(async move { rpc::serve(peers, handler, "s3cret", stopped).await });
        TestEdge { edge, address, record, stop }
    }

    /// Counted, not drawn: between `edge-0` and `edge-1` each reads some of so few partitions, and every run is alike.
    fn edge_id(&self) -> NodeId {
        NodeId(format!("edge-{}", self.edges.fetch_add(1, Ordering::Relaxed)))
    }

    pub fn session(&self) -> Ticket {
        self.session_until(4_000_000_000)
    }

    pub fn session_until(&self, exp: i64) -> Ticket {
        self.session_between(None, exp)
    }

    /// Seconds since 1970.
    pub fn session_between(&self, opens: Option<i64>, exp: i64) -> Ticket {
        let (session, tenant) = (SessionId::fresh(), TenantId::fresh());
        let partition = maya_protocol::topic::partition_of(&session.to_string(), PARTITIONS);
        let interview = InterviewId::fresh();
        let claims = JoinClaims { session, tenant, interview, partition, exp, generation: 1 };
        let page = JoinPage { title: Some("Nurse".into()), duration_minutes: Some(20), opens, ..JoinPage::default() };
        Ticket { token: self.key.sign_with_page(&claims, &page), claims }
    }

    pub async fn interviewer(&self) -> Interviewer {
        let mut reader = self.bus.reader(Topic::CandidateSpoken.into()).await.unwrap();
        for partition in 0..PARTITIONS {
            reader.assign(partition, StartAt::Latest).await.unwrap();
        }
        Interviewer { bus: self.bus.clone(), reader }
    }
}

pub struct TestEdge {
    pub edge: Edge,
    pub address: String,
    pub record: NodeRecord,
    pub stop: CancellationToken,
}

/// A session's token.
pub struct Ticket {
    pub token: String,
    pub claims: JoinClaims,
}

impl Ticket {
    pub fn session(&self) -> SessionId {
        self.claims.session
    }
    pub fn query(&self) -> String {
        format!("sessionId={}&tenantId={}&token={}", self.claims.session, self.claims.tenant, self.token)
    }
    pub async fn open(&self, edge: &TestEdge) -> Client {
        let url = format!("ws://{}/ws?{}", edge.address, self.query());
        let (socket, _) = soon("the socket", tokio_tungstenite::connect_async(url)).await.expect("the socket opens");
        Client { socket }
    }
}

/// How an upgrade is refused: the status and the problem's code.
pub async fn refused(edge: &TestEdge, query: &str) -> (u16, String) {
    let url = format!("ws://{}/ws?{query}", edge.address);
    match soon("an answer", tokio_tungstenite::connect_async(url)).await {
        Err(tungstenite::Error::Http(response)) => {
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            let body: Value = serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap();
            assert_eq!(body["status"], response.status().as_u16());
            (response.status().as_u16(), body["code"].as_str().unwrap().to_owned())
        }
        other => panic!("not refused: {other:?}"),
    }
}

/// A plain GET: status, headers in lower case, body.
pub async fn get(edge: &TestEdge, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(&edge.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", edge.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    soon("an answer", stream.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

/// A raw client.
pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub async fn send(&mut self, frame: Value) {
        self.send_text(frame.to_string()).await;
    }
    pub async fn send_text(&mut self, text: impl Into<String>) {
        let text: String = text.into();
        soon("room for a frame", self.socket.send(Message::text(text))).await.unwrap();
    }
    /// The next JSON frame.
    pub async fn next(&mut self) -> Value {
        loop {
            match soon("a frame", self.socket.next()).await.expect("the socket is open").expect("a good frame") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }
    /// The next frame of that type.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }
    /// The next error's code.
    pub async fn error(&mut self) -> String {
        let frame = self.next_of("ERROR").await;
        assert!(frame["message"].is_string() && frame["retryable"].is_boolean());
        frame["code"].as_str().unwrap().to_owned()
    }
    /// The close code; frames before it are ignored.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match soon("the close", self.socket.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                other => panic!("ended without a close code: {other:?}"),
            }
        }
    }
}

/// The interviewer's end of the bus.
pub struct Interviewer {
    bus: SharedBus,
    reader: Box<dyn PartitionReader>,
}

impl Interviewer {
    /// The session's next message.
    pub async fn next(&mut self, session: SessionId) -> CandidateMessage {
        soon("a message on the bus", async {
            loop {
                let delivery = self.reader.next().await.unwrap();
                let message = CandidateMessage::from_record(&delivery.record).unwrap();
                if message.session == session {
                    return message;
                }
            }
        })
        .await
    }

    /// The session's `Joined`, which must come first.
    pub async fn joined(&mut self, ticket: &Ticket) -> Speaker {
        let message = self.next(ticket.session()).await;
        assert_eq!(message.body, CandidateBody::Joined);
        assert_eq!((message.tenant, message.partition), (ticket.claims.tenant, ticket.claims.partition));
        assert_eq!(message.sequence, 0);
        Speaker {
            bus: self.bus.clone(),
            claims: ticket.claims.clone(),
            connection: message.connection,
            epoch: Epoch(1),
            trace: message.trace,
        }
    }
}

/// Speaks to one connection.
#[derive(Clone)]
pub struct Speaker {
    pub bus: SharedBus,
    pub claims: JoinClaims,
    pub connection: ConnectionId,
    pub epoch: Epoch,
    pub trace: Option<TraceContext>,
}

impl Speaker {
    pub async fn say(&self, body: AgentBody) {
        let JoinClaims { session, tenant, partition, .. } = self.claims;
        let (epoch, connection) = (self.epoch, self.connection);
        let message = AgentMessage { session, tenant, partition, epoch, connection, trace: None, body };
        self.bus.publish(message.to_record()).await.unwrap();
    }
    pub async fn words(&self, text: &str) {
        let utterance_id = maya_protocol::ids::TurnId(1);
        self.say(AgentBody::Transcript { utterance_id, text: text.into(), r#final: false }).await;
    }
}

/// Short rhythms, so that tests need not wait.
pub fn quick() -> EdgeSettings {
    EdgeSettings {
        nodes_every: Duration::from_millis(50),
        route_ttl: Duration::from_millis(200),
        waiting_after: Duration::from_secs(60),
        ..EdgeSettings::default()
    }
}
