//! A gateway of one test, and how it is spoken to.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use maya_gateway::{
    AppState, GatewaySettings, Parts,
    auth::Role,
    keys,
    sealed::Sealing,
    tenants::{self, Created},
};
use maya_protocol::{
    bus::{Bus, Record, SharedBus, TopicSettings, embedded::EmbeddedBus},
    clock::{self, SharedClock},
    event::{Event, Payload, PlanCreated, PlanOutcome},
    ids::{InterviewId, NodeId, SessionId, TurnId},
    interview::{Speaker, Turn},
    join::JoinKey,
    plan::{Difficulty, Plan, Question, Section},
    registry::embedded::EmbeddedRegistry,
    rpc::Peers,
};
use maya_store::{
    Store, StoreSettings,
    fenced::{BatchId, Owner, Writes},
    inbox, placements,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;

pub const JWT_SECRET: &str = "a secret of at least thirty-two bytes";
pub const INTERVIEWS: &str = "/api/v1/integration/interviews";
/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Api {
    pub state: AppState,
    pub store: Store,
    pub bus: SharedBus,
    pub registry: Arc<EmbeddedRegistry>,
    pub clock: SharedClock,
    pub tenant: Created,
    router: Router,
    _stop: DropGuard,
    _dir: tempfile::TempDir,
}

/// What the gateway answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}
impl Answer {
    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {self:?}")).to_owned()
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        self
    }
    /// The paths of the wrong fields.
    pub fn wrong(&self) -> Vec<&str> {
        self.body["errors"]
            .as_array()
            .map_or_else(Vec::new, |errors| errors.iter().map(|error| error["field"].as_str().unwrap()).collect())
    }
}

impl Api {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub async fn start_with(change: impl FnOnce(&mut GatewaySettings)) -> Self {
        Self::start_from(|parts| change(&mut parts.settings)).await
    }

    pub async fn start_from(change: impl FnOnce(&mut Parts)) -> Self {
        let url = maya_testkit::postgres().await.fresh_database().await;
        let clock = clock::system();
        let store = Store::connect(&StoreSettings::new(url), clock.clone()).await.unwrap();
        store.migrate().await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let bus = EmbeddedBus::open(dir.path(), TopicSettings::default(), clock.clone()).unwrap();
        bus.ensure_topics(true).await.unwrap();
        let registry = Arc::new(EmbeddedRegistry::new(clock.clone()));
        let mut settings = GatewaySettings::new("http://127.0.0.1:8080".parse().unwrap());
        settings.jwt.hs256_secret = Some(JWT_SECRET.to_owned());
        let sealing = Sealing::new([7; 32]);
        let tenant = tenants::create(&store, &sealing, "Acme", None).await.unwrap();
        let mut parts = Parts {
            store: store.clone(),
            bus: bus.clone(),
            registry: registry.clone(),
            clock: clock.clone(),
            settings,
            join_key: JoinKey::new(b"a join key of thirty-two bytes..."),
            sealing,
            peers: Peers::new("secret").unwrap(),
            own: None,
            embedder: None,
            blobs: None,
            readiness: Arc::new(|| Box::pin(async { Vec::new() })),
        };
        change(&mut parts);
        let state = AppState::new(parts);
        let stop = CancellationToken::new();
        for handler in maya_gateway::handlers(state.clone()) {
            tokio::spawn(inbox::run(store.clone(), bus.clone(), handler, stop.clone()));
        }
        let router = maya_gateway::router(state.clone());
        Self { state, store, bus, registry, clock, tenant, router, _stop: stop.drop_guard(), _dir: dir }
    }

    /// A key of the tenant with that role.
    pub async fn key(&self, role: Role) -> String {
        keys::create(&self.store, self.tenant.tenant_id, "test", role).await.unwrap().api_key
    }

    /// Another tenant of this platform.
    pub async fn other_tenant(&self) -> Created {
        tenants::create(&self.store, &self.state.sealing, "Other", None).await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Only the head of the answer: a stream has no end.
    pub async fn head(&self, request: Request<Body>) -> (StatusCode, Body) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        (response.status(), response.into_body())
    }

    pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match body {
            Some(body) => {
                request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
            }
            None => request.body(Body::empty()).unwrap(),
        }
    }

    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let mut all = vec![("x-api-key", self.tenant.api_key.as_str())];
        all.extend_from_slice(headers);
        self.send(Self::request(method, path, &all, body.as_ref())).await
    }
    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], None).await
    }
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, &[], Some(body)).await
    }
    /// A POST without a body.
    pub async fn act(&self, path: &str) -> Answer {
        self.call("POST", path, &[], None).await
    }

    /// Waits until the interview is in that state.
    pub async fn until(&self, id: &str, state: &str) -> Answer {
        maya_testkit::eventually(PATIENCE, || async move {
            let answer = self.get(&format!("{INTERVIEWS}/{id}")).await;
            (answer.body["state"] == state).then_some(answer)
        })
        .await
    }

    /// Publishes what another part would.
    pub async fn tell(&self, payload: impl Into<Payload>) {
        let event = Event::new(self.tenant.tenant_id, self.clock.utc(), payload);
        let record = Record {
            channel: event.topic().into(),
            key: event.key(),
            partition: None,
            headers: event.headers(),
            payload: event.json(),
        };
        self.bus.publish(record).await.unwrap();
    }

    /// An interview whose plan awaits a person.
    pub async fn planned(&self) -> String {
        let created = self.post(INTERVIEWS, complete()).await.expect(201);
        let version = created.body["version"].as_i64().unwrap();
        self.tell(planned(&created.id(), version)).await;
        self.until(&created.id(), "PENDING").await;
        created.id()
    }

    /// An interview with a session, and that session's id.
    pub async fn approved(&self) -> (String, SessionId) {
        let id = self.planned().await;
        self.act(&format!("{INTERVIEWS}/{id}/plan/approve")).await.expect(200);
        let session = self.act(&format!("{INTERVIEWS}/{id}/session")).await.expect(200);
        (id, session.body["sessionId"].as_str().unwrap().parse().unwrap())
    }

    /// Records turns as the session's owner does.
    pub async fn say(&self, session: SessionId, said: &[(Speaker, &str)]) {
        let mut tx = self.store.system().await.unwrap();
        let placement = placements::read(&mut tx, session).await.unwrap();
        let epoch =
            placements::claim(&mut tx, session, placement.epoch, &NodeId::fresh()).await.unwrap().unwrap().epoch;
        tx.commit().await.unwrap();
        let (tenant, interview) = (self.tenant.tenant_id, placement.interview);
        let owner = Owner { tenant, interview, session, epoch };
        let mut writes = Writes::new(owner);
        for (n, (speaker, text)) in said.iter().enumerate() {
            let turn = Turn {
                turn_id: TurnId(n as u32),
                speaker: *speaker,
                text: (*text).to_owned(),
                started_at: self.clock.utc(),
                ended_at: self.clock.utc(),
                context: Default::default(),
            };
            writes.turn(&turn, self.clock.utc());
        }
        let mut tx = self.store.fenced(owner, BatchId::fresh()).await.unwrap();
        tx.write(&writes).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// A body in which nothing is missing.
pub fn complete() -> Value {
    json!({
        "externalId": "ats-4711", "language": "en-US", "durationMinutes": 30, "expiresAt": "2099-12-31T00:00:00Z",
        "candidate": {"name": "Ada Lovelace", "email": "ada@example.com", "resume": "Wrote the first program."},
        "position": {"title": "Engineer", "level": "SENIOR", "description": "Builds engines."},
        "skills": [{"name": "Rust", "level": "SENIOR", "mustHave": true}], "metadata": {"team": "engines"}
    })
}

pub fn plan(minutes: u32) -> Plan {
    let question = |id: &str| Question {
        id: id.into(),
        text: "How do you test?".into(),
        difficulty: Difficulty::Applied,
        expected_signals: vec!["property tests".into()],
        follow_ups: vec!["Which ones?".into()],
        signal_keywords: vec![],
    };
    Plan {
        sections: vec![Section {
            title: "Rust".into(),
            skill: Some("Rust".into()),
            minutes,
            questions: vec![question("q1"), question("q2")],
        }],
        rubric: vec![],
        warnings: vec![],
        written_by: "test/1".into(),
    }
}

/// The planner's answer.
pub fn planned(id: &str, version: i64) -> PlanCreated {
    PlanCreated {
        interview_id: interview(id),
        interview_version: version,
        outcome: PlanOutcome::Planned { plan: plan(30) },
    }
}

pub fn interview(id: &str) -> InterviewId {
    id.parse().unwrap()
}
