//! Any children, any order of ends.

use super::*;
use crate::supervise::LIVE_CHILD;
use maya_protocol::clock::{Clock, SystemClock};
use proptest::{
    prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest},
    sample::Index,
    strategy::Strategy as Gives,
};
use rand::{SeedableRng, rngs::StdRng};

fn strategies() -> impl Gives<Value = Strategy> {
    prop_oneof![Just(Strategy::OneForOne), Just(Strategy::RestForOne), Just(Strategy::OneForAll)]
}

fn lifetimes() -> impl Gives<Value = Lifetime> {
    prop_oneof![Just(Lifetime::Permanent), Just(Lifetime::Transient), Just(Lifetime::Temporary)]
}

/// Who ends, how, how long after the last one, and whether what was decided before is done by then.
type End = (Index, bool, u64, bool);

fn ends() -> impl Gives<Value = Vec<End>> {
    proptest::collection::vec((any::<Index>(), any::<bool>(), 0u64..30_000, any::<bool>()), 1..60)
}

fn supervisor(strategy: Strategy, lifetimes: &[Lifetime]) -> Supervisor<usize> {
    let mut supervisor = Supervisor::new(strategy, LIVE_CHILD);
    for (id, lifetime) in lifetimes.iter().enumerate() {
        supervisor.started(id, *lifetime);
    }
    supervisor
}

proptest! {
    #[test]
    fn whoever_fails_takes_exactly_its_own_with_it(
        strategy in strategies(),
        lifetimes in proptest::collection::vec(lifetimes(), 1..6),
        ends in ends(),
        seed: u64,
    ) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut supervisor = supervisor(strategy, &lifetimes);
        let mut now = SystemClock.now();
        let mut due: Vec<usize> = Vec::new();
        let mut restarts: Vec<(usize, Instant)> = Vec::new();
        for (who, failed, gap, done) in ends {
            now += Duration::from_millis(gap);
            if done {
                for id in due.drain(..) {
                    supervisor.begin(&id);
                }
            }
            let running: Vec<usize> = (0..lifetimes.len()).filter(|id| supervisor.runs(id)).collect();
            if running.is_empty() {
                break;
            }
            let id = running[who.index(running.len())];
            let how = if failed { Ended::Failed } else { Ended::Normally };
            let stays_away = match lifetimes[id] {
                Lifetime::Permanent => false,
                Lifetime::Transient => !failed,
                Lifetime::Temporary => true,
            };
            let taken = |other: &usize| match strategy {
                Strategy::OneForOne => false,
                Strategy::RestForOne => *other > id,
                Strategy::OneForAll => true,
            };
            let others = |among: &dyn Fn(&usize) -> bool| -> Vec<usize> {
                running.iter().rev().copied().filter(|other| *other != id && among(other)).collect()
            };
            match supervisor.ended(&id, how, now, &mut rng) {
                Decision::Gone => prop_assert!(stays_away),
                Decision::Restart { stop, start, after } => {
                    prop_assert!(!stays_away && after <= LIVE_CHILD.longest_pause);
                    prop_assert_eq!(&stop, &others(&taken), "the later started goes first");
                    prop_assert!(start.contains(&id) && start.is_sorted());
                    prop_assert!(start.iter().all(|id| lifetimes[*id] != Lifetime::Temporary));
                    for stopped in &stop {
                        prop_assert_eq!(start.contains(stopped), lifetimes[*stopped] != Lifetime::Temporary);
                        // its own end, which comes after the decision, decides nothing more
                        prop_assert_eq!(supervisor.ended(stopped, Ended::Failed, now, &mut rng), Decision::Gone);
                    }
                    restarts.push((id, now));
                    due.extend(start);
                }
                Decision::Escalate { stop } => {
                    prop_assert!(!stays_away);
                    let counted = restarts.iter().filter(|(who, at)| {
                        (strategy != Strategy::OneForOne || *who == id) && now.duration_since(*at) <= LIVE_CHILD.window
                    });
                    prop_assert_eq!(counted.count(), LIVE_CHILD.most, "it goes up no earlier and no later");
                    if strategy == Strategy::OneForOne {
                        prop_assert!(stop.is_empty());
                    } else {
                        prop_assert_eq!(&stop, &others(&|_| true));
                        break;
                    }
                }
            }
            prop_assert!(!supervisor.runs(&id));
        }
    }
}

#[test]
fn a_second_failure_before_the_restart_starts_nobody_twice() {
    let mut rng = StdRng::seed_from_u64(1);
    let now = SystemClock.now();
    let mut supervisor = supervisor(Strategy::RestForOne, &[Lifetime::Permanent; 3]);
    let Decision::Restart { stop, start, .. } = supervisor.ended(&1, Ended::Failed, now, &mut rng) else { panic!() };
    assert_eq!((stop, start), (vec![2], vec![1, 2]));
    let Decision::Restart { stop, start, .. } = supervisor.ended(&0, Ended::Failed, now, &mut rng) else { panic!() };
    assert_eq!((stop, start), (vec![], vec![0, 1, 2]));
    assert!([0, 1, 2].iter().all(|id| supervisor.begin(id)));
    assert!(![1, 2].iter().any(|id| supervisor.begin(id)), "the first decision is stale");
}

#[test]
fn what_the_parent_let_go_of_is_nobodys_failure() {
    let mut rng = StdRng::seed_from_u64(1);
    let now = SystemClock.now();
    let mut supervisor = supervisor(Strategy::OneForOne, &[Lifetime::Permanent, Lifetime::Temporary]);
    supervisor.forget(&0);
    assert_eq!(supervisor.ended(&0, Ended::Failed, now, &mut rng), Decision::Gone);
    assert!(!supervisor.begin(&0) && supervisor.runs(&1));
}
