//! Whisper's log-mel picture of the last 8 s, as smart-turn was trained on it. Tables are made once.

use rustfft::{Fft, FftPlanner, num_complex::Complex};
use std::{f64::consts::TAU, sync::Arc};

/// Bands of the mel scale.
pub(super) const BANDS: usize = 80;
/// Steps of 10 ms: 8 s.
pub(super) const FRAMES: usize = 800;
const SAMPLES: usize = 128_000;
const WINDOW: usize = 400;
const HOP: usize = 160;

pub(super) struct LogMel {
    fft: Arc<dyn Fft<f64>>,
    window: Vec<f64>,
    /// For each band its first bin, and the weights from there.
    bands: Vec<(usize, Vec<f64>)>,
}

impl LogMel {
    pub(super) fn new() -> Self {
        Self {
            fft: FftPlanner::new().plan_fft_forward(WINDOW),
            window: (0..WINDOW).map(|k| 0.5 - 0.5 * (TAU * k as f64 / WINDOW as f64).cos()).collect(),
            bands: bands(),
        }
    }

    /// `BANDS` rows of `FRAMES` numbers; shorter audio is padded with silence before it.
    pub(super) fn features(&self, pcm: &[i16]) -> Vec<f32> {
        let samples = normalized(pcm);
        let mut buffer = vec![Complex::default(); WINDOW];
        let mut scratch = vec![Complex::default(); self.fft.get_inplace_scratch_len()];
        let mut power = [0f64; WINDOW / 2 + 1];
        let mut picture = vec![0f64; BANDS * FRAMES];
        for frame in 0..FRAMES {
            let start = (frame * HOP) as isize - (WINDOW / 2) as isize;
            for (k, (slot, weight)) in buffer.iter_mut().zip(&self.window).enumerate() {
                *slot = Complex::new(samples[reflect(start + k as isize)] * weight, 0.0);
            }
            self.fft.process_with_scratch(&mut buffer, &mut scratch);
            for (p, value) in power.iter_mut().zip(&buffer) {
                *p = value.norm_sqr();
            }
            for (band, (first, weights)) in self.bands.iter().enumerate() {
                let energy: f64 = weights.iter().zip(&power[*first..]).map(|(w, p)| w * p).sum();
                picture[band * FRAMES + frame] = energy.max(1e-10).log10();
            }
        }
        let floor = picture.iter().copied().fold(f64::MIN, f64::max) - 8.0;
        picture.iter().map(|level| ((level.max(floor) + 4.0) / 4.0) as f32).collect()
    }
}

/// The last 8 s at mean 0 and deviation 1.
fn normalized(pcm: &[i16]) -> Vec<f64> {
    let last = &pcm[pcm.len().saturating_sub(SAMPLES)..];
    let mut samples = vec![0f64; SAMPLES - last.len()];
    samples.extend(last.iter().map(|s| f64::from(*s) / 32_768.0));
    let mean = samples.iter().sum::<f64>() / SAMPLES as f64;
    let variance = samples.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / SAMPLES as f64;
    let deviation = (variance + 1e-7).sqrt();
    samples.iter_mut().for_each(|s| *s = (*s - mean) / deviation);
    samples
}

/// An index beyond an end is mirrored at it.
fn reflect(index: isize) -> usize {
    let last = SAMPLES as isize - 1;
    let index = index.abs();
    (if index > last { 2 * last - index } else { index }) as usize
}

/// Triangles of Slaney's mel scale between 0 and 8 kHz.
fn bands() -> Vec<(usize, Vec<f64>)> {
    let step = 6.4f64.ln() / 27.0;
    let to_mel = |hz: f64| if hz >= 1000.0 { 15.0 + (hz / 1000.0).ln() / step } else { 3.0 * hz / 200.0 };
    let to_hz = |mel: f64| if mel >= 15.0 { 1000.0 * ((mel - 15.0) * step).exp() } else { 200.0 * mel / 3.0 };
    let top = to_mel(8000.0);
    let edges: Vec<f64> = (0..BANDS + 2).map(|i| to_hz(top * i as f64 / (BANDS + 1) as f64)).collect();
    let triangle = |low: f64, middle: f64, high: f64| {
        let weight = |bin: usize| {
            let hz = bin as f64 * 40.0;
            ((hz - low) / (middle - low)).min((high - hz) / (high - middle)).max(0.0) * 2.0 / (high - low)
        };
        let first = (0..=WINDOW / 2).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
        (first, (first..=WINDOW / 2).map(weight).take_while(|w| *w > 0.0).collect())
    };
    edges.windows(3).map(|e| triangle(e[0], e[1], e[2])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_lights_the_band_it_lies_in() {
        let pcm: Vec<i16> =
            (0..SAMPLES).map(|i| ((TAU * 1000.0 * i as f64 / 16_000.0).sin() * 8000.0) as i16).collect();
        let picture = LogMel::new().features(&pcm);
        let level = |band: usize| picture[band * FRAMES + 400];
        let loudest = (0..BANDS).max_by(|a, b| level(*a).total_cmp(&level(*b))).unwrap();
        let centres: Vec<usize> = bands().iter().map(|(first, w)| first * 40 + w.len() * 20).collect();
        assert!(centres[loudest].abs_diff(1000) < 60, "band {loudest} is at {} Hz", centres[loudest]);
        assert_eq!(LogMel::new().features(&[]).len(), BANDS * FRAMES);
        assert!(LogMel::new().features(&pcm[..77]).iter().all(|x| x.is_finite()));
    }
}
