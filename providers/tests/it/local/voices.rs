//! Both voices are understood by the ear, start early, and stop when nobody listens.

use super::{LINES, english, request, senses, spoken};
use futures::StreamExt as _;
use maya_protocol::clock::{Clock as _, SystemClock};
use maya_providers::{testing::wer, tts::TextToSpeech};

async fn round_trip(voice: &dyn TextToSpeech) -> f64 {
    let stt = senses().await.stt.as_ref().unwrap();
    let (mut wrong, mut words) = (0, 0);
    let (mut audio, mut making, mut hearing) = (0.0, 0.0, 0.0);
    for line in LINES {
        let started = SystemClock.now();
        let pcm = spoken(voice, line).await;
        let made = SystemClock.now();
        audio += pcm.len() as f64 / 16_000.0;
        let heard = stt.recognize(&english(), pcm).await.unwrap();
        making += (made - started).as_secs_f64();
        hearing += made.elapsed().as_secs_f64();
        let (errors, count) = wer::errors(line, &heard);
        if errors > 0 {
            println!("{errors} {line}\n  {heard}");
        }
        wrong += errors;
        words += count;
    }
    let rate = wrong as f64 / words as f64;
    println!(
        "{}: wer {:.1} %, {audio:.0} s of speech, made at rtf {:.3}, heard at rtf {:.3}",
        voice.name(),
        rate * 100.0,
        making / audio,
        hearing / audio
    );
    rate
}

#[tokio::test(flavor = "multi_thread")]
async fn mayas_voice_is_understood() {
    let rate = round_trip(&**senses().await.maya_voice.as_ref().unwrap()).await;
    assert!(rate < 0.12, "{rate}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_voice_is_understood() {
    let rate = round_trip(&**senses().await.second_voice.as_ref().unwrap()).await;
    assert!(rate < 0.15, "{rate}");
}

#[tokio::test(flavor = "multi_thread")]
async fn jargon_is_pronounced_and_nothing_is_dropped() {
    let senses = senses().await;
    let voice = &**senses.maya_voice.as_ref().unwrap();
    let stt = senses.stt.as_ref().unwrap();
    for (line, expected) in [
        ("I know C++ and C# well.", "c plus plus"),
        ("We moved to AWS last year.", "a w s"),
        ("It is an API for hospitals.", "a p i"),
        ("The rate was 3.5% in 2021.", "three point five percent in twenty twenty one"),
    ] {
        let heard = stt.recognize(&english(), spoken(voice, line).await).await.unwrap();
        let flat = |text: &str| wer::words(text).concat();
        println!("{line} -> {heard}");
        let (heard, expected) = (flat(&heard.replace('+', " plus ")), flat(expected));
        assert!(heard.contains(&expected), "{line}: {heard} lacks {expected}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_sentence_is_heard_before_it_is_made() {
    let voice = senses().await.maya_voice.as_ref().unwrap();
    let line = "Thanks for joining me today, I would like to hear about a project that you led from beginning to end, \
                what went wrong on the way, and what you would do differently if you had to start it again.";
    let started = SystemClock.now();
    let mut pieces = voice.synthesize(request(line)).await.unwrap();
    let first = pieces.next().await.unwrap().unwrap();
    let early = started.elapsed();
    assert!(first.len() % 2 == 0 && first.len() > 24_000);
    let mut rest = 0;
    while let Some(piece) = pieces.next().await {
        rest += piece.unwrap().len();
    }
    let whole = started.elapsed();
    println!(
        "first piece ({:.1} s) after {early:?}, all ({:.1} s) after {whole:?}",
        first.len() as f64 / 48e3,
        rest as f64 / 48e3
    );
    assert!(rest > first.len());
    assert!(early < whole / 2, "{early:?} of {whole:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_sentence_ends_the_work() {
    let voice = senses().await.second_voice.as_ref().unwrap();
    let long = "This is one more clause of a very long answer, ".repeat(100);
    let mut pieces = voice.synthesize(request(&long)).await.unwrap();
    pieces.next().await.unwrap().unwrap();
    drop(pieces);
    // All of the long sentence would take some ten seconds.
    let started = SystemClock.now();
    spoken(&**voice, "Go on.").await;
    assert!(started.elapsed().as_secs() < 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_texts_are_spoken_or_silent_but_never_an_error() {
    let voice = senses().await.second_voice.as_ref().unwrap();
    for text in
        ["", "   ", "...", "?!", "😀", "()", "[x](/y/)", "https://maya.example/a_b?c=d", "数学", "1.", "$", "a\u{0}b"]
    {
        let mut pieces = voice.synthesize(request(text)).await.unwrap();
        while let Some(piece) = pieces.next().await {
            assert!(piece.unwrap().len() % 2 == 0, "{text:?}");
        }
    }
    let mut german = request("Guten Tag.");
    german.language = "de-DE".into();
    assert!(!voice.synthesize(german).await.err().unwrap().is_retryable());
}
