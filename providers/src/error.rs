//! The one error of all provider seams: what the caller may do about it.

use std::time::Duration;

/// Why a provider did not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    /// May pass: reset, overload, time-out. Try again (with back-off).
    #[error("{provider}: {message}")]
    Retry {
        /// Which provider, e.g. `openai`.
        provider: &'static str,
        /// For operators; carries nothing that was said.
        message: String,
    },
    /// Over a quota: try again no sooner than that.
    #[error("{provider}: quota used up")]
    Quota {
        /// Which provider.
        provider: &'static str,
        /// When to try again, where it said so.
        retry_after: Option<Duration>,
    },
    /// The provider's safety filter refused this content; other words may pass.
    #[error("{provider}: refused by its content filter")]
    Blocked {
        /// Which provider.
        provider: &'static str,
    },
    /// Will not pass: bad request, bad credentials, unknown language, a missing model file.
    #[error("{provider}: {message}")]
    Fatal {
        /// Which provider.
        provider: &'static str,
        /// For operators; carries nothing that was said.
        message: String,
    },
}

impl ProviderError {
    /// An error that may pass.
    pub fn retry(provider: &'static str, message: impl ToString) -> Self {
        Self::Retry { provider, message: message.to_string() }
    }
    /// An error that will not pass.
    pub fn fatal(provider: &'static str, message: impl ToString) -> Self {
        Self::Fatal { provider, message: message.to_string() }
    }
    /// Whether trying again may help.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Fatal { .. } | Self::Blocked { .. })
    }
}
