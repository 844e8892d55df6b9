//! Actors against a real PostgreSQL and the embedded bus.

mod history;
mod notifier;
mod recorder;
mod support;
