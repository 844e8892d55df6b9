//! The storm and its judge.
//!
//! The storm ([`storm`]) kills, freezes and cuts off the parts of a running platform while scripted candidates hold
//! interviews on it, and leaves a folder of evidence: the candidates' own logs, the webhooks that came, the database as
//! it was at the end, and what was done to whom. The judge ([`check()`](check::check)) knows nothing but that folder.

pub mod check;
pub mod evidence;
pub mod report;
pub mod storm;
