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
/// Speech over Maya before its words are looked at: so early that they are known by the time it is long enough.
const FIRST_WORDS: Duration = Duration::from_millis(288);
/// A sound over Maya that lasts this long is no cough and no hum: a word that is no acknowledgement takes the floor.
/// Measured: coughs are no voice, hums end within 320 ms, what the recogniser mishears of acknowledgements within 352.
const LONG_ENOUGH: Duration = Duration::from_millis(384);
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
    /// It went on when its words were looked at.
    GoesOn,
    /// It had stopped.
    Over,
}

/// What the words over Maya's voice say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// No words, a hum, or an acknowledgement.
    Nothing,
    /// Something else, or a noise that sounds like it: believed if the sound is long enough.
    Something,
    /// That she should stop.
    Stop,
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
    /// From the onset to the last frame of speech.
    lasted: Duration,
    silent: Duration,
    next_look: Duration,
    next_words: Duration,
    /// Looks at its words that are under way: the next waits for them, so that a slow recogniser is not given more to do.
    looks: u32,
    said: Said,
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
            lasted: Duration::ZERO,
            silent: Duration::ZERO,
            next_look: FIRST_LOOK,
            next_words: FIRST_WORDS,
            looks: 0,
            said: Said::Nothing,
        }
    }

    /// Whether an utterance is open.
    pub fn is_open(&self) -> bool {
        self.open
    }
    /// Whether the open sound is a turn: not one over Maya's voice, which may be nothing.
    pub fn is_turn(&self) -> bool {
        self.open && (!self.maya_talks || self.interrupted)
    }
    /// Whether nothing like speech was heard for at least `long`: what was heard before that belongs to no turn to come.
    pub fn is_calm(&self, long: Duration) -> bool {
        !self.open && self.run == 0 && self.silent >= long
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
            self.lasted = self.voiced;
            self.silent = Duration::ZERO;
            self.next_look = FIRST_LOOK;
            self.next_words = FIRST_WORDS;
            self.looks = 0;
            self.said = Said::Nothing;
            return Some(Action::Onset);
        }
        self.voiced += FRAME;
        self.lasted += FRAME;
        if self.run >= 2 {
            // the gap before it was within the sound
            self.lasted += self.silent;
            self.silent = Duration::ZERO;
            self.next_look = FIRST_LOOK;
        }
        if self.maya_talks && !self.interrupted {
            if self.voiced >= INSISTS || self.is_told() {
                return self.interrupt();
            }
            if self.voiced >= self.next_words && self.looks == 0 {
                self.next_words = self.voiced + NEXT_WORDS;
                self.looks += 1;
                return Some(Action::CheckWords(Sound::GoesOn));
            }
        }
        None
    }

    fn silence(&mut self) -> Option<Action> {
        if self.maya_talks && !self.interrupted {
            if self.silent >= PASSED {
                // the last look decides: an interruption, or nothing
                self.open = false;
                self.looks += 1;
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

    /// The answer to [`Action::CheckWords`]. It is judged by how long the sound is now, not when it was asked: late audio
    /// comes in bursts, in which a whole answer is over before its words were looked at.
    pub fn words(&mut self, said: Said, sound: Sound) -> Option<Action> {
        if self.looks == 0 {
            // the sound was dropped, or has had its end, before its words were known
            return None;
        }
        self.looks -= 1;
        if self.interrupted {
            return None;
        }
        self.said = said;
        if self.is_told() {
            self.open = true;
            return self.interrupt();
        }
        if sound == Sound::GoesOn {
            return None;
        }
        self.looks = 0;
        Some(Action::Drop)
    }

    /// Whether its words, as far as they are known, make the sound an interruption.
    fn is_told(&self) -> bool {
        match self.said {
            Said::Nothing => false,
            Said::Something => self.lasted >= LONG_ENOUGH,
            Said::Stop => true,
        }
    }

    /// The client has sent no frame for that long.
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
        self.looks = 0;
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

/// What words said over Maya's voice say: an acknowledgement is nothing, and neither is what the recogniser makes of hums.
pub fn said(text: &str) -> Said {
    const ACKNOWLEDGE: &[&str] = &[
        "mm", "mmm", "mhm", "hm", "hmm", "hmmm", "um", "uh", "uhm", "huh", "hu", "ah", "oh", "eh", "er", "ha", "aha",
        "mmhmm", "mmhm", "uhhuh", "yeah", "yes", "yep", "yup", "ok", "okay", "right", "sure", "you", "bye", "the", "a",
        "i", "so", "and", "thank", "thanks", "it", "good", "got", "see", "great", "true", "exactly",
    ];
    const MISHEARD: &[&str] = &["mum", "mom", "mama", "man", "mana", "men", "merr", "say", "said"];
    const STOP: &[&str] = &["stop", "wait", "sorry", "excuse", "hold", "hang", "pause"];
    let words: Vec<String> = text
        .split(|c: char| c.is_whitespace() || c == '-')
        .map(|word| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    let is_in = |list: &[&str], word: &String| list.contains(&word.as_str());
    if words.iter().any(|word| is_in(STOP, word)) {
        Said::Stop
    } else if words.iter().any(|word| !is_in(ACKNOWLEDGE, word) && !is_in(MISHEARD, word)) {
        Said::Something
    } else {
        Said::Nothing
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
    fn it_is_calm_only_when_no_turn_can_have_begun() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        let long = Duration::from_millis(320);
        assert!(!ear.is_calm(long), "nothing was heard yet");
        run(&mut ear, 0.1, 320);
        assert!(ear.is_calm(long));
        run(&mut ear, 0.9, 64);
        assert!(!ear.is_calm(long), "this may be a beginning");
        run(&mut ear, 0.9, 320);
        assert!(!ear.is_calm(long));
    }

    #[test]
    fn clicks_do_not_begin_a_turn() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        for _ in 0..20 {
            assert_eq!(run(&mut ear, 0.9, 64), []);
            assert_eq!(run(&mut ear, 0.1, 200), []);
        }
    }

    const LOOK: Action = Action::CheckWords(Sound::GoesOn);

    #[test]
    fn an_answer_that_came_in_a_burst_over_maya_is_not_dropped() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        ear.maya_talks(true);
        assert_eq!(run(&mut ear, 0.9, 1_200), [Action::Onset, LOOK]);
        assert_eq!(run(&mut ear, 0.1, 480), [Action::CheckWords(Sound::Over)], "before the first look was answered");
        assert_eq!(ear.words(Said::Something, Sound::Over), Some(Action::Interruption));
        assert!(ear.is_open());
    }

    #[test]
    fn the_rest_of_an_answer_that_came_in_a_burst_over_maya_is_no_hum() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        ear.maya_talks(true);
        assert_eq!(run(&mut ear, 0.9, 544), [Action::Onset, LOOK]);
        assert_eq!(run(&mut ear, 0.1, 480), [Action::CheckWords(Sound::Over)]);
        assert_eq!(ear.words(Said::Something, Sound::Over), Some(Action::Interruption), "whichever answer comes first");
        assert_eq!(ear.words(Said::Something, Sound::GoesOn), None);
    }

    #[test]
    fn words_that_come_after_their_sound_was_dropped_or_ended_begin_no_turn() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        ear.maya_talks(true);
        assert_eq!(run(&mut ear, 0.9, 544), [Action::Onset, LOOK]);
        assert_eq!(run(&mut ear, 0.1, 480), [Action::CheckWords(Sound::Over)]);
        assert_eq!(ear.words(Said::Nothing, Sound::Over), Some(Action::Drop));
        assert_eq!(ear.words(Said::Something, Sound::GoesOn), None);
        assert!(!ear.is_open(), "there is no sound to such a turn");
        assert_eq!(run(&mut ear, 0.9, 320), [Action::Onset, LOOK]);
        assert_eq!(ear.end(), Some(Action::Finish { forced: true }));
        assert_eq!(ear.words(Said::Stop, Sound::GoesOn), None);
        assert!(!ear.is_open());
    }

    #[test]
    fn a_hum_over_maya_passes_whatever_is_made_of_it() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        ear.maya_talks(true);
        for _ in 0..10 {
            assert_eq!(run(&mut ear, 0.9, 320), [Action::Onset, LOOK]);
            assert_eq!(ear.words(Said::Something, Sound::GoesOn), None, "too short to be believed");
            assert_eq!(run(&mut ear, 0.1, 480), [Action::CheckWords(Sound::Over)]);
            assert_eq!(ear.words(Said::Something, Sound::Over), Some(Action::Drop));
        }
    }

    #[test]
    fn words_take_the_floor_once_their_sound_is_long_enough() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        ear.maya_talks(true);
        assert_eq!(run(&mut ear, 0.9, 352), [Action::Onset, LOOK]);
        assert_eq!(ear.words(Said::Something, Sound::GoesOn), None);
        assert_eq!(run(&mut ear, 0.9, 32), [Action::Interruption], "no look more is waited for");
        assert_eq!(run(&mut ear, 0.9, 2_000), [], "said once");
    }

    #[test]
    fn a_slow_recogniser_is_asked_once_and_believed_at_once() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        ear.maya_talks(true);
        assert_eq!(run(&mut ear, 0.9, 800), [Action::Onset, LOOK]);
        assert_eq!(ear.words(Said::Something, Sound::GoesOn), Some(Action::Interruption));
    }

    #[test]
    fn a_first_word_and_a_breath_are_one_sound() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        ear.maya_talks(true);
        assert_eq!(run(&mut ear, 0.9, 320), [Action::Onset, LOOK]);
        assert_eq!(ear.words(said("Tory,"), Sound::GoesOn), None);
        assert_eq!(run(&mut ear, 0.1, 192), []);
        assert_eq!(run(&mut ear, 0.9, 64).last(), Some(&Action::Interruption));
    }

    #[test]
    fn an_acknowledgement_passes_and_what_follows_it_does_not() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        ear.maya_talks(true);
        assert_eq!(run(&mut ear, 0.9, 480), [Action::Onset, LOOK]);
        assert_eq!(ear.words(said("Okay."), Sound::GoesOn), None);
        assert_eq!(run(&mut ear, 0.9, 64), [LOOK]);
        assert_eq!(ear.words(said("Okay, but why"), Sound::GoesOn), Some(Action::Interruption));
    }

    #[test]
    fn who_says_stop_need_not_go_on() {
        let mut ear = Endpointing::new(Duration::from_secs(3));
        ear.maya_talks(true);
        assert_eq!(run(&mut ear, 0.9, 288), [Action::Onset, LOOK]);
        assert_eq!(ear.words(said("Wait."), Sound::GoesOn), Some(Action::Interruption));
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

    /// What the recogniser really made of synthetic sounds, from 288 ms of voice on.
    #[test]
    fn acknowledgements_and_hums_say_nothing() {
        for text in [
            "Mum,",
            "Mama.",
            "Man,",
            "Merr,,",
            "Mm.",
            "Uh-hu",
            "Aha,",
            "Ok, Ok,",
            "Yes, yes.",
            "I say,",
            "I see, I",
            "",
        ] {
            assert_eq!(said(text), Said::Nothing, "{text}");
        }
        for text in
            ["Tory.", "Can I?", "Attack,", "What did he do", "No, no,", "Could you?", "I think.", "X, x,", "Guy,"]
        {
            assert_eq!(said(text), Said::Something, "{text}");
        }
        for text in ["Wait.", "Hold on.", "Excuse me,", "Stop."] {
            assert_eq!(said(text), Said::Stop, "{text}");
        }
    }
}
