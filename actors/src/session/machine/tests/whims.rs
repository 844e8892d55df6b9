//! Any order of inputs: never two speakers, never a lost utterance, always an end.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Whim {
    Arrive(usize),
    Wait(u64),
    Put(Input),
    Utter { goes_on: bool },
}

fn whims() -> impl Strategy<Value = Vec<Whim>> {
    let one = prop_oneof![
        6 => any::<usize>().prop_map(Whim::Arrive),
        3 => (1u64..12_000).prop_map(Whim::Wait),
        3 => prop::bool::weighted(0.3).prop_map(|goes_on| Whim::Utter { goes_on }),
        2 => Just(Whim::Put(Input::Onset)),
        2 => Just(Whim::Put(Input::Offset)),
        1 => Just(Whim::Put(Input::Interruption)),
        1 => Just(Whim::Put(Input::NotUnderstood)),
        1 => Just(Whim::Put(Input::Left)),
        2 => Just(Whim::Put(Input::Joined)),
        1 => (0u64..20).prop_map(|thought| Whim::Put(Input::ThoughtFailed { thought })),
        1 => (0u32..9, 0u32..3, 0u64..2_000).prop_map(|(turn, sentence, ms)| Whim::Put(Input::Played { turn: TurnId(turn), sentence, ms })),
        1 => Just(Whim::Put(Input::Tick)),
    ];
    proptest::collection::vec(one, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn whatever_comes(whims in whims()) {
        let mut world = World::new(4);
        let mut uttered = Vec::new();
        for whim in whims {
            match whim {
                Whim::Arrive(n) => world.arrive(n),
                Whim::Wait(ms) => world.wait(ms),
                Whim::Put(input) => world.put(input),
                Whim::Utter { goes_on } => {
                    let text = format!("Utterance {}.", uttered.len());
                    if world.machine.started && world.completed.is_none() {
                        uttered.push(text.clone());
                    }
                    world.speak(&text, goes_on);
                }
            }
        }
        // it always ends, however it was left
        world.put(Input::Offset);
        for _ in 0..4_000 {
            if world.finished || !world.machine.started {
                break;
            }
            if world.coming.is_empty() { world.wait(500) } else { world.arrive(0) }
        }
        prop_assert!(world.finished || !world.machine.started, "never ended: {:?}", world.machine.doing);
        let kept: Vec<&str> =
            world.recorded.iter().filter(|turn| turn.speaker == Speaker::Candidate).map(|turn| turn.text.as_str()).collect();
        prop_assert_eq!(kept, uttered.clone());
        let heard: Vec<&str> = world.acknowledged.iter().map(|(_, text)| text.as_str()).collect();
        for text in &uttered {
            prop_assert_eq!(heard.iter().filter(|known| *known == text).count(), 1);
        }
        let mut ids: Vec<TurnId> = world.recorded.iter().map(|turn| turn.turn_id).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), count);
    }
}
