//! Actors against a real PostgreSQL and the embedded bus.

mod notifier;
mod recorder;
mod support;
