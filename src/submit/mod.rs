//! Queueing a job: durably, and once for each idempotency key.
//!
//! | question | file |
//! |---|---|
//! | How is a job queued, and why is it not? | this one |
//! | How does a request that is sent twice start one job? | [`idempotency`] |

pub mod idempotency;

use std::sync::Arc;

use self::idempotency::{Idempotency, Key};
use crate::blocking;
use crate::blocking::WriteLimiter;
use crate::mirror::Mirror;
use crate::spool;
use crate::spool::queue::NewJob;
use crate::spool::{JobId, Spool, queue};
use crate::state::StateDirectory;

/// Puts jobs into the queue of a spool.
#[derive(Debug)]
pub struct Submissions {
    spool: Spool,
    mirror: Arc<Mirror>,
    idempotency: Idempotency,
    /// They wait for the number of a job.
    writes: WriteLimiter,
}

/// A job that is in the queue, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// Its number.
    pub id: JobId,
    /// An earlier request with the same key has submitted it.
    pub is_replayed: bool,
}

/// Why a job was not queued. The words are for whoever wanted it.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// No runner would read it.
    #[error(
        "This job is too large: its parameters, and what is stored of its changes or the train, have more than 1 MiB in all. \
         Start it with less"
    )]
    TooLarge,
    /// Another request with the same key takes its time.
    #[error("A request with this Idempotency-Key is being answered. Send it again in a moment")]
    KeyIsBusy,
    /// The key came with another request before.
    #[error("This Idempotency-Key was used for another request within the last day. Use a new one")]
    KeyIsTaken,
    /// There is no place for the record of a key.
    #[error(
        "Nothing was accepted: for an Idempotency-Key the API needs its state directory, which it cannot use ({0}). What to \
         do about it says: spiderpig-api check"
    )]
    StateDirectory(#[source] spool::Error),
    /// The spool does not take it, or cannot be read.
    #[error(transparent)]
    Spool(#[from] spool::Error),
    /// It was not its turn in time, or the work panicked.
    #[error(transparent)]
    Blocking(#[from] blocking::Error),
}

impl Submissions {
    /// Into the queue of a spool; the records of keys are in the state directory. The mirror shows a job as soon as it is
    /// queued.
    #[must_use]
    pub fn new(spool: Spool, mirror: Arc<Mirror>, state: StateDirectory) -> Self {
        Self { spool, mirror, idempotency: Idempotency::new(state), writes: WriteLimiter::default() }
    }

    /// Removes the records of keys that are not known any more. It may wait for a disk.
    pub fn forget_old_keys(&self) {
        self.idempotency.sweep();
    }

    /// The job that was submitted with a key before.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub async fn earlier(self: &Arc<Self>, key: Key) -> Result<Option<Submitted>, SubmitError> {
        let this = Arc::clone(self);
        let look = move || this.idempotency.take(&this.spool, &key).map(|record| record.job());
        let job = self.writes.run(look).await??;
        Ok(job.map(|id| Submitted { id, is_replayed: true }))
    }

    /// Queues a job, durably, and shows it from then on. With a key that was used before for the same request it is the job
    /// of then.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(self: &Arc<Self>, key: Option<Key>, new: NewJob) -> Result<Submitted, SubmitError> {
        let this = Arc::clone(self);
        let work = move || match key {
            Some(key) => this.submit_once(&key, new),
            None => Ok(Submitted { id: this.queue(checked(new)?)?, is_replayed: false }),
        };
        self.writes.run(work).await?
    }

    /// Does work that reads for a submission, among those that wait for a disk on its behalf.
    ///
    /// # Errors
    /// As [`WriteLimiter::run`].
    pub async fn prepare<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, blocking::Error> {
        self.writes.run(work).await
    }

    fn submit_once(&self, key: &Key, new: NewJob) -> Result<Submitted, SubmitError> {
        let mut record = self.idempotency.take(&self.spool, key)?;
        if let Some(id) = record.job() {
            return Ok(Submitted { id, is_replayed: true });
        }
        let new = checked(NewJob { key_hash: Some(key.hash().to_owned()), ..new })?;
        record.begin(&self.spool, key)?;
        let id = self.queue(new)?;
        record.finish(id);
        Ok(Submitted { id, is_replayed: false })
    }

    fn queue(&self, new: NewJob) -> Result<JobId, SubmitError> {
        let floor = self.mirror.view().highest_used();
        let job = queue::submit_above(&self.spool, new, floor)?;
        tracing::info!(job = %job.id, job_type = job.job_type, "job queued");
        let id = job.id;
        self.mirror.insert_queued(job);
        Ok(id)
    }
}

fn checked(new: NewJob) -> Result<NewJob, SubmitError> {
    if new.is_too_large() { Err(SubmitError::TooLarge) } else { Ok(new) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_that_no_runner_would_read_is_too_large() {
        let of = |size: usize| NewJob {
            params: [("name".to_owned(), json!("x".repeat(size)))].into_iter().collect(),
            ..NewJob::default()
        };
        assert!(checked(of((1 << 20) - 1000)).is_ok());
        assert!(matches!(checked(of(1 << 20)).unwrap_err(), SubmitError::TooLarge));
    }
}
