//! The microphone: what is sent at every tick of 100 ms.

use super::{Mode, voice::Sound};
use maya_protocol::{
    audio::HEARING_RATE,
    ids::SessionId,
    wire::{Audio, Encoding, Streaming, Up, encode},
};
use std::collections::VecDeque;

/// What a tick lasts.
pub const TICK_MS: u64 = 100;
const TICK_SAMPLES: usize = HEARING_RATE as usize * TICK_MS as usize / 1000;

/// A microphone with something to say, or without.
#[derive(Debug)]
pub struct Microphone {
    session: SessionId,
    mode: Mode,
    /// The stream that is open.
    open: Option<Encoding>,
    speaking: Option<Speaking>,
}

#[derive(Debug)]
struct Speaking {
    left: Left,
    /// All of it, for the batch that follows.
    whole: Vec<i16>,
}
#[derive(Debug)]
enum Left {
    Pcm(VecDeque<i16>),
    WebM { elapsed: u64, pieces: VecDeque<(u64, Vec<u8>)> },
}

/// What a tick sends.
#[derive(Debug, Default)]
pub struct Tick {
    /// In order.
    pub messages: Vec<Up>,
    /// Whether the last sample of the utterance is among them.
    pub said: bool,
}

impl Microphone {
    /// A microphone of a session.
    pub fn new(session: SessionId, mode: Mode) -> Self {
        Self { session, mode, open: None, speaking: None }
    }
    /// Whether an utterance is being spoken.
    pub fn is_speaking(&self) -> bool {
        self.speaking.is_some()
    }
    /// The connection is gone, and with it the stream; whether an utterance was cut.
    pub fn lost(&mut self) -> bool {
        self.open = None;
        self.speaking.take().is_some()
    }
    /// Begins an utterance with the next tick.
    pub fn speak(&mut self, sound: &Sound) {
        let (left, whole) = match sound {
            Sound::Pcm(pcm) => {
                let whole = if self.mode == Mode::ThenBatch { pcm.clone() } else { Vec::new() };
                (Left::Pcm(pcm.iter().copied().collect()), whole)
            }
            Sound::WebM(pieces) => (Left::WebM { elapsed: 0, pieces: pieces.iter().cloned().collect() }, Vec::new()),
        };
        self.speaking = Some(Speaking { left, whole });
    }
    /// The next 100 ms: of the utterance, or of silence where the stream stays open.
    pub fn tick(&mut self) -> Tick {
        let mut tick = Tick::default();
        let Some(mut speaking) = self.speaking.take() else {
            if self.mode == Mode::Open {
                self.open_as(Encoding::Linear16, &mut tick);
                tick.messages.push(self.chunk(&pcm_bytes(vec![0; TICK_SAMPLES])));
            }
            return tick;
        };
        let encoding = match &speaking.left {
            Left::Pcm(_) => Encoding::Linear16,
            Left::WebM { .. } => Encoding::WebmOpus,
        };
        // a stream is of one encoding
        if self.open.is_some_and(|open| open != encoding) {
            self.close(&mut tick);
        }
        self.open_as(encoding, &mut tick);
        let done = match &mut speaking.left {
            Left::Pcm(left) => {
                let mut next: Vec<i16> = left.drain(..TICK_SAMPLES.min(left.len())).collect();
                next.resize(TICK_SAMPLES, 0);
                tick.messages.push(self.chunk(&pcm_bytes(next)));
                left.is_empty()
            }
            Left::WebM { elapsed, pieces } => {
                *elapsed += TICK_MS;
                while pieces.front().is_some_and(|(at, _)| at <= elapsed) {
                    let (_, piece) = pieces.pop_front().unwrap_or_default();
                    tick.messages.push(self.chunk(&piece));
                }
                pieces.is_empty()
            }
        };
        if !done {
            self.speaking = Some(speaking);
            return tick;
        }
        tick.said = true;
        if self.mode != Mode::Open || encoding == Encoding::WebmOpus {
            self.close(&mut tick);
        }
        if !speaking.whole.is_empty() {
            tick.messages.push(Up::Audio(Audio {
                session_id: Some(self.session),
                data: Some(encode(&pcm_bytes(speaking.whole))),
                sample_rate: Some(HEARING_RATE),
                ..Audio::default()
            }));
        }
        tick
    }

    fn open_as(&mut self, encoding: Encoding, tick: &mut Tick) {
        if self.open.is_none() {
            self.open = Some(encoding);
            let sample_rate = if encoding == Encoding::Linear16 { HEARING_RATE } else { 48_000 };
            tick.messages.push(Up::Audio(Audio {
                session_id: Some(self.session),
                streaming: Some(Streaming::Start),
                encoding: Some(encoding),
                sample_rate: Some(sample_rate),
                data: None,
            }));
        }
    }
    fn close(&mut self, tick: &mut Tick) {
        self.open = None;
        let end = Audio { session_id: Some(self.session), streaming: Some(Streaming::End), ..Audio::default() };
        tick.messages.push(Up::Audio(end));
    }
    fn chunk(&self, data: &[u8]) -> Up {
        Up::Audio(Audio {
            session_id: Some(self.session),
            streaming: Some(Streaming::Chunk),
            data: Some(encode(data)),
            ..Audio::default()
        })
    }
}

fn pcm_bytes(pcm: Vec<i16>) -> Vec<u8> {
    pcm.into_iter().flat_map(i16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(tick: &Tick) -> Vec<Option<Streaming>> {
        let step = |message: &Up| match message {
            Up::Audio(audio) => audio.streaming,
            other => panic!("{other:?}"),
        };
        tick.messages.iter().map(step).collect()
    }

    #[test]
    fn an_open_microphone_never_stops_and_the_incumbents_order_is_kept() {
        use Streaming::{Chunk, End, Start};
        let mut open = Microphone::new(SessionId::fresh(), Mode::Open);
        assert_eq!(steps(&open.tick()), [Some(Start), Some(Chunk)]);
        open.speak(&Sound::Pcm(vec![1; TICK_SAMPLES + 1]));
        assert!(!open.tick().said && open.tick().said);
        assert_eq!(steps(&open.tick()), [Some(Chunk)]);
        assert!(!open.lost());
        open.speak(&Sound::Pcm(vec![1; TICK_SAMPLES]));
        assert!(open.lost() && !open.is_speaking());
        assert_eq!(steps(&open.tick()), [Some(Start), Some(Chunk)], "a new connection has a new stream");

        let mut batch = Microphone::new(SessionId::fresh(), Mode::ThenBatch);
        assert!(batch.tick().messages.is_empty());
        batch.speak(&Sound::Pcm(vec![1; TICK_SAMPLES]));
        assert_eq!(steps(&batch.tick()), [Some(Start), Some(Chunk), Some(End), None]);

        let mut webm = Microphone::new(SessionId::fresh(), Mode::Open);
        webm.tick();
        webm.speak(&Sound::WebM(vec![(0, vec![1]), (150, vec![2])]));
        assert_eq!(steps(&webm.tick()), [Some(End), Some(Start), Some(Chunk)]);
        assert_eq!(steps(&webm.tick()), [Some(Chunk), Some(End)]);
    }
}
