//! 22.05 kHz to 24 kHz: a windowed sinc in its polyphase form (160 phases, ratio 160/147), with tables made once.

use std::sync::LazyLock;

const UP: usize = 160;
const DOWN: usize = 147;
/// Input samples each output sample is made of.
const TAPS: usize = 24;

static PHASES: LazyLock<Vec<[f32; TAPS]>> = LazyLock::new(|| (0..UP).map(phase).collect());

/// Weights of the input samples around an output that lies `phase / UP` of a sample after one.
fn phase(phase: usize) -> [f32; TAPS] {
    use std::f64::consts::PI;
    let mut weights = [0f64; TAPS];
    for (tap, weight) in weights.iter_mut().enumerate() {
        let distance = tap as f64 - (TAPS / 2 - 1) as f64 - phase as f64 / UP as f64;
        // Just below Nyquist of the input, so that the mirror images above it stay out.
        let x = PI * distance * 0.96;
        let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
        let window = (PI * distance / TAPS as f64).cos().powi(2);
        *weight = sinc * window;
    }
    let sum: f64 = weights.iter().sum();
    weights.map(|w| (w / sum) as f32)
}

/// Resamples a whole piece.
pub(super) fn to_24k(input: &[f32]) -> Vec<f32> {
    let length = input.len() * UP / DOWN;
    let before = TAPS / 2 - 1;
    let mut padded = vec![0f32; before];
    padded.extend_from_slice(input);
    padded.resize(before + input.len() + TAPS, 0.0);
    (0..length)
        .map(|n| {
            let at = n * DOWN;
            let weights = &PHASES[at % UP];
            padded[at / UP..][..TAPS].iter().zip(weights).map(|(x, w)| x * w).sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    #[test]
    fn a_tone_keeps_its_pitch_and_height() {
        for hz in [100.0f32, 1000.0, 6000.0] {
            let input: Vec<f32> = (0..22_050).map(|i| (TAU * hz * i as f32 / 22_050.0).sin()).collect();
            let output = to_24k(&input);
            assert_eq!(output.len(), 24_000);
            let worst = (100..23_900).map(|i| (output[i] - (TAU * hz * i as f32 / 24_000.0).sin()).abs());
            let worst = worst.fold(0f32, f32::max);
            assert!(worst < 0.01, "{hz} Hz is off by {worst}");
        }
    }
}
