//! Streams: interims while speech goes on, quick finals, no mixing, no words for noise, long answers whole.

use super::{LINES, english, noise, senses, spoken};
use maya_protocol::clock::{Clock as _, SystemClock};
use maya_providers::{
    stt::{SttEvent, SttInput, SttStream},
    testing::wer,
};
use std::time::Duration;

/// 20 ms, as an edge sends it.
const CHUNK: usize = 320;

async fn feed(stream: &SttStream, pcm: &[i16]) {
    for chunk in pcm.chunks(CHUNK) {
        stream.input.send(SttInput::Audio(chunk.to_vec())).await.unwrap();
    }
}

/// All interims up to the final, and the final.
async fn finish(stream: &mut SttStream) -> (Vec<String>, String) {
    stream.input.send(SttInput::Finish).await.unwrap();
    let mut interims = Vec::new();
    loop {
        let event = tokio::time::timeout(Duration::from_secs(60), stream.events.recv()).await.expect("a final");
        match event.expect("the stream lives").unwrap() {
            SttEvent::Interim(text) => interims.push(text),
            SttEvent::Final(text) => return (interims, text),
        }
    }
}

async fn speech(line: &str) -> Vec<i16> {
    spoken(&**senses().await.second_voice.as_ref().unwrap(), line).await
}

#[tokio::test(flavor = "multi_thread")]
async fn words_come_while_one_speaks_and_the_final_soon_after() {
    let stt = senses().await.stt.as_ref().unwrap();
    let mut stream = stt.open(&english()).await.unwrap();
    for line in [LINES[3], LINES[11], LINES[12]] {
        let mut pcm = speech(line).await;
        pcm.extend(vec![0; 4_800]);
        // At the pace of speech: this is about time.
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for chunk in pcm.chunks(CHUNK) {
            pace.tick().await;
            stream.input.send(SttInput::Audio(chunk.to_vec())).await.unwrap();
        }
        let asked = SystemClock.now();
        let (interims, heard) = finish(&mut stream).await;
        let took = asked.elapsed();
        println!("{} interims, final {took:?} after finish: {heard}", interims.len());
        assert!(interims.len() >= 2, "{interims:?}");
        assert!(wer::wer(line, &heard) < 0.3, "{heard}");
        // What one hearing of the whole line takes on this machine now, loaded as it may be, is the measure.
        let asked = SystemClock.now();
        stt.recognize(&english(), pcm).await.unwrap();
        let whole = asked.elapsed();
        assert!(took < whole * 2 + Duration::from_millis(150), "{took:?}, at once {whole:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_streams_do_not_mix() {
    let stt = senses().await.stt.as_ref().unwrap();
    let (a, b) = (speech(LINES[3]).await, speech(LINES[18]).await);
    let (mut one, mut two) = (stt.open(&english()).await.unwrap(), stt.open(&english()).await.unwrap());
    for i in 0..a.len().max(b.len()).div_ceil(CHUNK) {
        for (stream, pcm) in [(&one, &a), (&two, &b)] {
            if let Some(chunk) = pcm.chunks(CHUNK).nth(i) {
                stream.input.send(SttInput::Audio(chunk.to_vec())).await.unwrap();
            }
        }
    }
    let ((_, first), (_, second)) = tokio::join!(finish(&mut one), finish(&mut two));
    assert!(wer::wer(LINES[3], &first) < 0.3, "{first}");
    assert!(wer::wer(LINES[18], &second) < 0.3, "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_noise_are_no_words() {
    let stt = senses().await.stt.as_ref().unwrap();
    let mut stream = stt.open(&english()).await.unwrap();
    assert_eq!(finish(&mut stream).await.1, "");
    let hum: Vec<i16> = (0..48_000).map(|i| ((f64::from(i) * 0.04).sin() * 900.0) as i16).collect();
    let mut clicks = noise(48_000, 20.0);
    clicks.iter_mut().step_by(9_000).for_each(|s| *s = 20_000);
    for sound in [vec![0; 80_000], noise(80_000, 30.0), noise(80_000, 600.0), noise(80_000, 3000.0), hum, clicks] {
        feed(&stream, &sound).await;
        let (interims, heard) = finish(&mut stream).await;
        assert_eq!((heard.as_str(), interims.len()), ("", 0), "{interims:?}");
    }
    // The ear still works.
    feed(&stream, &speech(LINES[1]).await).await;
    assert!(wer::wer(LINES[1], &finish(&mut stream).await.1) < 0.3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_inside_loses_and_splits_no_word() {
    let stt = senses().await.stt.as_ref().unwrap();
    let pcm = [
        speech("I left the company because").await,
        vec![0; 19_200],
        speech("the project that I was hired for had been cancelled.").await,
    ]
    .concat();
    let mut stream = stt.open(&english()).await.unwrap();
    feed(&stream, &pcm).await;
    let heard = finish(&mut stream).await.1;
    let whole = "I left the company because the project that I was hired for had been cancelled.";
    assert!(wer::wer(whole, &heard) < 0.15, "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_three_minutes_is_whole() {
    let stt = senses().await.stt.as_ref().unwrap();
    let (mut pcm, mut said) = (Vec::new(), String::new());
    'answer: loop {
        for line in LINES {
            pcm.extend(speech(line).await);
            // Pauses of all kinds, and some lines without any.
            pcm.extend(vec![0; (said.len() * 37) % 12_000]);
            said += line;
            said.push(' ');
            if pcm.len() > 180 * 16_000 {
                break 'answer;
            }
        }
    }
    let mut stream = stt.open(&english()).await.unwrap();
    let started = SystemClock.now();
    feed(&stream, &pcm).await;
    let (_, heard) = finish(&mut stream).await;
    let rate = wer::wer(&said, &heard);
    println!("180 s heard in {:?}, wer {:.1} %", started.elapsed(), rate * 100.0);
    assert!(rate < 0.15, "{rate}");
}
