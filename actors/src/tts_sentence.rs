//! Gives one sentence its voice, ahead of the time when it is let go. Temporary: it ends with its sentence.

use crate::{observe::Observed, parts::Parts, session::message::VoiceEvent};
use bytes::Bytes;
use futures::StreamExt;
use maya_protocol::{audio::SPEAKING_RATE, ids::TurnId};
use maya_providers::{
    ProviderError,
    tts::{Emotion, PcmStream, SynthesisRequest},
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::timeout;

/// Largest piece that travels at once: one second.
const PIECE: usize = SPEAKING_RATE as usize * 2;

/// The actor.
pub struct TtsSentence;

/// What it is given.
pub struct TtsSentenceArgs {
    /// Which voice of the session's it is; events of an older one are ignored.
    pub take: u64,
    /// Which sentence.
    pub turn: TurnId,
    /// Its number in the turn.
    pub sentence: usize,
    /// Its words.
    pub text: String,
    /// How it should sound.
    pub emotion: Emotion,
    /// BCP 47.
    pub language: String,
    /// Where the audio goes.
    pub events: Box<dyn Fn(VoiceEvent) + Send + Sync>,
    /// Its place in the tree.
    pub probe: Observed,
    /// The seams.
    pub parts: Parts,
}

/// What it is told: there is only one thing to do.
pub enum TtsSentenceMessage {
    /// Speak.
    Speak,
}

impl Actor for TtsSentence {
    type Msg = TtsSentenceMessage;
    type State = TtsSentenceArgs;
    type Arguments = TtsSentenceArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        args.probe.sent();
        myself.cast(TtsSentenceMessage::Speak)?;
        Ok(args)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        TtsSentenceMessage::Speak: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let _working = state.probe.work();
        state.probe.phase("synthesising");
        let (take, turn, sentence) = (state.take, state.turn, state.sentence);
        let ended = |failure| VoiceEvent::Ended { take, turn, sentence, failure };
        match speak(state).await {
            Ok(()) => (state.events)(ended(None)),
            Err(reason) => {
                tracing::warn!(turn = %turn, sentence, error = %reason, "a sentence stays without voice");
                state.probe.failed(reason.clone());
                (state.events)(ended(Some(reason)));
            }
        }
        state.probe.handled();
        myself.stop(None);
        Ok(())
    }
}

async fn speak(state: &TtsSentenceArgs) -> Result<(), String> {
    let patience = state.parts.settings.first_audio;
    let mut spoken = false;
    // one more try, as long as nothing of the sentence was let go; none after one that was late, the candidate waits
    for last_try in [false, true] {
        let request =
            SynthesisRequest { text: state.text.clone(), language: state.language.clone(), emotion: state.emotion };
        state.probe.provider("asked");
        state.probe.waits_for(Some("voice"));
        let failure = match timeout(patience, state.parts.senses.speaks.synthesize(request)).await {
            Ok(Ok(stream)) => match pieces(state, stream, &mut spoken).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            },
            Ok(Err(error)) => refused(state, &error),
            Err(_) => ("no answer in time".to_owned(), false),
        };
        match failure {
            (_, true) if !spoken && !last_try => state.probe.progress(),
            (reason, _) => return Err(reason),
        }
    }
    Ok(())
}

/// Hands the audio on; an error says whether another try may help.
async fn pieces(state: &TtsSentenceArgs, mut stream: PcmStream, spoken: &mut bool) -> Result<(), (String, bool)> {
    loop {
        let piece = match timeout(state.parts.settings.first_audio, stream.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) => return Err(refused(state, &error)),
            Ok(None) if *spoken => return Ok(()),
            Ok(None) => return Err(("no audio at all".to_owned(), true)),
            Err(_) => return Err(("audio stalled".to_owned(), false)),
        };
        state.probe.provider("streaming");
        state.probe.waits_for(None);
        state.probe.progress();
        let mut rest = piece;
        while !rest.is_empty() {
            let pcm: Bytes = rest.split_to(rest.len().min(PIECE));
            *spoken = true;
            (state.events)(VoiceEvent::Piece { take: state.take, turn: state.turn, sentence: state.sentence, pcm });
        }
    }
}

/// What is told of a provider's error, and whether another try may help.
fn refused(state: &TtsSentenceArgs, error: &ProviderError) -> (String, bool) {
    state.parts.quotas.heed(error);
    (error.to_string(), error.is_retryable())
}
