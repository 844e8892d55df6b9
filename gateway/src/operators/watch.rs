//! One poller for all who look, running only while someone does; what it sends is made once for all of them.

use super::board::{Board, Change};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use maya_protocol::{
    clock::SharedClock,
    ids::NodeId,
    registry::{NodeRecord, SharedRegistry, YOUNG},
    rpc::Peers,
    tree::{Known, NodeState, NodeView, TreeChanges},
};
use parking_lot::Mutex;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{sync::broadcast, time::timeout};

/// Nodes asked at a time.
const PARALLEL: usize = 64;
/// Deltas that a slow viewer may be behind before it begins anew.
const BEHIND: usize = 8;
/// The page counts a stream that is silent for 45 s as lost.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How often it looks and how long it waits.
#[derive(Debug, Clone)]
pub struct WatchSettings {
    /// Between two looks.
    pub every: Duration,
    /// How long a node may take to answer.
    pub patience: Duration,
    /// How long the registry may take.
    pub registry_patience: Duration,
}
impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            patience: Duration::from_millis(900),
            registry_patience: Duration::from_millis(500),
        }
    }
}

/// The shared view of all nodes.
#[derive(Clone)]
pub struct Watch(Arc<Inner>);

struct Inner {
    registry: SharedRegistry,
    peers: Peers,
    clock: SharedClock,
    /// This process: it can be asked also before the registry has ever answered.
    own: Option<NodeRecord>,
    settings: WatchSettings,
    known: Mutex<Seen>,
    /// One look at a time; who waits for it is served by it.
    look: tokio::sync::Mutex<()>,
    deltas: broadcast::Sender<Bytes>,
}

#[derive(Default)]
struct Seen {
    records: Vec<NodeRecord>,
    board: Board,
    looks: u64,
    polling: bool,
}

impl Watch {
    /// Looks at nothing until someone asks.
    pub fn new(
        registry: SharedRegistry,
        peers: Peers,
        clock: SharedClock,
        own: Option<NodeRecord>,
        settings: WatchSettings,
    ) -> Self {
        let (deltas, _) = broadcast::channel(BEHIND);
        let (known, look) = (Mutex::default(), Default::default());
        Self(Arc::new(Inner { registry, peers, clock, own, settings, known, look, deltas }))
    }

    /// All nodes with their trees as they are now (as of the last look, while someone follows).
    pub async fn now(&self) -> Vec<NodeView> {
        self.fresh().await;
        self.0.known.lock().board.views(self.0.clock.now())
    }

    /// All nodes as they are now, without their trees.
    pub async fn heads(&self) -> Vec<NodeView> {
        self.fresh().await;
        self.0.known.lock().board.heads()
    }

    /// Where a node answers: as the registry has it, or as it was last known.
    pub async fn address(&self, node: &NodeId) -> Option<String> {
        let records = self.0.records().await;
        records.into_iter().find(|record| record.id == *node).map(|record| record.rpc)
    }

    /// The stream of server-sent events of one viewer: a `snapshot`, then `delta`s. All viewers share the bytes.
    pub async fn follow(&self) -> impl Stream<Item = Bytes> + Send + use<> {
        // joins before it looks, so that nothing falls between the snapshot and the deltas
        let deltas = self.join();
        let first = self.snapshot().await;
        let rest = stream::unfold((self.clone(), deltas), |(watch, mut deltas)| async move {
            let event = match timeout(KEEP_ALIVE, deltas.recv()).await {
                Ok(Ok(delta)) => delta,
                // this viewer was too slow: it begins anew
                Ok(Err(broadcast::error::RecvError::Lagged(_))) => watch.snapshot().await,
                Ok(Err(broadcast::error::RecvError::Closed)) => return None,
                Err(_) => Bytes::from_static(b": still here\n\n"),
            };
            Some((event, (watch, deltas)))
        });
        stream::once(async { first }).chain(rest)
    }

    /// Whether the poller runs.
    pub fn is_polling(&self) -> bool {
        self.0.known.lock().polling
    }

    async fn snapshot(&self) -> Bytes {
        self.fresh().await;
        self.0.known.lock().board.snapshot()
    }

    /// Looks, unless someone does all the time.
    async fn fresh(&self) {
        let (polling, looks) = {
            let known = self.0.known.lock();
            (known.polling && known.looks > 0, known.looks)
        };
        if !polling {
            let _one = self.0.look.lock().await;
            if self.0.known.lock().looks == looks {
                let _ = self.0.look().await;
            }
        }
    }

    /// Follows the changes; the first follower starts the poller, which ends soon after the last one has left.
    fn join(&self) -> broadcast::Receiver<Bytes> {
        let mut known = self.0.known.lock();
        let receiver = self.0.deltas.subscribe();
        if !known.polling {
            known.polling = true;
            known.looks = 0;
            tokio::spawn(poll(Arc::downgrade(&self.0), self.0.settings.every));
        }
        receiver
    }
}

async fn poll(inner: Weak<Inner>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        {
            let mut known = inner.known.lock();
            if inner.deltas.receiver_count() == 0 {
                known.polling = false;
                return;
            }
        }
        let _one = inner.look.lock().await;
        if let Some(delta) = inner.look().await {
            let _ = inner.deltas.send(delta);
        }
    }
}

impl Inner {
    /// The registry's nodes; while it is away the last known ones and this process itself; while it is young, for it may
    /// have been emptied, those that it lists and the last known ones. Who is gone will not answer.
    async fn records(&self) -> Vec<NodeRecord> {
        let asked = async { tokio::try_join!(self.registry.nodes(), self.registry.age()) };
        let (mut records, own) = match timeout(self.settings.registry_patience, asked).await {
            Ok(Ok((records, age))) if age >= YOUNG => return records,
            Ok(Ok((records, _))) => (records, None),
            answer => {
                tracing::warn!(?answer, "the registry is away; showing the last known nodes");
                (Vec::new(), self.own.clone())
            }
        };
        for known in self.known.lock().records.iter().cloned().chain(own) {
            if records.iter().all(|record| record.id != known.id) {
                records.push(known);
            }
        }
        records
    }

    /// Looks once at every node; what changed, as the event that tells it.
    async fn look(&self) -> Option<Bytes> {
        let records = self.records().await;
        let known: Vec<Known> = {
            let seen = self.known.lock();
            records.iter().map(|record| seen.board.known(&record.id)).collect()
        };
        // futures first, then the stream: a closure over borrowed records would not be `Send` for every lifetime
        let asks: Vec<_> = records.iter().zip(&known).map(|(record, known)| self.ask(record, known)).collect();
        let answers: Vec<TreeChanges> = stream::iter(asks).buffer_unordered(PARALLEL).collect().await;
        let mut seen = self.known.lock();
        let mut change = Change::default();
        seen.board.keep_only(&records.iter().map(|record| &record.id).collect::<Vec<_>>(), &mut change);
        for answer in answers {
            seen.board.take(answer, self.clock.now(), &mut change);
        }
        seen.records = records;
        seen.looks += 1;
        change.event()
    }

    async fn ask(&self, record: &NodeRecord, known: &Known) -> TreeChanges {
        let from_registry = |state| NodeView {
            id: record.id.clone(),
            roles: record.roles.clone(),
            zone: record.zone.clone(),
            version: record.version.clone(),
            state,
            started_at: record.started_at,
            sessions: record.load,
            tree: None,
        };
        // what it last told of its actors stays: it may only be slow
        let silent = || TreeChanges {
            known: known.clone(),
            whole: false,
            ..TreeChanges::bare(from_registry(NodeState::Unreachable))
        };
        match timeout(self.settings.patience, self.peers.tree(&record.rpc, known)).await {
            Ok(Ok(Some(changes))) if changes.node.id == record.id => changes,
            // another node took its address: it is gone, and its record ages out
            Ok(Ok(Some(_))) => silent(),
            Ok(Ok(None)) => TreeChanges::bare(from_registry(record.state)),
            Ok(Err(error)) => {
                tracing::debug!(node.id = %record.id, error = %error, "a node does not answer");
                silent()
            }
            Err(_) => silent(),
        }
    }
}
