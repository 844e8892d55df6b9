//! From what travels to what is heard: Opus packets or PCM of any rate, to PCM at 16 kHz.

use maya_protocol::audio::{Codec, HEARING_RATE, opus_packets};

/// Longest Opus packet (120 ms) at 16 kHz.
const LONGEST_PACKET: usize = 1_920;

/// Audio that cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("audio cannot be decoded")]
pub struct BadAudio;

/// Decodes one stream; keeps what a codec keeps between packets.
#[derive(Default)]
pub struct Decoder {
    opus: Option<opus::Decoder>,
    resampler: Option<Resampler>,
}

impl Decoder {
    /// Decodes a message's data.
    pub fn decode(&mut self, codec: Codec, sample_rate: u32, data: &[u8]) -> Result<Vec<i16>, BadAudio> {
        match codec {
            Codec::Linear16 => Ok(self.resample(sample_rate, &samples(data))),
            Codec::Opus => {
                let decoder = match &mut self.opus {
                    Some(decoder) => decoder,
                    none => none.insert(opus::Decoder::new(HEARING_RATE, opus::Channels::Mono).map_err(|_| BadAudio)?),
                };
                let mut pcm = Vec::new();
                let mut packet_pcm = [0i16; LONGEST_PACKET];
                for packet in opus_packets(data) {
                    let count = decoder.decode(packet, &mut packet_pcm, false).map_err(|_| BadAudio)?;
                    pcm.extend_from_slice(&packet_pcm[..count]);
                }
                Ok(pcm)
            }
        }
    }

    fn resample(&mut self, rate: u32, input: &[i16]) -> Vec<i16> {
        if rate == HEARING_RATE {
            return input.to_vec();
        }
        if self.resampler.as_ref().is_none_or(|resampler| resampler.rate != rate) {
            self.resampler = Some(Resampler::new(rate));
        }
        self.resampler.as_mut().map_or_else(Vec::new, |resampler| resampler.push(input))
    }
}

/// Signed 16-bit little-endian samples.
pub fn samples(data: &[u8]) -> Vec<i16> {
    data.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Area-averaging resampler from any rate to 16 kHz: each output is the mean of the input that it spans, so that what
/// lies above half of 16 kHz is damped. Speech recognition needs no more.
struct Resampler {
    rate: u32,
    /// Input samples an output spans.
    step: f64,
    /// Share of the current output's span already filled, in input samples.
    filled: f64,
    sum: f64,
    last: f64,
}

impl Resampler {
    fn new(rate: u32) -> Self {
        Self { rate, step: f64::from(rate) / f64::from(HEARING_RATE), filled: 0.0, sum: 0.0, last: 0.0 }
    }

    fn push(&mut self, input: &[i16]) -> Vec<i16> {
        let mut output = Vec::with_capacity((input.len() as f64 / self.step) as usize + 1);
        for &sample in input {
            let sample = f64::from(sample);
            let mut left = 1.0_f64;
            while left > 0.0 {
                let take = left.min(self.step - self.filled);
                // within one input sample the signal runs straight from the last value to this one
                let middle = 1.0 - left + take / 2.0;
                self.sum += take * (self.last + (sample - self.last) * middle);
                self.filled += take;
                left -= take;
                if self.step - self.filled < 1e-9 {
                    output.push((self.sum / self.step) as i16);
                    self.filled = 0.0;
                    self.sum = 0.0;
                }
            }
            self.last = sample;
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hz: f64) -> Vec<i16> {
        (0..rate)
            .map(|n| (f64::from(n) / f64::from(rate) * hz * std::f64::consts::TAU).sin() * 10_000.0)
            .map(|v| v as i16)
            .collect()
    }

    #[test]
    fn every_rate_comes_out_at_16_khz_with_its_pitch() {
        for rate in [8_000, 22_050, 24_000, 44_100, 48_000] {
            let mut resampler = Resampler::new(rate);
            let output: Vec<i16> = tone(rate, 440.0).chunks(777).flat_map(|piece| resampler.push(piece)).collect();
            assert!(output.len().abs_diff(16_000) <= 2, "{rate}: {}", output.len());
            let crossings = output.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
            assert!(crossings.abs_diff(880) <= 4, "{rate}: {crossings}");
        }
    }

    #[test]
    fn garbage_is_an_error_and_no_panic() {
        let mut decoder = Decoder::default();
        let mut data = bytes::BytesMut::new();
        maya_protocol::audio::push_opus_packet(&mut data, &[0xff; 3]);
        assert_eq!(decoder.decode(Codec::Opus, 48_000, &data), Err(BadAudio));
        assert_eq!(decoder.decode(Codec::Linear16, 16_000, &[1, 2, 3]).unwrap().len(), 1);
    }
}
