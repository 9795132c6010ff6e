//! A request that is sent twice with one `Idempotency-Key` starts one job.
//!
//! For a day every key of a user has a record: a file in the state directory, which all API processes of a spool share.
//! The process that holds its `flock` answers the request. The record is durable *before* the job is submitted, and names
//! the last number that was used by then. The job carries the hash of the key. So after a crash at any point, or a power
//! cut, the next request with this key finds the job if there is one.

mod key;
mod record;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use self::key::{Key, MalformedKey};
pub use self::record::Record;

use super::SubmitError;
use crate::spool::{Spool, layout};
use crate::state::StateDirectory;

/// How long a key is known.
const DAY: Duration = Duration::from_hours(24);

/// Between two sweeps, which look at every record.
const SWEEP: Duration = Duration::from_hours(1);

/// Where the records are in the state directory.
const DIRECTORY: &str = "idempotency";

/// The records of the keys that were used in the last day.
#[derive(Debug)]
pub struct Idempotency {
    state: StateDirectory,
    swept: Mutex<Option<Instant>>,
}

impl Idempotency {
    /// Keeps records below a state directory, which is created when the first key comes.
    #[must_use]
    pub fn new(state: StateDirectory) -> Self {
        Self { state, swept: Mutex::default() }
    }

    /// Takes the record of a key. It waits some seconds for another request with the same key. If the key was used already,
    /// the record knows the job.
    ///
    /// # Errors
    /// Such a request is still being answered, or the key was used for another one; the state directory cannot be used,
    /// or the spool cannot be read.
    pub fn take(&self, spool: &Spool, key: &Key) -> Result<Record, SubmitError> {
        self.state.make_directory(DIRECTORY).map_err(SubmitError::StateDirectory)?;
        self.sweep();
        let path = self.directory().join(key.hash());
        let locked = Record::lock(path).map_err(SubmitError::StateDirectory)?;
        let mut record = locked.ok_or(SubmitError::KeyIsBusy)?;
        if record.look_for_job(spool, key)?.is_some() && !record.is_of(key) {
            return Err(SubmitError::KeyIsTaken);
        }
        Ok(record)
    }

    fn directory(&self) -> PathBuf {
        self.state.join(DIRECTORY)
    }

    /// Removes the records of old keys, at most once an hour. A record that cannot be removed is harmless, because its time
    /// is checked when it is read.
    pub fn sweep(&self) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_some_and(|at| at.elapsed() < SWEEP) {
            return;
        }
        *swept = Some(Instant::now());
        drop(swept);
        let directory = self.directory();
        for name in layout::names(&directory).unwrap_or_default() {
            if let Err(error) = Record::remove_if_old(&directory.join(name)) {
                tracing::warn!(%error, "cannot remove the record of an old idempotency key");
            }
        }
    }
}
