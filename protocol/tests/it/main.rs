//! The protocol's tests with real parts: one contract suite a seam, run on each engine, and the faults of each engine.
#![allow(clippy::disallowed_methods, reason = "tests measure real time")]

mod bus;
mod bus_embedded;
mod bus_kafka;
mod registry;
mod registry_redis;
mod support;
