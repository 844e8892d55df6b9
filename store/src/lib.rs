//! PostgreSQL: the one place that reaches it, and the two doors through which.
//!
//! [`TenantTx`] is the only door to tenant data; [`SystemTx`] is for what precedes the tenant and reaches the tables
//! of [`system::TABLES`] only. [`placements`] is the fence that makes one node a session's owner,
//! [`fenced`] what that owner writes.

pub mod error;
pub mod fenced;
pub mod inbox;
pub mod outbox;
pub mod placements;
mod planted;
pub mod pool;
pub mod sessions;
pub mod supervision;
pub mod system;
pub mod tenant;
pub mod turns;
pub mod workflow;

pub use error::StoreError;
pub use pool::{Store, StoreSettings};
pub use system::SystemTx;
pub use tenant::TenantTx;
