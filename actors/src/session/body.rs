//! The session's body: what it holds beside the machine, and how events reach the machine.

use super::{
    SessionArgs,
    agenda::Agenda,
    children::Children,
    journal::{self, Entry},
    latency::Latency,
    machine::{Input, Machine, Now, Recorded, Settings, Utterance},
    message::{EarEvent, JournalEvent, SessionMessage, VoiceEvent},
    voice::{Mouth, Spoken},
};
use crate::{observe::Working, opening, speech_to_text::SpeechToTextMessage};
use maya_protocol::{
    audio::{AgentBody, CandidateBody, CandidateMessage, ErrorCode},
    ids::ConnectionId,
    interview::Turn,
    trace,
};
use maya_providers::llm::Task;
use maya_store::{fenced::Owner, placements::LogPosition};
use ractor::{ActorRef, RpcReplyPort};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::AbortOnDropHandle;

/// What a session's actor holds.
pub struct SessionState {
    pub(super) args: SessionArgs,
    pub(super) machine: Machine,
    pub(super) mouth: Mouth,
    pub(super) latency: Latency,
    pub(super) journal: journal::Pen,
    pub(super) history: Arc<Vec<Turn>>,
    /// The open connection and its generation.
    pub(super) connection: Option<(ConnectionId, u64)>,
    pub(super) children: Children,
    /// Why each ear fell, for the tree.
    pub(super) ear_falls: Vec<String>,
    /// The bus refuses messages: the candidate hears nothing.
    pub(super) bus_away: bool,
    /// Asides said so far.
    pub(super) asides: u32,
    /// The newest connection that was heard in the log.
    stream: u64,
    /// All before this place in the log is recorded or silence.
    pub(super) safe: Option<u64>,
    pub(super) tick: u64,
    /// The clock set for the machine's next deadline.
    pub(super) timer: Option<AbortOnDropHandle<()>>,
    pub(super) live_version: u64,
    pub(super) maya_talks: bool,
    /// The thought that is being worded, while no sentence of it is out.
    pub(super) unworded: Option<(u64, Task, u32)>,
    /// Records that are not in the database yet.
    pub(super) unrecorded: usize,
    /// Whoever waits for the session to be given up.
    pub(super) asked_for: Vec<RpcReplyPort<()>>,
    /// It is: nothing is heard here any more.
    pub(super) given_up: bool,
}

impl SessionState {
    pub(super) fn new(myself: &ActorRef<SessionMessage>, args: SessionArgs) -> Self {
        let now = Now { instant: args.parts.clock.now(), utc: args.parts.clock.utc() };
        let settings = Settings {
            duration: args.duration,
            silence: args.parts.settings.silence,
            grace: args.parts.settings.grace,
            filler: args.parts.settings.filler,
            holding: args.parts.settings.holding,
        };
        let opening = args.opening.iter().map(|kept| opening::sentence(kept)).collect();
        let machine = if args.turns.is_empty() {
            Machine::new(args.plan.clone(), opening, settings)
        } else {
            let said = args.said.map(|said| (said.turn, said.sentences as usize));
            let recorded = Recorded { turns: &args.turns, said, missed: args.missed };
            Machine::rebuild(args.plan.clone(), opening, settings, recorded, now)
        };
        let (journal, entries) = journal::open();
        let owner = Owner { tenant: args.tenant, interview: args.interview, session: args.session, epoch: args.epoch };
        let tell = {
            let (myself, probe) = (myself.clone(), args.probe.clone());
            move |event: JournalEvent| {
                let _ = probe.cast(&myself, SessionMessage::Journal(event));
            }
        };
        let writing = tokio::spawn(journal::run(args.parts.store.clone(), owner, entries, tell.clone()));
        tokio::spawn(async move {
            if writing.await.is_err() {
                tell(JournalEvent::Fell);
            }
        });
        args.parts.asides.prepare(&args.parts.senses.speaks, &args.language);
        Self {
            machine,
            mouth: Mouth::default(),
            latency: Latency::new(args.parts.clock.clone()),
            journal,
            history: Arc::new(args.turns.clone()),
            connection: None,
            stream: 0,
            children: Children::default(),
            ear_falls: Vec::new(),
            bus_away: false,
            asides: 0,
            safe: args.safe,
            tick: 0,
            timer: None,
            live_version: u64::from(now.utc.timestamp_millis().max(0) as u32),
            maya_talks: false,
            unworded: None,
            unrecorded: 0,
            asked_for: Vec::new(),
            given_up: false,
            args,
        }
    }

    pub(super) fn working(&self) -> Working {
        self.args.probe.work()
    }

    /// Something behind the session failed and was made good otherwise.
    pub(super) fn trouble(&self, reason: String) {
        self.args.probe.failed(reason);
    }

    pub(super) fn handled(&self) {
        self.args.probe.handled();
    }

    pub(super) fn now(&self) -> Now {
        Now { instant: self.args.parts.clock.now(), utc: self.args.parts.clock.utc() }
    }

    /// A message of the candidate's connection.
    pub(super) async fn hear(
        &mut self,
        myself: &ActorRef<SessionMessage>,
        message: CandidateMessage,
        offset: u64,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        if self.given_up {
            return;
        }
        let is_logged = permit.is_some();
        if is_logged && message.stream > self.stream {
            // in the log the newer connection begins here, and the older one is over
            if self.stream > 0 {
                self.children.tell_ear(SpeechToTextMessage::Gone);
            }
            self.stream = message.stream;
        }
        if self.connection.is_none_or(|(_, generation)| message.stream > generation) {
            // its `Joined` may have been read by an owner that is lost
            self.connected(myself, &message, offset, is_logged).await;
        }
        let current = self.connection.is_some_and(|(connection, _)| connection == message.connection);
        if current {
            self.args.trace.follow(message.trace);
        }
        // what an earlier connection said, and nobody recorded, is heard in its place
        let heard = current || (is_logged && message.stream == self.stream);
        match &message.body {
            CandidateBody::Left if current => {
                self.args.probe.socket(None);
                self.children.tell_ear(SpeechToTextMessage::Gone);
                self.step(myself, Input::Left).await;
                // nobody is there to be told the state; recruiters and edges read it there
                self.tell_registry();
            }
            CandidateBody::Leave if current => self.step(myself, Input::Leave).await,
            CandidateBody::Consent { recording, text_version } if current => {
                let entry = Entry::Consent { recording: *recording, text_version: text_version.clone() };
                self.journal.write(entry);
            }
            CandidateBody::Played { turn_id, sentence, played_ms } if current => {
                let played = Input::Played { turn: *turn_id, sentence: *sentence, ms: *played_ms };
                self.step(myself, played).await;
            }
            CandidateBody::Written { turn_id, sentence, again } if current => {
                let written = Input::Written { turn: *turn_id, sentence: *sentence as usize, again: *again };
                self.step(myself, written).await;
            }
            CandidateBody::AudioStart { .. }
            | CandidateBody::Audio { .. }
            | CandidateBody::AudioEnd
            | CandidateBody::Quiet
            | CandidateBody::Batch { .. }
                if heard =>
            {
                self.children.hear(message, offset, permit);
            }
            // of a connection that is not the session's any more: nobody will hear it
            _ => self.args.probe.audio_heard(message.captured_at),
        }
    }

    /// A connection that is newer than the one known.
    async fn connected(
        &mut self,
        myself: &ActorRef<SessionMessage>,
        message: &CandidateMessage,
        offset: u64,
        is_logged: bool,
    ) {
        if message.body == CandidateBody::Left {
            return;
        }
        self.args.trace.follow(message.trace);
        self.connection = Some((message.connection, message.stream));
        self.look_for_socket();
        self.send(AgentBody::TakeOver { node: Some(self.args.parts.node.clone()) });
        if self.safe.is_none() && is_logged {
            // where to begin to hear, should this node be lost before anything is recorded
            self.safe = Some(offset);
            self.journal.write(Entry::Position(self.position(offset)));
        }
        trace::within(self.args.trace.get(), self.step(myself, Input::Joined)).await;
    }

    /// Shows which edge holds the candidate's socket, as far as the registry knows.
    fn look_for_socket(&self) {
        let (registry, session) = (self.args.parts.registry.clone(), self.args.session);
        let (probe, connection) = (self.args.probe.clone(), self.connection);
        tokio::spawn(async move {
            if let Ok(socket) = registry.socket(session).await {
                let ours = socket.filter(|socket| connection.is_some_and(|(ours, _)| ours == socket.connection));
                probe.socket(ours.map(|socket| socket.edge));
            }
        });
    }

    /// What the ear tells.
    pub(super) async fn ear(&mut self, myself: &ActorRef<SessionMessage>, event: EarEvent) {
        if self.given_up {
            // the next owner hears it again
            return;
        }
        match event {
            EarEvent::Onset => self.step(myself, Input::Onset).await,
            EarEvent::Offset => self.step(myself, Input::Offset).await,
            EarEvent::Interruption => self.step(myself, Input::Interruption).await,
            EarEvent::Interim(text) => self.step(myself, Input::Interim(text)).await,
            EarEvent::Utterance { text, spoken, silent, recognising, covered, offset, goes_on } => {
                if !goes_on {
                    self.latency.heard(silent, recognising);
                }
                self.safe = self.safe.max(Some(offset));
                let ended_at = self.now().utc - silent - recognising;
                let utterance = Utterance { text, started_at: ended_at - spoken, ended_at, covered, goes_on };
                self.step(myself, Input::Utterance(utterance)).await;
            }
            EarEvent::Silence { offset } => {
                // an ear that hears again what another made words of is behind
                if self.safe < Some(offset) {
                    self.safe = Some(offset);
                    self.journal.write(Entry::Position(self.position(offset)));
                }
            }
            EarEvent::BadAudio => {
                self.send_error(ErrorCode::BadAudio, "this audio could not be understood as audio", true);
                self.step(myself, Input::Offset).await;
            }
            EarEvent::NotUnderstood => self.step(myself, Input::NotUnderstood).await,
        }
    }

    /// What a voice tells.
    pub(super) async fn voice(&mut self, myself: &ActorRef<SessionMessage>, event: VoiceEvent) {
        let (turn, sentence, spoken) = match event {
            VoiceEvent::Piece { take, turn, sentence, pcm } => {
                (turn, sentence, self.mouth.piece(take, turn, sentence, pcm))
            }
            VoiceEvent::Ended { take, turn, sentence, failure } => {
                if let Some(reason) = failure {
                    metrics::counter!("maya_sentences_without_voice_total").increment(1);
                    self.trouble(format!("sentence {sentence} of {turn} has no voice: {reason}"));
                }
                (turn, sentence, self.mouth.ended(take, turn, sentence))
            }
        };
        let voiced = spoken.voiced;
        self.let_go(myself, turn, sentence, spoken).await;
        if voiced {
            self.step(myself, Input::Voiced { turn, sentence }).await;
        }
    }

    /// Sends what the mouth lets go, and tells the machine.
    pub(super) async fn let_go(
        &mut self,
        myself: &ActorRef<SessionMessage>,
        turn: maya_protocol::ids::TurnId,
        sentence: usize,
        spoken: Spoken,
    ) {
        if !spoken.frames.is_empty() && self.latency.answered() {
            self.show();
        }
        for frame in spoken.frames {
            self.send_speech(frame);
        }
        if spoken.done {
            self.send_whole(turn, sentence);
        }
        if spoken.ms > 0 || spoken.done {
            let released = Input::Released { turn, sentence, ms: spoken.ms, done: spoken.done };
            Box::pin(self.step(myself, released)).await;
        }
    }

    pub(super) fn position(&self, offset: u64) -> LogPosition {
        LogPosition { incarnation: self.args.incarnation.clone(), offset }
    }

    /// Where the conversation stands, for hints.
    pub(super) fn agenda(&self) -> &Agenda {
        self.machine.agenda()
    }
}
