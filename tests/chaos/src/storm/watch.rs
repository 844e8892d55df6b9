//! What an interview is doing now, told from its candidate's events as they come. Pure.

use super::schedule::Phase;
use crate::evidence::What;

/// What is known of one candidate.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Watch {
    /// None before the join and while the connection is lost.
    phase: Option<Phase>,
    greeted: bool,
    closing: bool,
    /// `host:port` of the edge that it holds.
    edge: Option<String>,
}

impl Watch {
    /// Something happened; the edge is in `JOINED`.
    pub fn take(&mut self, what: &What) {
        match what {
            What::Joined { edge, .. } => self.edge = Some(edge.clone()),
            What::Lost {} | What::Closed { .. } => {
                self.edge = None;
                self.phase = None;
            }
            What::Saying { .. } => self.phase = Some(Phase::Answering),
            What::Said {} => self.phase = Some(Phase::Thinking),
            What::Cut {} => self.phase = None,
            What::AgentResponse { duration_ms: 1.., .. } => self.phase = Some(self.spoken()),
            What::State { state, .. } => match state.as_str() {
                "GREETING" => self.phase = Some(Phase::Greeting),
                "CLOSING" => {
                    self.closing = true;
                    self.phase = Some(Phase::Closing);
                }
                "LISTENING" => {
                    self.greeted = true;
                    // while the candidate speaks, and while its words are on their way, she listens too
                    if !matches!(self.phase, Some(Phase::Answering | Phase::Thinking)) {
                        self.phase = Some(Phase::Listening);
                    }
                }
                "SPEAKING" => self.phase = Some(self.spoken()),
                "ENDED" => self.phase = None,
                _ => {}
            },
            _ => {}
        }
    }

    fn spoken(&self) -> Phase {
        match (self.greeted, self.closing) {
            (_, true) => Phase::Closing,
            (false, _) => Phase::Greeting,
            (true, _) => Phase::Speaking,
        }
    }

    /// What it is doing.
    pub fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// Where its socket is.
    pub fn edge(&self) -> Option<&str> {
        self.edge.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(state: &str) -> What {
        What::State { state: state.into(), reason: None }
    }
    fn audio() -> What {
        let (turn_id, text) = ("t0".into(), String::new());
        What::AgentResponse { turn_id, sentence: 0, part: 0, text, duration_ms: 100, last: false }
    }

    #[test]
    fn an_interview_goes_through_its_phases() {
        let mut watch = Watch::default();
        let mut seen = Vec::new();
        for what in [
            What::Joined { connection: 0, edge: "e:1".into() },
            state("WAITING"),
            state("GREETING"),
            audio(),
            state("LISTENING"),
            What::Saying { text: None },
            state("LISTENING"),
            What::Said {},
            state("THINKING"),
            state("SPEAKING"),
            What::Lost {},
            What::Joined { connection: 1, edge: "e:2".into() },
            state("CLOSING"),
            audio(),
            state("ENDED"),
        ] {
            watch.take(&what);
            if seen.last() != Some(&watch.phase()) {
                seen.push(watch.phase());
            }
        }
        use Phase::*;
        let expected = [Greeting, Listening, Answering, Thinking, Speaking].map(Some);
        assert_eq!(seen[1..6], expected);
        assert_eq!(seen[6..], [None, Some(Closing), None]);
        assert_eq!(watch.edge(), Some("e:2"));
    }
}
