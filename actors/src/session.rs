//! One live interview: a pure machine, and the actor that is its body.
//!
//! The actor supervises an ear ([`crate::speech_to_text`], permanent), a mind ([`crate::llm_turn`], one a reply) and
//! voices ([`crate::tts_sentence`], one a sentence); it runs the machine's effects and awaits nothing slow itself.

pub mod agenda;
pub mod asides;
mod body;
mod children;
mod effects;
pub mod endpointing;
pub mod journal;
mod latency;
pub mod machine;
pub mod message;
mod operate;
mod sending;
pub mod sentences;
pub mod state;
pub mod voice;

pub use body::SessionState;

use crate::{observe::Observed, parts::Parts, speech_to_text::SpeechToTextMessage, traced::CurrentTrace};
use machine::Input;
use maya_protocol::{
    event::Command,
    ids::{Epoch, InterviewId, SessionId, TenantId},
    interview::Turn,
    plan::Plan,
    trace,
};
use maya_store::placements::Said;
use message::{JournalEvent, MindEvent, SessionMessage};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::sync::Arc;

/// The actor.
pub struct Session;

/// What it is given.
#[allow(missing_docs, reason = "the names say it")]
pub struct SessionArgs {
    pub session: SessionId,
    pub interview: InterviewId,
    pub tenant: TenantId,
    pub partition: u32,
    pub epoch: Epoch,
    pub plan: Arc<Plan>,
    /// Sentences worded before the join.
    pub opening: Vec<String>,
    /// First name of the candidate, as Maya says it.
    pub candidate: String,
    /// Title of the position.
    pub title: String,
    pub language: String,
    pub duration: std::time::Duration,
    /// Words likely to be said.
    pub hints: Vec<String>,
    /// Turns that are recorded already.
    pub turns: Vec<Turn>,
    /// How much of Maya's last turn need not be said again.
    pub said: Option<Said>,
    /// All before this place in the log is recorded or silence.
    pub safe: Option<u64>,
    /// The log no longer holds what was said after the turns.
    pub missed: bool,
    /// Which life of the partition's log positions mean.
    pub incarnation: String,
    /// Shared with its children.
    pub trace: CurrentTrace,
    pub probe: Observed,
    pub parts: Parts,
}

impl Actor for Session {
    type Msg = SessionMessage;
    type State = SessionState;
    type Arguments = SessionArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let mut state = SessionState::new(&myself, args);
        state.start_ear(&myself).await?;
        Ok(state)
    }

    async fn post_start(&self, myself: ActorRef<Self::Msg>, state: &mut Self::State) -> Result<(), ActorProcessingErr> {
        state.show();
        state.arm(&myself);
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let _working = state.working();
        // what a handler's failure leaves uncounted goes with the actor
        let counted =
            !matches!(message, SessionMessage::RestartEar | SessionMessage::HeardAgain | SessionMessage::BusBack);
        match message {
            SessionMessage::Hear { message, offset, permit } => {
                state.hear(&myself, *message, offset, permit).await;
            }
            SessionMessage::Ear(event) => state.ear(&myself, event).await,
            SessionMessage::Mind(MindEvent::Worded { thought, sentence }) => {
                state.latency.worded();
                state.unworded = None;
                state.step(&myself, Input::Worded { thought, sentence }).await;
            }
            SessionMessage::Mind(MindEvent::Done { thought, last, by }) => {
                state.latency.worded();
                state.step(&myself, Input::ThoughtDone { thought, last, by }).await;
            }
            SessionMessage::Mind(MindEvent::Trouble { reason }) => state.trouble(reason),
            SessionMessage::Voice(event) => state.voice(&myself, event).await,
            SessionMessage::Journal(JournalEvent::Recorded(receipt)) => {
                state.unrecorded = state.unrecorded.saturating_sub(1);
                state.step(&myself, Input::Recorded(receipt)).await
            }
            SessionMessage::Journal(JournalEvent::Completed) => state.step(&myself, Input::Completed).await,
            SessionMessage::Journal(JournalEvent::Released) => state.given_up(&myself).await,
            SessionMessage::HandOver(reply) => {
                state.asked_for.push(reply);
                state.step(&myself, Input::HandOver).await;
            }
            SessionMessage::Journal(JournalEvent::Fenced) => myself.stop(Some("fenced".to_owned())),
            // what is in the database is what the session is rebuilt from
            SessionMessage::Journal(JournalEvent::Fell) => return Err("the journal fell".into()),
            SessionMessage::Command(command, asked) => {
                let input = match command {
                    Command::Cancel => Input::Cancel,
                    Command::Expire => Input::Expire,
                    Command::End => Input::End,
                    // moving is the placement's; a revoked link lets the socket that is open go on
                    Command::Move { .. } | Command::Revoke => return Ok(()),
                };
                trace::within(asked.or(state.args.trace.get()), state.step(&myself, input)).await;
            }
            SessionMessage::RestartEar => state.restart_ear(&myself).await?,
            SessionMessage::Restart(kind) => state.restart(&myself, kind).await?,
            SessionMessage::RotateStt => state.children.tell_ear(SpeechToTextMessage::Rotate),
            SessionMessage::HeardAgain => state.heard_again(),
            SessionMessage::Frozen(probe) => state.replace_frozen(probe),
            SessionMessage::BusBack => state.bus_back(&myself).await,
            SessionMessage::Tick(number) => {
                if state.is_due(number) {
                    state.step(&myself, Input::Tick).await;
                }
            }
        }
        if counted {
            state.handled();
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => Ok(()),
            // a session kills what is frozen; what it lets go of itself is no child any more
            SupervisionEvent::ActorTerminated(who, _, Some(reason)) if reason == "killed" => {
                state.child_ended(&myself, who.get_id(), Some("frozen".to_owned())).await
            }
            SupervisionEvent::ActorTerminated(who, _, _) => state.child_ended(&myself, who.get_id(), None).await,
            SupervisionEvent::ActorFailed(who, error) => {
                state.child_ended(&myself, who.get_id(), Some(error.to_string())).await
            }
        }
    }

    async fn post_stop(&self, _myself: ActorRef<Self::Msg>, state: &mut Self::State) -> Result<(), ActorProcessingErr> {
        state.release();
        Ok(())
    }
}
