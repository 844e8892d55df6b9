//! Runs the machine's effects: nothing is decided here.

use super::{
    body::SessionState,
    children::Child,
    journal::Entry,
    machine::{Effect, Input},
    message::SessionMessage,
};
use crate::{
    llm_turn::{LlmTurn, LlmTurnArgs},
    parts::Parts,
    speech_to_text::SpeechToTextMessage,
    supervise::Lifetime,
    traced::Traced,
    tts_sentence::{TtsSentence, TtsSentenceArgs},
};
use maya_protocol::{
    audio::AgentBody,
    interview::Turn,
    session::{LiveState, Phase},
};
use maya_providers::llm::{InterviewFacts, Task};
use maya_store::placements::Said;
use ractor::{Actor, ActorRef};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio_util::task::AbortOnDropHandle;

/// How long the registry keeps what it is told of a session.
const KEPT: Duration = Duration::from_secs(2 * 3600);

impl SessionState {
    /// Gives the machine an input and does what it says.
    pub(super) async fn step(&mut self, myself: &ActorRef<SessionMessage>, input: Input) {
        let mut effects: VecDeque<Effect> = self.machine.step(input, self.now()).into();
        let bus_was_away = self.bus_away;
        while let Some(effect) = effects.pop_front() {
            self.run(myself, effect).await;
        }
        if self.bus_away && !bus_was_away {
            self.wait_for_bus(myself).await;
        }
        self.show_phase();
        let talks = self.machine.is_talking();
        if talks != self.maya_talks {
            self.maya_talks = talks;
            self.children.tell_ear(SpeechToTextMessage::MayaTalks(talks));
        }
        self.arm(myself);
        self.show_whom_it_waits_for();
    }

    /// Sets the clock for the machine's next deadline; the one set before is stopped, and stale if it rang already.
    pub(super) fn arm(&mut self, myself: &ActorRef<SessionMessage>) {
        self.tick += 1;
        self.timer = None;
        let Some(deadline) = self.machine.deadline() else { return };
        let (number, myself, probe) = (self.tick, myself.clone(), self.args.probe.clone());
        let wait = deadline.saturating_duration_since(self.args.parts.clock.now()).max(Duration::from_millis(5));
        let timer = tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            // the session may have ended meanwhile
            let _ = probe.cast(&myself, SessionMessage::Tick(number));
        });
        // it goes with the session: until it rang it would keep a session that is gone in the tree
        self.timer = Some(AbortOnDropHandle::new(timer));
    }

    pub(super) fn is_due(&self, number: u64) -> bool {
        number == self.tick
    }

    async fn run(&mut self, myself: &ActorRef<SessionMessage>, effect: Effect) {
        match effect {
            Effect::State { phase, reason, remaining } => {
                let remaining_seconds = remaining.as_secs();
                self.send(AgentBody::State { phase, reason, remaining_seconds });
                self.tell_registry();
                self.show();
            }
            Effect::Transcript { utterance, text, is_final } => {
                self.send(AgentBody::Transcript { utterance_id: utterance, text, r#final: is_final });
            }
            Effect::Record { turn, receipt } => {
                self.remember(&turn);
                let position = self.safe.map(|offset| self.position(offset));
                self.unrecorded += 1;
                self.journal.write(Entry::Turn { turn: Box::new(turn), receipt, position });
            }
            Effect::Think { thought, task, reply, plain } => self.think(myself, thought, task, reply, plain).await,
            Effect::CancelThought => self.children.drop_mind(),
            Effect::Say(aside) => self.say_aside(myself, aside).await,
            Effect::Synthesize { turn, sentence, what } => {
                self.mouth.expect(turn, sentence);
                let parts = self.args.parts.clone();
                let (listener, listening) = (myself.clone(), self.args.probe.clone());
                let probe =
                    parts.observer.observe(Some(&self.args.probe), "tts_sentence", format!("{turn}.{sentence}"));
                let args = TtsSentenceArgs {
                    take: self.mouth.take(),
                    turn,
                    sentence,
                    text: what.text,
                    emotion: what.emotion,
                    language: self.args.language.clone(),
                    events: Box::new(move |event| {
                        let _ = listening.cast(&listener, SessionMessage::Voice(event));
                    }),
                    probe: probe.clone(),
                    parts,
                };
                let voice = Traced::new(TtsSentence, &self.args.trace);
                if let Ok((voice, _)) = Actor::spawn_linked(None, voice, args, myself.get_cell()).await {
                    let child = Child::Voice(turn, sentence);
                    self.children.add(child, Lifetime::Temporary, voice.get_cell(), probe);
                }
            }
            Effect::Release { turn, sentence, text } => {
                let spoken = self.mouth.release(turn, sentence, text);
                self.let_go(myself, turn, sentence, spoken).await;
            }
            Effect::CloseTurn { turn, sentence } => {
                self.send(AgentBody::Speech {
                    turn_id: turn,
                    sentence: sentence as u32,
                    part: self.mouth.next_part(),
                    text: String::new(),
                    last: true,
                    pcm: bytes::Bytes::new(),
                });
            }
            Effect::StopVoice => {
                self.mouth.stop();
                self.children.drop_voices();
            }
            Effect::Clear { turn, barged_in_at } => self.send(AgentBody::Clear { turn_id: turn, barged_in_at }),
            Effect::Changed { change, reason } => {
                self.journal.write(Entry::Changed { change, reason });
            }
            Effect::Complete { outcome, reason } => {
                let entry = Entry::End { outcome, reason: reason.to_owned(), turns: self.machine.turns() };
                self.journal.write(entry);
            }
            Effect::Heard { turn, sentences } => {
                self.journal.write(Entry::Said(Said { turn, sentences: sentences as u32 }));
            }
            Effect::Leave => {
                self.given_up = true;
                self.children.drop_ear();
                self.journal.write(Entry::Release);
            }
            Effect::CloseSocket => self.send(AgentBody::Close),
            Effect::Finish => {
                myself.stop(Some("ended".to_owned()));
            }
        }
    }

    pub(super) async fn think(
        &mut self,
        myself: &ActorRef<SessionMessage>,
        thought: u64,
        task: Task,
        reply: u32,
        plain: bool,
    ) {
        self.children.drop_mind();
        self.unworded = Some((thought, task.clone(), reply));
        let parts = self.args.parts.clone();
        let (listener, listening) = (myself.clone(), self.args.probe.clone());
        let probe = parts.observer.observe(Some(&self.args.probe), "llm_turn", format!("thought {thought}"));
        let args = LlmTurnArgs {
            thought,
            facts: InterviewFacts {
                task,
                candidate: self.args.candidate.clone(),
                title: self.args.title.clone(),
                language: self.args.language.clone(),
                reply,
            },
            plain,
            history: self.history.clone(),
            events: Box::new(move |event| {
                let _ = listening.cast(&listener, SessionMessage::Mind(event));
            }),
            probe: probe.clone(),
            parts,
        };
        let mind = Traced::new(LlmTurn, &self.args.trace);
        match Actor::spawn_linked(None, mind, args, myself.get_cell()).await {
            Ok((mind, _)) => self.children.add(Child::Mind, Lifetime::Temporary, mind.get_cell(), probe),
            Err(error) => tracing::error!(session = %self.args.session, error = %error, "the mind did not start"),
        }
    }

    /// Keeps the conversation for prompts; a turn of Maya's grows.
    fn remember(&mut self, turn: &Turn) {
        let history = Arc::make_mut(&mut self.history);
        match history.last_mut() {
            Some(last) if last.turn_id == turn.turn_id => *last = turn.clone(),
            _ => history.push(turn.clone()),
        }
    }

    /// Tells the registry what everyone may know; it is a cache, so nobody waits for it.
    pub(super) fn tell_registry(&mut self) {
        self.live_version += 1;
        let now = self.now();
        let live = LiveState {
            phase: self.machine.phase(),
            remaining_seconds: self.machine.remaining(now.instant).as_secs(),
            last_activity_at: now.utc,
            turns: self.machine.turns(),
            version: self.live_version,
        };
        let (registry, session, epoch) = (self.args.parts.registry.clone(), self.args.session, self.args.epoch);
        let resume = serde_json::json!({
            "phase": live.phase,
            "agenda": self.agenda().context(),
            "turns": live.turns,
            "version": live.version,
        });
        tokio::spawn(async move {
            let told = registry.put_live(session, epoch, &live, KEPT).await;
            let kept = registry.put_resume(session, epoch, resume.to_string().into(), KEPT).await;
            if told.is_err() || kept.is_err() {
                metrics::counter!("maya_registry_writes_failed_total").increment(1);
            }
        });
    }

    /// Shows the session in the node's tree.
    pub(super) fn show(&self) {
        self.show_phase();
        self.args.probe.conversation(self.machine.turns(), self.latency.last());
    }

    /// Shows whom the conversation waits for, the one that holds it up first.
    fn show_whom_it_waits_for(&self) {
        let whom = match self.machine.phase() {
            Phase::Ended => None,
            _ if self.unrecorded > 0 => Some("database"),
            Phase::Thinking if self.children.has_mind() => Some("llm_turn"),
            Phase::Greeting | Phase::Speaking | Phase::Closing if !self.machine.is_talking() => Some("tts_sentence"),
            Phase::Waiting | Phase::Listening | Phase::Suspended => Some("candidate"),
            _ => None,
        };
        self.args.probe.waits_for(whom);
    }

    /// Shows what the session does, also to those whom the candidate's socket is not told.
    fn show_phase(&self) {
        self.args.probe.phase(match self.machine.phase() {
            Phase::Waiting => "waiting",
            Phase::Greeting => "greeting",
            Phase::Listening => "listening",
            Phase::Thinking => "thinking",
            Phase::Speaking => "speaking",
            Phase::Suspended => "suspended",
            Phase::Closing => "closing",
            Phase::Ended => "ended",
        });
    }

    /// All is written and the session nobody's: whoever asked for it may take it.
    pub(super) async fn given_up(&mut self, myself: &ActorRef<SessionMessage>) {
        let Parts { registry, .. } = &self.args.parts;
        // told first, so that the next owner's record is not removed after it was written; the epoch guards it besides
        let _ = registry.remove_owner(self.args.session, self.args.epoch).await;
        for waits in self.asked_for.drain(..) {
            let _ = waits.send(());
        }
        myself.stop(Some("handed over".to_owned()));
    }

    /// Gives back what the session holds in the registry.
    pub(super) fn release(&mut self) {
        let (registry, session, epoch) = (self.args.parts.registry.clone(), self.args.session, self.args.epoch);
        let (tenant, is_over) = (self.args.tenant, self.machine.is_over());
        tokio::spawn(async move {
            let _ = registry.remove_owner(session, epoch).await;
            // elsewhere it lives on, in the same place of its tenant's quota
            if is_over {
                let _ = registry.release_quota(tenant, session).await;
            }
        });
    }
}
