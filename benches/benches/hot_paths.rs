//! What happens for every piece of audio and every word, a few thousand times a second on a busy node.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use maya_actors::{
    session::{
        agenda::Move,
        machine::{Effect, Input, Machine, Now, Settings, Utterance},
        sentences::{Sentence, Splitter},
    },
    speech_to_text::Decoder,
};
use maya_edge::webm::Demuxer;
use maya_protocol::{
    audio::{AgentBody, AgentMessage, CandidateBody, CandidateMessage, Codec, push_opus_packet},
    bus::{Bus, StartAt, TopicSettings, embedded::EmbeddedBus},
    clock::{self, Clock, SystemClock},
    ids::{ConnectionId, Epoch, SessionId, TenantId, TurnId},
    plan::{Difficulty, Plan, Question, Section},
    topic::{Channel, Topic},
    trace::TraceContext,
};
use maya_providers::tts::Emotion;
use std::{hint::black_box, sync::Arc, time::Duration};

/// What Chromium's MediaRecorder sends of a spoken candidate, and where it cut it.
const RECORDED: &[u8] = include_bytes!("../../edge/tests/fixtures/mono32.webm");
const CUTS: &str = include_str!("../../edge/tests/fixtures/mono32.index.txt");

fn spoken(codec: Codec, data: Bytes) -> CandidateMessage {
    CandidateMessage {
        session: SessionId::fresh(),
        tenant: TenantId::fresh(),
        partition: 7,
        connection: ConnectionId::fresh(),
        stream: 1,
        sequence: 4_711,
        captured_at: DateTime::UNIX_EPOCH,
        trace: Some(TraceContext::fresh()),
        body: CandidateBody::Audio { codec, sample_rate: 16_000, data },
    }
}

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    // 100 ms of what a candidate's page sends, and of what Maya says
    let candidate = spoken(Codec::Linear16, Bytes::from(vec![1; 3_200]));
    group.bench_function("candidate to and from a record", |b| {
        b.iter(|| CandidateMessage::from_record(&black_box(&candidate).to_record()))
    });
    let agent = AgentMessage {
        session: candidate.session,
        tenant: candidate.tenant,
        partition: 7,
        epoch: Epoch(1),
        connection: candidate.connection,
        trace: candidate.trace,
        body: AgentBody::Speech {
            turn_id: TurnId(3),
            sentence: 0,
            part: 1,
            text: "Tell me about a time when you had to change your mind.".to_owned(),
            last: false,
            pcm: Bytes::from(vec![1; 4_800]),
        },
    };
    group.bench_function("agent to and from a record", |b| {
        b.iter(|| AgentMessage::from_record(&black_box(&agent).to_record()))
    });
    group.finish();
}

fn bus(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let channel = Channel::Main(Topic::CandidateSpoken);
    let bus = EmbeddedBus::open(folder.path(), TopicSettings::default(), clock::system()).expect("a bus");
    let mut reader = runtime.block_on(async {
        bus.ensure_topics(true).await.expect("topics");
        let mut reader = bus.reader(channel).await.expect("a reader");
        reader.assign(7, StartAt::Latest).await.expect("the partition");
        reader
    });
    let record = spoken(Codec::Linear16, Bytes::from(vec![1; 3_200])).to_record();
    c.bench_function("embedded bus: send until read", |b| {
        b.iter(|| {
            bus.send(record.clone()).expect("the bus takes it");
            runtime.block_on(reader.next()).expect("and gives it")
        })
    });
}

/// A session whose world answers everything at once.
struct World {
    machine: Machine,
    now: Now,
    coming: Vec<Input>,
    steps: u64,
}

impl World {
    /// Joined and greeted: the floor is the candidate's.
    fn listening() -> Self {
        let question = |n: usize| Question {
            id: format!("q{n}"),
            text: format!("How would you solve problem {n}?"),
            difficulty: Difficulty::Applied,
            expected_signals: vec!["a trade-off".into(), "a number".into()],
            follow_ups: vec!["What did it cost?".into(), "How much was it?".into()],
            signal_keywords: vec![],
        };
        let section = Section {
            title: "Rust".into(),
            skill: Some("Rust".into()),
            minutes: 30,
            questions: (0..12).map(question).collect(),
        };
        let plan = Plan { sections: vec![section], rubric: vec![], warnings: vec![], written_by: String::new() };
        let settings = Settings {
            duration: Duration::from_secs(1800),
            silence: Duration::from_secs(8),
            grace: Duration::from_secs(300),
            filler: Duration::from_secs(3),
            holding: Duration::from_secs(3),
        };
        let now = Now { instant: SystemClock.now(), utc: DateTime::UNIX_EPOCH };
        let machine = Machine::new(Arc::new(plan), vec![sentence("Hello."), sentence("How are you?")], settings);
        let mut world = Self { machine, now, coming: vec![], steps: 0 };
        world.live(Input::Joined);
        world
    }

    /// Puts an input and all that follows from it, until Maya has spoken and the candidate has heard it.
    fn live(&mut self, input: Input) {
        self.coming.push(input);
        while !self.coming.is_empty() {
            let input = self.coming.remove(0);
            self.step(input);
        }
        while self.machine.is_talking() {
            self.now.instant += Duration::from_secs(1);
            self.step(Input::Tick);
        }
    }

    fn step(&mut self, input: Input) {
        self.steps += 1;
        for effect in self.machine.step(input, self.now) {
            match effect {
                Effect::Record { receipt, .. } => self.coming.push(Input::Recorded(receipt)),
                Effect::Think { thought, .. } => {
                    self.coming.push(Input::Worded { thought, sentence: sentence("I see.") });
                    let last = Some(sentence("And what did it cost?"));
                    self.coming.push(Input::ThoughtDone { thought, last, by: Some(Move::Next) });
                }
                Effect::Synthesize { turn, sentence, .. } => self.coming.push(Input::Voiced { turn, sentence }),
                Effect::Release { turn, sentence, .. } => {
                    self.coming.push(Input::Released { turn, sentence, ms: 700, done: true })
                }
                _ => {}
            }
        }
    }
}

fn sentence(text: &str) -> Sentence {
    Sentence { text: text.into(), emotion: Emotion::Neutral }
}

fn session(c: &mut Criterion) {
    let utterance = Input::Utterance(Utterance {
        goes_on: false,
        text: "I read the query plan, saw a full scan, and added an index on the account column.".into(),
        started_at: DateTime::UNIX_EPOCH,
        ended_at: DateTime::UNIX_EPOCH,
        covered: Some((1, 90)),
    });
    let mut first = World::listening();
    let (before, turns) = (first.steps, first.machine.turns());
    first.live(utterance.clone());
    assert!(first.machine.turns() >= turns + 2, "an utterance and its reply are two turns");
    let mut group = c.benchmark_group("session machine");
    group.throughput(Throughput::Elements(first.steps - before));
    group.bench_function("an answer and Maya's reply, all its steps", |b| {
        b.iter_batched(
            World::listening,
            |mut world| {
                world.live(utterance.clone());
                world
            },
            BatchSize::SmallInput,
        )
    });
    group.finish();
}

fn sentences(c: &mut Criterion) {
    let reply = "[emotion:warm] Thank you, that is a clear story. Dr. Smith's team cut it from 3.5 seconds to 40 ms, e.g. by \
                 adding an index. What would you have done, had the table been ten times as large?";
    let tokens: Vec<&str> = reply.split_inclusive(' ').collect();
    let mut group = c.benchmark_group("sentence splitter");
    group.throughput(Throughput::Elements(tokens.len() as u64));
    group.bench_function("a reply, token by token", |b| {
        b.iter(|| {
            let mut splitter = Splitter::default();
            let whole: Vec<Sentence> = tokens.iter().flat_map(|token| splitter.push(token)).collect();
            (whole, splitter.finish())
        })
    });
    group.finish();
}

/// The recorded stream as it was cut, and the Opus packets of each piece as the edge sends them on.
fn recorded() -> (Vec<&'static [u8]>, Vec<Bytes>) {
    let mut rest = RECORDED;
    let lengths = CUTS.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok());
    let pieces: Vec<&[u8]> = lengths
        .map(|length: usize| {
            let (piece, after) = rest.split_at(length);
            rest = after;
            piece
        })
        .collect();
    let mut demuxer = Demuxer::default();
    let packets = pieces.iter().map(|piece| {
        let mut data = BytesMut::new();
        demuxer.push(piece, |packet| push_opus_packet(&mut data, packet)).expect("Chromium recorded it");
        data.freeze()
    });
    let packets = packets.filter(|data| !data.is_empty()).collect();
    (pieces, packets)
}

fn recorded_audio(c: &mut Criterion) {
    let (pieces, packets) = recorded();
    let mut group = c.benchmark_group("recorded audio, a piece of 120 ms");
    group.throughput(Throughput::Elements(pieces.len() as u64));
    group.bench_function("WebM demuxed", |b| {
        b.iter(|| {
            let (mut demuxer, mut bytes) = (Demuxer::default(), 0);
            for piece in &pieces {
                demuxer.push(black_box(piece), |packet| bytes += packet.len()).expect("Chromium recorded it");
            }
            bytes
        })
    });
    group.throughput(Throughput::Elements(packets.len() as u64));
    group.bench_function("Opus decoded", |b| {
        b.iter(|| {
            let mut decoder = Decoder::default();
            let decode = |data: &Bytes| {
                decoder.decode(Codec::Opus, 48_000, black_box(data)).expect("Chromium recorded it").len()
            };
            packets.iter().map(decode).sum::<usize>()
        })
    });
    group.finish();
}

criterion_group!(hot_paths, frames, bus, session, sentences, recorded_audio);
criterion_main!(hot_paths);
