//! The conversation: what is sent at every tick of 100 ms, and what is made of every frame. Which socket carries it,
//! `call.rs` knows.

use super::{
    Candidate,
    floor::Floor,
    hearing::{Hearing, Piece},
    microphone::Microphone,
    report::{Event, Report, SpokenLine, Utterance, What},
    voice::Utterance as Line,
};
use anyhow::Context as _;
use maya_protocol::{
    clock::SharedClock,
    ids::{SessionId, TurnId},
    session::Phase,
    wire::{CLOSE_REPLACED, Down, Up, decode},
};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How long after LEAVE or ENDED the server may take to close.
const FAREWELL: Duration = Duration::from_secs(10);
/// So long Maya may listen on a new connection before the candidate believes that its last line was lost with the old.
const DOUBT_MS: u64 = 3_000;

pub(super) struct Talk {
    candidate: Candidate,
    session: SessionId,
    clock: SharedClock,
    joined: Instant,
    floor: Floor,
    hearing: Hearing,
    microphone: Microphone,
    next: usize,
    /// The line that was said and of which nobody has said that it was heard.
    unanswered: bool,
    /// When Maya began to listen on a connection, while a line of an earlier one is unanswered.
    doubt: Option<Option<u64>>,
    lines: Vec<SpokenLine>,
    /// Which line an utterance belongs to: the one that was being said when its first words came.
    utterances: HashMap<TurnId, usize>,
    interrupted_at: Option<u64>,
    interruption_ms: Option<u64>,
    events: Vec<Event>,
    reason: Option<String>,
    ended_at: Option<u64>,
    left: bool,
    connections: u32,
    close_code: Option<u16>,
}

impl Talk {
    pub(super) fn new(candidate: Candidate, session: SessionId, clock: SharedClock) -> Self {
        let microphone = Microphone::new(session, candidate.mode);
        Self {
            candidate,
            session,
            joined: clock.now(),
            clock,
            floor: Floor::default(),
            hearing: Hearing::default(),
            microphone,
            next: 0,
            unanswered: false,
            doubt: None,
            lines: Vec::new(),
            utterances: HashMap::new(),
            interrupted_at: None,
            interruption_ms: None,
            events: Vec::new(),
            reason: None,
            ended_at: None,
            left: false,
            connections: 0,
            close_code: None,
        }
    }

    /// A connection is there; what is said on it first.
    pub(super) fn joined(&mut self, edge: String) -> Up {
        if self.connections == 0 {
            self.joined = self.clock.now();
        }
        self.note(What::Joined { connection: self.connections, edge });
        self.connections += 1;
        let recording = self.candidate.recording;
        Up::Consent { session_id: Some(self.session), recording, text_version: "1".to_owned() }
    }

    /// The connection is gone; whether the interview may go on over another one.
    pub(super) fn parted(&mut self, code: Option<u16>) -> bool {
        self.close_code = code;
        // ENDED and LEAVE are for good, and so are these two codes
        let over = self.ended_at.is_some() || matches!(code, Some(1000 | CLOSE_REPLACED));
        if over || self.candidate.reconnect_for.is_zero() {
            return false;
        }
        self.note(What::Lost { code });
        self.hearing.lost(self.now());
        self.floor.lost();
        if self.microphone.lost() {
            // nobody heard this line to its end: it is said again
            self.next -= 1;
            self.note(What::Cut { line: self.lines.len() - 1 });
        } else if self.unanswered {
            self.doubt = Some(None);
        }
        true
    }

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
    pub(super) fn is_over(&self) -> bool {
        self.ended_at.is_some_and(|at| self.now() > at + FAREWELL.as_millis() as u64)
    }

    /// What is sent now.
    pub(super) fn tick(&mut self) -> Vec<Up> {
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
            self.unanswered = true;
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
        if self.doubt.flatten().is_some_and(|since| now > since + DOUBT_MS) {
            self.doubt = None;
            self.next -= 1;
            self.floor.gave_up();
        }
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

    pub(super) fn receive(&mut self, text: &str) -> anyhow::Result<()> {
        // a newer server may say more than we know
        let Ok(message) = serde_json::from_str::<Down>(text) else { return Ok(()) };
        let now = self.now();
        match message {
            Down::State { state, reason, remaining_seconds, .. } => {
                self.floor.state(state);
                if let Some(since) = &mut self.doubt {
                    *since = (state == Phase::Listening).then_some(now);
                }
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
                if r#final {
                    self.heard();
                }
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

    /// Someone heard the last line.
    fn heard(&mut self) {
        self.unanswered = false;
        self.doubt = None;
    }

    fn replied(&mut self, turn: TurnId, now: u64) {
        self.heard();
        if let Some(line) = self.lines.last_mut() {
            line.reply = Some(turn);
            line.first_audio_ms = Some(now.saturating_sub(line.ended_ms));
        }
    }

    pub(super) fn finish(mut self) -> Report {
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
