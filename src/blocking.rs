//! Work that may wait for a disk or a lock: never on the event loop.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::Semaphore;

use crate::http::error::ApiError;

/// Writes of one kind at once. A disk that hangs holds up so many threads, and leaves the others for those who read.
const WRITES: usize = 32;

/// How long a write waits for those before it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Does the work on a thread where it may block, and waits for it. Once begun it is done to its end.
///
/// # Errors
/// 500 if the work panics.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work)).await.map_err(ApiError::internal)
}

/// Writes of one kind, of which there are never too many at once.
#[derive(Debug)]
pub struct Writes {
    permits: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Writes {
    fn default() -> Self {
        Self::new(WRITES, PATIENCE)
    }
}

impl Writes {
    /// At most so many at once.
    #[must_use]
    pub fn at_most(at_once: usize) -> Self {
        Self::new(at_once, PATIENCE)
    }

    fn new(at_once: usize, patience: Duration) -> Self {
        Self { permits: Arc::new(Semaphore::new(at_once)), patience }
    }

    /// Does work that writes, as [`run`] does. It waits for its turn without a thread.
    ///
    /// # Errors
    /// 503 if others write for too long; and as [`run`].
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let turn = Arc::clone(&self.permits).acquire_owned();
        let Ok(Ok(permit)) = tokio::time::timeout(self.patience, turn).await else {
            let message =
                "Nothing was accepted: the disk is slow, and too many others wait for it. Try again in a moment";
            return Err(ApiError::refused(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(1));
        };
        run(move || {
            let _permit = permit;
            work()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use crate::http::request_id::RequestId;

    use super::*;
    use crate::api::testing::soon;

    #[tokio::test]
    async fn a_write_that_hangs_holds_up_writes_and_nothing_else() {
        let writes = Arc::new(Writes::new(1, Duration::from_millis(10)));
        let (release, released) = mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let hanging = tokio::spawn({
            let writes = Arc::clone(&writes);
            let work = move || {
                begun.send(()).unwrap();
                released.recv().unwrap_err();
            };
            async move { writes.run(work).await }
        });
        soon(has_begun).await.unwrap();

        let refused = soon(writes.run(|| ())).await.unwrap_err().into_response(&RequestId::fresh());
        assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"1".parse().unwrap()));
        assert_eq!(soon(run(|| 7)).await.unwrap(), 7);

        drop(release);
        soon(hanging).await.unwrap().unwrap();
        assert_eq!(soon(writes.run(|| 7)).await.unwrap(), 7);
    }
}
