//! Real parts for tests: PostgreSQL, Kafka and Redis, started by the test process and ended with it.
//!
//! The shared ones ([`postgres()`], [`kafka()`], [`redis()`], [`redis_tls()`]) start once a process, at first use. A
//! test that kills or restarts a part starts one of its own; a [`Link`] to a part can be stalled or cut. A part that
//! cannot be had is a panic that says what to run: no test skips.

mod certificate;
mod kafka;
mod link;
mod postgres;
mod redis;
mod wait;
mod webhooks;
mod workspace;

pub use kafka::{Kafka, KafkaCluster, kafka};
pub use link::Link;
pub use postgres::{Postgres, postgres};
pub use redis::{Redis, redis, redis_tls};
pub use wait::eventually;
pub use webhooks::{Delivery, Receiver};
pub use workspace::{cache, free_ports};
