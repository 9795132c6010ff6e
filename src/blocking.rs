//! Work that may wait for a disk or a lock: on threads of its own, never on the event loop.
//!
//! [`run`] does one piece of work. A [`WriteLimiter`] does it too, but never more of one kind at once than it allows.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinError;

/// Writes of one kind at once. A disk that hangs holds up so many threads, and leaves the others for those who read.
const WRITES: usize = 32;

/// How long a write waits for those before it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why work was not done, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many others write, and the work was not begun.
    #[error("too many others wait for the disk")]
    Busy,
    /// The work panicked.
    #[error(transparent)]
    Panicked(#[from] JoinError),
}

/// Does the work on a thread where it may block, and waits for it. Once begun it is done to its end.
///
/// # Errors
/// [`Error::Panicked`].
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let span = tracing::Span::current();
    Ok(tokio::task::spawn_blocking(move || span.in_scope(work)).await?)
}

/// Lets only so many writes of one kind happen at once. The others wait for a while.
#[derive(Debug)]
pub struct WriteLimiter {
    permits: Arc<Semaphore>,
    patience: Duration,
}

impl Default for WriteLimiter {
    fn default() -> Self {
        Self::new(WRITES, PATIENCE)
    }
}

impl WriteLimiter {
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
    /// [`Error::Busy`] if others write for too long; and as [`run`].
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let turn = Arc::clone(&self.permits).acquire_owned();
        let Ok(Ok(permit)) = tokio::time::timeout(self.patience, turn).await else { return Err(Error::Busy) };
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

    use super::*;
    use crate::api::testing::soon;

    #[tokio::test]
    async fn a_write_that_hangs_holds_up_writes_and_nothing_else() {
        let writes = Arc::new(WriteLimiter::new(1, Duration::from_millis(10)));
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

        assert!(matches!(soon(writes.run(|| ())).await, Err(Error::Busy)));
        assert_eq!(soon(run(|| 7)).await.unwrap(), 7);

        drop(release);
        soon(hanging).await.unwrap().unwrap();
        assert_eq!(soon(writes.run(|| 7)).await.unwrap(), 7);
    }
}
