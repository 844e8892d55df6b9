//! What librdkafka calls us back for: errors, logs, tokens, deliveries.
//!
//! librdkafka keeps trying with refused credentials, so that every call would end in a time-out. The context remembers
//! the refusal, and [`Context::watch_auth`] ends the calls that wait with the true reason.

use super::{
    error::{from_code, is_refusal},
    membership::Membership,
    producer::Receipt,
    token::Tokens,
};
use crate::bus::{BusError, Position};
use rdkafka::{
    ClientContext, Message,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::KafkaError,
    producer::{DeliveryResult, ProducerContext},
    statistics::Statistics,
    types::RDKafkaErrorCode,
};
use std::{future::Future, pin::pin, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long a call may go on after an earlier one was refused: the credentials may have been mended meanwhile.
const SECOND_CHANCE: Duration = Duration::from_secs(2);

/// The context of every client of one bus.
#[derive(Clone)]
pub(super) struct Context {
    refused: Arc<watch::Sender<Option<String>>>,
    tokens: Option<Tokens>,
    /// Of a group's member.
    membership: Option<Membership>,
}

impl Context {
    pub(super) fn new(tokens: Option<Tokens>) -> Self {
        Self { refused: Arc::new(watch::Sender::new(None)), tokens, membership: None }
    }

    /// Of a group's member.
    pub(super) fn of_member(&self, membership: Membership) -> Self {
        Self { membership: Some(membership), ..self.clone() }
    }

    /// The token of OAUTHBEARER.
    pub(super) fn token(&self) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.tokens.as_ref().ok_or("no token source is configured")?.current()
    }

    /// Runs a call; ends it with [`BusError::Auth`] as soon as the cluster refuses our credentials.
    pub(super) async fn watch_auth<T>(&self, call: impl Future<Output = Result<T, BusError>>) -> Result<T, BusError> {
        let mut call = pin!(call);
        let mut refused = self.refused.subscribe();
        let earlier = refused.borrow_and_update().clone();
        let answer = match earlier {
            Some(reason) => match tokio::time::timeout(SECOND_CHANCE, call).await {
                Ok(Err(BusError::Unavailable(_))) | Err(_) => Err(BusError::Auth(reason)),
                Ok(answer) => answer,
            },
            None => tokio::select! {
                biased;
                answer = &mut call => answer,
                reason = refusal(&mut refused) => Err(BusError::Auth(reason)),
            },
        };
        if answer.is_ok() {
            self.refused.send_if_modified(|reason| reason.take().is_some());
        }
        answer
    }

    fn refuse(&self, reason: &str) {
        tracing::error!(reason, "kafka refused our credentials");
        self.refused.send_replace(Some(reason.to_owned()));
    }
}

async fn refusal(refused: &mut watch::Receiver<Option<String>>) -> String {
    let reason = refused.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
    match reason {
        Some(reason) => reason,
        None => std::future::pending().await,
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(target: "librdkafka", facility, "{message}");
            }
            _ => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        // A certificate that cannot be verified does not mend itself either.
        let untrusted = code == Some(RDKafkaErrorCode::SSL) && reason.contains("certificate");
        if untrusted || code.is_some_and(is_refusal) {
            self.refuse(reason);
        } else {
            tracing::warn!(%error, reason, "kafka");
        }
    }

    fn stats(&self, statistics: Statistics) {
        if let (Some(membership), Some(group)) = (&self.membership, &statistics.cgrp) {
            membership.told(group);
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.token()
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Receipt>;

    fn delivery(&self, result: &DeliveryResult<'_>, receipt: Box<Receipt>) {
        let outcome = match result {
            Ok(message) => {
                Ok(Position { partition: message.partition().max(0) as u32, offset: message.offset().max(0) as u64 })
            }
            Err((error, message)) => Err(match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::MessageSizeTooLarge) => BusError::TooLarge(message.payload_len()),
                Some(code) => from_code(code, message.topic()),
                None => BusError::Unavailable(error.to_string()),
            }),
        };
        match (receipt.0, outcome) {
            (Some(receipt), outcome) => {
                // The caller may have stopped waiting.
                let _ = receipt.send(outcome);
            }
            (None, Err(error)) => {
                metrics::counter!("maya_bus_send_failed_total").increment(1);
                tracing::warn!(%error, "a message that nobody waits for was not delivered");
            }
            (None, Ok(_)) => {}
        }
    }
}
