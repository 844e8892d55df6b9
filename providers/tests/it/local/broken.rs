//! Missing, cut and garbage models are errors in words, never a crash, and leave the other senses alone.

use super::paths;
use maya_protocol::clock;
use maya_providers::local::{LocalOptions, LocalSenses, ModelPaths, Sense, VoiceChoice};
use std::path::{Path, PathBuf};

async fn load(paths: ModelPaths) -> LocalSenses {
    LocalSenses::load(paths, LocalOptions { voice: VoiceChoice::Piper, ..LocalOptions::default() }, clock::system())
        .await
}

fn missing(senses: &LocalSenses) -> Vec<Sense> {
    for sense in &senses.missing {
        println!("{:?}: {}", sense.sense, sense.what_to_do);
        assert!(sense.what_to_do.contains("maya fetch"), "{}", sense.what_to_do);
    }
    senses.missing.iter().map(|m| m.sense).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_models_every_sense_is_missing_and_says_what_to_do() {
    let senses = load(ModelPaths::default()).await;
    assert_eq!(missing(&senses).len(), 6);
    assert!(senses.stt.is_none() && senses.vad.is_none() && senses.maya_voice.is_none());
    let nowhere =
        ModelPaths { moonshine_dir: Some("/nowhere".into()), silero: Some("/nowhere/x.onnx".into()), ..paths() };
    let senses = load(nowhere).await;
    assert_eq!(missing(&senses), [Sense::Hearing, Sense::VoiceActivity]);
    assert!(senses.missing[0].what_to_do.contains("/nowhere"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_voice_or_the_other_serves_where_one_is_missing() {
    let only_piper = ModelPaths { kokoro_model: None, ..paths() };
    let senses = LocalSenses::load(only_piper, LocalOptions::default(), clock::system()).await;
    assert_eq!(senses.maya_voice.as_ref().unwrap().name(), "piper/joe");
    assert_eq!(missing(&senses), [Sense::SecondVoice]);
    let only_kokoro = ModelPaths { piper_model: None, ..paths() };
    let senses = load(only_kokoro).await;
    assert_eq!(senses.maya_voice.as_ref().unwrap().name(), "kokoro/af_heart");
    assert_eq!(senses.second_voice.as_ref().unwrap().name(), "kokoro/am_michael");
}

/// Copies a file's first part, or garbage of its length.
fn spoil(from: &Path, into: &Path, garbage: bool) -> PathBuf {
    let bytes = std::fs::read(from).unwrap();
    let to = into.join(from.file_name().unwrap());
    let spoilt = if garbage { vec![0x5a; bytes.len().min(1_000_000)] } else { bytes[..bytes.len() / 3].to_vec() };
    std::fs::write(&to, spoilt).unwrap();
    to
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_and_garbage_files_are_missing_senses() {
    let whole = paths();
    for garbage in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let spoilt = |p: &Option<PathBuf>| Some(spoil(p.as_ref().unwrap(), dir.path(), garbage));
        let paths = ModelPaths {
            onnxruntime: whole.onnxruntime.clone(),
            moonshine_dir: whole.moonshine_dir.clone(),
            piper_model: spoilt(&whole.piper_model),
            piper_config: whole.piper_config.clone(),
            kokoro_model: spoilt(&whole.kokoro_model),
            kokoro_vocab: whole.kokoro_vocab.clone(),
            kokoro_voices_dir: whole.kokoro_voices_dir.clone(),
            minilm_model: spoilt(&whole.minilm_model),
            bert_vocab: whole.bert_vocab.clone(),
            silero: spoilt(&whole.silero),
            smart_turn: spoilt(&whole.smart_turn),
        };
        let senses = load(paths).await;
        assert_eq!(missing(&senses).len(), 5);
        assert!(senses.stt.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoilt_ear_is_a_missing_sense() {
    let whole = paths().moonshine_dir.unwrap();
    for file in ["encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"] {
        for garbage in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let model = dir.path().join("tiny-en");
            std::fs::create_dir(&model).unwrap();
            for entry in std::fs::read_dir(whole.join("tiny-en")).unwrap() {
                let entry = entry.unwrap();
                std::fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
            }
            for entry in std::fs::read_dir(&whole).unwrap() {
                let entry = entry.unwrap();
                if entry.path().is_file() {
                    std::os::unix::fs::symlink(entry.path(), dir.path().join(entry.file_name())).unwrap();
                }
            }
            spoil(&whole.join("tiny-en").join(file), &model, garbage);
            println!("{file} garbage {garbage}");
            let senses = load(ModelPaths { moonshine_dir: Some(dir.path().into()), ..ModelPaths::default() }).await;
            assert!(senses.stt.is_none(), "{file}, garbage: {garbage}");
        }
    }
}
