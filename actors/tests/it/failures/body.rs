//! The actors themselves fail: they fall, or they freeze.

use super::stage::{Cast, Stage, failure};
use crate::{faulty::FaultyBus, support::PATIENCE};
use maya_actors::{observe::Observer, placement::Placement};
use maya_protocol::{ids::NodeId, pulse::Pulse, registry::NodeRecord, rpc::Peers, tree::NodeState};
use maya_providers::{
    llm::LanguageModel,
    plan_follower::PlanFollower,
    testing::{EnergyVad, Fault, Faults, FaultyLlm, Latency, ModemStt, ModemTts},
    vad::{FRAME, VoiceActivity, VoiceDetector},
};
use maya_testkit::eventually;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

const ANSWER: &str = "I looked at the numbers first, and then at the people.";
/// Short, and far longer than any handler takes.
const FROZEN: Duration = Duration::from_millis(500);

/// The answer was kept once, word for word, and the next question was heard.
async fn nothing_is_lost(stage: &Stage) {
    stage.replied(ANSWER).await;
    assert!(stage.heard().last().is_some_and(|line| line == "Question two?"), "{:?}", stage.heard());
    let kept = stage.kept().await;
    assert_eq!(kept[1], format!("candidate: {ANSWER}"));
    assert_eq!((kept.len(), stage.finals()), (3, vec![ANSWER.to_owned()]));
}

#[tokio::test]
async fn a_session_that_panics_is_rebuilt_from_its_turns_and_hears_again_what_it_had_not_kept() {
    let mut cast = Cast::new().await;
    let bus = FaultyBus::over(cast.ground.bus.clone());
    cast.bus = Some(bus.clone());
    let stage = cast.play().await;
    // the next thing it says is a caption of what it hears: it falls in the middle of the answer
    bus.panics_once();
    stage.say(ANSWER).await;
    nothing_is_lost(&stage).await;
    let (node, session) = (stage.node(), stage.shown());
    assert_eq!((node.restarts, session.restarts, session.session.as_ref().unwrap().epoch.0), (1, 1, 2));
    assert!(failure(&session).contains("scripted panic"), "{}", failure(&session));
}

/// A detector that panics once, some frames into a sound.
struct Stumbles(Arc<AtomicU32>);
struct Stumbling(Arc<AtomicU32>, Box<dyn VoiceDetector>);

impl VoiceActivity for Stumbles {
    fn start(&self) -> Box<dyn VoiceDetector> {
        Box::new(Stumbling(self.0.clone(), EnergyVad.start()))
    }
}
impl VoiceDetector for Stumbling {
    fn probability(&mut self, frame: &[i16; FRAME]) -> f32 {
        let probability = self.1.probability(frame);
        let loud = probability > 0.5;
        assert!(!(loud && self.0.fetch_add(1, Ordering::SeqCst) == 12), "scripted panic");
        probability
    }
}

#[tokio::test]
async fn an_ear_that_falls_in_the_middle_of_a_sentence_costs_no_word() {
    let mut cast = Cast::new().await;
    cast.senses.notices = Arc::new(Stumbles(Arc::default()));
    let stage = cast.play().await;
    stage.say(ANSWER).await;
    nothing_is_lost(&stage).await;
    assert_eq!((stage.ear().restarts, stage.shown().restarts), (1, 0));
    assert!(failure(&stage.ear()).contains("scripted panic"), "{}", failure(&stage.ear()));
}

#[tokio::test]
async fn an_ear_that_falls_again_and_again_is_its_sessions_failure_and_then_the_nodes() {
    /// Panics at every loud frame.
    struct Hopeless;
    struct Lost(Box<dyn VoiceDetector>);
    impl VoiceActivity for Hopeless {
        fn start(&self) -> Box<dyn VoiceDetector> {
            Box::new(Lost(EnergyVad.start()))
        }
    }
    impl VoiceDetector for Lost {
        fn probability(&mut self, frame: &[i16; FRAME]) -> f32 {
            let probability = self.0.probability(frame);
            assert!(probability < 0.5, "scripted panic");
            probability
        }
    }
    let mut cast = Cast::new().await;
    cast.senses.notices = Arc::new(Hopeless);
    let stage = cast.play().await;
    stage.say(ANSWER).await;
    // the interview ends in good order, with its reason, and its turns are kept
    let outcome = eventually(PATIENCE, || async {
        let mut tx = stage.ground.store.system().await.unwrap();
        let events = "select convert_from(payload, 'utf8') from outbox where topic = 'interview.completed'";
        sqlx::query_scalar::<_, String>(events).fetch_optional(tx.conn()).await.unwrap()
    })
    .await;
    assert!(outcome.contains("FAILED") && outcome.contains("session_failed"), "{outcome}");
    assert_eq!(stage.kept().await, ["maya: Hello. Question one?"]);
    assert_eq!(stage.node().restarts, 6, "rebuilt five times, then given up");
}

#[tokio::test]
async fn a_frozen_ear_is_replaced_and_costs_no_word() {
    let mut cast = Cast::new().await;
    cast.senses.hears = Arc::new(ModemStt::default().with_faults(Faults::none().on_call(0, Fault::Hang)));
    cast.settings.stream_opens = Duration::from_secs(3600);
    cast.settings.frozen = FROZEN;
    let stage = cast.play().await;
    stage.say(ANSWER).await;
    nothing_is_lost(&stage).await;
    assert_eq!((stage.ear().restarts, failure(&stage.ear())), (1, "frozen".to_owned()));
    assert_eq!(failure(&stage.shown()), "the ear fell: frozen");
}

#[tokio::test]
async fn a_frozen_mind_is_replaced_by_the_plan() {
    let mut cast = Cast::new().await;
    let faults = Faults::none().on_call(0, Fault::Hang);
    let model: Arc<dyn LanguageModel> = Arc::new(FaultyLlm::new(PlanFollower, Latency::default(), faults));
    cast.senses.thinks = model;
    cast.settings.first_token = Duration::from_secs(3600);
    cast.settings.frozen = FROZEN;
    let stage = cast.play().await;
    stage.say(ANSWER).await;
    nothing_is_lost(&stage).await;
    assert_eq!(failure(&stage.shown()), "the mind fell: frozen");
}

#[tokio::test]
async fn a_frozen_voice_leaves_its_sentence_to_be_read() {
    let mut cast = Cast::new().await;
    let faults = Faults::none();
    cast.senses.speaks = Arc::new(ModemTts::default().with_faults(faults.clone()));
    cast.settings.first_audio = Duration::from_secs(3600);
    cast.settings.frozen = FROZEN;
    let stage = cast.play().await;
    faults.on_next_call(Fault::Hang);
    stage.say(ANSWER).await;
    stage.replied(ANSWER).await;
    let heard = stage.heard();
    assert!(heard[0].starts_with("(shown) ") && heard.len() > 1, "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("Question two?"));
    assert!(failure(&stage.shown()).ends_with("has no voice: frozen"), "{}", failure(&stage.shown()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_frozen_session_is_killed_and_rebuilt() {
    let mut cast = Cast::new().await;
    let bus = FaultyBus::over(cast.ground.bus.clone());
    cast.bus = Some(bus.clone());
    cast.settings.frozen = Duration::from_millis(1_500);
    let stage = cast.play().await;
    bus.blocks(true);
    stage.say(ANSWER).await;
    // it is found, and can be killed as soon as it lets go of its thread
    eventually(PATIENCE, || async { (stage.shown().oldest_ms > 2_000).then_some(()) }).await;
    bus.blocks(false);
    nothing_is_lost(&stage).await;
    assert_eq!((stage.node().restarts, stage.shown().restarts), (1, 1));
    assert_eq!(failure(&stage.shown()), "frozen");
    assert_eq!(stage.parts.pulse.lost(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_holds_its_thread_for_good_costs_the_node_its_lease() {
    let mut cast = Cast::new().await;
    let bus = FaultyBus::over(cast.ground.bus.clone());
    cast.bus = Some(bus.clone());
    cast.settings.frozen = FROZEN;
    cast.settings.lease = Duration::from_secs(1);
    let stage = cast.play().await;
    bus.blocks(true);
    stage.say(ANSWER).await;
    let lost = eventually(PATIENCE, || async { stage.parts.pulse.lost() }).await;
    assert!(lost.starts_with("session ") && lost.ends_with("cannot be killed"), "{lost}");
    assert_eq!(failure(&stage.node()), lost);
    // its lease runs out, and a node that works takes the session over
    let mut parts = stage.parts.clone();
    parts.node = NodeId::fresh();
    parts.bus = stage.ground.bus.clone();
    parts.observer = Observer::new(parts.node.clone(), parts.clock.clone());
    parts.pulse = Pulse::new(parts.clock.clone());
    let stop = CancellationToken::new();
    let other = Placement::start(parts, Peers::new("s3cret").unwrap(), stop.clone()).await.unwrap();
    nothing_is_lost(&stage).await;
    assert_eq!(other.sessions(), 1);
    stop.cancel();
    bus.blocks(false);
}

#[tokio::test]
async fn a_node_whose_reader_falls_is_not_whole_and_says_so() {
    let mut cast = Cast::new().await;
    let bus = FaultyBus::over(cast.ground.bus.clone());
    cast.bus = Some(bus.clone());
    let stage = cast.play().await;
    bus.reading_panics_once();
    stage.say(ANSWER).await;
    let lost = eventually(PATIENCE, || async { stage.parts.pulse.lost() }).await;
    assert_eq!(lost, "the reader of this node fell");
    assert_eq!(failure(&stage.node()), "the reader fell");
}

#[tokio::test]
async fn a_node_whose_reader_hangs_gives_up_its_heartbeat() {
    let mut cast = Cast::new().await;
    let bus = FaultyBus::over(cast.ground.bus.clone());
    cast.bus = Some(bus.clone());
    cast.settings.frozen = FROZEN;
    let stage = cast.play().await;
    assert_eq!(stage.parts.pulse.stopped(), None);
    bus.leaving_hangs();
    // another node is to read what this one reads
    let other = NodeRecord {
        id: NodeId::fresh(),
        roles: vec!["interviewer".to_owned()],
        zone: None,
        version: String::new(),
        state: NodeState::Serving,
        rpc: String::new(),
        load: 0,
        weight: 8,
        started_at: stage.parts.clock.utc(),
    };
    stage.parts.registry.put_node(&other, Duration::from_secs(60)).await.unwrap();
    let why = eventually(PATIENCE, || async { stage.parts.pulse.stopped() }).await;
    assert!(why.starts_with("no progress of the reader"), "{why}");
    assert_eq!(stage.parts.pulse.lost(), None, "it may come back");
}
