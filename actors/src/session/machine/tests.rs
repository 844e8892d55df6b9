//! An interview's ways through the machine, and the world around it that plays the voices, the database and the clock.

mod leave;
mod pieces;
mod whims;
mod written;

use super::*;
use maya_protocol::plan::{Difficulty, Question, Section};
use maya_providers::tts::Emotion;

fn plan(questions: usize) -> Arc<Plan> {
    let question = |n: usize| Question {
        id: format!("q{n}"),
        text: format!("Question {n}?"),
        difficulty: Difficulty::Applied,
        expected_signals: vec!["a".into(), "b".into()],
        follow_ups: vec!["Follow a?".into(), "Follow b?".into()],
        signal_keywords: vec![],
    };
    Arc::new(Plan {
        sections: (0..questions)
            .map(|n| Section { title: format!("s{n}"), skill: None, minutes: 1, questions: vec![question(n)] })
            .collect(),
        rubric: vec![],
        warnings: vec![],
        written_by: "test".into(),
    })
}

fn settings() -> Settings {
    Settings {
        duration: Duration::from_secs(180),
        silence: Duration::from_secs(8),
        grace: Duration::from_secs(60),
        filler: Duration::from_secs(3),
        holding: Duration::from_secs(4),
    }
}

fn recorded(turns: &[Turn], said: Option<(TurnId, usize)>) -> Recorded<'_> {
    Recorded { turns, said, missed: false }
}

fn sentence(text: &str) -> Sentence {
    Sentence { text: text.into(), emotion: Emotion::Neutral }
}

fn opening() -> Vec<Sentence> {
    vec![sentence("Hello."), sentence("Question 0?")]
}

/// A machine with a world around it that answers effects in its own time and order.
struct World {
    machine: Machine,
    now: Now,
    /// Answers that are on their way.
    coming: Vec<Input>,
    recorded: Vec<Turn>,
    acknowledged: Vec<(TurnId, String)>,
    /// The same, repetitions too.
    acknowledgements: usize,
    said: Vec<String>,
    completed: Option<Outcome>,
    finished: bool,
    clears: usize,
    barged_in_at: Option<DateTime<Utc>>,
    asides: Vec<Aside>,
    /// Of each thought, whether the plan alone was to word it.
    plain: Vec<bool>,
    phase: Phase,
    /// What need not be said again.
    heard: Option<(TurnId, usize)>,
    left: bool,
    /// The edge is lost: nothing of what is let go is written.
    edge_is_lost: bool,
}

impl World {
    /// The greeting is over.
    fn listening(questions: usize) -> Self {
        let mut world = Self::new(questions);
        world.put(Input::Joined);
        world.until(Phase::Listening);
        world
    }

    /// What another owner makes of a record, with its candidate still away.
    fn rebuilt(recorded: Recorded<'_>, now: Now) -> Self {
        let mut world = Self::new(3);
        world.now = now;
        world.recorded = recorded.turns.to_vec();
        world.machine = Machine::rebuild(plan(3), opening(), settings(), recorded, now);
        world
    }

    fn new(questions: usize) -> Self {
        #[allow(clippy::disallowed_methods, reason = "any instant will do")]
        let now = Now { instant: Instant::now(), utc: chrono::DateTime::UNIX_EPOCH };
        Self {
            machine: Machine::new(plan(questions), opening(), settings()),
            now,
            coming: Vec::new(),
            recorded: Vec::new(),
            acknowledged: Vec::new(),
            acknowledgements: 0,
            said: Vec::new(),
            completed: None,
            finished: false,
            clears: 0,
            barged_in_at: None,
            asides: Vec::new(),
            plain: Vec::new(),
            phase: Phase::Waiting,
            heard: None,
            left: false,
            edge_is_lost: false,
        }
    }

    fn put(&mut self, input: Input) {
        let released_while_speaking = self.machine.speaking;
        let was_talking = self.machine.is_talking();
        for effect in self.machine.step(input, self.now) {
            match effect {
                Effect::Record { turn, receipt } => {
                    assert!(self.completed.is_none() || turn.speaker == Speaker::Candidate);
                    self.recorded.retain(|known| {
                        known.turn_id != turn.turn_id || {
                            assert_eq!(
                                (known.speaker, turn.speaker),
                                (Speaker::Maya, Speaker::Maya),
                                "a turn was overwritten"
                            );
                            assert!(turn.text.starts_with(&known.text), "a recorded sentence was worded anew");
                            false
                        }
                    });
                    self.recorded.push(turn);
                    self.coming.push(Input::Recorded(receipt));
                }
                Effect::Think { thought, plain, .. } => {
                    self.plain.push(plain);
                    self.coming.push(Input::Worded { thought, sentence: sentence("I see.") });
                    self.coming.push(Input::ThoughtDone {
                        thought,
                        last: Some(sentence("And then?")),
                        by: Some(Move::Next),
                    });
                }
                Effect::Synthesize { turn, sentence, .. } => self.coming.push(Input::Voiced { turn, sentence }),
                Effect::Release { turn, sentence, text } => {
                    assert!(
                        self.recorded.iter().any(|known| known.turn_id == turn && known.text.contains(&text)),
                        "let go before it was recorded"
                    );
                    assert!(matches!(self.machine.phase(), Phase::Greeting | Phase::Speaking | Phase::Closing));
                    assert!(
                        was_talking || !released_while_speaking || !self.machine.speaking,
                        "Maya spoke over the candidate"
                    );
                    self.said.push(text);
                    self.coming.push(Input::Released { turn, sentence, ms: 700, done: false });
                    self.coming.push(Input::Released { turn, sentence, ms: 300, done: true });
                    if !self.edge_is_lost {
                        self.coming.push(Input::Written { turn, sentence, again: false });
                    }
                }
                Effect::Transcript { utterance, text, is_final: true } => {
                    self.acknowledgements += 1;
                    // again at each join
                    if !self.acknowledged.contains(&(utterance, text.clone())) {
                        self.acknowledged.push((utterance, text));
                    }
                }
                Effect::State { phase, .. } => {
                    assert!(phase == Phase::Ended || self.completed.is_none());
                    self.phase = phase;
                }
                Effect::Complete { outcome, .. } => {
                    assert!(self.completed.is_none(), "ended twice");
                    self.completed = Some(outcome);
                    self.coming.push(Input::Completed);
                }
                Effect::Clear { barged_in_at, .. } => {
                    self.clears += 1;
                    self.barged_in_at = barged_in_at;
                }
                Effect::Heard { turn, sentences } => self.heard = Some((turn, sentences)),
                Effect::Leave => {
                    assert!(!self.left, "left twice");
                    self.left = true;
                }
                Effect::Finish => self.finished = true,
                Effect::CancelThought => {
                    self.coming.retain(|input| !matches!(input, Input::Worded { .. } | Input::ThoughtDone { .. }));
                }
                Effect::StopVoice => {
                    self.coming.retain(|input| !matches!(input, Input::Voiced { .. } | Input::Released { .. }));
                }
                Effect::Say(aside) => {
                    assert!(!self.machine.speaking, "an aside over the candidate");
                    self.asides.push(aside);
                    self.coming.push(Input::AsideSaid { ms: 500 });
                }
                Effect::Transcript { .. } | Effect::CloseTurn { .. } | Effect::CloseSocket | Effect::Changed { .. } => {
                }
            }
        }
    }

    /// Lets the n-th answer arrive; those of one reply keep their order, and those of the journal theirs.
    fn arrive(&mut self, n: usize) {
        if self.coming.is_empty() {
            return;
        }
        let mut at = n % self.coming.len();
        let ordered =
            |input: &Input| matches!(input, Input::Worded { .. } | Input::ThoughtDone { .. } | Input::Released { .. });
        let written = |input: &Input| matches!(input, Input::Recorded(_) | Input::Completed);
        for group in [&ordered as &dyn Fn(&Input) -> bool, &written] {
            if group(&self.coming[at]) {
                at = self.coming.iter().position(group).expect("this one is");
            }
        }
        let input = self.coming.remove(at);
        self.put(input);
    }

    fn wait(&mut self, ms: u64) {
        let by = Duration::from_millis(ms);
        self.now = Now { instant: self.now.instant + by, utc: self.now.utc + by };
        if self.machine.deadline().is_some_and(|deadline| deadline <= self.now.instant) {
            self.put(Input::Tick);
        }
    }

    /// Answers everything and lets time pass until the phase is reached.
    fn until(&mut self, phase: Phase) {
        for _ in 0..2_000 {
            if self.machine.phase() == phase && self.coming.is_empty() {
                return;
            }
            if self.coming.is_empty() { self.wait(100) } else { self.arrive(0) }
        }
        panic!("{phase} never came; it is {}", self.machine.phase());
    }

    fn utter(&mut self, text: &str) {
        self.speak(text, false);
    }

    /// Words of the candidate's; a piece of them, if they go on.
    fn speak(&mut self, text: &str, goes_on: bool) {
        let (started_at, ended_at) = (self.now.utc, self.now.utc);
        self.put(Input::Utterance(Utterance { text: text.into(), started_at, ended_at, covered: None, goes_on }));
    }
}

#[test]
fn an_interview_goes_through_its_questions_and_closes() {
    let mut world = World::listening(3);
    let mut answers = 0;
    while world.machine.phase() == Phase::Listening {
        world.put(Input::Onset);
        world.utter(&format!("Answer {answers}."));
        answers += 1;
        assert!(answers < 10, "it asks for ever");
        while !matches!(world.machine.phase(), Phase::Listening | Phase::Ended) {
            if world.coming.is_empty() { world.wait(100) } else { world.arrive(0) }
        }
    }
    // one a question, and the two follow-ups to the last one of a model that does not say that it closes
    assert_eq!(answers, 5);
    world.until(Phase::Ended);
    assert_eq!(world.completed, Some(Outcome::Completed));
    assert!(world.finished);
    assert_eq!(world.acknowledged.len(), 5);
    let ids: Vec<u32> = world.recorded.iter().map(|turn| turn.turn_id.0).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted, (0..11).collect::<Vec<_>>(), "{ids:?}");
}

#[test]
fn a_silent_candidate_is_encouraged_once_a_question_and_then_let_go() {
    let mut world = World::new(5);
    world.put(Input::Joined);
    world.until(Phase::Ended);
    assert_eq!(world.completed, Some(Outcome::Completed));
    // greeting, encouragement, next question, encouragement, closing
    assert_eq!(world.recorded.len(), 5);
}

#[test]
fn a_late_reply_is_announced_once_and_one_that_never_comes_is_worded_by_the_plan() {
    let mut world = World::listening(3);
    world.utter("Answer.");
    world.coming.retain(|input| !matches!(input, Input::Worded { .. } | Input::ThoughtDone { .. }));
    world.arrive(0);
    for _ in 0..200 {
        world.wait(100);
    }
    assert_eq!(world.asides, [Aside::Moment], "once a thought");
    let thought = world.machine.thought();
    world.put(Input::ThoughtFailed { thought });
    assert_eq!(world.plain, [false, true]);
    world.until(Phase::Listening);
    assert_eq!(world.said.last().map(String::as_str), Some("And then?"));
    assert_eq!(world.recorded.len(), 3, "an aside is no turn");
}

#[test]
fn while_nothing_is_written_down_nothing_is_answered_and_the_candidate_is_told_once() {
    let mut world = World::listening(3);
    world.said.clear();
    world.utter("Answer.");
    let is_record = |input: &Input| matches!(input, Input::Recorded(_));
    let mut held = Vec::new();
    for _ in 0..300 {
        held.extend(world.coming.extract_if(.., |input| is_record(input)));
        if world.coming.is_empty() { world.wait(100) } else { world.arrive(0) }
    }
    assert_eq!((world.said.len(), &world.asides[..]), (0, &[Aside::Holding][..]));
    assert_eq!(world.acknowledged.len(), 0);
    world.coming.extend(held);
    world.until(Phase::Listening);
    assert_eq!(world.said, ["I see.", "And then?"]);
    assert_eq!(world.acknowledged.len(), 1);
    world.utter("Another.");
    world.until(Phase::Listening);
    assert_eq!(world.asides.len(), 1, "all is well again");
}

#[test]
fn words_that_cannot_be_made_out_are_asked_for_again() {
    let mut world = World::listening(3);
    world.put(Input::Onset);
    world.put(Input::NotUnderstood);
    assert_eq!((&world.asides[..], world.machine.phase()), (&[Aside::Sorry][..], Phase::Listening));
    world.until(Phase::Listening);
    world.utter("Once more.");
    world.until(Phase::Listening);
    assert_eq!(world.acknowledged.len(), 1);
}

#[test]
fn an_interruption_clears_and_gives_the_floor() {
    let mut world = World::new(3);
    world.put(Input::Joined);
    while !world.machine.is_talking() {
        world.arrive(0);
    }
    world.put(Input::Onset);
    assert_eq!(world.clears, 0, "a sound alone does not interrupt");
    world.put(Input::Interruption);
    assert_eq!((world.clears, world.phase), (1, Phase::Listening));
    assert_eq!(world.barged_in_at, Some(world.now.utc), "how long the clear takes is measured from here");
    world.utter("Sorry, one thing.");
    world.until(Phase::Listening);
    assert_eq!(world.acknowledged.len(), 1);
}

#[test]
fn what_was_cut_by_a_lost_connection_is_said_again() {
    let mut world = World::listening(3);
    world.utter("Answer.");
    while !world.machine.is_talking() {
        world.arrive(0);
    }
    world.put(Input::Left);
    assert_eq!(world.machine.phase(), Phase::Suspended);
    world.said.clear();
    world.put(Input::Joined);
    world.until(Phase::Listening);
    assert_eq!(world.said, ["I see.", "And then?"]);
    assert_eq!(world.machine.agenda.context().question, Some(1), "the cursor moved once");
}

#[test]
fn a_reply_cut_while_it_is_worded_and_recorded_is_said_to_its_question_afterwards() {
    let mut world = World::listening(3);
    world.said.clear();
    world.utter("Answer.");
    while !world.coming.iter().any(|input| matches!(input, Input::Recorded(Receipt::Sentence(..)))) {
        world.arrive(0);
    }
    world.put(Input::Left);
    // what was on its way arrives while nobody listens
    while !world.coming.is_empty() {
        world.arrive(0);
    }
    assert!(world.said.is_empty());
    world.put(Input::Joined);
    world.until(Phase::Listening);
    assert_eq!(world.said, ["I see.", "And then?"]);
}

#[test]
fn a_mind_that_falls_in_the_middle_of_its_reply_leaves_no_silence_for_ever() {
    let mut world = World::listening(3);
    let question = world.machine.agenda.context().question;
    world.utter("Answer.");
    world.coming.retain(|input| !matches!(input, Input::ThoughtDone { .. }));
    while !world.machine.is_talking() {
        world.arrive(0);
    }
    let thought = world.machine.thought();
    world.put(Input::ThoughtFailed { thought });
    world.until(Phase::Listening);
    assert_eq!(world.machine.agenda.context().question, question, "no question was put");
}

#[test]
fn a_rebuilt_session_goes_on_where_it_was() {
    let mut world = World::listening(3);
    world.utter("Answer 0.");
    world.until(Phase::Listening);
    let context = world.machine.agenda.context();
    world.recorded.sort_by_key(|turn| turn.turn_id);
    let mut again = World::rebuilt(recorded(&world.recorded, None), world.now);
    assert_eq!(again.machine.agenda.context(), context);
    again.put(Input::Joined);
    again.until(Phase::Listening);
    assert_eq!(again.said, ["I see.", "And then?"], "the last turn is said again, nothing before it");
    again.utter("Answer 1.");
    again.until(Phase::Listening);
    assert_eq!(again.machine.agenda.context().question, Some(2));
}

#[test]
fn a_reply_that_was_cut_with_its_owner_is_made_by_the_next() {
    let mut world = World::listening(3);
    world.utter("Answer 0.");
    while !world.recorded.iter().any(|turn| turn.text == "I see.") {
        world.arrive(0);
    }
    world.recorded.sort_by_key(|turn| turn.turn_id);
    let mut again = World::rebuilt(recorded(&world.recorded, None), world.now);
    again.put(Input::Joined);
    again.until(Phase::Listening);
    assert_eq!(again.said, ["I see.", "I see.", "And then?"], "what was recorded, and then a whole reply");
    assert_eq!(again.machine.agenda.context().question, Some(1), "the next question is put");
    let turns: Vec<TurnId> = again.recorded.iter().map(|turn| turn.turn_id).collect();
    assert_eq!(turns, [0, 1, 2, 3].map(TurnId));
}

#[test]
fn an_opening_that_was_cut_with_its_owner_is_said_to_its_question() {
    let mut world = World::new(3);
    world.put(Input::Joined);
    while world.recorded.is_empty() {
        world.arrive(0);
    }
    assert_eq!(world.recorded[0].text, "Hello.");
    let mut again = World::rebuilt(recorded(&world.recorded, None), world.now);
    again.put(Input::Joined);
    again.until(Phase::Listening);
    assert_eq!(again.said, ["Hello.", "Question 0?"]);
}

#[test]
fn what_was_recorded_and_perhaps_not_acknowledged_is_acknowledged_by_the_next_owner() {
    let mut world = World::listening(3);
    world.utter("First.");
    world.until(Phase::Listening);
    world.utter("Second.");
    world.until(Phase::Listening);
    assert_eq!(world.recorded.last().map(|turn| turn.speaker), Some(Speaker::Maya), "she has replied");
    let mut next = World::rebuilt(recorded(&world.recorded, None), world.now);
    next.put(Input::Joined);
    assert_eq!(next.acknowledged, world.acknowledged[1..]);
}

#[test]
fn a_candidate_who_stays_away_abandons() {
    let mut world = World::listening(2);
    world.put(Input::Left);
    world.wait(59_000);
    assert_eq!(world.completed, None);
    world.wait(2_000);
    assert_eq!(world.completed, Some(Outcome::Abandoned));
}
