//! Any sample rate to any other, for test candidates and for hearing Maya's voice back.

use std::f64::consts::PI;

/// Input samples on each side of an output sample.
const REACH: isize = 16;

/// Resamples a whole piece by a windowed sinc.
pub fn resample(input: &[i16], from: u32, to: u32) -> Vec<i16> {
    if from == to || from == 0 || to == 0 {
        return input.to_vec();
    }
    let step = f64::from(from) / f64::from(to);
    // what lies above the lower Nyquist would come back as something else
    let cutoff = (1.0 / step).min(1.0) * 0.95;
    let reach = (REACH as f64 / cutoff).ceil() as isize;
    let length = (input.len() as u64 * u64::from(to) / u64::from(from)) as usize;
    let one = |n: usize| {
        let centre = n as f64 * step;
        let nearest = centre.floor() as isize;
        let (mut sum, mut weights) = (0.0, 0.0);
        for at in nearest - reach + 1..=nearest + reach {
            let distance = at as f64 - centre;
            let x = PI * distance * cutoff;
            let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
            let weight = sinc * (PI * distance / (2.0 * reach as f64)).cos().powi(2);
            weights += weight;
            sum += weight * usize::try_from(at).ok().and_then(|at| input.get(at)).map_or(0.0, |s| f64::from(*s));
        }
        (sum / weights).round().clamp(-32_768.0, 32_767.0) as i16
    };
    (0..length).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_pitch_and_what_does_not_fit_is_gone() {
        let tone =
            |hz: f64, rate: u32, n: usize| ((2.0 * PI * hz * n as f64 / f64::from(rate)).sin() * 10_000.0) as i16;
        for from in [24_000u32, 22_050, 48_000, 8_000] {
            let input: Vec<i16> = (0..from as usize).map(|n| tone(440.0, from, n)).collect();
            let output = resample(&input, from, 16_000);
            assert_eq!(output.len(), 16_000);
            let worst = (200..15_800).map(|n| output[n].abs_diff(tone(440.0, 16_000, n))).max().unwrap();
            assert!(worst < 150, "{from}: {worst}");
        }
        let high: Vec<i16> = (0..24_000).map(|n| tone(11_000.0, 24_000, n)).collect();
        let loudest = resample(&high, 24_000, 16_000)[200..15_800].iter().map(|s| s.unsigned_abs()).max();
        assert!(loudest.unwrap() < 300);
    }
}
