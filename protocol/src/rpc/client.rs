//! The calling side: one connection and one delivery stream a peer, made when first needed.

use super::{
    ActError, Delivered,
    generated::peer_client::PeerClient,
    message::{Deliver, Json, Replaced, Tree, TreeAsked},
};
use crate::{
    audio::AgentMessage,
    ids::SessionId,
    trace,
    tree::{Known, TreeChanges},
};
use dashmap::DashMap;
use parking_lot::Mutex;
use serde_json::Value;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};

/// Messages that may wait for one peer.
const QUEUE_MESSAGES: usize = 1024;
/// Bytes that may wait for one peer, on their way included.
const QUEUE_BYTES: usize = 16 << 20;
/// How long a unary call may take.
const CALL: Duration = Duration::from_secs(3);
/// A whole tree: a hundred thousand actors.
const LARGEST_TREE: usize = 64 << 20;
/// The longest pause between attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A peer could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// Too much waits for this peer already; drop and count.
    #[error("too much waits for the peer")]
    Full,
    /// Not an address.
    #[error("`{0}` is not a peer's address")]
    Address(String),
    /// The peer is away, or refused us.
    #[error("the peer is not available: {0}")]
    Unavailable(String),
    /// The peer answered that it does not do this.
    #[error("the peer does not do this")]
    Unsupported,
}

/// The peers of this node, by their `host:port`.
#[derive(Clone)]
pub struct Peers {
    authorization: MetadataValue<Ascii>,
    links: Arc<DashMap<String, Link>>,
}

/// Adds the shared secret and the caller's trace to each call.
#[derive(Clone)]
struct Authorize(MetadataValue<Ascii>);
impl tonic::service::Interceptor for Authorize {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        if let Some(trace) = trace::current().and_then(|trace| trace.to_string().parse().ok()) {
            request.metadata_mut().insert(trace::HEADER, trace);
        }
        Ok(request)
    }
}

type Client = PeerClient<InterceptedService<Channel, Authorize>>;

/// A delivery that waits, with the share of the peer's bytes that it holds.
struct Waiting {
    deliver: Deliver,
    outcome: oneshot::Sender<Delivered>,
    room: OwnedSemaphorePermit,
}

/// One peer.
#[derive(Clone)]
struct Link {
    client: Client,
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

impl Peers {
    /// Peers that share `secret`, which must be visible ASCII.
    pub fn new(secret: &str) -> Result<Self, PeerError> {
        let authorization = format!("Bearer {secret}")
            .parse()
            .map_err(|_| PeerError::Unavailable("the shared secret must be visible ASCII".into()))?;
        Ok(Self { authorization, links: Arc::default() })
    }

    /// Queues a message for the edge at `address`, without waiting; messages to one peer keep their order.
    /// The answer resolves to what became of it, or to an error where the peer was lost on the way.
    pub fn deliver(
        &self,
        address: &str,
        message: &AgentMessage,
        offset: u64,
    ) -> Result<oneshot::Receiver<Delivered>, PeerError> {
        let link = self.link(address)?;
        let deliver = Deliver::new(message, offset);
        let size = deliver.payload.len() as u32 + 512;
        let room = link.room.clone().try_acquire_many_owned(size).map_err(|_| PeerError::Full)?;
        let (outcome, answer) = oneshot::channel();
        link.queue.try_send(Waiting { deliver, outcome, room }).map_err(|_| PeerError::Full)?;
        Ok(answer)
    }

    /// Tells the edge at `address` that a newer socket took a session over.
    pub async fn replaced(&self, address: &str, session: SessionId, generation: u64) -> Result<(), PeerError> {
        let mut client = self.link(address)?.client;
        let message = Replaced { session: session.to_string(), generation };
        call(async move { client.replaced(message).await }).await?;
        Ok(())
    }

    /// What changed of the tree of the node at `address` since it was `known`; `None` where it has no tree.
    pub async fn tree(&self, address: &str, known: &Known) -> Result<Option<TreeChanges>, PeerError> {
        let mut client = self.link(address)?.client.max_decoding_message_size(LARGEST_TREE);
        let asked = TreeAsked { run: known.run.clone(), version: known.version };
        match call(async move { client.tree(asked).await }).await {
            Ok(Tree { node, run, version, whole, rows, removed }) => Ok(Some(TreeChanges {
                node: serde_json::from_slice(&node).map_err(unreadable)?,
                known: Known { run, version },
                whole,
                rows: rows.into_iter().map(|row| (row.id, row.json)).collect(),
                removed,
            })),
            Err(PeerError::Unsupported) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Has the node at `address` do an action. The outer error says it was not asked, the inner that it did not do it.
    pub async fn act(&self, address: &str, action: &Value) -> Result<Result<Value, ActError>, PeerError> {
        self.act_within(address, action, CALL).await
    }

    /// Whether the node at `address` answers at all, and in time.
    pub async fn answers(&self, address: &str, within: Duration) -> bool {
        // no node knows such an action, and any answer is one
        self.act_within(address, &Value::Null, within).await.is_ok()
    }

    /// [`act`](Self::act), where the node may take as long as `patience`.
    pub async fn act_within(
        &self,
        address: &str,
        action: &Value,
        patience: Duration,
    ) -> Result<Result<Value, ActError>, PeerError> {
        let mut client = self.link(address)?.client;
        let json = Json { json: action.to_string().into() };
        match tokio::time::timeout(patience, client.act(json)).await {
            Err(_) => Err(PeerError::Unavailable("no answer in time".into())),
            Ok(Ok(answer)) => serde_json::from_slice(&answer.into_inner().json).map(Ok).map_err(unreadable),
            Ok(Err(status)) => match status.code() {
                Code::Unimplemented => Ok(Err(ActError::Unknown)),
                Code::FailedPrecondition => Ok(Err(ActError::Refused(status.message().to_owned()))),
                _ => Err(PeerError::Unavailable(status.message().to_owned())),
            },
        }
    }

    /// Forgets all peers but these; what still waits for the others is dropped.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.links.retain(|address, _| keep(address));
    }

    fn link(&self, address: &str) -> Result<Link, PeerError> {
        if let Some(link) = self.links.get(address) {
            return Ok(link.clone());
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|_| PeerError::Address(address.to_owned()))?
            .connect_timeout(Duration::from_secs(1))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(2))
            .keep_alive_timeout(Duration::from_secs(2))
            .keep_alive_while_idle(true);
        let link = self.links.entry(address.to_owned()).or_insert_with(|| {
            let client = PeerClient::with_interceptor(endpoint.connect_lazy(), Authorize(self.authorization.clone()));
            let (queue, waiting) = mpsc::channel(QUEUE_MESSAGES);
            tokio::spawn(deliver_all(client.clone(), address.to_owned(), waiting));
            Link { client, queue, room: Arc::new(Semaphore::new(QUEUE_BYTES)) }
        });
        Ok(link.clone())
    }
}

async fn call<T>(call: impl Future<Output = Result<tonic::Response<T>, Status>>) -> Result<T, PeerError> {
    match tokio::time::timeout(CALL, call).await {
        Err(_) => Err(PeerError::Unavailable("no answer in time".into())),
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) if status.code() == Code::Unimplemented => Err(PeerError::Unsupported),
        Ok(Err(status)) => Err(PeerError::Unavailable(status.message().to_owned())),
    }
}

fn unreadable(error: serde_json::Error) -> PeerError {
    PeerError::Unavailable(format!("unreadable answer: {error}"))
}

/// Keeps one delivery stream to a peer open for as long as the link lives, with growing pauses between attempts.
async fn deliver_all(client: Client, address: String, waiting: mpsc::Receiver<Waiting>) {
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    let mut pause = Duration::from_millis(50);
    loop {
        // A stream is opened only when something waits, and that something is its first message.
        let Some(first) = waiting.lock().await.recv().await else { return };
        let (answered, ended) = deliver_stream(client.clone(), waiting.clone(), first).await;
        tracing::warn!(peer.address = %address, status = %ended.code(), "delivery stream to a peer ended");
        pause = if answered { Duration::from_millis(50) } else { (pause * 2).min(LONGEST_PAUSE) };
        tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
    }
}

/// What was sent and waits for its outcome, in order; the room is given back with it.
type Unanswered = Arc<Mutex<VecDeque<(oneshot::Sender<Delivered>, OwnedSemaphorePermit)>>>;

/// Runs one stream; says whether anything was answered, and how it ended.
async fn deliver_stream(
    mut client: Client,
    waiting: Arc<tokio::sync::Mutex<mpsc::Receiver<Waiting>>>,
    first: Waiting,
) -> (bool, Status) {
    let unanswered: Unanswered = Arc::default();
    let outgoing = {
        let unanswered = unanswered.clone();
        futures::stream::unfold(Some(first), move |first| {
            let (waiting, unanswered) = (waiting.clone(), unanswered.clone());
            async move {
                let next = match first {
                    Some(first) => first,
                    None => waiting.lock().await.recv().await?,
                };
                unanswered.lock().push_back((next.outcome, next.room));
                Some((next.deliver, None))
            }
        })
    };
    let mut answered = false;
    let mut outcomes = match client.deliver(outgoing).await {
        Ok(response) => response.into_inner(),
        Err(status) => return (answered, status),
    };
    loop {
        match outcomes.message().await {
            Ok(Some(outcome)) => {
                answered = true;
                let delivered = if outcome.here { Delivered::Here } else { Delivered::NotHere };
                if let Some((sender, _room)) = unanswered.lock().pop_front() {
                    let _ = sender.send(delivered);
                }
            }
            Ok(None) => return (answered, Status::unavailable("the peer closed the stream")),
            Err(status) => return (answered, status),
        }
    }
}
