//! The session's children: one ear for its life, one mind a reply, one voice a sentence; one for one.
//!
//! The ear is permanent: when it falls, another is started and hears again, from the log, what no words were made of.
//! Mind and voices are temporary: a reply whose mind fell is worded by the plan, a sentence whose voice fell is shown.

use super::{
    body::SessionState,
    machine::Input,
    message::{SessionMessage, VoiceEvent},
};
use crate::{
    observe::Observed,
    speech_to_text::{SpeechToText, SpeechToTextArgs, SpeechToTextMessage},
    supervise::{Decision, Ended, LIVE_CHILD, Lifetime, Strategy, Supervisor},
    traced::Traced,
};
use maya_protocol::{
    audio::{CandidateBody, CandidateMessage},
    bus::{Bus, BusError, read_range},
    ids::{ConnectionId, SessionId, TurnId},
    topic::{Channel, Topic},
};
use maya_providers::stt::SttConfig;
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef};
use std::{collections::HashMap, ops::Range, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

const AUDIO: Channel = Channel::Main(Topic::CandidateSpoken);
/// How long the log may take to give back what an ear had not made words of.
const LOG_PATIENCE: Duration = Duration::from_secs(10);

/// Which child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Child {
    Ear,
    Mind,
    Voice(TurnId, usize),
}

struct Running {
    child: Child,
    actor: ActorCell,
    probe: Observed,
}

/// The ear, and where what it is told is counted.
#[derive(Clone)]
struct Ear {
    actor: ActorRef<SpeechToTextMessage>,
    probe: Observed,
}

impl Ear {
    fn tell(&self, message: SpeechToTextMessage) {
        let _ = self.probe.cast(&self.actor, message);
    }
}

/// A message for the ear that waits until it has heard what came before.
type Held = (CandidateMessage, u64, Option<OwnedSemaphorePermit>);

/// The children.
pub(super) struct Children {
    supervisor: Supervisor<Child>,
    running: HashMap<ActorId, Running>,
    ear: Option<Ear>,
    /// While there is no ear, or a new one still hears again.
    held: Option<Vec<Held>>,
    /// The last place of the log that was given to an ear.
    heard: Option<u64>,
}

impl Default for Children {
    fn default() -> Self {
        Self {
            supervisor: Supervisor::new(Strategy::OneForOne, LIVE_CHILD),
            running: HashMap::new(),
            ear: None,
            held: None,
            heard: None,
        }
    }
}

impl Children {
    /// Takes a child in.
    pub(super) fn add(&mut self, child: Child, lifetime: Lifetime, actor: ActorCell, probe: Observed) {
        self.supervisor.started(child, lifetime);
        self.running.insert(actor.get_id(), Running { child, actor, probe });
    }

    /// Kills the ear: the session is not heard here any more.
    pub(super) fn drop_ear(&mut self) {
        self.ear = None;
        self.kill_all(|child| child == Child::Ear);
    }

    /// Kills the mind, if there is one: its reply is not wanted any more.
    pub(super) fn drop_mind(&mut self) {
        self.kill_all(|child| child == Child::Mind);
    }

    /// Whether a reply is being worded.
    pub(super) fn has_mind(&self) -> bool {
        self.supervisor.runs(&Child::Mind)
    }

    /// Kills the voices: what they say is not wanted any more. Answers with the sentences that had one.
    pub(super) fn drop_voices(&mut self) -> Vec<(TurnId, usize)> {
        let gone = self.kill_all(|child| matches!(child, Child::Voice(..)));
        let sentence = |child| match child {
            Child::Voice(turn, sentence) => Some((turn, sentence)),
            Child::Ear | Child::Mind => None,
        };
        gone.into_iter().filter_map(sentence).collect()
    }

    fn kill_all(&mut self, which: impl Fn(Child) -> bool) -> Vec<Child> {
        let gone: Vec<Running> =
            self.running.extract_if(|_, running| which(running.child)).map(|(_, running)| running).collect();
        for running in &gone {
            self.supervisor.forget(&running.child);
            running.actor.kill();
        }
        gone.into_iter().map(|running| running.child).collect()
    }

    /// Tells the ear, if it is there.
    pub(super) fn tell_ear(&self, message: SpeechToTextMessage) {
        if let Some(ear) = &self.ear {
            ear.tell(message);
        }
    }

    /// Gives the ear what the candidate said, or keeps it until it can be heard in order. What is kept is bounded by
    /// the permits.
    pub(super) fn hear(&mut self, message: CandidateMessage, offset: u64, permit: Option<OwnedSemaphorePermit>) {
        match &mut self.held {
            Some(held) => held.push((message, offset, permit)),
            None => {
                self.heard = Some(offset);
                self.tell_ear(SpeechToTextMessage::Hear { message: Box::new(message), offset, permit });
            }
        }
    }
}

impl SessionState {
    /// Starts the ear.
    pub(super) async fn start_ear(&mut self, myself: &ActorRef<SessionMessage>) -> Result<(), ActorProcessingErr> {
        let parts = self.args.parts.clone();
        let (listener, listening) = (myself.clone(), self.args.probe.clone());
        let probe = parts.observer.observe(Some(&self.args.probe), "speech_to_text", self.args.session.to_string());
        if let Some(last) = self.ear_falls.last() {
            probe.carries(self.ear_falls.len(), last);
        }
        let args = SpeechToTextArgs {
            config: SttConfig { language: self.args.language.clone(), hints: self.args.hints.clone() },
            events: Box::new(move |event| {
                let _ = listening.cast(&listener, SessionMessage::Ear(event));
            }),
            probe: probe.clone(),
            parts,
        };
        let ear = Traced::new(SpeechToText, &self.args.trace);
        let (ear, _) = Actor::spawn_linked(None, ear, args, myself.get_cell()).await?;
        self.children.add(Child::Ear, Lifetime::Permanent, ear.get_cell(), probe.clone());
        let ear = Ear { actor: ear, probe };
        ear.tell(SpeechToTextMessage::MayaTalks(self.maya_talks));
        self.children.ear = Some(ear);
        Ok(())
    }

    /// Has another ear in the place of this one, at once.
    pub(super) async fn replace_ear(
        &mut self,
        myself: &ActorRef<SessionMessage>,
        reason: &str,
    ) -> Result<(), ActorProcessingErr> {
        self.children.kill_all(|child| child == Child::Ear);
        self.lose_ear(myself, reason).await;
        self.start_ear(myself).await?;
        self.hear_again(myself);
        Ok(())
    }

    /// The ear is gone: what comes is held for the next one.
    async fn lose_ear(&mut self, myself: &ActorRef<SessionMessage>, reason: &str) {
        self.ear_falls.push(reason.to_owned());
        self.children.ear = None;
        self.children.held.get_or_insert_default();
        // a sound that it was hearing is over for the machine
        self.step(myself, Input::Offset).await;
    }

    /// Starts another ear, which first hears again what the fallen one made no words of.
    pub(super) async fn restart_ear(&mut self, myself: &ActorRef<SessionMessage>) -> Result<(), ActorProcessingErr> {
        if !self.children.supervisor.begin(&Child::Ear) {
            return Ok(());
        }
        self.start_ear(myself).await?;
        self.hear_again(myself);
        Ok(())
    }

    /// Gives a new ear, from the log, what the last one had not made words of.
    fn hear_again(&mut self, myself: &ActorRef<SessionMessage>) {
        let (Some(from), Some(to), Some((connection, _)), Some(ear)) =
            (self.safe, self.children.heard, self.connection, self.children.ear.clone())
        else {
            return self.heard_again();
        };
        let (bus, partition, session) = (self.args.parts.bus.clone(), self.args.partition, self.args.session);
        let myself = myself.clone();
        tokio::spawn(async move {
            let again = again(bus.as_ref(), partition, from..to + 1, session, connection, &ear);
            match tokio::time::timeout(LOG_PATIENCE, again).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(session = %session, error = %error, "an ear's audio is lost"),
                Err(_) => tracing::warn!(session = %session, "an ear's audio is lost: the log does not answer"),
            }
            let _ = myself.cast(SessionMessage::HeardAgain);
        });
    }

    /// The new ear has caught up: what came meanwhile follows.
    pub(super) fn heard_again(&mut self) {
        for (message, offset, permit) in self.children.held.take().into_iter().flatten() {
            self.children.hear(message, offset, permit);
        }
    }

    /// A child has made no progress for too long: it is killed, and its end counts as a failure.
    pub(super) fn replace_frozen(&mut self, probe: u64) {
        if let Some(running) = self.children.running.values().find(|running| running.probe.id() == probe) {
            running.actor.kill();
        }
    }

    /// A child ended; an error where its failure is the session's now.
    pub(super) async fn child_ended(
        &mut self,
        myself: &ActorRef<SessionMessage>,
        who: ActorId,
        failure: Option<String>,
    ) -> Result<(), ActorProcessingErr> {
        let Some(Running { child, .. }) = self.children.running.remove(&who) else { return Ok(()) };
        let finished = failure.is_none();
        let how = if finished { Ended::Normally } else { Ended::Failed };
        let reason = failure.unwrap_or_else(|| "it stopped".to_owned());
        let (parts, now) = (self.args.parts.clone(), self.now().instant);
        let decision = self.children.supervisor.ended(&child, how, now, &mut *parts.rng.lock());
        match child {
            Child::Mind | Child::Voice(..) if finished => {}
            Child::Ear => {
                tracing::warn!(session = %self.args.session, error = %reason, "the ear fell");
                self.trouble(format!("the ear fell: {reason}"));
                self.lose_ear(myself, &reason).await;
            }
            Child::Mind => {
                self.trouble(format!("the mind fell: {reason}"));
                let thought = self.machine.thought();
                self.step(myself, Input::ThoughtFailed { thought }).await;
            }
            Child::Voice(turn, sentence) => {
                let take = self.mouth.take();
                let failure = Some(reason.clone());
                self.voice(myself, VoiceEvent::Ended { take, turn, sentence, failure }).await;
            }
        }
        match decision {
            Decision::Gone => Ok(()),
            Decision::Restart { after, .. } => {
                drop(myself.send_after(after, || SessionMessage::RestartEar));
                Ok(())
            }
            Decision::Escalate { .. } => Err(format!("a child failed too often: {reason}").into()),
        }
    }
}

/// Reads a part of the log again for one connection of a session.
async fn again(
    bus: &dyn Bus,
    partition: u32,
    places: Range<u64>,
    session: SessionId,
    connection: ConnectionId,
    ear: &Ear,
) -> Result<(), BusError> {
    read_range(bus, AUDIO, partition, places, |delivery| {
        if let Ok(message) = CandidateMessage::from_record(&delivery.record)
            && (message.session, message.connection) == (session, connection)
            && is_sound(&message.body)
        {
            let (message, offset) = (Box::new(message), delivery.offset);
            ear.tell(SpeechToTextMessage::Hear { message, offset, permit: None });
        }
    })
    .await
}

fn is_sound(body: &CandidateBody) -> bool {
    matches!(
        body,
        CandidateBody::AudioStart { .. }
            | CandidateBody::Audio { .. }
            | CandidateBody::AudioEnd
            | CandidateBody::Quiet
            | CandidateBody::Batch { .. }
    )
}
