//! Speech that goes on is recorded in pieces: what a lost node leaves to be heard again stays short, and so does what
//! waits in memory. A piece ends at a pause where one comes in time.

use super::{
    SpeechToTextState,
    hearing::{Closed, JUDGED, Open},
};
use maya_protocol::audio::HEARING_RATE;
use std::time::Duration;

/// A pause between two words; one within a word is shorter.
const PAUSE: Duration = Duration::from_millis(128);

impl SpeechToTextState {
    /// Ends a piece of the open turn where it is time for that. Called between two messages of the log, since a position
    /// names a message.
    pub(super) async fn cut_piece(&mut self) {
        let Some(open) = &self.open else { return };
        let longest = self.args.parts.settings.longest_piece;
        if !self.endpointing.is_turn() || !is_due(open.pcm.len(), longest, self.endpointing.silent()) {
            return;
        }
        let tail = open.end(JUDGED);
        self.close(Closed::GoesOn).await;
        self.open = Some(Open { pcm: Vec::new(), tail, earlier: String::new() });
        self.args.probe.phase("hearing");
    }
}

/// Whether a piece of that many samples ends here, after so much silence.
fn is_due(samples: usize, longest: Duration, silent: Duration) -> bool {
    let longest = longest.as_millis() as usize * HEARING_RATE as usize / 1000;
    samples >= longest || (silent >= PAUSE && samples >= longest / 5 * 3)
}

impl Open {
    /// The last samples of the turn, of the piece before it too.
    pub(super) fn end(&self, samples: usize) -> Vec<i16> {
        let of_this = self.pcm.len().min(samples);
        let of_before = self.tail.len().min(samples - of_this);
        let mut end = self.tail[self.tail.len() - of_before..].to_vec();
        end.extend_from_slice(&self.pcm[self.pcm.len() - of_this..]);
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_ends_at_a_pause_or_at_its_bound() {
        let longest = Duration::from_secs(20);
        let seconds = |seconds: usize| seconds * HEARING_RATE as usize;
        assert!(!is_due(seconds(11), longest, PAUSE), "short pieces are no use to anybody");
        assert!(is_due(seconds(12), longest, PAUSE));
        assert!(!is_due(seconds(19), longest, Duration::from_millis(96)), "within a word");
        assert!(is_due(seconds(20), longest, Duration::ZERO));
    }

    #[test]
    fn a_turn_is_judged_by_its_end_across_pieces() {
        let open = Open { pcm: vec![4, 5], tail: vec![1, 2, 3], earlier: String::new() };
        assert_eq!(open.end(1), [5]);
        assert_eq!(open.end(3), [3, 4, 5]);
        assert_eq!(open.end(9), [1, 2, 3, 4, 5]);
    }
}
