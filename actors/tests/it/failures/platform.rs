//! What a node stands on fails.

use super::{
    ground::{JumpingClock, Line},
    stage::{Cast, failure},
};
use crate::{
    faulty::{FaultyBus, FaultyRegistry},
    support::{Ground, PATIENCE},
};
use chrono::TimeDelta;
use maya_protocol::{clock, registry::embedded::EmbeddedRegistry, session::Phase};
use maya_providers::{
    plan_follower::PlanFollower,
    testing::{Faults, FaultyLlm, Latency},
};
use maya_store::{Store, StoreSettings};
use maya_testkit::eventually;
use nix::sys::resource::{Resource, setrlimit};
use std::{os::unix::process::ExitStatusExt, process::Stdio, sync::Arc, time::Duration};

#[tokio::test]
async fn without_a_registry_the_interview_goes_on_and_nobody_takes_it_over() {
    let registry = FaultyRegistry::over(Arc::new(EmbeddedRegistry::new(clock::system())));
    let mut cast = Cast::new().await;
    cast.registry = registry.clone();
    cast.settings.lease = Duration::from_millis(600);
    let stage = cast.play().await;
    let owner = stage.parts.registry.owner(stage.session).await.unwrap().expect("it has a lease");
    registry.away(true);
    stage.answer("I did it without.").await;
    assert!(stage.heard().last().is_some_and(|line| line == "Question two?"), "{:?}", stage.heard());
    eventually(PATIENCE, || async { failure(&stage.node()).contains("scripted absence").then_some(()) }).await;
    registry.away(false);
    stage.forget();
    stage.answer("And with it.").await;
    assert!(stage.heard().last().is_some_and(|line| line == "Question three?"), "{:?}", stage.heard());
    assert_eq!(stage.kept().await.len(), 5);
    // the same owner, whose lease is told as soon as there is somebody to tell
    let told = eventually(PATIENCE, || async { stage.parts.registry.owner(stage.session).await.unwrap() }).await;
    assert_eq!(told, owner);
    assert_eq!((stage.shown().restarts, stage.placement.sessions()), (0, 1));
}

#[tokio::test]
async fn without_a_bus_the_session_waits_and_says_again_what_was_cut() {
    let mut cast = Cast::new().await;
    let bus = FaultyBus::over(cast.ground.bus.clone());
    cast.bus = Some(bus.clone());
    // time to lose the bus between the answer and the reply
    let slow = Latency { first: Duration::from_millis(700), between: Duration::ZERO };
    cast.senses.thinks = Arc::new(FaultyLlm::new(PlanFollower, slow, Faults::none()));
    let stage = cast.play().await;
    stage.say("I did it by hand.").await;
    stage.finalised("I did it by hand.").await;
    bus.away(true);
    eventually(PATIENCE, || async { (stage.shown().phase == "suspended").then_some(()) }).await;
    assert!(failure(&stage.shown()).contains("scripted absence"), "{}", failure(&stage.shown()));
    assert!(stage.heard().is_empty(), "{:?}", stage.heard());
    // what is said meanwhile waits in the log, or at its edge
    bus.away(false);
    stage.replied("I did it by hand.").await;
    let heard = stage.heard();
    assert!(heard.last().is_some_and(|line| line == "Question two?"), "{heard:?}");
    let kept = stage.kept().await;
    assert_eq!(kept[1..], ["candidate: I did it by hand.".to_owned(), format!("maya: {}", heard.join(" "))]);
}

#[tokio::test]
async fn a_clock_that_jumps_changes_nothing() {
    let clock = Arc::new(JumpingClock::default());
    let mut cast = Cast::new().await;
    cast.clock = clock.clone();
    let stage = cast.play().await;
    clock.jump(TimeDelta::hours(5));
    stage.answer("Forward.").await;
    assert!(stage.heard().last().is_some_and(|line| line == "Question two?"), "{:?}", stage.heard());
    stage.forget();
    clock.jump(TimeDelta::hours(-9));
    stage.answer("And back.").await;
    assert!(stage.heard().last().is_some_and(|line| line == "Question three?"), "{:?}", stage.heard());
    let live = stage.parts.registry.live(stage.session).await.unwrap().expect("it is told");
    assert!(live.remaining_seconds > 25 * 60, "interview time is time used: {live:?}");
    let kept = stage.kept().await;
    assert_eq!(kept.len(), 5);
    assert_eq!((&kept[1], &kept[3]), (&"candidate: Forward.".to_owned(), &"candidate: And back.".to_owned()));
    assert_eq!((stage.shown().restarts, failure(&stage.shown())), (0, String::new()));
}

/// A cast whose database is behind a line that can be cut.
async fn behind_a_line() -> (Cast, Line) {
    let mut cast = Cast::new().await;
    let line = Line::to(&cast.ground.url).await;
    let settings = StoreSettings { acquire_timeout: Duration::from_secs(1), ..StoreSettings::new(&line.url) };
    cast.store = Some(Store::connect(&settings, clock::system()).await.unwrap());
    (cast, line)
}

#[tokio::test]
async fn without_a_database_nothing_is_answered_until_it_is_back() {
    const OUTAGE: Duration = Duration::from_secs(3);
    let (mut cast, line) = behind_a_line().await;
    cast.settings.holding = Duration::from_millis(300);
    // nobody may take it over meanwhile: the lease is short
    cast.settings.lease = Duration::from_secs(1);
    let stage = cast.play().await;
    let epoch = stage.shown().session.unwrap().epoch;
    line.cut();
    stage.say("I wrote it down myself.").await;
    stage.hears("(aside) I have a technical problem.").await;
    assert!(failure(&stage.shown()).contains("the database does not answer"), "{}", failure(&stage.shown()));
    tokio::time::sleep(OUTAGE).await;
    assert_eq!(stage.heard().len(), 1, "one line, and no reply: {:?}", stage.heard());
    assert_eq!((stage.finals().len(), stage.kept().await.len()), (0, 1), "nothing is acknowledged that is not kept");
    assert_eq!(stage.shown().phase, "thinking");
    line.mend();
    stage.replied("I wrote it down myself.").await;
    let heard = stage.heard();
    assert_eq!(heard.iter().filter(|line| line.starts_with("(aside)")).count(), 1, "{heard:?}");
    assert!(heard.last().is_some_and(|line| line == "Question two?"), "{heard:?}");
    let kept = stage.kept().await;
    let reply = format!("maya: {}", heard[1..].join(" "));
    assert_eq!(kept, ["maya: Hello. Question one?", "candidate: I wrote it down myself.", &reply]);
    assert_eq!(stage.shown().session.unwrap().epoch, epoch, "nobody took it over");
    assert!(!stage.phases().contains(&Phase::Suspended));
}

#[tokio::test]
async fn a_candidate_who_joins_without_a_database_is_greeted_when_it_is_back() {
    let (cast, line) = behind_a_line().await;
    let stage = cast.set().await;
    line.cut();
    stage.join().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stage.heard().len(), 0);
    line.mend();
    // the candidate says nothing more
    stage.listening(1).await;
    assert_eq!(stage.heard(), ["Hello.", "Question one?"]);
}

/// The child of [`a_node_that_runs_out_of_memory_is_replaced`]: where its database is.
const CHILD: &str = "MAYA_TEST_OUT_OF_MEMORY";

/// In a process of its own, whose memory is bounded by the system: it dies as it would in production, by `abort` where
/// an allocation fails, as the out-of-memory killer's victim does by SIGKILL.
#[tokio::test]
async fn a_node_that_runs_out_of_memory_is_replaced() {
    if let Ok(url) = std::env::var(CHILD) {
        return run_out_of_memory(url).await;
    }
    let cast = Cast::new().await;
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "failures::platform::a_node_that_runs_out_of_memory_is_replaced", "--nocapture"])
        .env(CHILD, &cast.ground.url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.unwrap();
    let died = eventually(PATIENCE, || {
        let died = child.try_wait().unwrap();
        async move { died }
    })
    .await;
    assert!(died.signal().is_some(), "it did not die of memory: {died:?}");
    // another node, which knows of the session from the database alone
    let stage = cast.find().await;
    // whose log has nothing of the other's: she puts her question again, or asks for what she missed
    stage.hears("?").await;
    stage.listening(1).await;
    assert_eq!(stage.shown().session.unwrap().epoch.0, 2);
    stage.forget();
    stage.answer("I am still here.").await;
    assert!(stage.heard().last().is_some_and(|line| line == "Question two?"), "{:?}", stage.heard());
    let kept = stage.kept().await;
    assert_eq!(kept[0], "maya: Hello. Question one?");
    assert_eq!(kept.iter().filter(|line| *line == "candidate: I am still here.").count(), 1, "{kept:?}");
}

async fn run_out_of_memory(url: String) {
    let mut cast = Cast::new_on(Ground::on(&url).await).await;
    cast.settings.lease = Duration::from_millis(500);
    let stage = cast.play().await;
    assert_eq!(stage.kept().await.len(), 1);
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').next().and_then(|pages| pages.parse().ok()).unwrap();
    let limit = pages * 4096 + (64 << 20);
    setrlimit(Resource::RLIMIT_AS, limit, limit).unwrap();
    let mut hoard = Vec::new();
    loop {
        hoard.push(vec![1u8; 1 << 20]);
        assert!(hoard.len() < 1 << 16, "no limit held");
    }
}
