//! What an operator asks of a live session: an actor is started again, and the session goes on.

use super::{
    body::SessionState,
    machine::Input,
    message::{SessionMessage, VoiceEvent},
};
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
                self.args.probe.restarted(WHY);
                self.replace_ear(myself, WHY).await?;
            }
            ActorKind::LlmTurn if self.children.has_mind() => {
                self.children.drop_mind();
                self.args.probe.restarted(WHY);
                match self.unworded.take() {
                    Some((thought, task, reply)) => self.think(myself, thought, task, reply, false).await,
                    // sentences that are out stay said: the reply ends there
                    None => {
                        let thought = self.machine.thought();
                        self.step(myself, Input::ThoughtFailed { thought }).await;
                    }
                }
            }
            ActorKind::LlmTurn => {}
            ActorKind::TtsSentence => {
                self.args.probe.restarted(WHY);
                // the sentences that were to be spoken are shown without voice; the next ones have one again
                for (turn, sentence) in self.children.drop_voices() {
                    let (take, failure) = (self.mouth.take(), Some(WHY.to_owned()));
                    self.voice(myself, VoiceEvent::Ended { take, turn, sentence, failure }).await;
                }
            }
        }
        Ok(())
    }
}
