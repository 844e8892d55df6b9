//! Creating topics.

use super::{
    Shared,
    error::{bus_error, from_code},
    settings::MAX_MESSAGE_BYTES,
};
use crate::{
    bus::BusError,
    topic::{Channel, DEAD_LETTER_RETENTION},
};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    config::FromClientConfigAndContext,
    types::RDKafkaErrorCode,
};
use std::{ffi::CString, ptr::null_mut, sync::Arc, time::Duration};

/// How often the cluster is asked whether new topics are known everywhere.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(super) async fn ensure_topics(shared: &Arc<Shared>, create: bool) -> Result<(), BusError> {
    shared.refresh_counts().await?;
    let missing = missing(shared);
    if missing.is_empty() {
        return Ok(());
    }
    if !create {
        return Err(named(&missing));
    }
    shared.context.watch_auth(create_topics(shared, &missing)).await?;
    let known = async {
        loop {
            shared.refresh_counts().await?;
            if self::missing(shared).is_empty() {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    match tokio::time::timeout(shared.settings.request_timeout, known).await {
        Ok(known) => known,
        Err(_) => Err(BusError::Unavailable("new topics are not known everywhere yet".into())),
    }
}

fn missing(shared: &Shared) -> Vec<Channel> {
    Channel::all().filter(|channel| shared.count(*channel).is_err()).collect()
}

fn named(channels: &[Channel]) -> BusError {
    BusError::NoTopic(channels.iter().map(|channel| channel.name()).collect::<Vec<_>>().join(", "))
}

async fn create_topics(shared: &Shared, missing: &[Channel]) -> Result<(), BusError> {
    let admin = AdminClient::from_config_and_context(&shared.settings.client(), shared.context.clone())
        .map_err(|error| bus_error(&error, "the admin client"))?;
    if shared.settings.sasl_mechanism == Some(super::SaslMechanism::OAuthBearer) {
        give_token(&admin, shared)?;
    }
    let replication = shared.settings.topics.replication;
    let in_sync = if replication >= 3 { "2" } else { "1" };
    let size = MAX_MESSAGE_BYTES.to_string();
    let times: Vec<(String, String)> = missing.iter().map(|channel| times(*channel)).collect();
    let topics: Vec<NewTopic<'_>> = missing
        .iter()
        .zip(&times)
        .map(|(channel, (retention, segment))| {
            let partitions = shared.settings.topics.partitions(*channel) as i32;
            NewTopic::new(channel.name(), partitions, TopicReplication::Fixed(replication))
                .set("cleanup.policy", "delete")
                .set("retention.ms", retention)
                .set("segment.ms", segment)
                .set("max.message.bytes", &size)
                .set("min.insync.replicas", in_sync)
        })
        .collect();
    let timeout = Some(shared.settings.request_timeout);
    let options = AdminOptions::new().request_timeout(timeout).operation_timeout(timeout);
    let results = admin.create_topics(&topics, &options).await.map_err(|error| bus_error(&error, "topic creation"))?;
    for result in results {
        match result {
            // Another process was faster.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(from_code(code, &topic)),
        }
    }
    // Its drop waits for its thread.
    let _ = tokio::task::spawn_blocking(move || drop(admin)).await;
    Ok(())
}

/// Retention, and the segment length that lets retention take effect: a broker only removes segments that are closed.
fn times(channel: Channel) -> (String, String) {
    let retention = match channel {
        Channel::Main(topic) => topic.retention(),
        Channel::DeadLetter(_) => DEAD_LETTER_RETENTION,
    };
    (retention.as_millis().to_string(), (retention / 7).as_millis().to_string())
}

/// Hands the token over by hand: rdkafka does not serve an admin client's token callback.
fn give_token(admin: &AdminClient<super::Context>, shared: &Shared) -> Result<(), BusError> {
    let token = shared.context.token().map_err(|error| BusError::Auth(error.to_string()))?;
    let text = |text: String| CString::new(text).map_err(|_| BusError::Auth("the token has a zero byte".into()));
    let (value, principal) = (text(token.token)?, text(token.principal_name)?);
    // SAFETY: the client is alive, the strings outlive the call, and no buffer is offered for an error's text.
    let code = unsafe {
        rdkafka::bindings::rd_kafka_oauthbearer_set_token(
            admin.inner().native_ptr(),
            value.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            null_mut(),
            0,
            null_mut(),
            0,
        )
    };
    match RDKafkaErrorCode::from(code) {
        RDKafkaErrorCode::NoError => Ok(()),
        code => Err(BusError::Auth(format!("the token was not taken: {code}"))),
    }
}
