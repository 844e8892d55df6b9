//! Actors against a real PostgreSQL and the embedded bus.

mod failures;
mod faulty;
mod history;
mod journal;
mod nodes;
mod notifier;
mod planner;
mod recorder;
mod support;
