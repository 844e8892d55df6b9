//! The store against a real PostgreSQL: tenancy, the fence, outbox and inbox.

mod batch;
mod bus;
mod fence;
mod fixture;
mod inbox;
mod login;
mod outbox;
mod supervision;
mod tenancy;
