//! The recogniser fails.

use super::stage::{Cast, Stage, failure, sound};
use crate::{faulty::FaultyBus, support::PATIENCE};
use maya_protocol::audio::CandidateBody;
use maya_providers::testing::{Fault, Faults, ModemStt, modem};
use maya_testkit::eventually;
use std::{sync::Arc, time::Duration};

const ANSWER: &str = "I kept the service running while we moved it.";

/// An interview whose recogniser fails as said with what it hears first.
async fn with(faults: Faults) -> Stage {
    let mut cast = Cast::new().await;
    cast.senses.hears = Arc::new(ModemStt::default().with_faults(faults));
    cast.settings.final_words = Duration::from_millis(500);
    cast.settings.stream_opens = Duration::from_millis(500);
    cast.play().await
}

/// Whatever the stream did: every word once, the next question, and a trace in the tree.
async fn nothing_is_lost(stage: &Stage, restarts: u32, reason: &str) {
    stage.answer(ANSWER).await;
    assert!(stage.heard().last().is_some_and(|line| line == "Question two?"), "{:?}", stage.heard());
    assert_eq!(stage.finals(), [ANSWER]);
    let kept = stage.kept().await;
    assert_eq!(kept.iter().filter(|turn| *turn == &format!("candidate: {ANSWER}")).count(), 1, "{kept:?}");
    assert_eq!(kept.len(), 3);
    let ear = stage.ear();
    assert_eq!((ear.restarts, ear.phase.as_str()), (restarts, "listening"));
    assert!(failure(&ear).contains(reason), "{}", failure(&ear));
}

#[tokio::test]
async fn a_stream_that_resets_is_followed_by_one_that_hears_it_all_again() {
    let stage = with(Faults::none().on_call(0, Fault::DieAfter(1))).await;
    nothing_is_lost(&stage, 1, "scripted death").await;
}

#[tokio::test]
async fn a_stream_that_hangs_is_given_up() {
    let stage = with(Faults::none().on_call(0, Fault::StallAfter(0))).await;
    nothing_is_lost(&stage, 1, "no words in time").await;
}

#[tokio::test]
async fn a_recogniser_that_does_not_open_is_asked_again() {
    let stage = with(Faults::none().on_call(0, Fault::Hang)).await;
    nothing_is_lost(&stage, 1, "no stream in time").await;
}

#[tokio::test]
async fn garbage_is_not_taken_for_words() {
    let stage = with(Faults::none().on_call(0, Fault::Garbage)).await;
    nothing_is_lost(&stage, 1, "the words are none").await;
}

#[tokio::test]
async fn conflicts_are_waited_out() {
    // as Google's 409 ABORTED: refused at once, and again a moment later
    let stage = with(Faults::none().on_call(0, Fault::Retry).on_call(1, Fault::Retry)).await;
    nothing_is_lost(&stage, 2, "scripted fault").await;
}

#[tokio::test]
async fn words_that_nobody_can_make_out_are_asked_for_again() {
    let faults = Faults::always(Fault::Garbage);
    let stage = with(faults.clone()).await;
    stage.say(ANSWER).await;
    stage.hears("(aside) I'm sorry, I could not hear that. Could you say it once more?").await;
    assert_eq!(stage.kept().await, ["maya: Hello. Question one?"], "neither a guess nor the aside is kept");
    faults.heal();
    stage.forget();
    stage.answer("Once more, then.").await;
    assert!(stage.heard().last().is_some_and(|line| line == "Question two?"), "{:?}", stage.heard());
    assert_eq!(stage.finals(), ["Once more, then."]);
    assert_eq!(stage.ear().restarts, 5, "tried four times more, then said so");
}

#[tokio::test]
async fn a_stream_is_renewed_before_its_limit_within_a_turn_and_between_two() {
    let mut cast = Cast::new().await;
    let faults = Faults::none();
    let limit = Duration::from_millis(2_000);
    cast.senses.hears = Arc::new(ModemStt::default().with_faults(faults.clone()).with_limit(limit));
    let stage = cast.play().await;
    // three and a half seconds of speech: longer than a stream lives
    let long = "We had forty services on two machines, and each release took the whole night. So I wrote down what each of \
                them needed, moved the quiet ones first, and kept the old ones behind a switch. It took a year, and it was \
                worth the patience of everybody who had to wait for me and for the others. We would do it again.";
    stage.say_slowly(long).await;
    stage.replied(long).await;
    stage.forget();
    stage.say_slowly(ANSWER).await;
    stage.replied(ANSWER).await;
    assert!(stage.heard().last().is_some_and(|line| line == "Question three?"), "{:?}", stage.heard());
    assert_eq!(stage.finals(), [long, ANSWER]);
    assert_eq!(stage.kept().await.len(), 5);
    assert!(faults.calls() >= 3, "{} streams", faults.calls());
    assert_eq!((stage.ear().restarts, failure(&stage.ear())), (0, String::new()), "no stream came to its limit");
}

/// An answer of several pieces, where none is longer than a second.
const LONG: &str = "We had forty services on two machines, and each release took the whole night. So I wrote down what each of \
                    them needed, moved the quiet ones first, and kept the old ones behind a switch. It took a year.";

/// Its words were kept once and in order, and answered once. Where a piece ends, a letter of the scripted voice may be
/// cut in two.
async fn kept_in_pieces(stage: &Stage) {
    stage.hears("Question two?").await;
    let pieces = stage.finals();
    assert!(pieces.len() >= 2, "{pieces:?}");
    let mut rest = LONG;
    for piece in &pieces {
        let inner = &piece[2.min(piece.len())..piece.len().saturating_sub(2).max(2.min(piece.len()))];
        let at = rest.find(inner).unwrap_or_else(|| panic!("{inner:?} is twice, or not in its place: {pieces:?}"));
        assert!(at <= 8, "{:?} is missing of {pieces:?}", &rest[..at]);
        rest = &rest[at + inner.len()..];
    }
    assert!(rest.len() <= 8, "{rest:?} is missing of {pieces:?}");
    let said: Vec<String> = pieces.iter().map(|piece| format!("candidate: {piece}")).collect();
    let kept = stage.kept().await;
    assert_eq!(kept[1..kept.len() - 1], said, "no reply comes between");
    assert!(kept.last().is_some_and(|reply| reply.starts_with("maya: ")), "{kept:?}");
}

#[tokio::test]
async fn an_answer_that_goes_on_and_on_is_kept_in_pieces_and_answered_once() {
    let mut cast = Cast::new().await;
    cast.settings.longest_piece = Duration::from_secs(1);
    let stage = cast.play().await;
    stage.say_slowly(LONG).await;
    kept_in_pieces(&stage).await;
}

#[tokio::test]
async fn a_session_that_falls_in_a_long_answer_goes_on_after_the_last_piece() {
    let mut cast = Cast::new().await;
    cast.settings.longest_piece = Duration::from_secs(1);
    let bus = FaultyBus::over(cast.ground.bus.clone());
    cast.bus = Some(bus.clone());
    let stage = cast.play().await;
    let falls = async {
        eventually(PATIENCE, || async { (!stage.finals().is_empty()).then_some(()) }).await;
        bus.panics_once();
    };
    tokio::join!(stage.say_slowly(LONG), falls);
    kept_in_pieces(&stage).await;
    assert_eq!(stage.shown().restarts, 1);
}

/// Time that passes with the conversation.
async fn pass(time: Duration) {
    let mut pace = tokio::time::interval(time);
    pace.tick().await;
    pace.tick().await;
}

#[tokio::test]
async fn a_way_that_is_slow_ends_no_answer_and_a_client_that_stopped_sending_does() {
    const PAUSE: Duration = Duration::from_millis(300);
    let mut cast = Cast::new().await;
    cast.settings.max_silence = PAUSE;
    let stage = cast.play().await;
    let pcm = sound(ANSWER);
    let voiced = modem::encode(ANSWER, 16_000, modem::MS_PER_CHARACTER).len();
    let (first, rest) = pcm.split_at(voiced / 2);
    stage.sound(first).await;
    // a partition that changes its leader is silent for longer than anybody's pause
    pass(PAUSE * 4).await;
    assert_eq!(stage.finals(), Vec::<String>::new(), "nobody said that it is over");
    stage.sound(rest).await;
    stage.replied(ANSWER).await;
    assert_eq!(stage.finals(), [ANSWER]);

    stage.forget();
    let words = "It took a year";
    stage.sound(&modem::encode(words, 16_000, modem::MS_PER_CHARACTER)).await;
    pass(PAUSE).await;
    stage.send(CandidateBody::Quiet).await;
    stage.replied(words).await;
}
