//! Who has asked for the sensitive lines of which job in the last hour, and from where: it is recorded once, not for each
//! window of a log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::ClientAddress;
use crate::spool::JobId;

/// After so long it is recorded again.
const AGAIN: Duration = Duration::from_hours(1);

/// How many are remembered. What is forgotten is recorded again.
const MOST: usize = 10_000;

/// Somebody sees the sensitive lines of a job.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reveal {
    pub user: Arc<str>,
    pub job: JobId,
    pub address: ClientAddress,
}

/// What was recorded lately.
#[derive(Debug, Default)]
pub(crate) struct Reveals {
    recorded: Mutex<HashMap<Reveal, Instant>>,
}

impl Reveals {
    /// Whether it stands in the audit trail already.
    pub fn is_recorded(&self, reveal: &Reveal) -> bool {
        self.lock().get(reveal).is_some_and(|at| at.elapsed() < AGAIN)
    }

    /// It was recorded. Not before: whoever comes meanwhile must not be shown what is not.
    pub fn remember(&self, reveal: Reveal) {
        let mut recorded = self.lock();
        if recorded.len() >= MOST {
            recorded.clear();
        }
        recorded.insert(reveal, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Reveal, Instant>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
