//! What the suites share.

use bytes::Bytes;
use maya_protocol::{
    bus::{Delivery, GroupConsumer, PartitionReader, Record, SharedBus},
    topic::Channel,
};
use std::{future::Future, time::Duration};
use tokio::{io::AsyncReadExt, net::TcpListener};
use uuid::Uuid;

/// What no test waits longer than.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A name that no other test has.
pub fn unique(what: &str) -> String {
    format!("{what}-{}", Uuid::new_v4().simple())
}

pub fn record(channel: impl Into<Channel>, key: &str, text: impl ToString) -> Record {
    Record {
        channel: channel.into(),
        key: key.to_owned(),
        partition: None,
        headers: vec![],
        payload: Bytes::from(text.to_string()),
    }
}

pub fn text(delivery: &Delivery) -> String {
    String::from_utf8(delivery.record.payload.to_vec()).unwrap()
}

pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {DEADLINE:?}"),
    }
}

/// The next message of a group whose key is ours; other tests write to the same topics.
pub async fn next_of(consumer: &mut dyn GroupConsumer, key: &str) -> Delivery {
    in_time(key, async {
        loop {
            let delivery = consumer.next().await.unwrap();
            if delivery.record.key == key {
                return delivery;
            }
        }
    })
    .await
}

/// The next message of a reader whose key is ours.
pub async fn read_of(reader: &mut dyn PartitionReader, key: &str) -> Delivery {
    in_time(key, async {
        loop {
            let delivery = reader.next().await.unwrap();
            if delivery.record.key == key {
                return delivery;
            }
        }
    })
    .await
}

/// Publishes numbered messages of one key; returns the first one's position.
pub async fn publish_numbered(
    bus: &SharedBus,
    channel: impl Into<Channel>,
    key: &str,
    numbers: std::ops::Range<usize>,
) -> maya_protocol::bus::Position {
    let channel = channel.into();
    let mut first = None;
    for number in numbers {
        let position = in_time("publish", bus.publish(record(channel, key, number))).await.unwrap();
        first.get_or_insert(position);
    }
    first.expect("something was published")
}

/// How a server misbehaves.
#[derive(Clone, Copy)]
pub enum Fault {
    /// Accepts, reads, never answers.
    Hang,
    /// Accepts and resets.
    Reset,
}

/// A server that misbehaves; its address.
pub async fn faulty(fault: Fault) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            match fault {
                Fault::Hang => {
                    tokio::spawn(async move {
                        let mut sink = [0; 1024];
                        while socket.read(&mut sink).await.is_ok_and(|read| read > 0) {}
                    });
                }
                // Closing with unread input makes the kernel send a reset.
                Fault::Reset => {
                    let _ = socket.readable().await;
                    drop(socket);
                }
            }
        }
    });
    address
}

/// An address where nobody listens.
pub async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}
