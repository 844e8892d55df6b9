//! What the log of the candidates' audio holds after the storm: it tells whether a word that is missing was lost before
//! the log or after it. No words and no audio: places, numbers and kinds.

use super::Shared;
use anyhow::Context as _;
use maya_protocol::{
    audio::CandidateMessage,
    bus::{
        Bus, StartAt,
        kafka::{KafkaBus, KafkaSettings},
    },
    topic::{Channel, Topic},
};
use serde_json::json;
use std::{fs, io::Write as _, time::Duration};

/// A log that gives nothing for so long is left.
const SILENCE: Duration = Duration::from_secs(20);
const AUDIO: Channel = Channel::Main(Topic::CandidateSpoken);

/// Writes `log.jsonl`, a line for each message.
pub(super) async fn tap(shared: &Shared) -> anyhow::Result<()> {
    let brokers = shared.parts.kafka.lock().await.servers();
    let bus = KafkaBus::connect(KafkaSettings { brokers, ..KafkaSettings::default() }).await?;
    let mut out = fs::File::create(shared.folder.join("log.jsonl"))?;
    for partition in 0..bus.partitions(AUDIO).await? {
        let bounds = bus.bounds(AUDIO, partition).await?;
        if bounds.low == bounds.high {
            continue;
        }
        let mut reader = bus.reader(AUDIO).await?;
        reader.assign(partition, StartAt::Offset(bounds.low)).await?;
        loop {
            let next = tokio::time::timeout(SILENCE, reader.next()).await;
            let delivery = next.with_context(|| format!("partition {partition} gives nothing"))??;
            if let Ok(message) = CandidateMessage::from_record(&delivery.record) {
                let body = serde_json::to_value(&message.body)?;
                let line = json!({
                    "partition": partition, "offset": delivery.offset, "session": message.session,
                    "stream": message.stream, "sequence": message.sequence, "kind": body["kind"],
                    "at": message.captured_at,
                });
                writeln!(out, "{line}")?;
            }
            if delivery.offset + 1 >= bounds.high {
                break;
            }
        }
    }
    bus.close().await;
    Ok(())
}
