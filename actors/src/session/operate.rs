//! What an operator asks of a live session: an actor is started again, and the session goes on.

use super::{
    body::SessionState,
    machine::Input,
    message::{SessionMessage, VoiceEvent},
};
use crate::speech_to_text::SpeechToTextMessage;
use maya_protocol::operation::ActorKind;
use ractor::{ActorProcessingErr, ActorRef};

const WHY: &str = "an operator asked for it";

impl SessionState {
    /// Starts an actor again. The session's own actor fails, and is rebuilt from its turns by its supervisor.
    pub(super) async fn restart(
        &mut self,
        myself: &ActorRef<SessionMessage>,
        kind: ActorKind,
    ) -> Result<(), ActorProcessingErr> {
        match kind {
            ActorKind::Session => return Err(WHY.into()),
            ActorKind::SpeechToText => {
                if let Some(ear) = self.ear.take() {
                    ear.actor.kill();
                }
                self.args.probe.restarted(WHY);
                // a sound that it was hearing is over for the machine
                self.step(myself, Input::Offset).await;
                self.start_ear(myself).await;
            }
            ActorKind::LlmTurn => {
                let Some(mind) = self.mind.take() else { return Ok(()) };
                mind.kill();
                self.args.probe.restarted(WHY);
                match self.unworded.take() {
                    Some((thought, task, reply)) => self.think(myself, thought, task, reply).await,
                    // sentences that are out stay said: the reply ends there
                    None => {
                        let thought = self.machine.thought();
                        self.step(myself, Input::ThoughtDone { thought, last: None, by: None }).await;
                    }
                }
            }
            ActorKind::TtsSentence => {
                for (_, voice) in self.voices.drain() {
                    voice.kill();
                }
                self.args.probe.restarted(WHY);
                // the sentences that were to be spoken are shown without voice; the next ones have one again
                for (turn, sentence) in self.mouth.waiting() {
                    let take = self.mouth.take();
                    self.voice(myself, VoiceEvent::Ended { take, turn, sentence, failed: true }).await;
                }
            }
        }
        Ok(())
    }

    /// Has the ear open another stream to the recogniser.
    pub(super) fn rotate(&self) {
        if let Some(ear) = &self.ear {
            ear.tell(SpeechToTextMessage::Rotate);
        }
    }
}
