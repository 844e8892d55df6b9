//! A topic's id (KIP-516), by which a recreated topic is told from its predecessor.
//!
//! rdkafka does not wrap `DescribeTopics` yet, so this file calls librdkafka itself.

use super::{Shared, error::from_code};
use crate::{bus::BusError, topic::Channel};
use rdkafka::{
    bindings::{self as sys, rd_kafka_admin_op_t, rd_kafka_resp_err_t},
    producer::Producer as _,
};
use std::{
    ffi::{CStr, CString},
    ptr::null_mut,
};

/// The id; for brokers older than 2.8, which have none, the cluster's id (there, a recreated topic is not noticed).
pub(super) fn topic_id(shared: &Shared, channel: Channel) -> Result<String, BusError> {
    shared.count(channel)?;
    let client = shared.media.client();
    let timeout = shared.settings.request_timeout.as_millis() as i32;
    let name = CString::new(channel.name()).expect("topic names have no zero byte");
    // SAFETY: `native_ptr` is a live client, for `shared` is borrowed; every pointer passed below is either owned by an
    // `Owned` that outlives the call or borrowed from the event, which lives until the end of the block.
    let id = unsafe {
        let rk = client.native_ptr();
        let mut names = [name.as_ptr()];
        let topics = Owned(
            sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1),
            sys::rd_kafka_TopicCollection_destroy,
        );
        let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = Owned(sys::rd_kafka_AdminOptions_new(rk, operation), sys::rd_kafka_AdminOptions_destroy);
        sys::rd_kafka_AdminOptions_set_request_timeout(options.0, timeout, null_mut(), 0);
        let queue = Owned(sys::rd_kafka_queue_new(rk), sys::rd_kafka_queue_destroy);
        sys::rd_kafka_DescribeTopics(rk, topics.0, options.0, queue.0);
        let event = sys::rd_kafka_queue_poll(queue.0, timeout);
        if event.is_null() {
            return Err(BusError::Unavailable(format!("{}: no answer", channel.name())));
        }
        let event = Owned(event, sys::rd_kafka_event_destroy);
        check(sys::rd_kafka_event_error(event.0), channel)?;
        let result = sys::rd_kafka_event_DescribeTopics_result(event.0);
        let mut count = 0;
        let found = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if count == 0 {
            return Err(BusError::NoTopic(channel.name().to_owned()));
        }
        let topic = *found;
        check(sys::rd_kafka_error_code(sys::rd_kafka_TopicDescription_error(topic)), channel)?;
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        let none =
            sys::rd_kafka_Uuid_most_significant_bits(id) == 0 && sys::rd_kafka_Uuid_least_significant_bits(id) == 0;
        (!none).then(|| CStr::from_ptr(sys::rd_kafka_Uuid_base64str(id)).to_string_lossy().into_owned())
    };
    match id {
        Some(id) => Ok(id),
        None => client
            .fetch_cluster_id(shared.settings.request_timeout)
            .ok_or_else(|| BusError::Unavailable("the cluster does not tell its id".into())),
    }
}

fn check(code: rd_kafka_resp_err_t, channel: Channel) -> Result<(), BusError> {
    match code {
        rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(from_code(code.into(), channel.name())),
    }
}

/// Something of librdkafka's that must be given back.
struct Owned<T>(*mut T, unsafe extern "C" fn(*mut T));

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the constructor that this destructor belongs to, and is given back once.
        unsafe { (self.1)(self.0) }
    }
}
