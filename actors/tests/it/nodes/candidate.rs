//! A candidate's connection, as an edge would put it on the bus, and all that came back for it.

use super::ground::{Approved, Ground};
use crate::support::PATIENCE;
use bytes::Bytes;
use maya_protocol::{
    audio::{AgentBody, AgentMessage, CandidateBody, CandidateMessage, Codec, HEARING_RATE},
    bus::{PartitionReader, SharedBus, StartAt},
    clock::{Clock, SystemClock},
    ids::{ConnectionId, Epoch, NodeId},
    registry::Registry,
    session::Phase,
    topic::Topic,
};
use maya_providers::testing::modem;
use std::time::Duration;

/// A tenth of a second.
const PIECE: usize = HEARING_RATE as usize / 10;
/// The mark of a new owner closes the gate to all before it.
#[derive(Debug, Clone, PartialEq)]
struct Heard {
    epoch: Epoch,
    body: AgentBody,
}

/// One connection.
pub struct Candidate {
    bus: SharedBus,
    spoken: Box<dyn PartitionReader>,
    transcribed: Box<dyn PartitionReader>,
    first: CandidateMessage,
    sequence: u64,
    heard: Vec<Heard>,
    epoch: Epoch,
}

impl Candidate {
    /// Registers its socket and joins.
    pub async fn joins(ground: &Ground, session: &Approved) -> Self {
        let bus = ground.shared.bus.clone();
        let mut spoken = bus.reader(Topic::AgentSpoken.into()).await.unwrap();
        let mut transcribed = bus.reader(Topic::CandidateTranscribed.into()).await.unwrap();
        for reader in [&mut spoken, &mut transcribed] {
            reader.assign(session.partition, StartAt::Latest).await.unwrap();
        }
        let connection = ConnectionId::fresh();
        let edge = NodeId("edge".to_owned());
        let hour = Duration::from_secs(3600);
        let (stream, _) = ground.registry.put_socket(session.id, &edge, connection, hour).await.unwrap();
        let first = CandidateMessage {
            session: session.id,
            tenant: session.tenant,
            partition: session.partition,
            connection,
            stream,
            sequence: 0,
            captured_at: SystemClock.utc(),
            trace: None,
            body: CandidateBody::Joined,
        };
        let mut candidate = Self { bus, spoken, transcribed, first, sequence: 0, heard: Vec::new(), epoch: Epoch(0) };
        candidate.send(CandidateBody::Joined).await;
        let (codec, sample_rate) = (Codec::Linear16, HEARING_RATE);
        candidate.send(CandidateBody::AudioStart { codec, sample_rate }).await;
        candidate
    }

    async fn send(&mut self, body: CandidateBody) {
        let message = CandidateMessage { sequence: self.sequence, body, ..self.first.clone() };
        self.sequence += 1;
        self.bus.publish(message.to_record()).await.unwrap();
    }

    /// Says something, faster than people do.
    pub async fn says(&mut self, text: &str) {
        let mut pcm = modem::encode(text, HEARING_RATE, modem::MS_PER_CHARACTER);
        pcm.extend(modem::silence(HEARING_RATE, 1500));
        for piece in pcm.chunks(PIECE) {
            let data: Bytes = piece.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let (codec, sample_rate) = (Codec::Linear16, HEARING_RATE);
            self.send(CandidateBody::Audio { codec, sample_rate, data }).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn leaves(&mut self) {
        self.send(CandidateBody::Leave).await;
    }

    /// The next that an edge would pass on: nothing of a lower epoch once a higher was seen.
    async fn next(&mut self) -> Heard {
        loop {
            let delivery = tokio::select! {
                delivery = self.spoken.next() => delivery,
                delivery = self.transcribed.next() => delivery,
            };
            let message = AgentMessage::from_record(&delivery.unwrap().record).unwrap();
            if message.connection != self.first.connection || message.epoch < self.epoch {
                continue;
            }
            self.epoch = message.epoch;
            let heard = Heard { epoch: message.epoch, body: message.body };
            if let AgentBody::Speech { turn_id, sentence, ref pcm, .. } = heard.body {
                // it is heard as soon as it comes
                let played_ms = pcm.len() as u64 / 48 + self.played(turn_id, sentence);
                self.send(CandidateBody::Played { turn_id, sentence, played_ms }).await;
            }
            if let AgentBody::Whole { turn_id, sentence, .. } = heard.body {
                self.send(CandidateBody::Written { turn_id, sentence, again: false }).await;
            }
            self.heard.push(heard.clone());
            return heard;
        }
    }

    fn played(&self, turn: maya_protocol::ids::TurnId, number: u32) -> u64 {
        let of = self.heard.iter().filter_map(|heard| match &heard.body {
            AgentBody::Speech { turn_id, sentence, pcm, .. } if (*turn_id, *sentence) == (turn, number) => {
                Some(pcm.len() as u64 / 48)
            }
            _ => None,
        });
        of.sum()
    }

    /// Waits until Maya says that she does that; with the reason she gives.
    pub async fn until(&mut self, wanted: Phase) -> Option<String> {
        let come = async {
            loop {
                if let AgentBody::State { phase, reason, .. } = self.next().await.body
                    && phase == wanted
                {
                    return reason;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, come).await {
            Ok(reason) => reason,
            Err(_) => panic!("{wanted} never came; there came {:#?}", self.words()),
        }
    }

    /// Waits until those words are acknowledged.
    pub async fn until_transcribed(&mut self, wanted: &str) {
        let come = async {
            loop {
                if let AgentBody::Transcript { text, r#final: true, .. } = self.next().await.body
                    && text == wanted
                {
                    return;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, come).await.is_err() {
            panic!("{wanted} was never acknowledged; there came {:#?}", self.words());
        }
    }

    /// Maya's sentences, in the order in which they came.
    pub fn said(&self) -> Vec<String> {
        let sentences = self.heard.iter().filter_map(|heard| match &heard.body {
            AgentBody::Speech { text, .. } if !text.is_empty() => Some(text.clone()),
            _ => None,
        });
        sentences.collect()
    }

    /// The epochs that spoke, in order.
    pub fn epochs_that_spoke(&self) -> Vec<Epoch> {
        let speech = self.heard.iter().filter(|heard| matches!(heard.body, AgentBody::Speech { .. }));
        let mut epochs: Vec<Epoch> = speech.map(|heard| heard.epoch).collect();
        epochs.dedup();
        epochs
    }

    pub fn no_sentence_came_twice(&self) {
        let mut seen = std::collections::HashSet::new();
        for heard in &self.heard {
            if let AgentBody::Speech { turn_id, sentence, part: 0, ref text, .. } = heard.body
                && !text.is_empty()
            {
                assert!(seen.insert((turn_id, sentence)), "{turn_id}.{sentence} came twice: {:#?}", self.said());
            }
        }
    }

    /// What came, without sound.
    fn words(&self) -> Vec<String> {
        self.heard
            .iter()
            .map(|heard| match &heard.body {
                AgentBody::Speech { turn_id, sentence, part, text, .. } => {
                    format!("{} speech {turn_id}.{sentence}.{part} {text}", heard.epoch)
                }
                other => format!("{} {other:?}", heard.epoch),
            })
            .collect()
    }
}
