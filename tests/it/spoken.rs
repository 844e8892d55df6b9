//! Turn-taking with real speech over the real socket: what interrupts Maya, what does not, and when a turn is over.

use crate::harness::*;
use futures::StreamExt as _;
use maya_protocol::clock::{self, SharedClock};
use maya_providers::{
    local::{LocalOptions, LocalSenses, ModelPaths, Sense, VoiceChoice},
    testing::wer::wer,
    tts::{Emotion, SynthesisRequest, TextToSpeech},
};
use serde_json::{Value, json};
use std::{collections::VecDeque, sync::Arc, time::Duration};

const RATE: usize = 16_000;
/// Sent at a time: 100 ms, as the page does.
const CHUNK: usize = RATE / 10;

/// A candidate who sends audio all the time, at the pace of real time.
struct Speaker {
    socket: Socket,
    clock: SharedClock,
    /// What is still to be said; silence where there is nothing.
    queue: VecDeque<i16>,
    /// Every message, with the chunks that had been sent when it came.
    seen: Vec<(usize, Value)>,
    sent: usize,
    sends: bool,
}

impl Speaker {
    /// Speaks and listens until a message is what is waited for.
    async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) {
        let deadline = self.clock.now() + DEADLINE;
        loop {
            assert!(self.clock.now() < deadline, "{what} did not come; the last messages: {:?}", self.tail());
            if self.chunk(what, &wanted).await {
                return;
            }
        }
    }

    /// Says what is queued and not a sample more, and listens meanwhile.
    async fn say_all(&mut self) {
        while !self.queue.is_empty() {
            self.chunk("the rest", &|_: &Value| false).await;
        }
    }

    /// Speaks a chunk and listens for as long as it takes; whether a message came that was waited for.
    async fn chunk(&mut self, what: &str, wanted: &impl Fn(&Value) -> bool) -> bool {
        let tick = self.clock.now() + Duration::from_millis(100);
        if self.sends {
            self.send_chunk().await;
        }
        while let Some(left) = tick.checked_duration_since(self.clock.now()).filter(|left| !left.is_zero()) {
            let Ok(message) = tokio::time::timeout(left, self.socket.next()).await else { break };
            assert!(message["type"] != "GONE", "the connection is gone while {what} is waited for");
            let found = wanted(&message);
            self.seen.push((self.sent, message));
            if found {
                return true;
            }
        }
        false
    }

    async fn send_chunk(&mut self) {
        let pcm: Vec<u8> = (0..CHUNK).flat_map(|_| self.queue.pop_front().unwrap_or(0).to_le_bytes()).collect();
        let data = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, pcm);
        self.socket.send(json!({"type": "AUDIO", "streaming": "chunk", "data": data})).await;
        self.sent += 1;
    }

    fn say(&mut self, pcm: &[i16]) {
        self.queue.extend(pcm);
    }

    fn count(&self, kind: &str) -> usize {
        self.seen.iter().filter(|(_, message)| message["type"] == kind).count()
    }

    fn finals(&self) -> Vec<String> {
        let finals =
            self.seen.iter().filter(|(_, message)| message["type"] == "TRANSCRIPT" && message["final"] == true);
        finals.map(|(_, message)| message["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn last_state(&self) -> Option<&str> {
        self.seen.iter().rev().find(|(_, message)| message["type"] == "STATE")?.1["state"].as_str()
    }

    fn tail(&self) -> Vec<String> {
        let last = self.seen.iter().rev().take(6);
        last.map(|(at, message)| format!("{at}: {} {} {}", message["type"], message["state"], message["text"]))
            .collect()
    }
}

/// The candidate's voice; not Maya's.
async fn voice() -> Arc<dyn TextToSpeech> {
    let cache = maya_testkit::cache();
    let paths = ModelPaths::in_folders(|part| {
        let wanted = ["onnxruntime", "piper"].contains(&part);
        wanted.then(|| part.parse().ok().and_then(|part| cache.present(part))).flatten()
    });
    let options = LocalOptions { wanted: vec![Sense::MayaVoice], voice: VoiceChoice::Piper, ..LocalOptions::default() };
    LocalSenses::load(paths, options, clock::system())
        .await
        .maya_voice
        .expect("the voice is in the cache: run ./maya test")
}

async fn spoken(voice: &dyn TextToSpeech, text: &str) -> Vec<i16> {
    let request = SynthesisRequest { text: text.to_owned(), language: "en-US".into(), emotion: Emotion::Neutral };
    let mut stream = voice.synthesize(request).await.expect("a voice");
    let mut pcm = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece.expect("audio");
        pcm.extend(piece.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
    }
    // 24 to 16 kHz: two outputs of three inputs
    let sixteen: Vec<i16> = pcm
        .chunks_exact(3)
        .flat_map(|three| [three[0], ((i32::from(three[1]) + i32::from(three[2])) / 2) as i16])
        .collect();
    let loud = |sample: &i16| sample.unsigned_abs() > 300;
    let (from, to) = (sixteen.iter().position(loud).unwrap_or(0), sixteen.iter().rposition(loud).unwrap_or(0));
    sixteen[from..to].to_vec()
}

/// A cough: 250 ms of noise that bursts and fades.
fn cough(seed: u32) -> Vec<i16> {
    let mut noise = seed.wrapping_mul(2_654_435_761) | 1;
    (0..RATE / 4)
        .map(|n| {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let fade = (-(n as f64) / (RATE as f64 * 0.06)).exp();
            (f64::from(noise as i32) / f64::from(i32::MAX) * 12_000.0 * fade) as i16
        })
        .collect()
}

fn silence(ms: usize) -> Vec<i16> {
    vec![0; RATE * ms / 1000]
}

#[tokio::test]
async fn turns_are_taken_as_people_take_them() {
    let mut site = Site::embedded();
    site.set("MAYA_VOICES__KIND", "local");
    site.set("MAYA_VOICES__MAYA", "piper");
    // far beyond what a busy machine takes to decide an interruption
    site.set("MAYA_INTERVIEW__MAX_SILENCE_MS", 10_000);
    let maya = site.serve("").await;
    let (_, rest) = site.customer(&maya).await;
    let interview = rest.create(&short_interview()).await;
    let link = interview.approved().await;
    let voice = voice().await;
    let hum = spoken(voice.as_ref(), "Mm-hmm.").await;
    let because = spoken(voice.as_ref(), "I chose that design because").await;
    let safe = spoken(voice.as_ref(), "it keeps our services fast and safe.").await;
    let stop = spoken(voice.as_ref(), "Can I stop you there? I have a question about the team.").await;
    let last = spoken(voice.as_ref(), "I have worked on payments for three years.").await;

    let socket = Socket::open(&link.join_url).await.expect("the link opens");
    let mut candidate =
        Speaker { socket, clock: clock::system(), queue: VecDeque::new(), seen: Vec::new(), sent: 0, sends: true };
    let start = json!({"type": "AUDIO", "streaming": "start", "encoding": "LINEAR16", "sampleRate": RATE});
    candidate.socket.send(start).await;

    // ten coughs and hums over the greeting change nothing
    candidate.until("the greeting", |message| message["type"] == "AGENT_RESPONSE").await;
    for n in 0..5 {
        candidate.say(&cough(n));
        candidate.say(&silence(800));
        candidate.say(&hum);
        candidate.say(&silence(800));
    }
    candidate.until("the floor", |message| message["state"] == "LISTENING").await;
    assert_eq!(candidate.count("AGENT_CLEAR"), 0, "a cough or a hum took the floor");
    let heard = candidate.finals();
    assert!(heard.iter().all(|text| text.split_whitespace().count() <= 2), "made of noises: {heard:?}");
    let noises = heard.len();
    candidate.queue.clear();

    // a pause after "because" does not end the turn
    candidate.say(&because);
    candidate.say(&silence(1_200));
    candidate.say(&safe);
    candidate.until("the words", |message| message["type"] == "TRANSCRIPT" && message["final"] == true).await;
    let words = candidate.finals().split_off(noises).join(" ");
    assert!(wer("I chose that design because it keeps our services fast and safe", &words) <= 0.35, "{words}");

    // words over her voice stop it
    candidate.until("her voice", |message| message["type"] == "AGENT_RESPONSE" && message["data"] != "").await;
    candidate.say(&silence(600));
    candidate.say_all().await;
    assert_eq!(candidate.count("AGENT_CLEAR"), 0, "silence took the floor");
    // within 600 ms, in the time of the audio: the first 500 ms must do, however slow this machine is
    let (heard, rest) = stop.split_at(5 * CHUNK);
    let onset = candidate.clock.now();
    candidate.say(heard);
    candidate.say_all().await;
    candidate.sends = false;
    if candidate.count("AGENT_CLEAR") == 0 {
        candidate.until("the interruption", |message| message["type"] == "AGENT_CLEAR").await;
    }
    println!("AGENT_CLEAR within 500 ms of audio, {} ms by the clock", (candidate.clock.now() - onset).as_millis());
    if candidate.last_state() != Some("LISTENING") {
        // she listens: it was no turn that ended for want of audio
        candidate.until("the floor at once", |message| message["type"] == "STATE").await;
        assert_eq!(candidate.last_state(), Some("LISTENING"));
    }
    candidate.sends = true;
    candidate.say(rest);
    candidate.until("its words", |message| message["type"] == "TRANSCRIPT" && message["final"] == true).await;

    // a client that stops sending frames is ended by the longest silence
    candidate.until("her answer", |message| message["state"] == "SPEAKING").await;
    candidate.until("the floor again", |message| message["state"] == "LISTENING").await;
    let before = candidate.finals().len();
    candidate.say(&last);
    candidate.say_all().await;
    candidate.sends = false;
    candidate.until("the last words", |message| message["type"] == "TRANSCRIPT" && message["final"] == true).await;
    assert_eq!(candidate.finals().len(), before + 1);
}
