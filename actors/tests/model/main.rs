//! The fence, the hand-over and the way back, as a model: every order of every step is tried.
//!
//! The code's tests run one order of events; this runs all of them, within a bound on the faults. What it holds is the
//! protocol, not the code: an action is named after the function or message that it stands for. A rule that is taken
//! away must break a property (`mutants.rs`), or it is not needed, or the model does not see what it is for.
//!
//! That a session goes on is checked as a state that must not be: nothing that is sure to come can come any more, and
//! the interview is not through. (`Property::eventually` loses sight of runs that join.) Nothing can go round in
//! circles: what a step takes away only a fault brings back, and epochs are bounded by the number of faults.

mod action;
mod edge;
mod faults;
mod mutants;
mod placement;
mod properties;
mod rules;
mod session;
mod world;

use action::Action;
use rules::Rules;
use stateright::{Checker, HasDiscoveries, Model, Property};
use world::{Faults, World};

/// One exploration: the rules, what is said, which faults may come.
#[derive(Clone, Copy, Debug)]
pub struct Exploration {
    /// How the platform behaves.
    pub rules: Rules,
    /// Utterances of the candidate's.
    pub utterances: u8,
    /// Sentences of each reply.
    pub sentences: u8,
    /// How often each fault may come.
    pub faults: Faults,
}

impl Model for Exploration {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        // which edge has the socket matters only where something happens to edges
        let edges = if self.faults.edge_crashes + self.faults.rereads > 0 { 2 } else { 1 };
        (0..edges).map(|edge| World::new(edge, self.faults)).collect()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.violation.is_some() {
            return;
        }
        // while the way back has no fault of its own, when a message is delivered makes no difference: at once is enough
        match world.undisturbed_delivery() {
            Some(at) => actions.push(Action::Deliver(at)),
            None => actions.extend(Action::enabled(self, world)),
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        action.apply(self, &mut next);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Exploration {
    fn designed(utterances: u8, sentences: u8, faults: Faults) -> Self {
        Self { rules: Rules::designed(), utterances, sentences, faults }
    }

    /// Tries everything; nothing may break.
    fn holds(self) {
        let checker = self.checker().threads(2).spawn_bfs().join();
        eprintln!("{} states, {} deep, with {:?}", checker.unique_state_count(), checker.max_depth(), self.faults);
        if let Some((property, path)) = checker.discoveries().into_iter().next() {
            panic!("{property}:\n{}\n{:#?}", steps(path.clone().into_actions()), path.last_state());
        }
    }

    /// Tries everything; one of these properties must break.
    fn breaks(self, any_of: &[&'static str]) {
        let sought = HasDiscoveries::AnyOf(any_of.iter().copied().collect());
        let checker = self.checker().threads(2).finish_when(sought).spawn_bfs().join();
        let found = checker.discoveries().into_iter().find(|(property, _)| any_of.contains(property));
        let Some((property, path)) = found else {
            panic!("{any_of:?} hold in all {} states: the model does not see the fault", checker.unique_state_count());
        };
        eprintln!("{property}:\n{}", steps(path.into_actions()));
    }
}

fn steps(actions: Vec<Action>) -> String {
    actions.iter().map(|action| format!("  {action:?}")).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_interview_without_a_fault_goes_through() {
    Exploration::designed(2, 1, Faults::default()).holds();
}

#[test]
fn a_node_may_crash_while_the_partition_moves() {
    let faults = Faults { moves: 1, crashes: 1, ..Faults::default() };
    Exploration::designed(1, 2, faults).holds();
}

#[test]
fn a_node_may_be_paused_and_wake_at_any_moment() {
    let faults = Faults { moves: 1, pauses: 1, ..Faults::default() };
    Exploration::designed(1, 1, faults).holds();
}

#[test]
fn a_node_may_wake_after_the_next_owner_has_crashed() {
    let faults = Faults { crashes: 1, pauses: 1, ..Faults::default() };
    Exploration::designed(1, 1, faults).holds();
}

#[test]
fn a_session_may_fall_while_its_partition_moves() {
    let faults = Faults { moves: 1, falls: 1, ..Faults::default() };
    Exploration::designed(1, 2, faults).holds();
}

#[test]
fn the_registry_may_be_emptied_or_away_while_a_node_crashes() {
    let faults = Faults { crashes: 1, registry_losses: 1, ..Faults::default() };
    Exploration::designed(1, 1, faults).holds();
}

#[test]
fn the_registry_may_be_emptied_or_away_while_the_partition_moves() {
    let faults = Faults { moves: 1, registry_losses: 1, ..Faults::default() };
    Exploration::designed(1, 2, faults).holds();
}

#[test]
fn an_edge_and_an_owner_may_die_together() {
    let faults = Faults { crashes: 1, edge_crashes: 1, ..Faults::default() };
    Exploration::designed(1, 1, faults).holds();
}

#[test]
fn messages_may_come_twice_while_the_session_moves() {
    let faults = Faults { moves: 1, rereads: 1, ..Faults::default() };
    Exploration::designed(1, 2, faults).holds();
}

#[test]
fn the_candidate_may_speak_over_maya_while_a_node_is_lost() {
    let faults = Faults { crashes: 1, ..Faults::default() };
    Exploration::designed(2, 1, faults).holds();
}
