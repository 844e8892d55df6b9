//! The conversation: one socket, one tick every 100 ms.

use super::{
    Candidate,
    floor::Floor,
    hearing::{Hearing, Piece},
    link,
    microphone::{Microphone, TICK_MS},
    report::{Event, Report, SpokenLine, Utterance, What},
    voice::Utterance as Line,
};
use anyhow::Context as _;
use futures::{SinkExt as _, StreamExt as _};
use maya_protocol::{
    clock::SharedClock,
    ids::{SessionId, TurnId},
    session::Phase,
    wire::{Down, Up, decode},
};
use std::{collections::HashMap, time::Duration, time::Instant};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::{self, Message, protocol::WebSocketConfig};

const CONNECT: Duration = Duration::from_secs(15);
/// How long after LEAVE or ENDED the server may take to close.
const FAREWELL: Duration = Duration::from_secs(10);
const LARGEST: usize = 16 << 20;

struct Talk {
    candidate: Candidate,
    session: SessionId,
    clock: SharedClock,
    joined: Instant,
    floor: Floor,
    hearing: Hearing,
    microphone: Microphone,
    next: usize,
    lines: Vec<SpokenLine>,
    /// Which line an utterance belongs to: the one that was being said when its first words came.
    utterances: HashMap<TurnId, usize>,
    interrupted_at: Option<u64>,
    interruption_ms: Option<u64>,
    events: Vec<Event>,
    reason: Option<String>,
    ended_at: Option<u64>,
    left: bool,
    close_code: Option<u16>,
}

pub(super) async fn hold(candidate: Candidate, clock: SharedClock) -> anyhow::Result<Report> {
    let link = link::parse(&candidate.join)?;
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    let connect = tokio_tungstenite::connect_async_with_config(link.socket.as_str(), Some(config), true);
    // the error names neither the address nor the token in it
    let (socket, _) = timeout(CONNECT, connect).await.context("joining took too long")?.map_err(refused)?;
    let (mut up, mut down) = socket.split();

    let joined = clock.now();
    let microphone = Microphone::new(link.session, candidate.mode);
    let consent =
        Up::Consent { session_id: Some(link.session), recording: candidate.recording, text_version: "1".to_owned() };
    let mut talk = Talk {
        candidate,
        session: link.session,
        clock,
        joined,
        floor: Floor::default(),
        hearing: Hearing::default(),
        microphone,
        next: 0,
        lines: Vec::new(),
        utterances: HashMap::new(),
        interrupted_at: None,
        interruption_ms: None,
        events: Vec::new(),
        reason: None,
        ended_at: None,
        left: false,
        close_code: None,
    };
    up.send(text(&consent)?).await.context("sending consent")?;
    let mut ticks = interval(Duration::from_millis(TICK_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            message = down.next() => match message {
                Some(Ok(Message::Text(text))) => talk.receive(&text)?,
                Some(Ok(Message::Close(frame))) => {
                    talk.close_code = frame.map(|frame| frame.code.into());
                    break;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
            _ = ticks.tick() => {
                if talk.is_over() {
                    break;
                }
                for message in talk.tick() {
                    // a socket that is closed under us is told by its other half
                    if up.send(text(&message)?).await.is_err() {
                        break;
                    }
                }
            }
        }
    }
    let _ = up.close().await;
    Ok(talk.finish())
}

fn refused(error: tungstenite::Error) -> anyhow::Error {
    match error {
        tungstenite::Error::Http(response) => anyhow::anyhow!("the join was refused: {}", response.status()),
        tungstenite::Error::Io(error) => anyhow::Error::new(error).context("the edge does not answer"),
        other => anyhow::anyhow!("the edge speaks no WebSocket there: {other}"),
    }
}

fn text(message: &Up) -> anyhow::Result<Message> {
    Ok(Message::text(serde_json::to_string(message)?))
}

impl Talk {
    fn now(&self) -> u64 {
        (self.clock.now() - self.joined).as_millis() as u64
    }
    fn note(&mut self, what: What) {
        let event = Event { at_ms: self.now(), what };
        if let Some(observer) = &self.candidate.observer {
            observer(&event);
        }
        self.events.push(event);
    }
    fn is_over(&self) -> bool {
        self.ended_at.is_some_and(|at| self.now() > at + FAREWELL.as_millis() as u64)
    }

    /// What is sent now.
    fn tick(&mut self) -> Vec<Up> {
        let now = self.now();
        let mut messages = Vec::new();
        if self.candidate.marks && self.ended_at.is_none() {
            messages.extend(self.hearing.marks(now).into_iter().map(|(turn_id, sentence, played_ms)| Up::Playback {
                session_id: Some(self.session),
                turn_id,
                sentence,
                played_ms,
            }));
        }
        if now > self.candidate.limit.as_millis() as u64 && !self.left {
            self.left = true;
            self.ended_at.get_or_insert(now);
            messages.push(Up::Leave { session_id: Some(self.session) });
        }
        if self.ended_at.is_some() {
            return messages;
        }
        if !self.microphone.is_speaking() {
            self.maybe_speak(now);
        }
        let stopped = self.candidate.stop_frames_after_line.is_some_and(|line| line + 1 == self.lines.len())
            && self.floor.awaits_reply();
        if stopped && !self.microphone.is_speaking() {
            return messages;
        }
        let tick = self.microphone.tick();
        messages.extend(tick.messages);
        if tick.said {
            self.floor.said();
            let line = self.lines.len().saturating_sub(1);
            if let Some(line) = self.lines.last_mut() {
                line.ended_ms = now;
            }
            self.note(What::Said { line });
        }
        messages
    }

    fn maybe_speak(&mut self, now: u64) {
        let heard_until = self.hearing.heard_until();
        let over = match self.candidate.interrupt_after {
            Some(after) if self.interrupted_at.is_none() => {
                self.floor.may_interrupt(now, heard_until, after.as_millis() as u64)
            }
            _ => false,
        };
        if !over && !self.floor.is_mine(now, heard_until) {
            return;
        }
        // who came with nothing to say says nothing at the end either
        let line: Option<&Line> = match self.candidate.lines.get(self.next) {
            None if self.candidate.lines.is_empty() => None,
            None => self.candidate.afterwards.as_ref(),
            line => line,
        };
        let Some(line) = line.cloned() else { return };
        self.microphone.speak(&line.sound);
        if over {
            self.interrupted_at = Some(now);
        }
        self.next += 1;
        self.lines.push(SpokenLine { text: line.text.clone(), started_ms: now, ..SpokenLine::default() });
        self.note(What::Saying { line: self.lines.len() - 1, text: line.text });
    }

    fn receive(&mut self, text: &str) -> anyhow::Result<()> {
        // a newer server may say more than we know
        let Ok(message) = serde_json::from_str::<Down>(text) else { return Ok(()) };
        let now = self.now();
        match message {
            Down::State { state, reason, remaining_seconds, .. } => {
                self.floor.state(state);
                if state == Phase::Ended {
                    self.ended_at.get_or_insert(now);
                    self.reason.clone_from(&reason);
                }
                self.note(What::State { state, reason, remaining_seconds });
            }
            Down::AgentResponse { turn_id, sentence, part, text, data, last, .. } => {
                let data = decode(&data).context("Maya's audio is not base64")?;
                let duration_ms = data.len() as u64 / 48;
                let from = now.max(self.hearing.heard_until());
                let piece = Piece { turn: turn_id, sentence, text: &text, data: &data, last };
                if self.hearing.queue(now, &piece) && self.floor.audible(turn_id, from) {
                    self.replied(turn_id, now);
                }
                self.note(What::AgentResponse { turn_id, sentence, part, text, duration_ms, last });
            }
            Down::AgentClear { turn_id, .. } => {
                self.hearing.clear(now, turn_id);
                if let Some(onset) = self.interrupted_at {
                    self.interruption_ms.get_or_insert(now - onset);
                }
                self.note(What::AgentClear { turn_id });
            }
            Down::Transcript { utterance_id, text, r#final, .. } => {
                let newest = self.lines.len().saturating_sub(1);
                let line = *self.utterances.entry(utterance_id).or_insert(newest);
                if r#final && let Some(line) = self.lines.get_mut(line) {
                    line.utterances.retain(|known| known.utterance_id != utterance_id);
                    line.utterances.push(Utterance { utterance_id, text: text.clone() });
                }
                self.note(What::Transcript { utterance_id, text, r#final });
            }
            Down::Error { code, message, retryable } => {
                let code = serde_json::to_value(code)?.as_str().unwrap_or_default().to_owned();
                self.note(What::Error { code, message, retryable });
            }
        }
        Ok(())
    }

    fn replied(&mut self, turn: TurnId, now: u64) {
        if let Some(line) = self.lines.last_mut() {
            line.reply = Some(turn);
            line.first_audio_ms = Some(now.saturating_sub(line.ended_ms));
        }
    }

    fn finish(mut self) -> Report {
        self.note(What::Closed { code: self.close_code });
        let duration_ms = self.now();
        let ended = self.events.iter().any(|event| matches!(event.what, What::State { state: Phase::Ended, .. }));
        let (recording, maya) = self.hearing.finish();
        Report {
            session_id: self.session,
            ended,
            reason: self.reason,
            close_code: self.close_code,
            duration_ms,
            lines: self.lines,
            maya,
            interruption_ms: self.interruption_ms,
            events: self.events,
            recording,
        }
    }
}
