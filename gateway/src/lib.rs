//! The gateway: the REST Integration API, and the human gates of an interview's workflow.

pub mod auth;
pub mod keys;
pub mod problem;
pub mod sealed;
pub mod state;
pub mod tenants;

pub use state::{AppState, GatewaySettings, Parts, Readiness};
