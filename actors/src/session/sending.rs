//! What goes to the candidate, and what happens when it cannot.

use super::{asides, body::SessionState, machine::Input, message::SessionMessage, voice::Frame};
use bytes::Bytes;
use maya_protocol::{
    audio::{AgentBody, AgentMessage, ErrorCode},
    ids::TurnId,
    session::Phase,
};
use ractor::ActorRef;
use std::time::Duration;

/// How often a bus that is away is looked for.
const BUS_LOOK: Duration = Duration::from_millis(250);

impl SessionState {
    pub(super) fn send_speech(&mut self, frame: Frame) {
        self.send(AgentBody::Speech {
            turn_id: frame.turn,
            sentence: frame.sentence,
            part: frame.part,
            text: frame.text,
            last: false,
            pcm: frame.pcm,
        });
    }

    /// All of a sentence was sent.
    pub(super) fn send_whole(&mut self, turn_id: TurnId, sentence: usize) {
        self.send(AgentBody::Whole { turn_id, sentence: sentence as u32, parts: self.mouth.next_part() });
    }

    pub(super) fn send_error(&mut self, code: ErrorCode, message: &str, retryable: bool) {
        self.send(AgentBody::Error { code, message: message.to_owned(), retryable });
    }

    pub(super) fn send(&mut self, body: AgentBody) {
        let Some((connection, _)) = self.connection else { return };
        let message = AgentMessage {
            session: self.args.session,
            tenant: self.args.tenant,
            partition: self.args.partition,
            epoch: self.args.epoch,
            connection,
            trace: self.args.trace.get(),
            body,
        };
        if let Err(error) = self.args.parts.bus.send(message.to_record()) {
            metrics::counter!("maya_agent_messages_dropped_total").increment(1);
            if error.is_retryable() && !self.bus_away {
                self.bus_away = true;
                self.trouble(error.to_string());
            }
            tracing::warn!(session = %self.args.session, error = %error, "a message to the candidate was dropped");
        }
    }

    /// Says a fixed line: at once, beside the conversation, from what was synthesised ahead.
    pub(super) async fn say_aside(&mut self, myself: &ActorRef<SessionMessage>, aside: asides::Aside) {
        if aside == asides::Aside::Holding {
            self.trouble("the database does not answer: the reply waits".to_owned());
        }
        let Some(pcm) = self.args.parts.asides.audio(aside, &self.args.language) else { return };
        metrics::counter!("maya_asides_total").increment(1);
        let turn_id = TurnId::aside(self.asides);
        self.asides += 1;
        let mut frames: Vec<_> = pcm.chunks(asides::PIECE).map(|piece| pcm.slice_ref(piece)).collect();
        if frames.is_empty() {
            frames.push(Bytes::new());
        }
        // as with any turn, its final frame is empty
        frames.push(Bytes::new());
        let final_part = frames.len() - 1;
        for (part, pcm) in frames.into_iter().enumerate() {
            let text = if part == 0 { aside.text().to_owned() } else { String::new() };
            let (part, last) = (part as u32, part == final_part);
            self.send(AgentBody::Speech { turn_id, sentence: 0, part, text, last, pcm });
        }
        let ms = asides::lasts(aside, &pcm).as_millis() as u64;
        Box::pin(self.step(myself, Input::AsideSaid { ms })).await;
    }

    /// The bus takes messages again: the candidate is told where things stand, and hears again what was cut.
    pub(super) async fn bus_back(&mut self, myself: &ActorRef<SessionMessage>) {
        self.bus_away = false;
        if self.machine.phase() == Phase::Suspended && self.connection.is_some() {
            self.step(myself, Input::Joined).await;
        }
    }

    /// The bus refused a message: for the candidate this is as if the line were cut, and so it is for the machine.
    pub(super) async fn wait_for_bus(&mut self, myself: &ActorRef<SessionMessage>) {
        let (bus, listener) = (self.args.parts.bus.clone(), myself.clone());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(BUS_LOOK).await;
                if bus.check().await.is_ok() {
                    let _ = listener.cast(SessionMessage::BusBack);
                    return;
                }
            }
        });
        Box::pin(self.step(myself, Input::Left)).await;
    }
}
