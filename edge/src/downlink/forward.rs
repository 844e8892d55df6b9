//! Messages whose socket is not here: found in the registry, handed to the edge that holds it.
//!
//! One task and one bounded queue for all of them. It waits for the registry at most a moment, and once it failed not
//! at all for a while. A registry may be away or have lost everything: then the last known route is taken, and where
//! there is none, every edge is asked once.

use crate::{Shared, metric};
use futures::{
    StreamExt,
    future::{BoxFuture, join_all},
    stream::FuturesUnordered,
};
use maya_protocol::{
    audio::AgentMessage,
    ids::{ConnectionId, NodeId, SessionId},
    registry::SocketRecord,
    rpc::Delivered,
};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinHandle};

/// Messages that may wait for their route.
const QUEUE: usize = 1024;
/// The longest wait for the registry.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a registry that failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// Routes remembered before the old ones are forgotten.
const ROUTES: usize = 20_000;

/// Takes messages whose socket is not here.
#[derive(Clone)]
pub(crate) struct Forwarder(mpsc::Sender<(AgentMessage, u64)>);

impl Forwarder {
    pub(crate) fn start(shared: Arc<Shared>) -> (Self, JoinHandle<()>) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let router =
            Router { shared, routes: HashMap::new(), left_alone_until: None, outcomes: FuturesUnordered::new() };
        (Self(sender), tokio::spawn(router.run(queue)))
    }

    /// Takes a message without waiting.
    pub(crate) fn forward(&self, message: AgentMessage, offset: u64) {
        if self.0.try_send((message, offset)).is_err() {
            dropped("forward_full");
        }
    }
}

fn dropped(reason: &'static str) {
    metrics::counter!(metric::DROPPED, "reason" => reason).increment(1);
}

/// What is known of a session's socket.
struct Route {
    socket: Option<SocketRecord>,
    asked_at: Instant,
}

/// What became of a forwarded message.
struct Outcome {
    session: SessionId,
    connection: ConnectionId,
    /// The edge that was believed to hold the socket; none where all were asked.
    asked: Option<NodeId>,
    /// The edge that took it.
    taken_by: Option<NodeId>,
}

struct Router {
    shared: Arc<Shared>,
    routes: HashMap<SessionId, Route>,
    left_alone_until: Option<Instant>,
    outcomes: FuturesUnordered<BoxFuture<'static, Outcome>>,
}

impl Router {
    async fn run(mut self, mut queue: mpsc::Receiver<(AgentMessage, u64)>) {
        loop {
            tokio::select! {
                next = queue.recv() => match next {
                    Some((message, offset)) => self.route(message, offset).await,
                    None => return,
                },
                Some(outcome) = self.outcomes.next() => self.learn(outcome),
            }
        }
    }

    async fn route(&mut self, message: AgentMessage, offset: u64) {
        let others = self.shared.nodes.other_edges(&self.shared.node);
        if others.is_empty() {
            return dropped("unknown");
        }
        match self.socket(&message).await {
            Known::At(edge) => match others.iter().position(|(node, _)| *node == edge) {
                Some(at) => self.send(&others[at..=at], true, message, offset),
                None if edge == self.shared.node => dropped("unknown"),
                // Its edge is not in our list yet, or no more.
                None => self.send(&others, false, message, offset),
            },
            Known::Nowhere(reason) => dropped(reason),
            Known::Not => self.send(&others, false, message, offset),
        }
    }

    /// Where a message's socket is: as asked a moment ago, as the registry says, or as last known.
    async fn socket(&mut self, message: &AgentMessage) -> Known {
        let now = self.shared.clock.now();
        if let Some(route) = self.routes.get(&message.session)
            && now.saturating_duration_since(route.asked_at) < self.shared.settings.route_ttl
        {
            return Known::from(route.socket.as_ref(), message);
        }
        if self.left_alone_until.is_none_or(|until| now >= until) {
            self.left_alone_until = None;
            match tokio::time::timeout(PATIENCE, self.shared.registry.socket(message.session)).await {
                Ok(Ok(Some(socket))) => {
                    let known = Known::from(Some(&socket), message);
                    self.remember(message.session, Some(socket));
                    return known;
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => self.leave_alone(&error.to_string()),
                Err(_) => self.leave_alone("no answer in time"),
            }
        }
        match self.routes.get(&message.session).and_then(|route| route.socket.clone()) {
            Some(socket) if socket.connection == message.connection => Known::At(socket.edge),
            _ => Known::Not,
        }
    }

    fn leave_alone(&mut self, error: &str) {
        tracing::warn!(error, "could not look up a socket");
        self.left_alone_until = Some(self.shared.clock.now() + PAUSE);
    }

    fn remember(&mut self, session: SessionId, socket: Option<SocketRecord>) {
        let (now, ttl) = (self.shared.clock.now(), self.shared.settings.route_ttl);
        if self.routes.len() >= ROUTES {
            self.routes.retain(|_, route| now.saturating_duration_since(route.asked_at) < ttl);
        }
        self.routes.insert(session, Route { socket, asked_at: now });
    }

    /// Hands a message to these edges; `sure` where one of them is believed to hold the socket.
    fn send(&mut self, edges: &[(NodeId, String)], sure: bool, message: AgentMessage, offset: u64) {
        let mut answers = Vec::with_capacity(edges.len());
        for (node, address) in edges {
            match self.shared.peers.deliver(address, &message, offset) {
                Ok(answer) => {
                    metrics::counter!(metric::FORWARDED).increment(1);
                    let node = node.clone();
                    answers.push(async move { (answer.await == Ok(Delivered::Here)).then_some(node) });
                }
                Err(error) => {
                    tracing::debug!(%error, "could not hand a message to a peer");
                    dropped("peer_full");
                }
            }
        }
        let asked = edges.first().filter(|_| sure).map(|(node, _)| node.clone());
        self.outcomes.push(Box::pin(async move {
            let taken_by = join_all(answers).await.into_iter().flatten().next();
            Outcome { session: message.session, connection: message.connection, asked, taken_by }
        }));
    }

    /// A right guess is remembered, a wrong route forgotten; where nobody holds the socket, that too is believed
    /// for a moment.
    fn learn(&mut self, outcome: Outcome) {
        let Outcome { session, connection, asked, taken_by } = outcome;
        match (asked, taken_by) {
            (Some(_), Some(_)) => {}
            (None, Some(edge)) => self.remember(session, Some(SocketRecord { edge, connection, generation: 0 })),
            (Some(asked), None) => {
                dropped("not_there");
                let route = self.routes.get(&session).and_then(|route| route.socket.as_ref());
                if route.is_some_and(|socket| socket.edge == asked && socket.connection == connection) {
                    self.routes.remove(&session);
                }
            }
            (None, None) => {
                dropped("unknown");
                self.routes.entry(session).or_insert(Route { socket: None, asked_at: self.shared.clock.now() });
            }
        }
    }
}

/// What is known of the place of a message's socket.
enum Known {
    At(NodeId),
    Nowhere(&'static str),
    Not,
}

impl Known {
    fn from(socket: Option<&SocketRecord>, message: &AgentMessage) -> Self {
        match socket {
            Some(socket) if socket.connection == message.connection => Known::At(socket.edge.clone()),
            Some(_) => Known::Nowhere("replaced"),
            None => Known::Nowhere("unknown"),
        }
    }
}
