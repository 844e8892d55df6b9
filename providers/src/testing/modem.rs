//! Text as loud PCM and back, without loss.
//!
//! Each UTF-8 byte is one block: a sync pattern that nothing else in a block can look like, the two halves of the
//! byte as amplitudes, their sum as a check, then a filling tone up to the block's length. Silence between blocks,
//! cuts anywhere and rounding by a few units (a trip through `f32`) do no harm; a block cut in two is lost alone.

/// What one byte lasts unless a test wants otherwise, in milliseconds.
pub const MS_PER_CHARACTER: u32 = 12;

const SYNC: [i16; 6] = [30_000, -30_000, 27_000, -27_000, 30_000, -30_000];
const BASE: i16 = 8_000;
const STEP: i16 = 600;
const FILL: i16 = 6_000;
const TOLERANCE: i16 = 200;
/// Sync, high half, low half, check.
const HEAD: usize = SYNC.len() + 3;

/// Encodes text at a sample rate in hertz; mono, loud from the first sample to the last.
pub fn encode(text: &str, sample_rate: u32, ms_per_char: u32) -> Vec<i16> {
    let block = ((sample_rate as usize * ms_per_char as usize) / 1000).max(HEAD);
    let mut pcm = Vec::with_capacity(block * text.len());
    for byte in text.bytes() {
        let (high, low) = (byte >> 4, byte & 15);
        pcm.extend_from_slice(&SYNC);
        pcm.extend([high, low, (high + low) & 15].map(level));
        pcm.extend((HEAD..block).map(|i| if i % 2 == 0 { FILL } else { -FILL }));
    }
    pcm
}

/// Silence of that length.
pub fn silence(sample_rate: u32, ms: u32) -> Vec<i16> {
    vec![0; sample_rate as usize * ms as usize / 1000]
}

/// Reads back all text that whole blocks carry. The rate is the speaker's own; a block is found by its sync, so that
/// any rate reads as long as the samples are the ones that were encoded.
pub fn decode(pcm: &[i16], _sample_rate: u32) -> String {
    let mut decoder = Decoder::default();
    decoder.push(pcm);
    decoder.text()
}

/// Reads a stream that comes in pieces of any length.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    tail: Vec<i16>,
}

impl Decoder {
    /// Takes the next piece.
    pub fn push(&mut self, pcm: &[i16]) {
        self.tail.extend_from_slice(pcm);
        let mut at = 0;
        while at + HEAD <= self.tail.len() {
            match byte_at(&self.tail[at..at + HEAD]) {
                Some(byte) => {
                    self.bytes.push(byte);
                    at += HEAD;
                }
                None => at += 1,
            }
        }
        self.tail.drain(..at);
    }
    /// The text so far; an unfinished character waits for its other bytes.
    pub fn text(&self) -> String {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => text.to_owned(),
            Err(error) if error.error_len().is_none() => {
                String::from_utf8_lossy(&self.bytes[..error.valid_up_to()]).into_owned()
            }
            Err(_) => String::from_utf8_lossy(&self.bytes).into_owned(),
        }
    }
    /// The text since the last call; the stream goes on.
    pub fn take(&mut self) -> String {
        let text = self.text();
        self.bytes.clear();
        text
    }
}

fn level(half: u8) -> i16 {
    BASE + STEP * i16::from(half)
}

fn byte_at(head: &[i16]) -> Option<u8> {
    let (sync, halves) = head.split_at(SYNC.len());
    let synced = sync.iter().zip(SYNC).all(|(heard, sent)| heard.abs_diff(sent) <= TOLERANCE as u16);
    if !synced {
        return None;
    }
    let read = |sample: i16| {
        let half = (sample.saturating_sub(BASE) + STEP / 2).div_euclid(STEP);
        (0..16).contains(&half).then_some(half as u8)
    };
    let (high, low, check) = (read(halves[0])?, read(halves[1])?, read(halves[2])?);
    ((high + low) & 15 == check).then_some(high << 4 | low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_said_is_heard_whatever_the_cuts_and_pauses(
            parts in prop::collection::vec(("\\PC{0,12}", 0u32..40), 0..6),
            cuts in prop::collection::vec(1usize..700, 1..40),
            fast in any::<bool>(),
            rate in prop::sample::select(vec![8_000u32, 16_000, 24_000, 48_000]),
            ms in 0u32..20,
        ) {
            let said: String = parts.iter().map(|(text, _)| text.as_str()).collect();
            let mut pcm = silence(rate, 7);
            for (text, pause) in &parts {
                pcm.extend(encode(text, rate, if fast { ms } else { MS_PER_CHARACTER }));
                pcm.extend(silence(rate, *pause));
            }
            prop_assert_eq!(&decode(&pcm, rate), &said);
            let mut decoder = Decoder::default();
            let (mut rest, mut cut) = (&pcm[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at((*cut.next().unwrap()).min(rest.len()));
                decoder.push(now);
                rest = later;
            }
            prop_assert_eq!(decoder.take(), said);
            prop_assert_eq!(decoder.take(), "");
        }

        #[test]
        fn noise_is_not_text(noise in prop::collection::vec(-5_000i16..5_000, 0..4_000)) {
            prop_assert_eq!(decode(&noise, 16_000), "");
        }
    }

    #[test]
    fn a_trip_through_floats_and_a_cut_block_do_little_harm() {
        let pcm = encode("naïve \u{1f600}", 16_000, MS_PER_CHARACTER);
        let through: Vec<i16> = pcm.iter().map(|s| (f32::from(*s) / 32_768.0 * 32_767.0).round() as i16).collect();
        assert_eq!(decode(&through, 16_000), "naïve \u{1f600}");
        let ascii = encode("hello", 16_000, MS_PER_CHARACTER);
        assert_eq!(decode(&ascii[3..], 16_000), "ello");
        assert_eq!(ascii.len(), 5 * 192);
    }
}
