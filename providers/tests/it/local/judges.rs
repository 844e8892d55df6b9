//! Voice activity, end of turn, embeddings.

use super::{LINES, noise, senses, spoken};
use maya_providers::vad::FRAME;

async fn speech(line: &str) -> Vec<i16> {
    spoken(&**senses().await.second_voice.as_ref().unwrap(), line).await
}

#[tokio::test(flavor = "multi_thread")]
async fn voice_activity_tells_speech_from_silence_and_noise() {
    let vad = senses().await.vad.as_ref().unwrap();
    let share = |pcm: &[i16]| {
        let mut detector = vad.start();
        let (frames, _) = pcm.as_chunks::<FRAME>();
        frames.iter().filter(|f| detector.probability(f) > 0.5).count() as f64 / frames.len() as f64
    };
    let said = share(&speech(LINES[6]).await);
    assert!(said > 0.75, "{said}");
    assert_eq!(share(&vec![0; 160_000]), 0.0);
    let hiss = share(&noise(160_000, 600.0));
    assert!(hiss < 0.01, "{hiss}");
}

#[tokio::test(flavor = "multi_thread")]
async fn detectors_keep_their_state_apart() {
    let vad = senses().await.vad.as_ref().unwrap();
    let pcm = speech(LINES[0]).await;
    let (frames, _) = pcm.as_chunks::<FRAME>();
    let alone: Vec<f32> = frames
        .iter()
        .map({
            let mut d = vad.start();
            move |f| d.probability(f)
        })
        .collect();
    let (mut one, mut other) = (vad.start(), vad.start());
    let hiss: [i16; FRAME] = noise(FRAME, 2000.0).try_into().unwrap();
    for (frame, expected) in frames.iter().zip(alone) {
        other.probability(&hiss);
        assert_eq!(one.probability(frame), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_sentence_is_told_from_a_pause() {
    let judge = senses().await.end_of_turn.as_ref().unwrap();
    let mut finished = 0;
    let whole = [LINES[3], LINES[4], LINES[6], LINES[7], LINES[10], LINES[17], LINES[18], LINES[19]];
    for line in whole {
        let mut pcm = speech(line).await;
        pcm.extend(vec![0; 3_200]);
        finished += usize::from(judge.probability(pcm).await.unwrap() > 0.5);
    }
    let mut held = 0;
    // What the model holds is what a speaker leaves open by word and voice; a synthetic voice gives it the word.
    let open = [
        "I left the company because",
        "It was a hard decision because",
        "So I talked to my manager about the, um",
        "We chose that approach because, um",
        "I would say that it depends, uh",
        "I moved to another team because",
    ];
    for line in open {
        // The comma keeps the voice up, as a speaker's does who goes on.
        let mut pcm = speech(&format!("{line},")).await;
        let end = pcm.iter().rposition(|s| s.abs() > 300).unwrap_or(pcm.len());
        pcm.truncate(end);
        pcm.extend(vec![0; 3_200]);
        let p = judge.probability(pcm).await.unwrap();
        println!("{p:.2} {line}");
        held += usize::from(p < 0.5);
    }
    println!("finished {finished}/{}, held {held}/{}", whole.len(), open.len());
    assert!(finished >= whole.len() - 2 && held >= open.len() - 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn related_skills_are_nearer_than_unrelated_ones() {
    let embedder = senses().await.embedder.as_ref().unwrap();
    let texts = [
        "Kubernetes: running containers in clusters",
        "Docker: packing applications into containers",
        "Payroll: paying employees on time and by law",
        "Wound care: dressing and watching wounds until they heal",
        "Nursing: caring for patients at the bedside",
        "Cold calling: phoning strangers to sell to them",
    ];
    let vectors = embedder.embed(texts.map(str::to_owned).to_vec()).await.unwrap();
    let near = |a: usize, b: usize| -> f32 { vectors[a].iter().zip(&vectors[b]).map(|(x, y)| x * y).sum() };
    for v in &vectors {
        assert_eq!(v.len(), maya_providers::embed::DIMENSIONS);
        assert!((v.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-3);
    }
    assert!(near(0, 1) > near(0, 2) + 0.2 && near(3, 4) > near(3, 0) + 0.2 && near(4, 3) > near(4, 5));
    // A text's place does not depend on what it is embedded with (int8 activations leave a little).
    let alone = embedder.embed(vec![texts[0].to_owned()]).await.unwrap();
    let same: f32 = alone[0].iter().zip(&vectors[0]).map(|(x, y)| x * y).sum();
    assert!(same > 0.98, "{same}");
    assert!(embedder.embed(Vec::new()).await.unwrap().is_empty());
    assert_eq!(embedder.embed(vec![String::new(); 40]).await.unwrap().len(), 40);
}
