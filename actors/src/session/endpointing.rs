//! When a turn begins, when it is over, and when a sound over Maya's voice is an interruption. Pure: frames of voice
//! activity and judgements in, actions out; time is counted in frames of audio, so that a burst of late audio is
//! judged as it was spoken.

use std::time::Duration;

/// Length of a frame.
pub const FRAME: Duration = Duration::from_millis(32);
/// A frame at least this probable is speech.
const SPEECH: f32 = 0.5;
/// A frame less probable than this is silence; between the two the last judgement stands.
const SILENCE: f32 = 0.35;
/// Speech frames in a row that are a beginning: shorter sounds are clicks.
const ONSET_FRAMES: u32 = 3;
/// First look at a turn's end after this much silence.
const FIRST_LOOK: Duration = Duration::from_millis(190);
/// Further looks this far apart.
const NEXT_LOOK: Duration = Duration::from_millis(192);
/// A first look ends a turn only if it is surer than this.
const SURE: f32 = 0.75;
/// Later looks need this.
const LIKELY: f32 = 0.5;
/// Speech over Maya before its words are looked at. Measured: coughs and "mm-hm" end within 320 ms of voice, "uh-huh"
/// within 420, "okay" within 480; what is said to take the floor goes on.
const FIRST_WORDS: Duration = Duration::from_millis(416);
/// Speech over Maya that is longer than any acknowledgement: one word that is none takes the floor.
const LONG_ENOUGH: Duration = Duration::from_millis(480);
/// Further looks at its words.
const NEXT_WORDS: Duration = Duration::from_millis(64);
/// A sound over Maya's voice that stopped for this long was no turn.
const PASSED: Duration = Duration::from_millis(450);
/// Speech over Maya that goes on this long interrupts whatever its words are.
const INSISTS: Duration = Duration::from_millis(1800);

/// What the ear is to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// Speech began; keep the audio from a little before here.
    Onset,
    /// What began was nothing: drop its audio.
    Drop,
    /// Ask the end-of-turn model about the audio so far.
    JudgeTurn,
    /// Ask what words there are so far over Maya's voice.
    CheckWords(Sound),
    /// The candidate takes the floor.
    Interruption,
    /// The turn is over. `forced` by the longest silence, whatever its words are.
    Finish {
        /// Even a turn that sounds unfinished.
        forced: bool,
    },
}

/// A sound over Maya's voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// It goes on, and may still be an acknowledgement.
    Short,
    /// It goes on, and is longer than one.
    Long,
    /// It has stopped before it was long.
    Over,
}

/// The judge of one stream.
#[derive(Debug, Clone)]
pub struct Endpointing {
    max_silence: Duration,
    maya_talks: bool,
    open: bool,
    interrupted: bool,
    in_speech: bool,
    run: u32,
    voiced: Duration,
    silent: Duration,
    next_look: Duration,
    next_words: Duration,
}

impl Endpointing {
    /// Nothing heard yet. A turn ends after `max_silence` in any case.
    pub fn new(max_silence: Duration) -> Self {
        Self {
            max_silence,
            maya_talks: false,
            open: false,
            interrupted: false,
            in_speech: false,
            run: 0,
            voiced: Duration::ZERO,
            silent: Duration::ZERO,
            next_look: FIRST_LOOK,
            next_words: FIRST_WORDS,
        }
    }

    /// Whether an utterance is open.
    pub fn is_open(&self) -> bool {
        self.open
    }
    /// Silence at the end of the open utterance.
    pub fn silent(&self) -> Duration {
        self.silent
    }

    /// Tells whether Maya is being heard now.
    pub fn maya_talks(&mut self, talks: bool) {
        // a sound that began over her voice and goes on after it is the candidate's turn
        self.maya_talks = talks;
    }

    /// Takes the next frame.
    pub fn frame(&mut self, probability: f32) -> Option<Action> {
        if probability >= SPEECH {
            self.in_speech = true;
        } else if probability < SILENCE {
            self.in_speech = false;
        }
        if !self.in_speech {
            self.run = 0;
            self.silent += FRAME;
            return self.open.then(|| self.silence()).flatten();
        }
        self.run += 1;
        if !self.open {
            if self.run < ONSET_FRAMES {
                return None;
            }
            self.open = true;
            self.interrupted = false;
            self.voiced = FRAME * ONSET_FRAMES;
            self.silent = Duration::ZERO;
            self.next_look = FIRST_LOOK;
            self.next_words = FIRST_WORDS;
            return Some(Action::Onset);
        }
        self.voiced += FRAME;
        if self.run >= 2 {
            self.silent = Duration::ZERO;
            self.next_look = FIRST_LOOK;
        }
        if self.maya_talks && !self.interrupted {
            if self.voiced >= INSISTS {
                return self.interrupt();
            }
            if self.voiced >= self.next_words {
                self.next_words = self.voiced + NEXT_WORDS;
                let sound = if self.voiced >= LONG_ENOUGH { Sound::Long } else { Sound::Short };
                return Some(Action::CheckWords(sound));
            }
        }
        None
    }

    fn silence(&mut self) -> Option<Action> {
        if self.maya_talks && !self.interrupted {
            if self.silent >= PASSED {
                // the last look decides: an interruption, or nothing
                self.open = false;
                return Some(Action::CheckWords(Sound::Over));
            }
            return None;
        }
        if self.silent >= self.max_silence {
            return self.finish(true);
        }
        if self.silent >= self.next_look {
            self.next_look = self.silent + NEXT_LOOK;
            return Some(Action::JudgeTurn);
        }
        None
    }

    /// The end-of-turn model's answer to [`Action::JudgeTurn`].
    pub fn judged(&mut self, probability: f32) -> Option<Action> {
        if !self.open || self.silent < FIRST_LOOK || (self.maya_talks && !self.interrupted) {
            return None;
        }
        let enough = if self.silent < FIRST_LOOK + NEXT_LOOK { SURE } else { LIKELY };
        (probability >= enough).then(|| self.finish(false)).flatten()
    }

    /// The answer to [`Action::CheckWords`]: whether there are words that take the floor.
    pub fn words(&mut self, take_the_floor: bool, sound: Sound) -> Option<Action> {
        if self.interrupted {
            return None;
        }
        if take_the_floor {
            self.open = true;
            return self.interrupt();
        }
        (sound == Sound::Over).then_some(Action::Drop)
    }

    /// No frame has come for that long (by the clock): the client stopped sending.
    pub fn idle(&mut self, for_how_long: Duration) -> Option<Action> {
        (self.open && for_how_long >= self.max_silence).then(|| self.finish(true)).flatten()
    }

    /// The candidate says that the turn is over.
    pub fn end(&mut self) -> Option<Action> {
        self.open.then(|| self.finish(true)).flatten()
    }

    fn interrupt(&mut self) -> Option<Action> {
        self.interrupted = true;
        Some(Action::Interruption)
    }

    fn finish(&mut self, forced: bool) -> Option<Action> {
        self.open = false;
        self.interrupted = false;
        self.in_speech = false;
        self.run = 0;
        Some(Action::Finish { forced })
    }
}

/// Whether words leave the sentence open, so that a pause after them is not its end.
pub fn is_unfinished(text: &str) -> bool {
    const OPEN: &[&str] = &[
        "because", "and", "but", "so", "or", "um", "uh", "er", "the", "a", "an", "to", "of", "with", "if", "that",
        "which", "when", "like", "since", "although", "for", "my", "our", "is", "was", "then",
    ];
    let last =
        text.trim_end_matches(|c: char| !c.is_alphanumeric()).rsplit(|c: char| c.is_whitespace() || c == ',').next();
    last.is_some_and(|word| OPEN.contains(&word.to_lowercase().as_str()))
}

/// Whether words said over Maya's voice take the floor: an acknowledgement does not, and what is made of a short sound
/// is believed only if it is said to stop her.
pub fn takes_the_floor(text: &str, sound: Sound) -> bool {
    const ACKNOWLEDGE: &[&str] = &[
        "mm", "mmm", "mhm", "hm", "hmm", "hmmm", "um", "uh", "uhm", "huh", "ah", "oh", "eh", "er", "ha", "aha",
        "mmhmm", "mmhm", "uhhuh", "yeah", "yes", "yep", "yup", "ok", "okay", "right", "sure", "you", "bye", "the", "a",
        "i", "so", "and", "thank", "thanks", "it", "good", "got", "see", "great", "true", "exactly",
    ];
    const STOP: &[&str] = &["stop", "wait", "sorry", "excuse", "hold", "hang", "pause"];
    let words: Vec<String> = text
        .split(|c: char| c.is_whitespace() || c == '-')
        .map(|word| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    if words.iter().any(|word| STOP.contains(&word.as_str())) {
        return true;
    }
    let telling = words.iter().filter(|word| !ACKNOWLEDGE.contains(&word.as_str())).count();
    match sound {
        Sound::Over => false,
        Sound::Short => telling >= 2,
        Sound::Long => telling >= 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(endpointing: &mut Endpointing, probability: f32, ms: u64) -> Vec<Action> {
        (0..ms / 32).filter_map(|_| endpointing.frame(probability)).collect()
    }

    #[test]
    fn a_turn_ends_when_the_model_is_sure_or_the_silence_long() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        assert_eq!(run(&mut ear, 0.9, 1_000), [Action::Onset]);
        assert_eq!(run(&mut ear, 0.1, 224), [Action::JudgeTurn]);
        assert_eq!(ear.judged(0.6), None, "a first look must be sure");
        assert_eq!(run(&mut ear, 0.1, 320), [Action::JudgeTurn]);
        assert_eq!(ear.judged(0.6), Some(Action::Finish { forced: false }));
        assert_eq!(run(&mut ear, 0.1, 5_000), []);
        assert_eq!(run(&mut ear, 0.9, 500), [Action::Onset]);
        let silence = run(&mut ear, 0.1, 3_200);
        assert_eq!(silence.last(), Some(&Action::Finish { forced: true }));
    }

    #[test]
    fn clicks_do_not_begin_a_turn() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        for _ in 0..20 {
            assert_eq!(run(&mut ear, 0.9, 64), []);
            assert_eq!(run(&mut ear, 0.1, 200), []);
        }
    }

    #[test]
    fn a_cough_over_maya_passes_and_words_take_the_floor() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        ear.maya_talks(true);
        assert_eq!(run(&mut ear, 0.9, 320), [Action::Onset]);
        assert_eq!(run(&mut ear, 0.1, 480), [Action::CheckWords(Sound::Over)]);
        assert_eq!(ear.words(takes_the_floor("Man.", Sound::Over), Sound::Over), Some(Action::Drop));
        let short = Action::CheckWords(Sound::Short);
        assert_eq!(run(&mut ear, 0.9, 416), [Action::Onset, short]);
        assert_eq!(ear.words(takes_the_floor("Okay, okay.", Sound::Short), Sound::Short), None);
        assert_eq!(run(&mut ear, 0.9, 64), [Action::CheckWords(Sound::Long)]);
        assert_eq!(ear.words(takes_the_floor("Can you", Sound::Long), Sound::Long), Some(Action::Interruption));
        assert_eq!(run(&mut ear, 0.9, 2_000), [], "said once");
    }

    #[test]
    fn a_client_that_stops_sending_is_ended_by_the_clock() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        run(&mut ear, 0.9, 500);
        assert_eq!(ear.idle(Duration::from_secs(2)), None);
        assert_eq!(ear.idle(Duration::from_secs(3)), Some(Action::Finish { forced: true }));
    }

    #[test]
    fn unfinished_sentences_are_known_by_their_last_word() {
        assert!(is_unfinished("I chose it because"));
        assert!(is_unfinished("and then, um..."));
        assert!(!is_unfinished("It worked well."));
        assert!(!is_unfinished(""));
    }

    /// What the recogniser really made of synthetic sounds, at the length it was asked.
    #[test]
    fn acknowledgements_do_not_take_the_floor() {
        for text in ["Mana.", "Well,", "Now,", "Men.", "Aha.", "I hope.", "Yeah.", "Right."] {
            assert!(!takes_the_floor(text, Sound::Over), "{text}");
        }
        for text in ["I have.", "Okay, okay.", "Aha,", "Tory."] {
            assert!(!takes_the_floor(text, Sound::Short), "{text}");
        }
        for text in ["Okay.", "I see, I see", ""] {
            assert!(!takes_the_floor(text, Sound::Long), "{text}");
        }
        for text in ["Tory, may.", "Then you could.", "Wait em,"] {
            assert!(takes_the_floor(text, Sound::Short), "{text}");
        }
        for text in ["Tory!", "Can you?", "I have it."] {
            assert!(takes_the_floor(text, Sound::Long), "{text}");
        }
        assert!(takes_the_floor("Stop.", Sound::Over));
    }
}
