//! What an operator asks of this node, or of a session that lives here.

use super::{Live, Placement};
use crate::session::message::SessionMessage;
use maya_protocol::{
    event::Command,
    ids::SessionId,
    operation::{ActorKind, Operation},
    supervision::Happening,
    trace,
    tree::Busy,
};

impl Placement {
    /// Does it, or says why not.
    pub async fn operate(&self, operation: Operation) -> Result<(), String> {
        match operation {
            Operation::RestartActor { session, kind } => {
                let live = self.living(session)?;
                // an actor that handles nothing cannot fail by itself
                if kind == ActorKind::Session && live.probe.state() == Busy::Stuck {
                    live.actor.kill();
                    return Ok(());
                }
                tell(&live, SessionMessage::Restart(kind))
            }
            Operation::RotateStt { session } => tell(&self.living(session)?, SessionMessage::RotateStt),
            Operation::End { session } => {
                tell(&self.living(session)?, SessionMessage::Command(Command::End, trace::current()))
            }
            Operation::Drain => {
                self.drain();
                Ok(())
            }
            Operation::Move { session, to } => {
                let live = self.living(session)?;
                self.move_session(session, to).await.map_err(|why| why.to_string())?;
                live.probe.note(Happening::Moved, "an operator asked for it");
                Ok(())
            }
            Operation::PauseAdmission { paused } => {
                self.pause(paused);
                Ok(())
            }
        }
    }

    fn living(&self, session: SessionId) -> Result<Live, String> {
        self.inner.live(session).ok_or_else(|| match self.inner.here.contains_key(&session) {
            true => "the session is being started".to_owned(),
            false => "the session does not live here".to_owned(),
        })
    }
}

fn tell(live: &Live, message: SessionMessage) -> Result<(), String> {
    live.probe.cast(&live.actor, message).map_err(|_| "the session is gone".to_owned())
}
