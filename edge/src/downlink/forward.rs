//! Messages whose socket is not here: found, and handed to the edge that holds it.
//!
//! One task and one bounded queue for all of them; it waits for nobody. A connection stays where it is, so a route that
//! was found holds until its edge says otherwise, with or without a registry. What has no route yet waits, in order,
//! while the registry is asked, for a moment at most and beside all others; a registry that failed is left alone for a
//! while. Where it cannot tell, every edge is asked once.

mod routes;

use crate::{Shared, metric};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use maya_protocol::{
    audio::AgentMessage,
    ids::{ConnectionId, NodeId},
    rpc::Delivered,
};
use routes::{Routes, Way};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};

/// Messages that may wait for this task.
const QUEUE: usize = 1024;
/// The longest wait for the registry.
const PATIENCE: Duration = Duration::from_millis(250);
/// Messages of a look-back that may be under way at once: few, so that they crowd out nothing that is new.
const CATCHING_UP: usize = 64;
/// A look-back is not held up for longer by one message: then a peer hangs, and the rest is dropped where it must be.
const CATCH_UP_PATIENCE: Duration = Duration::from_millis(500);
/// How long a registry that failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes messages whose socket is not here.
#[derive(Clone)]
pub(crate) struct Forwarder {
    queue: mpsc::Sender<Waiting>,
    catching_up: Arc<Semaphore>,
}

/// A message and its place in the partition, with the room that one of a look-back holds until its outcome is known.
type Waiting = (AgentMessage, u64, Option<OwnedSemaphorePermit>);

impl Forwarder {
    pub(crate) fn start(shared: Arc<Shared>) -> (Self, JoinHandle<()>) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let routes = Routes::new(shared.settings.route_ttl);
        let router = Router { shared, routes, left_alone_until: None, coming: FuturesUnordered::new() };
        let forwarder = Self { queue: sender, catching_up: Arc::new(Semaphore::new(CATCHING_UP)) };
        (forwarder, tokio::spawn(router.run(queue)))
    }

    /// Takes a message without waiting.
    pub(crate) fn forward(&self, message: AgentMessage, offset: u64) {
        self.push((message, offset, None));
    }

    /// Takes a message of a look-back, which come by the thousand: waits while many are under way.
    pub(crate) async fn catch_up(&self, message: AgentMessage, offset: u64) {
        let room = tokio::time::timeout(CATCH_UP_PATIENCE, self.catching_up.clone().acquire_owned()).await;
        self.push((message, offset, room.ok().and_then(Result::ok)));
    }

    fn push(&self, waiting: Waiting) {
        if self.queue.try_send(waiting).is_err() {
            dropped("forward_full");
        }
    }
}

fn dropped(reason: &'static str) {
    metrics::counter!(metric::DROPPED, "reason" => reason).increment(1);
}

/// What the task hears of later.
enum Coming {
    /// Where the registry says that a connection is; the error is that it did not answer.
    Looked(ConnectionId, Result<Option<NodeId>, String>),
    /// What became of a message that was handed to one edge, or to all.
    Handed { connection: ConnectionId, to: Option<NodeId>, outcome: Handed },
}

/// What became of a handed message.
enum Handed {
    TakenBy(NodeId),
    NotThere,
    /// The peer was lost on the way.
    Unknown,
}

struct Router {
    shared: Arc<Shared>,
    routes: Routes<Waiting>,
    left_alone_until: Option<Instant>,
    coming: FuturesUnordered<BoxFuture<'static, Coming>>,
}

impl Router {
    async fn run(mut self, mut queue: mpsc::Receiver<Waiting>) {
        loop {
            tokio::select! {
                next = queue.recv() => match next {
                    Some(waiting) => self.route(waiting),
                    None => return,
                },
                Some(coming) = self.coming.next() => self.learn(coming),
            }
        }
    }

    fn route(&mut self, waiting: Waiting) {
        let now = self.shared.clock.now();
        let connection = waiting.0.connection;
        match self.routes.way(connection, now) {
            Way::At(edge) => self.hand(Some(edge), waiting),
            Way::Everywhere => self.hand(None, waiting),
            Way::Nowhere => dropped("unknown"),
            Way::Looking => {
                if !self.routes.wait(connection, waiting) {
                    dropped("route_full");
                }
            }
            Way::Unknown if self.left_alone_until.is_some_and(|until| now < until) => {
                self.routes.everywhere(connection, now);
                self.hand(None, waiting);
            }
            Way::Unknown => {
                let (registry, session) = (self.shared.registry.clone(), waiting.0.session);
                self.routes.look(connection, waiting, now);
                self.coming.push(Box::pin(async move {
                    let answer = match tokio::time::timeout(PATIENCE, registry.socket(session)).await {
                        Ok(Ok(socket)) => {
                            Ok(socket.filter(|socket| socket.connection == connection).map(|socket| socket.edge))
                        }
                        Ok(Err(error)) => Err(error.to_string()),
                        Err(_) => Err("no answer in time".to_owned()),
                    };
                    Coming::Looked(connection, answer)
                }));
            }
        }
    }

    fn learn(&mut self, coming: Coming) {
        let now = self.shared.clock.now();
        match coming {
            Coming::Looked(connection, answer) => {
                let edge = answer.unwrap_or_else(|error| {
                    tracing::warn!(error, "could not look up a socket");
                    self.left_alone_until = Some(now + PAUSE);
                    None
                });
                let edge = edge.filter(|edge| *edge != self.shared.node);
                for waiting in self.routes.found(connection, edge, now) {
                    self.route(waiting);
                }
            }
            Coming::Handed { connection, to, outcome } => match outcome {
                Handed::TakenBy(edge) => self.routes.is_at(connection, edge, now),
                Handed::NotThere => {
                    dropped("not_there");
                    self.routes.is_not_at(connection, to.as_ref(), now);
                }
                Handed::Unknown => {
                    dropped("peer_lost");
                    self.routes.lost(connection, to.as_ref());
                }
            },
        }
    }

    /// Hands a message to an edge; to all, where it is not known which, or that one was not in the list for long.
    fn hand(&mut self, to: Option<NodeId>, (message, offset, room): Waiting) {
        let nodes = &self.shared.nodes;
        let known = to.and_then(|to| Some((nodes.lately(&to)?, to)));
        let to = known.as_ref().map(|(_, to)| to.clone());
        let edges = match known {
            Some((address, to)) => vec![(to, address)],
            None => nodes.other_edges(&self.shared.node),
        };
        if edges.is_empty() {
            return dropped("unknown");
        }
        let answers = FuturesUnordered::new();
        for (node, address) in edges {
            match self.shared.peers.deliver(&address, &message, offset) {
                Ok(answer) => {
                    metrics::counter!(metric::FORWARDED).increment(1);
                    answers.push(async move {
                        match answer.await {
                            Ok(Delivered::Here) => Handed::TakenBy(node),
                            Ok(Delivered::NotHere) => Handed::NotThere,
                            Err(_) => Handed::Unknown,
                        }
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "could not hand a message to a peer");
                    dropped("peer_full");
                }
            }
        }
        if answers.is_empty() {
            return;
        }
        let connection = message.connection;
        self.coming.push(Box::pin(async move {
            let outcome = first(answers).await;
            drop(room);
            Coming::Handed { connection, to, outcome }
        }));
    }
}

/// Who took a message, as soon as one did; where none did, whether all have said so.
async fn first(mut answers: FuturesUnordered<impl Future<Output = Handed>>) -> Handed {
    let mut all_said = true;
    while let Some(answer) = answers.next().await {
        match answer {
            Handed::TakenBy(edge) => return Handed::TakenBy(edge),
            Handed::NotThere => {}
            Handed::Unknown => all_said = false,
        }
    }
    if all_said { Handed::NotThere } else { Handed::Unknown }
}
