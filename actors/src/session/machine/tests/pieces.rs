//! An answer that is recorded in pieces is answered once, when it is whole.

use super::*;

/// A candidate who is in the middle of a long answer, of which a piece is recorded.
fn in_an_answer() -> World {
    let mut world = World::listening(3);
    world.put(Input::Onset);
    world.speak("It took a year,", true);
    world.arrive(0);
    assert_eq!(world.acknowledged, [(TurnId(1), "It took a year,".to_owned())]);
    world
}

fn replies(world: &World) -> usize {
    world.plain.len()
}

#[test]
fn pieces_are_recorded_as_they_come_and_answered_at_the_end() {
    let mut world = in_an_answer();
    for _ in 0..300 {
        world.wait(100);
    }
    assert_eq!((world.machine.phase(), replies(&world)), (Phase::Listening, 0), "they speak on");
    world.utter("and it was worth it.");
    world.until(Phase::Listening);
    let said: Vec<_> = world.recorded.iter().map(|turn| (turn.speaker, turn.context.unfinished)).collect();
    let candidate = Speaker::Candidate;
    assert_eq!(said[1..3], [(candidate, true), (candidate, false)]);
    assert_eq!((world.recorded.len(), replies(&world)), (4, 1));
}

#[test]
fn an_answer_whose_last_piece_was_the_whole_of_it_is_answered_when_it_ends() {
    let mut world = in_an_answer();
    world.utter("");
    assert_eq!((world.machine.phase(), replies(&world)), (Phase::Thinking, 1));
    world.until(Phase::Listening);
    world.utter("");
    assert_eq!(replies(&world), 1, "a sound without words is no answer");
}

#[test]
fn a_new_owner_waits_for_the_rest_of_an_answer() {
    let before = in_an_answer();
    let mut world = World::rebuilt(recorded(&before.recorded, None), before.now);
    world.put(Input::Joined);
    assert_eq!((world.machine.phase(), replies(&world)), (Phase::Listening, 0));
    world.wait(2_000);
    world.put(Input::Onset);
    world.wait(9_000);
    world.utter("and it was worth it.");
    world.until(Phase::Listening);
    assert_eq!((world.recorded.len(), replies(&world)), (4, 1));
}

#[test]
fn a_new_owner_takes_an_answer_that_does_not_go_on_for_the_whole() {
    let before = in_an_answer();
    let mut world = World::rebuilt(recorded(&before.recorded, None), before.now);
    world.put(Input::Joined);
    world.wait(3_900);
    assert_eq!(replies(&world), 0);
    world.wait(200);
    assert_eq!((world.machine.phase(), replies(&world)), (Phase::Thinking, 1));
}

#[test]
fn who_is_asked_to_say_it_again_is_not_answered_meanwhile() {
    let mut world = in_an_answer();
    world.put(Input::NotUnderstood);
    world.wait(5_000);
    assert_eq!((world.machine.phase(), replies(&world)), (Phase::Listening, 0));
}
