//! One attempt: the request that is sent, and what its answer means.

use super::{
    address::{self, Reach, Resolver},
    schedule::retry_after,
    signature,
};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use std::time::Duration;

/// What an attempt sends.
pub(super) struct Attempt<'a> {
    pub url: &'a str,
    pub message: String,
    pub secrets: &'a [signature::Secret],
    pub body: String,
}

/// What its answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 2xx.
    Delivered(StatusCode),
    /// 410: never send anything there again.
    Gone,
    /// Nothing was sent: the endpoint was disabled meanwhile.
    Disabled,
    /// Anything else: later, perhaps no sooner than the receiver asks.
    Failed { status: Option<StatusCode>, error: &'static str, retry_after: Option<Duration> },
}
impl Outcome {
    pub(super) fn failed(error: &'static str) -> Self {
        Outcome::Failed { status: None, error, retry_after: None }
    }
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Outcome::Delivered(status) => Some(*status),
            Outcome::Gone => Some(StatusCode::GONE),
            Outcome::Disabled => None,
            Outcome::Failed { status, .. } => *status,
        }
    }
    /// For the tenant, who may see it: nothing of what the receiver answered.
    pub(super) fn error(&self) -> Option<&'static str> {
        match self {
            Outcome::Delivered(_) => None,
            Outcome::Gone => Some("the receiver is gone (410)"),
            Outcome::Disabled => Some("the endpoint is disabled"),
            Outcome::Failed { error, .. } => Some(error),
        }
    }
}

/// Sends attempts: no redirects, no proxies, no address that is not allowed.
#[derive(Clone)]
pub(super) struct Sender {
    client: reqwest::Client,
    reach: Reach,
}

impl Sender {
    pub(super) fn new(reach: Reach, timeout: Duration) -> Result<Self, reqwest::Error> {
        // refused only where the process has chosen one before, which serves as well
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("maya-webhooks/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Resolver(reach))
            .connect_timeout(timeout.min(Duration::from_secs(5)))
            .timeout(timeout)
            .pool_max_idle_per_host(1)
            .build()?;
        Ok(Self { client, reach })
    }

    pub(super) async fn send(&self, attempt: Attempt<'_>, now: DateTime<Utc>) -> Outcome {
        let Ok(url) = address::receiver(attempt.url, self.reach) else {
            return Outcome::failed("the address is not allowed");
        };
        let headers = signature::headers(attempt.secrets, &attempt.message, now.timestamp(), attempt.body.as_bytes());
        let request = self
            .client
            .post(url)
            .headers(headers)
            .header(axum::http::header::CONTENT_TYPE, "application/json")
            .body(attempt.body);
        match request.send().await {
            // only the head is read, which hyper bounds: the body says nothing to us
            Ok(answer) => judge(answer.status(), answer.headers(), now),
            Err(error) if error.is_timeout() => Outcome::failed("no answer in time"),
            Err(error) if is_not_public(&error) => Outcome::failed("the name leads to an address that is not allowed"),
            Err(error) if error.is_connect() => Outcome::failed("cannot connect"),
            Err(_) => Outcome::failed("the answer is not HTTP or was cut off"),
        }
    }
}

fn judge(status: StatusCode, headers: &axum::http::HeaderMap, now: DateTime<Utc>) -> Outcome {
    match status {
        _ if status.is_success() => Outcome::Delivered(status),
        StatusCode::GONE => Outcome::Gone,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Outcome::Failed {
            status: Some(status),
            error: "the receiver asked to wait",
            retry_after: retry_after(headers, now),
        },
        _ if status.is_redirection() => {
            Outcome::Failed { status: Some(status), error: "redirects are not followed", retry_after: None }
        }
        _ => Outcome::Failed { status: Some(status), error: "the receiver refused it", retry_after: None },
    }
}

fn is_not_public(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.downcast_ref::<address::AddressError>().is_some()
            || error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied)
        {
            return true;
        }
        source = error.source();
    }
    false
}
