//! The indexes of the logs that were read lately.

use std::sync::{Arc, Mutex, PoisonError};

use crate::spool::log::{Index, LogReader};
use crate::spool::{JobId, Result};

/// So many are kept. One of a log of 10,000,000 records takes 80 kB.
const KEPT: usize = 16;

/// Indexes in memory, so that a log whose `log.index` is missing or damaged is counted once and not for each reader.
#[derive(Debug, Default)]
pub struct Indexes {
    /// The one used last is the last.
    known: Mutex<Vec<(JobId, Shared)>>,
}

type Shared = Arc<Mutex<Option<Index>>>;

impl Indexes {
    /// Does something with the index of an open log. It may wait for a disk, and for another who counts the same log.
    ///
    /// # Errors
    /// The log cannot be looked at; and those of the work.
    pub fn with<T>(
        &self,
        id: JobId,
        log: &mut LogReader,
        work: impl FnOnce(&mut Index, &mut LogReader) -> Result<T>,
    ) -> Result<T> {
        let shared = self.of(id);
        // An index that somebody panicked over is still checked when it is used.
        let mut known = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let index = match known.take() {
            Some(index) if index.is_of(log)? => index,
            _ => Index::load(log)?,
        };
        work(known.insert(index), log)
    }

    fn of(&self, id: JobId) -> Shared {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = match known.iter().position(|(known, _)| *known == id) {
            Some(place) => known.remove(place).1,
            None => Shared::default(),
        };
        if known.len() == KEPT {
            known.remove(0);
        }
        known.push((id, Arc::clone(&shared)));
        shared
    }
}
