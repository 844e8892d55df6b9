//! What the log of the candidates' audio holds after the storm: it tells whether a word that is missing was lost before
//! the log or after it. No words and no audio: places, numbers and kinds.

use super::Shared;
use anyhow::Context as _;
use maya_protocol::{
    audio::CandidateMessage,
    bus::{
        Bus,
        kafka::{KafkaBus, KafkaSettings},
        read_range,
    },
    topic::{Channel, Topic},
};
use serde_json::json;
use std::{fs, io::Write as _, time::Duration};

/// A partition that is not read by then is left.
const PATIENCE: Duration = Duration::from_secs(60);
const AUDIO: Channel = Channel::Main(Topic::CandidateSpoken);

/// Writes `log.jsonl`, a line for each message.
pub(super) async fn tap(shared: &Shared) -> anyhow::Result<()> {
    let brokers = shared.parts.kafka.lock().await.servers();
    let bus = KafkaBus::connect(KafkaSettings { brokers, ..KafkaSettings::default() }).await?;
    let mut out = fs::File::create(shared.folder.join("log.jsonl"))?;
    for partition in 0..bus.partitions(AUDIO).await? {
        let bounds = bus.bounds(AUDIO, partition).await?;
        let mut lines = Vec::new();
        let reading = read_range(bus.as_ref(), AUDIO, partition, bounds.low..bounds.high, |delivery| {
            lines.extend(CandidateMessage::from_record(&delivery.record).ok().map(|message| {
                let body = serde_json::to_value(&message.body).unwrap_or_default();
                json!({
                    "partition": partition, "offset": delivery.offset, "session": message.session,
                    "stream": message.stream, "sequence": message.sequence, "kind": body["kind"],
                    "at": message.captured_at,
                })
            }));
        });
        let read = tokio::time::timeout(PATIENCE, reading).await;
        read.with_context(|| format!("partition {partition} is not read"))??;
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    }
    bus.close().await;
    Ok(())
}
