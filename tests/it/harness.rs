//! maya as its users have it: the real binary in processes of its own, and an outside party's clients.
//!
//! The clients are written from docs/contracts.md alone: they share no type of JSON with the platform, so that a change
//! of the contract is seen here first.
//!
//! ```ignore
//! let site = Site::embedded().await;                    // settings and a data dir
//! let maya = site.serve("").await;                      // every role, in one process
//! let tenant = site.tenant().await;
//! let rest = Rest::new(&maya.url("gateway"), &tenant.api_key);
//! let interview = rest.create(&short_interview()).await;
//! let link = interview.approved().await;
//! let report = Candidate::new(&link.join_url).speak(&["I wrote it in Rust."]).hold(&site).await;
//! ```

mod candidate;
mod process;
mod rest;
mod site;
mod socket;

pub use candidate::Candidate;
pub use maya_testkit::Receiver;
pub use process::Maya;
pub use rest::{Interview, Link, Rest};
pub use site::Site;
pub use socket::{Conversation, Socket};

use serde_json::{Value, json};
use std::time::Duration;

/// No step of a test may take longer.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for something that must come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what} did not come in time"))
}

/// The webhooks of an interview that needed nothing.
pub const WEBHOOKS: [&str; 6] = [
    "interview.plan_generated",
    "interview.approved",
    "interview.started",
    "interview.completed",
    "interview.assessment_ready",
    "interview.assessment_completed",
];

/// A whole interview may take this long.
pub const LONGEST_INTERVIEW: Duration = Duration::from_secs(240);

/// A complete interview of two skills, and no longer than a test can wait for.
pub fn short_interview() -> Value {
    json!({
        "externalId": "ats-4711",
        "language": "en-US",
        "durationMinutes": 6,
        "candidate": { "name": "Jordan Ellis", "email": "jordan@example.com", "resume": "Six years of services in Rust." },
        "position": { "title": "Backend Engineer", "level": "MID", "description": "Runs the payment services." },
        "skills": [
            { "name": "Rust", "level": "MID", "mustHave": true },
            { "name": "PostgreSQL", "level": "MID", "mustHave": true }
        ],
        "metadata": { "requisition": "r-1" }
    })
}
