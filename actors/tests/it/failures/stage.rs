//! One interview with its node, its candidate, and what can be seen of it.

use crate::support::{Ground, PATIENCE, ground};
use bytes::Bytes;
use maya_actors::{
    observe::Observer,
    parts::{InterviewSettings, Parts, Senses},
    placement::Placement,
    quota::Quotas,
    session::asides::Asides,
};
use maya_protocol::{
    audio::{AgentBody, AgentMessage, CandidateBody, CandidateMessage, Codec},
    bus::{SharedBus, StartAt},
    clock::{self, SharedClock},
    ids::{ConnectionId, InterviewId, NodeId, SessionId, TenantId, TurnId},
    interview::Speaker,
    pulse::Pulse,
    registry::{SharedRegistry, embedded::EmbeddedRegistry},
    rpc::Peers,
    session::Phase,
    topic::{Channel, Topic},
    tree::ActorView,
};
use maya_providers::{
    plan_follower::PlanFollower,
    testing::{EnergyVad, ModemStt, ModemTts, ScriptedEndOfTurn, modem},
};
use maya_store::{Store, sessions, turns};
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// What an interview is made of; a row replaces what it breaks.
pub struct Cast {
    pub ground: Ground,
    /// As the node reaches it.
    pub store: Option<Store>,
    pub bus: Option<SharedBus>,
    pub registry: SharedRegistry,
    pub clock: SharedClock,
    pub senses: Senses,
    pub settings: InterviewSettings,
}

impl Cast {
    /// All is well.
    pub async fn new() -> Self {
        Self::new_on(ground().await).await
    }

    /// All is well, on that ground.
    pub async fn new_on(ground: Ground) -> Self {
        let clock = clock::system();
        Self {
            ground,
            store: None,
            bus: None,
            registry: Arc::new(EmbeddedRegistry::new(clock.clone())),
            clock,
            senses: Senses {
                hears: Arc::new(ModemStt::default()),
                speaks: Arc::new(ModemTts::default()),
                notices: Arc::new(EnergyVad),
                judges: Arc::new(ScriptedEndOfTurn::default()),
                thinks: Arc::new(PlanFollower),
            },
            // what is not failing is patient: the machine may be busy
            settings: InterviewSettings {
                silence: PATIENCE,
                filler: PATIENCE,
                holding: PATIENCE,
                final_words: PATIENCE,
                ..InterviewSettings::default()
            },
        }
    }

    /// The curtain rises: the node runs, the candidate joins, and has heard the first question.
    pub async fn play(self) -> Stage {
        let stage = self.set().await;
        stage.join().await;
        stage.listening(1).await;
        assert_eq!(stage.heard(), ["Hello.", "Question one?"]);
        stage.forget();
        stage
    }

    /// The node runs; nobody has joined.
    pub async fn set(self) -> Stage {
        let tenant = self.ground.tenant(None).await;
        let (interview, session, partition) = approve(&self.ground.store, tenant).await;
        self.with(tenant, interview, session, partition, false).await
    }

    /// The node runs, and finds a session in the database that was another's; its candidate is connected.
    pub async fn find(self) -> Stage {
        let mut tx = self.ground.store.system().await.unwrap();
        let (tenant, interview, session, partition): (uuid::Uuid, uuid::Uuid, uuid::Uuid, i32) =
            sqlx::query_as("select tenant_id, interview_id, session_id, partition from placements")
                .fetch_one(tx.conn())
                .await
                .unwrap();
        drop(tx);
        self.with(TenantId(tenant), InterviewId(interview), SessionId(session), partition as u32, true).await
    }

    async fn with(
        self,
        tenant: TenantId,
        interview: InterviewId,
        session: SessionId,
        partition: u32,
        connected: bool,
    ) -> Stage {
        let node = NodeId::fresh();
        let parts = Parts {
            node: node.clone(),
            store: self.store.unwrap_or_else(|| self.ground.store.clone()),
            bus: self.bus.unwrap_or_else(|| self.ground.bus.clone()),
            registry: self.registry,
            clock: self.clock.clone(),
            observer: Observer::new(node, self.clock.clone()),
            rng: Arc::new(Mutex::new(StdRng::seed_from_u64(1))),
            pulse: Pulse::new(self.clock.clone()),
            quotas: Quotas::new(self.clock),
            asides: Asides::default(),
            senses: self.senses,
            settings: self.settings,
        };
        let stop = CancellationToken::new();
        let told = listen(&self.ground, session, partition, stop.clone()).await;
        let connection = ConnectionId::fresh();
        let stream = AtomicU64::new(0);
        if connected {
            stream.store(connect(&parts.registry, session, connection).await, Ordering::SeqCst);
        }
        let placement = Placement::start(parts.clone(), Peers::new("s3cret").unwrap(), stop.clone()).await.unwrap();
        Stage {
            ground: self.ground,
            parts,
            placement,
            tenant,
            interview,
            session,
            partition,
            connection,
            stream,
            sequence: AtomicU64::new(0),
            told,
            stop,
        }
    }
}

/// The interview, as its row sees it.
pub struct Stage {
    pub ground: Ground,
    pub parts: Parts,
    pub placement: Placement,
    pub tenant: TenantId,
    pub interview: InterviewId,
    pub session: SessionId,
    pub partition: u32,
    connection: ConnectionId,
    stream: AtomicU64,
    sequence: AtomicU64,
    told: Arc<Mutex<Told>>,
    stop: CancellationToken,
}

/// What was sent to the candidate.
#[derive(Default)]
struct Told {
    sentences: Vec<Sentence>,
    phases: Vec<Phase>,
    finals: Vec<(TurnId, String)>,
}
struct Sentence {
    id: (u64, u32, u32),
    text: String,
    pcm: Vec<u8>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Stage {
    pub async fn join(&self) {
        let generation = connect(&self.parts.registry, self.session, self.connection).await;
        self.stream.store(generation, Ordering::SeqCst);
        self.send(CandidateBody::Joined).await;
        self.send(CandidateBody::AudioStart { codec: Codec::Linear16, sample_rate: 16_000 }).await;
    }

    /// Says something, at once, and then is silent for longer than any pause.
    pub async fn say(&self, text: &str) {
        self.sound(&sound(text)).await;
    }

    /// The same at the pace of speech, so that what takes time may happen meanwhile.
    pub async fn say_slowly(&self, text: &str) {
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        for piece in sound(text).chunks(1_600) {
            pace.tick().await;
            self.sound(piece).await;
        }
    }

    /// Any sound.
    pub async fn sound(&self, pcm: &[i16]) {
        for piece in pcm.chunks(1_600) {
            let data: Bytes = piece.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            self.send(CandidateBody::Audio { codec: Codec::Linear16, sample_rate: 16_000, data }).await;
        }
    }

    pub async fn send(&self, body: CandidateBody) {
        let message = CandidateMessage {
            session: self.session,
            tenant: self.tenant,
            partition: self.partition,
            connection: self.connection,
            stream: self.stream.load(Ordering::SeqCst),
            sequence: self.sequence.fetch_add(1, Ordering::SeqCst),
            captured_at: self.ground.store.clock().utc(),
            trace: None,
            body,
        };
        self.ground.bus.publish(message.to_record()).await.unwrap();
    }

    /// Says it, and waits for its final transcript and for the floor.
    pub async fn answer(&self, text: &str) {
        self.say(text).await;
        self.replied(text).await;
    }

    /// Waits for the final transcript of an answer, and for the floor after the reply.
    pub async fn replied(&self, text: &str) {
        self.finalised(text).await;
        self.until(|told| told.phases.last() == Some(&Phase::Listening) && !told.sentences.is_empty()).await;
    }

    /// Waits for the final transcript of an answer.
    pub async fn finalised(&self, text: &str) {
        self.until(|told| told.finals.iter().any(|(_, known)| known == text)).await;
    }

    /// Waits until the candidate was told so many times that the floor is theirs.
    pub async fn listening(&self, times: usize) {
        self.until(|told| told.phases.iter().filter(|phase| **phase == Phase::Listening).count() >= times).await;
    }

    /// Waits until a line was heard.
    pub async fn hears(&self, line: &str) {
        let heard = async {
            while !self.heard().iter().any(|known| known.contains(line)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        heard.unwrap_or_else(|_| panic!("{line:?} was not heard; {:?} was", self.heard()));
    }

    async fn until(&self, so: impl Fn(&Told) -> bool) {
        let waiting = async {
            while !so(&self.told.lock()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let told = self.told.lock();
            panic!("not so: phases {:?}, finals {:?}, heard {:?}", told.phases, told.finals, told.lines());
        }
    }

    /// What was said to the candidate, sentence by sentence: the words that its sound carries; `(shown)` before those
    /// without sound, `(aside)` before what is no turn's.
    pub fn heard(&self) -> Vec<String> {
        self.told.lock().lines()
    }

    /// Forgets what was heard and told so far.
    pub fn forget(&self) {
        let mut told = self.told.lock();
        told.sentences.clear();
        told.phases.clear();
    }

    /// The phases that the candidate was told of.
    pub fn phases(&self) -> Vec<Phase> {
        self.told.lock().phases.clone()
    }

    /// The final words of the candidate, as they were told: each utterance once, as the page shows them.
    pub fn finals(&self) -> Vec<String> {
        self.told.lock().finals.iter().map(|(_, text)| text.clone()).collect()
    }

    /// The transcript in the database.
    pub async fn kept(&self) -> Vec<String> {
        let mut tx = self.ground.store.tenant(self.tenant).await.unwrap();
        let turns = turns::of_interview(&mut tx, self.interview).await.unwrap();
        let name = |speaker| if speaker == Speaker::Maya { "maya" } else { "candidate" };
        turns.iter().map(|turn| format!("{}: {}", name(turn.speaker), turn.text)).collect()
    }

    /// The session in the node's tree.
    pub fn shown(&self) -> ActorView {
        let node = self.node();
        let session = node.children.into_iter().rfind(|child| child.kind == "session");
        session.expect("the session is in the tree")
    }

    /// Its ear.
    pub fn ear(&self) -> ActorView {
        let ear = self.shown().children.into_iter().rfind(|child| child.kind == "speech_to_text");
        ear.expect("the ear is in the tree")
    }

    /// The node.
    pub fn node(&self) -> ActorView {
        self.parts.observer.tree().expect("the node is in the tree")
    }
}

/// A socket as an edge registers it; answers with its generation.
async fn connect(registry: &SharedRegistry, session: SessionId, connection: ConnectionId) -> u64 {
    let edge = NodeId::fresh();
    let put = registry.put_socket(session, &edge, connection, Duration::from_secs(3600));
    put.await.expect("the registry is there").0
}

/// Why something failed last, as the tree shows it.
pub fn failure(view: &ActorView) -> String {
    view.last_failure.as_ref().map(|failure| failure.reason.clone()).unwrap_or_default()
}

/// Speech with the silence that ends it.
pub fn sound(text: &str) -> Vec<i16> {
    let mut pcm = modem::encode(text, 16_000, modem::MS_PER_CHARACTER);
    pcm.extend(modem::silence(16_000, 3_000));
    pcm
}

impl Told {
    fn lines(&self) -> Vec<String> {
        let line = |sentence: &Sentence| {
            let pcm: Vec<i16> = sentence.pcm.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
            let words = if pcm.is_empty() {
                format!("(shown) {}", sentence.text)
            } else {
                let heard = modem::decode(&pcm, 24_000);
                assert_eq!(heard, sentence.text, "what is heard is what is shown");
                heard
            };
            if TurnId(sentence.id.1).is_aside() { format!("(aside) {words}") } else { words }
        };
        self.sentences.iter().filter(|sentence| !sentence.text.is_empty()).map(line).collect()
    }

    fn take(&mut self, message: AgentMessage) {
        match message.body {
            AgentBody::State { phase, .. } => self.phases.push(phase),
            AgentBody::Transcript { utterance_id, text, r#final: true } => {
                // nobody here tells what was written: some are told again, with the same words
                let told = (utterance_id, text);
                let known = self.finals.contains(&told);
                self.finals.extend((!known).then_some(told));
            }
            AgentBody::Speech { turn_id, sentence, text, pcm, part, .. } => {
                let id = (message.epoch.0, turn_id.0, sentence);
                // a part 0 begins a sentence, also one that is said again
                match self.sentences.last_mut().filter(|known| known.id == id && part > 0) {
                    Some(known) => known.pcm.extend_from_slice(&pcm),
                    None => self.sentences.push(Sentence { id, text, pcm: pcm.to_vec() }),
                }
            }
            _ => {}
        }
    }
}

/// Reads what edges would.
async fn listen(ground: &Ground, session: SessionId, partition: u32, stop: CancellationToken) -> Arc<Mutex<Told>> {
    let told: Arc<Mutex<Told>> = Arc::default();
    for topic in [Topic::AgentSpoken, Topic::CandidateTranscribed] {
        let mut reader = ground.bus.reader(Channel::Main(topic)).await.unwrap();
        reader.assign(partition, StartAt::Latest).await.unwrap();
        let (told, stop) = (told.clone(), stop.clone());
        tokio::spawn(async move {
            loop {
                let delivery = tokio::select! {
                    () = stop.cancelled() => return,
                    delivery = reader.next() => delivery,
                };
                let Ok(delivery) = delivery else { return };
                if let Ok(message) = AgentMessage::from_record(&delivery.record)
                    && message.session == session
                {
                    told.lock().take(message);
                }
            }
        });
    }
    told
}

/// An approved interview with its plan and its session, as the gateway leaves it.
async fn approve(store: &Store, tenant: TenantId) -> (InterviewId, SessionId, u32) {
    let interview = InterviewId::fresh();
    let question = |n: &str| {
        json!({ "id": n, "text": format!("Question {n}?"), "difficulty": "APPLIED", "expectedSignals": [],
                "followUps": [], "signalKeywords": [] })
    };
    let questions = [question("one"), question("two"), question("three")];
    let plan =
        json!({ "sections": [{ "title": "All", "skill": null, "minutes": 30, "questions": questions }], "rubric": [] });
    let brief = json!({ "candidate": { "name": "Ada" }, "position": { "title": "Engineer" }, "language": "en-US",
                        "durationMinutes": 30 });
    let mut tx = store.tenant(tenant).await.unwrap();
    sqlx::query(
        "with new as (
             insert into interviews (id, tenant_id, state, brief, created_at, updated_at)
             values ($1, $2, 'APPROVED', $3, now(), now())
         )
         insert into plans (tenant_id, interview_id, version, plan, created_at) values ($2, $1, 1, $4, now())",
    )
    .bind(interview.0)
    .bind(tenant.0)
    .bind(brief)
    .bind(plan)
    .execute(tx.conn())
    .await
    .unwrap();
    let session = sessions::mint(&mut tx, interview, 1, 100).await.unwrap();
    sessions::keep_opening(&mut tx, session.id, &["Hello.".to_owned(), "Question one?".to_owned()]).await.unwrap();
    tx.commit().await.unwrap();
    (interview, session.id, session.partition)
}
