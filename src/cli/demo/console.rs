//! The conversation as it happens: who, what, when.

use crate::cli::candidate::{Event, What};
use maya_protocol::{clock::SharedClock, ids::TurnId};
use std::{
    collections::HashSet,
    io::IsTerminal as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Prints lines as they come: to standard error where standard output is for JSON.
#[derive(Clone)]
pub struct Console {
    clock: SharedClock,
    started: Instant,
    to_stderr: bool,
    colour: bool,
    /// Which of Maya's sentences were already printed.
    said: Arc<Mutex<HashSet<(TurnId, u32)>>>,
}

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

impl Console {
    /// Time begins now.
    pub fn new(to_stderr: bool, clock: SharedClock) -> Self {
        let terminal = if to_stderr { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        Self { started: clock.now(), clock, to_stderr, colour, said: Arc::default() }
    }
    /// How long it has gone on.
    pub fn elapsed(&self) -> Duration {
        self.clock.now() - self.started
    }
    /// Something that the platform did.
    pub fn step(&self, text: &str) {
        self.line(DIM, "", text);
    }
    fn is_new(&self, turn: TurnId, sentence: u32) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert((turn, sentence))
    }
    fn line(&self, style: &str, who: &str, text: &str) {
        let seconds = self.elapsed().as_secs_f64();
        let (on, off) = if self.colour { (style, PLAIN) } else { ("", "") };
        let line = format!("{seconds:7.1} s  {on}{who:<9} {text}{off}");
        if self.to_stderr { eprintln!("{line}") } else { println!("{line}") }
    }
    /// Something that the candidate saw, heard or said.
    pub fn event(&self, event: &Event) {
        match &event.what {
            What::AgentResponse { turn_id, sentence, text, .. }
                if !text.is_empty() && self.is_new(*turn_id, *sentence) =>
            {
                self.line(BOLD, "Maya", text);
            }
            What::Saying { text, .. } => self.line("", "Candidate", text.as_deref().unwrap_or("(a recording)")),
            What::Transcript { text, r#final: true, .. } => self.line(DIM, "  heard", text),
            What::AgentClear { .. } => self.line(DIM, "", "(Maya was interrupted)"),
            What::Error { code, message, .. } => self.line(BOLD, "error", &format!("{code}: {message}")),
            What::State { state, reason: Some(reason), .. } => self.line(DIM, "", &format!("{state} ({reason})")),
            _ => {}
        }
    }
}
