//! What may happen, by the code's names: a test reads the code for them.

use crate::{
    Exploration,
    world::{Place, World},
};

/// A step of somebody's; the place is the node's, or the edge's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub enum Action {
    // actors/src/placement
    LookFor(Place), HandOver(Place), Released(Place), Claim(Place), Start(Place), Fenced(Place), AssignAt(Place),
    Rejoin(Place),
    // actors/src/session
    Hear(Place), Write(Place), Recorded(Place), Worded(Place), LetGo(Place), Silence(Place),
    // edge
    Deliver(Place), TellWritten(Place), Begin(Place), RefreshSocket,
    // the candidate
    Audio, Joined(Place),
    // the registry's clock, and the heartbeats
    PutNode(Place), RecordAgesOut(Place), RegistryBack, RegistrySettles,
    // faults
    Move, Crash(Place), Pause(Place), Wake(Place), Fall(Place), CrashEdge(Place), Reread(Place), HearTwice(Place),
    EmptyRegistry, RegistryAway,
}

impl Action {
    /// What may happen now.
    pub fn enabled(model: &Exploration, world: &World) -> Vec<Self> {
        let mut enabled = Vec::with_capacity(16);
        let mut may = |action, is_enabled: bool| {
            if is_enabled {
                enabled.push(action);
            }
        };
        let rules = &model.rules;
        for at in [0, 1] {
            let node = &world.nodes[at as usize];
            may(Self::LookFor(at), world.may_look(rules, at));
            may(Self::HandOver(at), world.may_hand_over(rules, at));
            may(Self::Released(at), world.may_release(rules, at));
            may(Self::Claim(at), node.runs() && node.seen.is_some());
            may(Self::Start(at), node.runs() && node.claimed.is_some());
            may(Self::Fenced(at), world.may_find_higher_epoch(rules, at));
            may(Self::AssignAt(at), world.may_assign(rules, at));
            may(Self::Rejoin(at), world.may_find_socket(rules, at));
            may(Self::Hear(at), world.may_hear(at));
            may(Self::Write(at), world.may_write(at));
            may(Self::Recorded(at), world.may_acknowledge(at));
            may(Self::Worded(at), world.may_word(rules, at));
            may(Self::LetGo(at), world.may_let_go(rules, at));
            may(Self::Silence(at), world.may_judge_silence(at));
            may(Self::Deliver(at), world.may_deliver(at));
            may(Self::TellWritten(at), world.may_report(at));
            may(Self::Begin(at), world.may_take_partition(at));
            may(Self::Joined(at), world.may_join(at));
            may(Self::PutNode(at), world.may_put_node(at));
            may(Self::RecordAgesOut(at), world.may_age_out(at));
            may(Self::Fall(at), world.may_fall(at));
            may(Self::Crash(at), world.may_crash(at));
            may(Self::Pause(at), world.may_pause(at));
            may(Self::Wake(at), node.up && node.paused);
            may(Self::CrashEdge(at), world.may_crash_edge(at));
            may(Self::Reread(at), world.may_reread(at));
            may(Self::HearTwice(at), !rules.skip_heard && world.may_hear_twice(at));
        }
        may(Self::Audio, world.may_speak(model.utterances));
        may(Self::RefreshSocket, world.may_refresh_socket());
        may(Self::RegistryBack, !world.registry.up);
        may(Self::RegistrySettles, world.may_settle_registry());
        may(Self::Move, world.faults.moves > 0);
        may(Self::EmptyRegistry, world.may_lose_registry());
        may(Self::RegistryAway, world.may_lose_registry());
        enabled
    }

    /// Whether it is sure to come, if nothing else does. A fault is not, and a stopped node may sleep for ever.
    pub fn is_sure(self) -> bool {
        use Action::*;
        !matches!(
            self,
            Move | Crash(_)
                | Pause(_)
                | Wake(_)
                | Fall(_)
                | CrashEdge(_)
                | Reread(_)
                | HearTwice(_)
                | EmptyRegistry
                | RegistryAway
        )
    }

    /// The file of the code that has it, by that name; none for a fault, and for what only time does.
    fn file(self) -> Option<&'static str> {
        use Action::*;
        Some(match self {
            LookFor(_) | Fenced(_) => "actors/src/placement/found.rs",
            HandOver(_) | Released(_) | Recorded(_) | Worded(_) | Silence(_) => "actors/src/session/message.rs",
            Claim(_) => "store/src/placements.rs",
            Start(_) | Rejoin(_) => "actors/src/placement/start.rs",
            AssignAt(_) => "actors/src/placement/reading.rs",
            Hear(_) | LetGo(_) => "actors/src/session/body.rs",
            Write(_) => "actors/src/session/journal.rs",
            Deliver(_) => "edge/src/hub.rs",
            TellWritten(_) => "edge/src/connection.rs",
            Begin(_) => "edge/src/downlink.rs",
            RefreshSocket => "edge/src/socket.rs",
            Audio | Joined(_) => "protocol/src/audio/candidate.rs",
            PutNode(_) => "src/platform/heartbeat.rs",
            RecordAgesOut(_) | RegistryBack | RegistrySettles | Move | Crash(_) | Pause(_) | Wake(_) | Fall(_)
            | CrashEdge(_) | Reread(_) | HearTwice(_) | EmptyRegistry | RegistryAway => return None,
        })
    }

    /// Does it.
    pub fn apply(self, model: &Exploration, world: &mut World) {
        let rules = &model.rules;
        match self {
            Self::LookFor(at) => world.look(at),
            Self::HandOver(at) => world.hand_over(at),
            Self::Released(at) => world.release(at),
            Self::Claim(at) => world.claim(at),
            Self::Start(at) => world.start(rules, model.sentences, at),
            Self::Fenced(at) => world.nodes[at as usize].session = None,
            Self::AssignAt(at) => world.assign(at),
            Self::Rejoin(at) => {
                let socket = world.registry.socket.expect("it is there");
                world.speak_to(rules, at, socket);
            }
            Self::Hear(at) => world.hear(rules, at),
            Self::Write(at) => world.write(rules, at),
            Self::Recorded(at) => world.acknowledge(model.sentences, at),
            Self::Worded(at) => world.word(at),
            Self::LetGo(at) => world.let_go(at),
            Self::Silence(at) => world.judge_silence(at),
            Self::Deliver(at) => world.deliver(rules, at),
            Self::TellWritten(at) => world.report(at),
            Self::Begin(at) => world.edges[at as usize].at = Some(0),
            Self::RefreshSocket => world.registry.socket = Some(world.candidate.connection),
            Self::Audio => world.speak(),
            Self::Joined(at) => world.join(at),
            Self::PutNode(at) => world.registry.nodes[at as usize] = true,
            Self::RecordAgesOut(at) => world.registry.nodes[at as usize] = false,
            Self::RegistryBack => world.registry_back(),
            Self::RegistrySettles => world.registry.settled = true,
            Self::Move => world.move_partition(),
            Self::Fall(at) => world.fall(at),
            Self::Crash(at) => world.crash(at),
            Self::Pause(at) => world.pause(at),
            Self::Wake(at) => world.nodes[at as usize].paused = false,
            Self::CrashEdge(at) => world.crash_edge(at),
            Self::Reread(at) => world.reread(at),
            Self::HearTwice(at) => {
                world.faults.rereads -= 1;
                world.hear_twice(rules, at);
            }
            Self::EmptyRegistry => {
                world.faults.registry_losses -= 1;
                world.empty_registry();
            }
            Self::RegistryAway => {
                world.faults.registry_losses -= 1;
                world.registry.up = false;
            }
        }
    }
}

#[test]
fn an_action_is_named_as_the_code_names_it() {
    use Action::*;
    #[rustfmt::skip]
    let of_the_code = [
        LookFor(0), HandOver(0), Released(0), Claim(0), Start(0), Fenced(0), AssignAt(0), Rejoin(0), Hear(0), Write(0),
        Recorded(0), Worded(0), LetGo(0), Silence(0), Deliver(0), TellWritten(0), Begin(0), RefreshSocket, Audio, Joined(0),
        PutNode(0),
    ];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for action in of_the_code {
        let file = action.file().expect("the code has it");
        let name = format!("{action:?}").replace("(0)", "");
        let as_function = name.chars().fold(String::new(), |mut snake, c| {
            if c.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.extend(c.to_lowercase());
            snake
        });
        let code = std::fs::read_to_string(root.join(file)).unwrap();
        let words: std::collections::HashSet<_> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        assert!(words.contains(name.as_str()) || words.contains(as_function.as_str()), "{name} is not in {file}");
    }
}
