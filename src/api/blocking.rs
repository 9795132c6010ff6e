//! Work that may wait for a disk or a lock: never on the event loop.

use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::Semaphore;

use super::app::App;
use super::error::ApiError;

/// Writes at once. A disk that hangs holds up so many threads, and leaves the others for those who read.
const WRITES: usize = 32;

/// How long a write waits for those before it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What bounds the writes of a service.
#[derive(Debug)]
pub struct Writes(Semaphore);

impl Default for Writes {
    fn default() -> Self {
        Self(Semaphore::new(WRITES))
    }
}

/// Does the work on a thread where it may block, and waits for it. Once begun it is done to its end.
///
/// # Errors
/// 500 if the work panics.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work)).await.map_err(ApiError::internal)
}

/// The same for work that writes to the spool, of which there is never too much at once.
///
/// # Errors
/// 503 if others write for too long; and as [`run`].
pub async fn write<T: Send + 'static>(app: &App, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let permit = tokio::time::timeout(PATIENCE, app.writes.0.acquire()).await;
    let Ok(Ok(_permit)) = permit else {
        return Err(ApiError::refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "Nothing was accepted: the spool's disk is slow, and others wait for it. Try again in a moment",
        ));
    };
    run(work).await
}
