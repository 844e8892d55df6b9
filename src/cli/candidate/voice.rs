//! What a test candidate says: lines of text made speech, or a recording cut at its pauses.

use super::resample::resample;
use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use maya_protocol::audio::HEARING_RATE;
use maya_providers::{
    testing::modem,
    tts::{Emotion, SynthesisRequest, TextToSpeech},
};
use std::{io::Cursor, path::Path, sync::Arc};

/// One thing to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// The words, where they are known.
    pub text: Option<String>,
    /// As it sounds.
    pub sound: Sound,
}

/// How an utterance is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Sound {
    /// 16 kHz, mono.
    Pcm(Vec<i16>),
    /// A recording as a browser made it: pieces, each with its time in milliseconds from the first.
    WebM(Vec<(u64, Vec<u8>)>),
}

/// What gives a candidate a voice.
#[derive(Clone)]
pub enum Voice {
    /// Text as tones, for platforms with scripted voices.
    Scripted,
    /// A speech synthesiser.
    Synthesized(Arc<dyn TextToSpeech>),
    /// The `espeak-ng` of this machine.
    Espeak,
}

impl Voice {
    /// Speaks one line: 16 kHz, mono.
    pub async fn speak(&self, text: &str) -> anyhow::Result<Vec<i16>> {
        match self {
            Voice::Scripted => Ok(modem::encode(text, HEARING_RATE, modem::MS_PER_CHARACTER)),
            Voice::Synthesized(voice) => {
                let request =
                    SynthesisRequest { text: text.to_owned(), language: "en-US".to_owned(), emotion: Emotion::Neutral };
                let mut pieces = voice.synthesize(request).await?;
                let mut pcm = Vec::new();
                while let Some(piece) = pieces.next().await {
                    pcm.extend(samples(&piece?));
                }
                Ok(resample(&pcm, 24_000, HEARING_RATE))
            }
            Voice::Espeak => {
                let output = tokio::process::Command::new("espeak-ng")
                    .args(["-v", "en-us", "-s", "150", "--stdout", "--", text])
                    .output()
                    .await
                    .context("starting espeak-ng")?;
                if !output.status.success() {
                    bail!("espeak-ng failed: {}", String::from_utf8_lossy(&output.stderr).trim());
                }
                wav(output.stdout)
            }
        }
    }
    /// Speaks all lines.
    pub async fn speak_all(&self, lines: &[String]) -> anyhow::Result<Vec<Utterance>> {
        let mut utterances = Vec::with_capacity(lines.len());
        for line in lines {
            utterances.push(Utterance { text: Some(line.clone()), sound: Sound::Pcm(self.speak(line).await?) });
        }
        Ok(utterances)
    }
}

/// The lines of a text: one utterance each; blank lines and lines that begin with `#` are none.
pub fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// A recording's utterances, cut where it is silent for a second.
pub fn from_wav(path: &Path) -> anyhow::Result<Vec<Utterance>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let pcm = wav(bytes).with_context(|| path.display().to_string())?;
    Ok(cut(&pcm).into_iter().map(|pcm| Utterance { text: None, sound: Sound::Pcm(pcm) }).collect())
}

/// Reads a whole wav of any rate, channels and integer width as 16 kHz, mono. A length that is not known (a pipe's) is
/// read to the end.
fn wav(mut bytes: Vec<u8>) -> anyhow::Result<Vec<i16>> {
    // espeak-ng writes to a pipe and cannot go back to fill the lengths in
    if let Some(at) = bytes.windows(4).position(|window| window == b"data")
        && bytes.len() > at + 8
    {
        let length = u32::try_from(bytes.len() - at - 8)?;
        let given = u32::from_le_bytes([bytes[at + 4], bytes[at + 5], bytes[at + 6], bytes[at + 7]]);
        if given > length {
            bytes[at + 4..at + 8].copy_from_slice(&(length & !1).to_le_bytes());
        }
    }
    let mut reader = hound::WavReader::new(Cursor::new(bytes))?;
    let spec = reader.spec();
    if spec.sample_format != hound::SampleFormat::Int || spec.channels == 0 {
        bail!("only integer PCM can be read");
    }
    let shift = i32::from(spec.bits_per_sample) - 16;
    let scaled = reader.samples::<i32>().map(|sample| {
        sample.map(|sample| if shift >= 0 { (sample >> shift) as i16 } else { (sample << -shift) as i16 })
    });
    let all: Vec<i16> = scaled.collect::<Result<_, _>>()?;
    let channels = usize::from(spec.channels);
    let mono: Vec<i16> = all
        .chunks_exact(channels)
        .map(|frame| (frame.iter().map(|sample| i32::from(*sample)).sum::<i32>() / channels as i32) as i16)
        .collect();
    Ok(resample(&mono, spec.sample_rate, HEARING_RATE))
}

/// 20 ms.
const FRAME: usize = HEARING_RATE as usize / 50;
/// Quieter than this, on average, is silence.
const QUIET: u64 = 120;
/// Frames of silence that part two utterances: a second.
const PAUSE: usize = 50;
/// Frames of silence that are left around an utterance.
const MARGIN: usize = 5;

fn cut(pcm: &[i16]) -> Vec<Vec<i16>> {
    let loud = |frame: &[i16]| {
        frame.iter().map(|sample| u64::from(sample.unsigned_abs())).sum::<u64>() / frame.len().max(1) as u64 >= QUIET
    };
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, _) in pcm.chunks(FRAME).enumerate().filter(|(_, frame)| loud(frame)) {
        match found.last_mut() {
            Some((_, end)) if at - *end <= PAUSE => *end = at,
            _ => found.push((at, at)),
        }
    }
    let piece = |(from, to): (usize, usize)| {
        pcm[from.saturating_sub(MARGIN) * FRAME..((to + 1 + MARGIN) * FRAME).min(pcm.len())].to_vec()
    };
    found.into_iter().map(piece).collect()
}

/// Bytes as samples.
pub fn samples(bytes: &[u8]) -> impl Iterator<Item = i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_cut_at_its_pauses() {
        let word = vec![5_000; 8_000];
        let pcm = [vec![0; 16_000], word.clone(), vec![0; 8_000], word.clone(), vec![3; 24_000], word].concat();
        let found = cut(&pcm);
        assert_eq!(found.len(), 2);
        assert!(found[0].len() > 24_000 && found[1].len() < 12_000);
        assert!(cut(&[0; 50_000]).is_empty());
    }

    #[test]
    fn a_text_has_its_lines() {
        assert_eq!(lines("# who\n\n One. \nTwo three."), ["One.", "Two three."]);
        assert!(lines("\n \n").is_empty());
    }
}
