//! What the edge has written of Maya's sentences, and what it took with it.

use super::*;

/// The greeting is over, and nothing of it is written.
fn greeted_on_a_lost_edge() -> World {
    let mut world = World::new(3);
    world.edge_is_lost = true;
    world.put(Input::Joined);
    world.until(Phase::Listening);
    world
}

#[test]
fn what_a_lost_edge_had_not_written_is_said_again_whatever_the_clock_says() {
    let mut world = World::listening(3);
    world.utter("Answer.");
    while world.said.len() < 3 {
        world.arrive(0);
    }
    // "I see." is on its way to be written, what follows is not
    world.edge_is_lost = true;
    world.until(Phase::Listening);
    world.said.clear();
    world.edge_is_lost = false;
    world.put(Input::Joined);
    world.until(Phase::Listening);
    assert_eq!(world.said, ["And then?"]);
    world.said.clear();
    world.put(Input::Joined);
    world.until(Phase::Listening);
    assert!(world.said.is_empty(), "it is written now");
}

#[test]
fn what_a_lost_edge_had_not_written_is_over_once_the_candidate_has_answered() {
    let mut world = greeted_on_a_lost_edge();
    world.utter("Answer.");
    world.edge_is_lost = false;
    world.said.clear();
    world.until(Phase::Listening);
    world.put(Input::Joined);
    world.until(Phase::Listening);
    assert_eq!(world.said, ["I see.", "And then?"]);
}

#[test]
fn silence_is_no_answer_to_what_has_not_arrived_which_is_said_again() {
    let mut world = greeted_on_a_lost_edge();
    world.said.clear();
    world.wait(8_100);
    world.edge_is_lost = false;
    world.until(Phase::Listening);
    assert_eq!(world.said, ["Hello.", "Question 0?"], "nobody is encouraged to answer what they have not heard");
    world.wait(7_000);
    assert_eq!(world.machine.phase(), Phase::Listening);
    world.wait(1_100);
    assert_eq!(world.machine.phase(), Phase::Thinking, "now they are silent");
}

#[test]
fn silence_is_counted_from_when_her_words_are_written() {
    let mut world = greeted_on_a_lost_edge();
    let turn = world.recorded.last().expect("the greeting").turn_id;
    world.wait(7_000);
    for sentence in 0..2 {
        world.put(Input::Written { turn, sentence, again: false });
    }
    world.wait(7_900);
    assert_eq!(world.machine.phase(), Phase::Listening);
    world.wait(200);
    assert_eq!(world.machine.phase(), Phase::Thinking);
}

#[test]
fn where_no_edge_tells_what_it_wrote_silence_is_answered_in_the_end() {
    let mut world = greeted_on_a_lost_edge();
    let begun = world.now.instant;
    while world.machine.phase() != Phase::Thinking {
        if world.coming.is_empty() { world.wait(100) } else { world.arrive(0) }
    }
    let waited = world.now.instant - begun;
    assert!((Duration::from_secs(60)..Duration::from_secs(75)).contains(&waited), "{waited:?}");
    world.until(Phase::Ended);
}

#[test]
fn a_repetition_that_the_edge_drops_is_not_waited_for() {
    let world = World::listening(3);
    let mut again = World::rebuilt(recorded(&world.recorded, None), world.now);
    again.put(Input::Joined);
    let joined = again.now.instant;
    while again.machine.phase() != Phase::Listening {
        match again.coming.iter().position(|input| matches!(input, Input::Released { done: false, .. })) {
            Some(at) => {
                let Input::Released { turn, sentence, .. } = again.coming.remove(at) else { unreachable!() };
                again.put(Input::Written { turn, sentence, again: true });
            }
            None if again.coming.is_empty() => again.wait(1),
            None => again.arrive(0),
        }
        let waited = again.now.instant.saturating_duration_since(joined);
        assert!(waited < Duration::from_secs(1), "it waits for what nobody hears");
    }
}

#[test]
fn words_are_acknowledged_again_with_the_next_ones_where_nothing_of_the_reply_arrived() {
    for interrupts in [false, true] {
        let mut world = World::listening(3);
        world.utter("First.");
        world.until(Phase::Listening);
        let before = world.acknowledgements;
        world.utter("Second.");
        world.until(Phase::Listening);
        assert_eq!(world.acknowledgements, before + 1, "the edge wrote the reply to the first");
        // a frozen edge: it tells nothing, and what was sent to it may be lost
        world.edge_is_lost = true;
        world.utter("Third.");
        world.until(if interrupts { Phase::Speaking } else { Phase::Listening });
        let before = world.acknowledgements;
        world.put(Input::Interruption);
        world.utter("Fourth.");
        world.until(Phase::Listening);
        assert_eq!(world.acknowledgements, before + 2, "the third again, and the fourth: {interrupts}");
    }
}
