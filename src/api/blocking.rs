//! Work that may wait for a disk or a lock: never on the event loop.

use super::error::ApiError;

/// Does the work on a thread where it may block, and waits for it. Once begun it is done to its end.
///
/// # Errors
/// 500 if the work panics.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work)).await.map_err(ApiError::internal)
}
