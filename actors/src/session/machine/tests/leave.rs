//! Going to another node, at any moment: nothing is said twice, nothing is lost, the interview goes on.

use super::*;
use crate::session::machine::leave::{LEAVE_PATIENCE, MISSED};
use proptest::prelude::*;

impl World {
    /// The session as another node makes it, with its candidate still there.
    fn elsewhere(mut self) -> World {
        assert!(self.left);
        // what was on its way to the database arrives there before the session is given up
        while let Some(at) = self.coming.iter().position(|input| matches!(input, Input::Recorded(_))) {
            let recorded = self.coming.remove(at);
            self.put(recorded);
        }
        self.recorded.sort_by_key(|turn| turn.turn_id);
        let mut next = World::rebuilt(recorded(&self.recorded, self.heard), self.now);
        next.acknowledged = self.acknowledged;
        next.put(Input::Joined);
        next
    }

    /// Lets everything come and time pass until the session has left.
    fn until_left(&mut self) {
        let asked = self.now.instant;
        while !self.left {
            if self.coming.is_empty() {
                self.wait(100)
            } else {
                self.arrive(0)
            }
            let waited = self.now.instant.saturating_duration_since(asked);
            assert!(waited < LEAVE_PATIENCE + Duration::from_secs(60), "it never leaves");
        }
    }
}

#[test]
fn a_listening_session_goes_at_once_and_nothing_is_said_again() {
    let mut world = World::listening(3);
    world.put(Input::Onset);
    world.put(Input::HandOver);
    assert!(world.left, "even while the candidate speaks: what they say is heard again there");
    let mut next = world.elsewhere();
    assert_eq!(next.machine.phase(), Phase::Listening);
    next.utter("Answer.");
    next.until(Phase::Listening);
    assert_eq!(next.said, ["I see.", "And then?"]);
}

#[test]
fn a_reply_is_waited_for() {
    let mut world = World::listening(3);
    world.utter("Answer.");
    world.put(Input::HandOver);
    assert!(!world.left);
    world.said.clear();
    world.until_left();
    assert_eq!(world.said, ["I see.", "And then?"], "the reply was said here");
    let mut next = world.elsewhere();
    next.until(Phase::Listening);
    assert!(next.said.is_empty(), "and is not said again there");
}

#[test]
fn a_long_reply_is_cut_where_a_sentence_ends_and_goes_on_there() {
    let mut world = World::listening(3);
    world.utter("Answer.");
    world.said.clear();
    while world.said.is_empty() {
        world.arrive(0);
    }
    world.put(Input::HandOver);
    // the second sentence never gets its voice
    world.coming.retain(|input| !matches!(input, Input::Voiced { .. }));
    world.until_left();
    assert_eq!(world.said, ["I see."]);
    let mut next = world.elsewhere();
    assert_eq!(next.clears, 0, "what is being played there is played to its end");
    next.until(Phase::Listening);
    assert_eq!(next.said, ["And then?"], "the rest, and no sentence twice");
    assert_eq!(next.machine.agenda.context().question, Some(1), "the cursor moved once");
}

#[test]
fn what_the_log_lost_is_asked_for_again() {
    let mut world = World::listening(3);
    world.put(Input::HandOver);
    let turns = std::mem::take(&mut world.recorded);
    let mut next = World::rebuilt(Recorded { turns: &turns, said: world.heard, missed: true }, world.now);
    next.put(Input::Joined);
    next.until(Phase::Listening);
    assert_eq!(next.said, [MISSED]);
    next.utter("Again, then.");
    next.until(Phase::Listening);
    assert_eq!(next.machine.agenda.context().question, Some(1), "the question was answered");
}

#[test]
fn what_she_says_again_asks_for_what_was_missed_and_nothing_is_said_of_it_later() {
    let mut world = World::new(3);
    world.put(Input::Joined);
    while world.said.is_empty() {
        world.arrive(0);
    }
    let turns = std::mem::take(&mut world.recorded);
    let mut next = World::rebuilt(Recorded { turns: &turns, said: None, missed: true }, world.now);
    for _ in 0..2 {
        next.put(Input::Joined);
        next.until(Phase::Listening);
        next.put(Input::Left);
    }
    assert_eq!(next.said, ["Hello.", "Question 0?"]);
}

proptest! {
    #[test]
    fn at_any_moment_nothing_is_said_twice_and_no_word_is_lost(
        steps in proptest::collection::vec((0u8..6, 0usize..8), 0..60), after in proptest::collection::vec(0usize..8, 0..20),
    ) {
        let mut world = World::new(3);
        world.put(Input::Joined);
        let mut uttered = 0;
        for (what, n) in steps {
            match what {
                0 => world.put(Input::Onset),
                1 => { uttered += 1; world.utter(&format!("Answer {uttered}.")); }
                2 => world.wait(700),
                _ => world.arrive(n),
            }
            if world.completed.is_some() { return Ok(()); }
        }
        world.put(Input::Offset);
        world.put(Input::HandOver);
        for n in after {
            world.arrive(n);
        }
        while !world.left && world.completed.is_none() {
            if world.coming.is_empty() { world.wait(100) } else { world.arrive(0) }
        }
        if world.completed.is_some() { return Ok(()); }
        let world_heard = world.heard;
        let words: Vec<String> = world.recorded.iter().filter(|turn| turn.speaker == Speaker::Candidate).map(|turn| turn.text.clone()).collect();
        prop_assert_eq!(words.len(), uttered, "each utterance is recorded once");
        let last = world.recorded.iter().max_by_key(|turn| turn.turn_id).filter(|turn| turn.speaker == Speaker::Maya);
        let (last_turn, last) = last.map_or((None, Vec::new()), |turn| (Some(turn.turn_id), turn.context.sentences.clone()));
        let mut next = world.elsewhere();
        prop_assert_eq!(next.acknowledged.len(), uttered);
        while next.machine.phase() != Phase::Listening && next.completed.is_none() {
            if next.coming.is_empty() { next.wait(100) } else { next.arrive(0) }
        }
        // of Maya's last turn, what was let go there before is not said again here
        let heard = world_heard.filter(|(turn, _)| Some(*turn) == last_turn).map_or(0, |(_, heard)| heard);
        let again: Vec<&String> = next.said.iter().take(last.len() - heard.min(last.len())).collect();
        let rest: Vec<&String> = last.iter().skip(heard).collect();
        prop_assert!(rest.starts_with(&again) || again.starts_with(&rest), "{again:?} where {rest:?} was left");
    }
}
