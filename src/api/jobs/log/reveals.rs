//! Who has asked for the sensitive lines of which job in the last hour: it is recorded once, not for each window of a log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::spool::JobId;

/// After so long it is recorded again.
const AGAIN: Duration = Duration::from_hours(1);

/// How many are remembered. What is forgotten is recorded again.
const MOST: usize = 10_000;

/// What was recorded lately.
#[derive(Debug, Default)]
pub(super) struct Reveals {
    recorded: Mutex<HashMap<(Arc<str>, JobId), Instant>>,
}

impl Reveals {
    /// Whether it has to be recorded that this user sees the sensitive lines of a job; it is taken to be done then.
    pub fn is_new(&self, user: &Arc<str>, job: JobId) -> bool {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(user), job);
        if recorded.get(&key).is_some_and(|at| at.elapsed() < AGAIN) {
            return false;
        }
        if recorded.len() >= MOST {
            recorded.clear();
        }
        recorded.insert(key, Instant::now());
        true
    }

    /// It could not be recorded.
    pub fn forget(&self, user: &Arc<str>, job: JobId) {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).remove(&(Arc::clone(user), job));
    }
}
