//! The gateway against a real PostgreSQL, the embedded bus and the embedded registry.

mod access;
mod actions;
mod completeness;
mod creation;
mod credentials;
mod document;
mod events;
mod operators;
mod receiver;
mod reconciler;
mod removal;
mod resources;
mod support;
mod traces;
mod webhooks;
mod workflow;
