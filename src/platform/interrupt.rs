//! SIGTERM and Ctrl-C, listened for before anything is started: whatever was started by then is stopped in order.

use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Whether the process was told to stop.
#[derive(Debug, Clone)]
pub struct Interrupt(CancellationToken);

/// The process was told to stop before it had done what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("told to stop before it was done")]
pub struct Interrupted;

impl Interrupt {
    /// Listens from now on.
    pub fn listen() -> io::Result<Self> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let told = CancellationToken::new();
        tokio::spawn({
            let told = told.clone();
            async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                told.cancel();
            }
        });
        Ok(Self(told))
    }

    /// Waits for it.
    pub async fn received(&self) {
        self.0.cancelled().await;
    }

    /// Does this unless it is told to stop first; the work is dropped then.
    pub async fn or<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        self.0.run_until_cancelled(work).await.unwrap_or_else(|| Err(Interrupted.into()))
    }
}

/// For what ends by being told to stop: that it was told so early is no failure.
pub fn early_stop_is_fine(result: anyhow::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.is::<Interrupted>() => Ok(()),
        result => result,
    }
}
