//! What the nodes share, and a node.

use crate::{
    faulty::{FaultyBus, FaultyRegistry},
    support::{self, PATIENCE},
};
use maya_actors::{
    interviewer::InterviewerPeer,
    observe::Observer,
    parts::{InterviewSettings, Parts, Senses},
    placement::{Budget, Placement},
    quota::Quotas,
    session::asides::Asides,
};
use maya_protocol::{
    bus::assignment::{Share, reader_of},
    clock,
    ids::{InterviewId, NodeId, SessionId, TenantId},
    interview::Turn,
    pulse::Pulse,
    registry::{NodeRecord, Registry, embedded::EmbeddedRegistry},
    rpc::{self, Peers},
    tree::NodeState,
};
use maya_providers::{
    plan_follower::PlanFollower,
    testing::{EnergyVad, ModemStt, ModemTts, ScriptedEndOfTurn},
};
use maya_store::{placements, sessions, turns};
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Of the audio topics.
const PARTITIONS: u32 = 100;
const SECRET: &str = "s3cret";
const BEAT: Duration = Duration::from_millis(100);
const RECORD_LIVES: Duration = Duration::from_millis(600);

/// Waits for a condition that must come true.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let waits = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// What the nodes share.
pub struct Ground {
    pub shared: support::Ground,
    pub registry: Arc<EmbeddedRegistry>,
    /// What the nodes use of it.
    pub registry_line: Arc<FaultyRegistry>,
    /// What the nodes use of the bus.
    pub bus_line: Arc<FaultyBus>,
    tenant: TenantId,
    budget: Budget,
}

/// An approved session.
pub struct Approved {
    pub id: SessionId,
    pub interview: InterviewId,
    pub tenant: TenantId,
    pub partition: u32,
}

impl Ground {
    pub async fn new() -> Self {
        let shared = support::ground().await;
        let tenant = shared.tenant(None).await;
        let registry = Arc::new(EmbeddedRegistry::new(clock::system()));
        let (registry_line, bus_line) = (FaultyRegistry::over(registry.clone()), FaultyBus::over(shared.bus.clone()));
        Self { shared, registry, registry_line, bus_line, tenant, budget: Budget::default() }
    }

    pub fn with_room_for(mut self, sessions: u32) -> Self {
        self.budget.sessions = sessions;
        self
    }

    /// An interview whose plan was approved.
    pub async fn session(&self) -> Approved {
        let interview = InterviewId::fresh();
        let mut tx = self.shared.store.tenant(self.tenant).await.unwrap();
        sqlx::query(
            "insert into interviews (id, tenant_id, state, brief, created_at, updated_at)
             values ($1, $2, 'APPROVED', $3, now(), now())",
        )
        .bind(interview.0)
        .bind(self.tenant.0)
        .bind(json!({
            "language": "en-US", "durationMinutes": 30, "candidate": { "name": "Jordan Ellis" },
            "position": { "title": "Backend Engineer" }, "skills": [{ "name": "Rust" }],
        }))
        .execute(tx.conn())
        .await
        .unwrap();
        sqlx::query(
            "insert into plans (tenant_id, interview_id, version, plan, created_at) values ($1, $2, 1, $3, now())",
        )
        .bind(self.tenant.0)
        .bind(interview.0)
        .bind(plan())
        .execute(tx.conn())
        .await
        .unwrap();
        let row = sessions::mint(&mut tx, interview, 1, PARTITIONS).await.unwrap();
        tx.commit().await.unwrap();
        Approved { id: row.id, interview, tenant: self.tenant, partition: row.partition }
    }

    pub async fn placement(&self, session: &Approved) -> placements::Placement {
        let mut tx = self.shared.store.system().await.unwrap();
        placements::read(&mut tx, session.id).await.unwrap()
    }

    pub async fn turns(&self, session: &Approved) -> Vec<Turn> {
        let mut tx = self.shared.store.tenant(self.tenant).await.unwrap();
        turns::of_interview(&mut tx, session.interview).await.unwrap()
    }

    /// A node whose share of the partitions has that one, beside `other`.
    pub async fn node_that_reads(&self, partition: u32, other: &TestNode) -> TestNode {
        self.node(&self.id_where(other, |reader, id| reader(partition) == *id)).await
    }

    /// A node whose share of the partitions has that one not, beside `other`.
    pub async fn node_that_does_not_read(&self, partition: u32, other: &TestNode) -> TestNode {
        self.node(&self.id_where(other, |reader, id| reader(partition) != *id)).await
    }

    /// A partition that `node` reads beside `other`.
    pub fn partition_of(&self, node: &TestNode, other: &TestNode) -> u32 {
        let shares = [Share::full(node.id()), Share::full(other.id())];
        let reads = |partition: &u32| reader_of(*partition, &shares) == Some(&node.id());
        (0..PARTITIONS).find(reads).expect("one of all")
    }

    fn id_where(&self, other: &TestNode, fits: impl Fn(&dyn Fn(u32) -> NodeId, &NodeId) -> bool) -> String {
        let ids = (0..1000).map(|n| format!("node-{n}"));
        let mut fitting = ids.filter(|id| {
            let id = NodeId(id.clone());
            let shares = [Share::full(id.clone()), Share::full(other.id())];
            fits(&|partition| reader_of(partition, &shares).unwrap().clone(), &id)
        });
        fitting.next().expect("one of a thousand")
    }

    /// A node that serves.
    pub async fn node(&self, id: &str) -> TestNode {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let clock = clock::system();
        let record = NodeRecord {
            id: NodeId(id.to_owned()),
            roles: vec!["interviewer".to_owned()],
            zone: None,
            version: "test".to_owned(),
            state: NodeState::Serving,
            rpc: listener.local_addr().unwrap().to_string(),
            load: 0,
            weight: 8,
            started_at: clock.utc(),
        };
        let parts = Parts {
            node: record.id.clone(),
            store: self.shared.store.clone(),
            bus: self.bus_line.clone(),
            registry: self.registry_line.clone(),
            clock: clock.clone(),
            observer: Observer::new(record.id.clone(), clock.clone()),
            rng: Arc::new(Mutex::new(StdRng::seed_from_u64(1))),
            pulse: Pulse::new(clock.clone()),
            quotas: Quotas::new(clock.clone()),
            asides: Asides::default(),
            senses: Senses {
                hears: Arc::new(ModemStt::default()),
                speaks: Arc::new(ModemTts::default().with_ms_per_char(8)),
                notices: Arc::new(EnergyVad),
                judges: Arc::new(ScriptedEndOfTurn::default()),
                thinks: Arc::new(PlanFollower),
            },
            settings: InterviewSettings {
                silence: Duration::from_secs(600),
                budget: self.budget.clone(),
                ..InterviewSettings::default()
            },
        };
        let quotas = parts.quotas.clone();
        self.registry.put_node(&record, RECORD_LIVES).await.unwrap();
        let stop = CancellationToken::new();
        let placement = Placement::start(parts.clone(), Peers::new(SECRET).unwrap(), stop.clone()).await.unwrap();
        let peer =
            InterviewerPeer::new(parts, placement.clone(), record.roles.clone(), None, Arc::new(|| NodeState::Serving));
        let serves = tokio::spawn(async move {
            let _ = rpc::serve(listener, Arc::new(peer), SECRET, std::future::pending()).await;
        });
        let (registry, beating, told) = (self.registry_line.clone(), placement.clone(), record.clone());
        let beats = tokio::spawn(async move {
            loop {
                let state = if beating.is_draining() { NodeState::Draining } else { NodeState::Serving };
                let record = NodeRecord { state, weight: beating.weight(), ..told.clone() };
                // it may be away
                let _ = registry.put_node(&record, RECORD_LIVES).await;
                tokio::time::sleep(BEAT).await;
            }
        });
        TestNode { placement, quotas, record, stop, serves, beats }
    }
}

/// A node.
pub struct TestNode {
    pub placement: Placement,
    pub quotas: Quotas,
    record: NodeRecord,
    stop: CancellationToken,
    serves: JoinHandle<()>,
    beats: JoinHandle<()>,
}

impl TestNode {
    pub fn id(&self) -> NodeId {
        self.record.id.clone()
    }

    pub async fn drain(&self) {
        self.placement.drain();
    }

    /// It beats no more and answers nobody; all else goes on.
    pub async fn falls_silent(&self) {
        self.beats.abort();
        self.serves.abort();
    }

    pub async fn stop(self) {
        self.beats.abort();
        self.serves.abort();
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.placement.stop()).await.expect("it stops");
    }
}

fn plan() -> serde_json::Value {
    let question = |n: usize| {
        json!({
            "id": format!("q{n}"), "text": format!("What did you do about problem number {n}?"), "difficulty": "APPLIED",
            "expectedSignals": ["names it"], "followUps": ["How did you know?"], "signalKeywords": [["lock"]],
        })
    };
    let questions: Vec<_> = (0..6).map(question).collect();
    json!({
        "sections": [{ "title": "Rust", "skill": "Rust", "minutes": 30, "questions": questions }],
        "rubric": [{ "skill": "Rust", "mustHave": true, "scale": [{ "score": 3, "shows": "It." }] }],
        "warnings": [], "writtenBy": "test",
    })
}
