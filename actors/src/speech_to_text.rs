//! A session's ear: audio in, turns out. It decides when a turn is over, feeds the recogniser, and survives the
//! recogniser's stream: the audio of the open turn is kept and fed again to a new one.

mod batch;
mod decode;
mod hearing;
mod pieces;
mod recogniser;

pub use decode::{BadAudio, Decoder, samples};

use crate::{
    observe::Observed,
    parts::Parts,
    session::{
        endpointing::{self, Endpointing, Said, Sound},
        message::EarEvent,
    },
};
use batch::Batch;
use chrono::{DateTime, Utc};
use hearing::Open;
use maya_protocol::audio::{CandidateBody, CandidateMessage};
use maya_providers::{
    ProviderError,
    stt::{SttConfig, SttEvent},
    vad::{FRAME, VoiceDetector},
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use recogniser::Recogniser;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use tokio::sync::OwnedSemaphorePermit;

/// How long audio may be on its way. An edge says when its client stops sending; one that is lost says nothing.
const LONGEST_WAY: Duration = Duration::from_secs(20);

/// The actor.
pub struct SpeechToText;

/// What it is given.
pub struct SpeechToTextArgs {
    /// What to expect.
    pub config: SttConfig,
    /// Where its events go.
    pub events: Box<dyn Fn(EarEvent) + Send + Sync>,
    /// Its place in the tree.
    pub probe: Observed,
    /// The seams.
    pub parts: Parts,
}

/// What it is told.
#[allow(missing_docs, reason = "the variants document the fields")]
pub enum SpeechToTextMessage {
    /// Audio, or the beginning or end of a stream.
    Hear { message: Box<CandidateMessage>, offset: u64, permit: Option<OwnedSemaphorePermit> },
    /// Whether Maya is being heard now.
    MayaTalks(bool),
    /// The recogniser said something; of which of its streams.
    Recognised { stream: u64, event: Result<SttEvent, ProviderError> },
    /// The end-of-turn model's answer.
    Judged { turn: u64, probability: f32 },
    /// The words over Maya's voice.
    Words { turn: u64, text: String, sound: Sound },
    /// Batch audio was recognised.
    BatchRecognised { text: Result<String, ProviderError> },
    /// The pause before another stream is over.
    Reopen,
    /// The connection is gone: what is open is over.
    Gone,
    /// Another stream to the recogniser takes over.
    Rotate,
    /// Look at the clock.
    Tick,
}

impl SpeechToTextMessage {
    /// Whether it counts: what the session tells. Answers of its own helpers, and ticks, do not.
    fn is_work(&self) -> bool {
        matches!(self, Self::Hear { .. } | Self::MayaTalks(_) | Self::Gone | Self::Rotate)
    }
}

/// What it keeps.
pub struct SpeechToTextState {
    args: SpeechToTextArgs,
    decoder: Decoder,
    detector: Box<dyn VoiceDetector>,
    endpointing: Endpointing,
    /// Samples that do not fill a frame yet.
    rest: Vec<i16>,
    /// The last of the audio before anything was open.
    before: VecDeque<i16>,
    open: Option<Open>,
    /// Turns that are over and wait for their words, oldest first.
    closing: VecDeque<hearing::Closing>,
    recogniser: Recogniser,
    turn: u64,
    /// When the last audio was heard here, and when its edge had read it.
    last_audio: (Instant, DateTime<Utc>),
    last_offset: u64,
    last_covered: Option<(u64, u64)>,
    silence_told: Instant,
    batch: Batch,
    batch_spoken: Duration,
    /// A turn that sounded unfinished, in case it goes on.
    held: Option<hearing::Held>,
}

impl Actor for SpeechToText {
    type Msg = SpeechToTextMessage;
    type State = SpeechToTextState;
    type Arguments = SpeechToTextArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let now = args.parts.clock.now();
        args.probe.phase("listening");
        myself.send_interval(Duration::from_millis(250), || SpeechToTextMessage::Tick);
        Ok(SpeechToTextState {
            decoder: Decoder::default(),
            detector: args.parts.senses.notices.start(),
            endpointing: Endpointing::new(args.parts.settings.max_silence),
            rest: Vec::with_capacity(FRAME),
            before: VecDeque::new(),
            open: None,
            closing: VecDeque::new(),
            recogniser: Recogniser::new(now),
            turn: 0,
            last_audio: (now, DateTime::UNIX_EPOCH),
            last_offset: 0,
            last_covered: None,
            silence_told: now,
            batch: Batch::default(),
            batch_spoken: Duration::ZERO,
            held: None,
            args,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let _working = state.args.probe.work();
        let counted = message.is_work();
        match message {
            SpeechToTextMessage::Hear { message, offset, permit } => {
                let captured_at = message.captured_at;
                state.last_offset = offset;
                state.last_covered = Some((message.stream, message.sequence));
                state.hear(&myself, message.body, captured_at).await;
                state.args.probe.audio_heard(captured_at);
                drop(permit);
            }
            SpeechToTextMessage::MayaTalks(talks) => state.endpointing.maya_talks(talks),
            SpeechToTextMessage::Recognised { stream, event } if state.recogniser.is_current(stream) => match event {
                Ok(event) => state.recognised(&myself, event).await,
                Err(error) => state.stream_died(&myself, error).await,
            },
            SpeechToTextMessage::Recognised { .. } => {}
            SpeechToTextMessage::Judged { turn, probability } if turn == state.turn => {
                let action = state.endpointing.judged(probability);
                state.act(&myself, action).await;
            }
            SpeechToTextMessage::Words { turn, text, sound } if turn == state.turn => {
                let said = endpointing::said(&text);
                let action = state.endpointing.words(said, sound);
                state.act(&myself, action).await;
                if said == Said::Stop && sound == Sound::Over {
                    // the words were short and their sound is over: they are the turn
                    let action = state.endpointing.end();
                    state.act(&myself, action).await;
                }
            }
            SpeechToTextMessage::Judged { .. } | SpeechToTextMessage::Words { .. } => {}
            SpeechToTextMessage::BatchRecognised { text } => state.batch_recognised(text),
            SpeechToTextMessage::Reopen => state.reopen(&myself).await,
            SpeechToTextMessage::Gone => {
                let action = state.endpointing.end();
                state.act(&myself, action).await;
                state.decoder = Decoder::default();
                state.rest.clear();
            }
            SpeechToTextMessage::Rotate => state.replace_stream(&myself).await,
            SpeechToTextMessage::Tick => state.tick(&myself).await,
        }
        state.args.probe.waits_for((!state.closing.is_empty()).then_some("recogniser"));
        if counted {
            state.args.probe.handled();
        }
        Ok(())
    }
}

impl SpeechToTextState {
    fn tell(&self, event: EarEvent) {
        (self.args.events)(event);
    }

    async fn hear(&mut self, myself: &ActorRef<SpeechToTextMessage>, body: CandidateBody, captured_at: DateTime<Utc>) {
        match body {
            CandidateBody::AudioStart { .. } => {
                self.decoder = Decoder::default();
                self.rest.clear();
                self.batch.stream_began();
            }
            CandidateBody::Audio { codec, sample_rate, data } => {
                self.last_audio = (self.args.parts.clock.now(), captured_at);
                match self.decoder.decode(codec, sample_rate, &data) {
                    Ok(pcm) => self.listen(myself, &pcm).await,
                    Err(BadAudio) => self.tell(EarEvent::BadAudio),
                }
            }
            CandidateBody::Quiet => {
                self.flush(myself).await;
                let quiet = (captured_at - self.last_audio.1).to_std().unwrap_or_default();
                let action = self.endpointing.idle(quiet);
                self.act(myself, action).await;
            }
            CandidateBody::AudioEnd => {
                self.flush(myself).await;
                self.batch.stream_ended(self.open.is_some() || !self.closing.is_empty() || self.held.is_some());
                let action = self.endpointing.end();
                self.act(myself, action).await;
                if self.open.is_none() {
                    self.release_held();
                }
            }
            CandidateBody::Batch { sample_rate, data } => {
                let now = self.args.parts.clock.now();
                let pcm = Decoder::default()
                    .decode(maya_protocol::audio::Codec::Linear16, sample_rate, &data)
                    .unwrap_or_default();
                self.batch.piece(pcm, now);
            }
            _ => {}
        }
    }

    async fn tick(&mut self, myself: &ActorRef<SpeechToTextMessage>) {
        let now = self.args.parts.clock.now();
        if now.saturating_duration_since(self.last_audio.0) >= LONGEST_WAY {
            let action = self.endpointing.end();
            self.act(myself, action).await;
        }
        self.check_closing(myself, now).await;
        self.renew_stream(myself, now).await;
        self.miss_stream(myself).await;
        if let Some(pcm) = self.batch.due(now, self.args.parts.settings.batch_debounce) {
            self.recognise_batch(myself, pcm);
        }
        let quiet = self.open.is_none() && self.closing.is_empty() && self.held.is_none() && self.batch.is_empty();
        // an ear that has heard nothing yet has judged nothing, and the beginning of a turn is heard before it is noticed
        let calm = self.endpointing.is_calm(hearing::BEFORE);
        if quiet && calm && now.saturating_duration_since(self.silence_told).as_secs() >= 9 {
            self.silence_told = now;
            self.tell(EarEvent::Silence { offset: self.last_offset + 1 });
        }
    }
}
