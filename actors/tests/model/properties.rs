//! What must hold in every state.

use crate::{
    Exploration,
    action::Action,
    world::{CandidateBody, Faults, Violation, World},
};
use stateright::Property;

pub const RECORDED_ONCE: &str = "an utterance is in the transcript once at most";
pub const ACKNOWLEDGED: &str = "what was acknowledged is in the transcript";
pub const POSITION: &str = "the position passes nothing that is not recorded";
pub const ONE_WRITER: &str = "only the row's epoch writes";
pub const RECORDED_FIRST: &str = "a sentence is recorded before it is heard";
pub const ONE_VOICE: &str = "nothing of a lower epoch is heard once a higher one speaks";
pub const HEARD_ONCE: &str = "what is known to be wholly written is not repeated";
pub const CLEARED: &str = "a cut sentence is cleared before anything follows it";
pub const KEPT: &str = "a lost registry takes no session from a live owner";
pub const CALM: &str = "no owner without a cause";
pub const GOES_ON: &str = "a live session goes on";

type Holds = fn(&Exploration, &World) -> bool;

pub fn all() -> Vec<Property<Exploration>> {
    let all: [(&str, Holds); 11] = [
        (RECORDED_ONCE, |model, world| (1..=model.utterances).all(|utterance| world.recorded(utterance) <= 1)),
        (ACKNOWLEDGED, |_, world| (1..=world.candidate.acknowledged).all(|utterance| world.recorded(utterance) > 0)),
        (POSITION, |_, world| {
            let before = &world.spoken[..world.row.position.unwrap_or(0) as usize];
            before.iter().all(|(_, body)| match body {
                CandidateBody::Audio(utterance) => world.recorded(*utterance) > 0,
                CandidateBody::Joined | CandidateBody::Written(_) => true,
            })
        }),
        (ONE_WRITER, |_, world| world.violation != Some(Violation::StaleWrite)),
        (RECORDED_FIRST, |_, world| world.violation != Some(Violation::HeardBeforeRecorded)),
        (ONE_VOICE, |_, world| world.violation != Some(Violation::LowerEpochAfterMarker)),
        (HEARD_ONCE, |_, world| world.violation != Some(Violation::RepeatedThoughKnown)),
        (CLEARED, |_, world| world.violation != Some(Violation::NotClearedBeforeRepeat)),
        (KEPT, |_, world| world.violation != Some(Violation::TakenFromALiveOwner)),
        (CALM, |model, world| {
            // a node that wakes may be given back what it lost
            let Faults { moves, crashes, pauses, falls, .. } = model.faults;
            world.row.epoch <= 1 + moves + crashes + 2 * pauses + falls
        }),
        (GOES_ON, |model, world| {
            let somebody_runs = world.nodes.iter().any(|node| node.runs());
            let waits = || Action::enabled(model, world).into_iter().all(|action| !action.is_sure());
            world.violation.is_some() || !somebody_runs || !waits() || is_done(model, world)
        }),
    ];
    all.into_iter().map(|(name, holds)| Property::always(name, holds)).collect()
}

/// All was said, recorded, acknowledged, and answered; with a session, the half of a reply that was not recorded yet may be lost.
fn is_done(model: &Exploration, world: &World) -> bool {
    let candidate = &world.candidate;
    let reply = model.utterances;
    let sentences = if world.lost_a_session { world.recorded_sentences(reply) } else { model.sentences };
    let is_heard = |sentence| {
        let heard = candidate.whole.iter().chain(&candidate.before);
        heard.copied().any(|heard| heard == (reply, sentence))
    };
    candidate.edge.is_some()
        && candidate.said == model.utterances
        && candidate.acknowledged == model.utterances
        && (1..=model.utterances).all(|utterance| world.recorded(utterance) == 1)
        && sentences > 0
        && (0..sentences).all(is_heard)
}
