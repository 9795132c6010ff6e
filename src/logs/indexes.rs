//! The indexes of the logs that were read last: they say where in the file a record begins.

use std::sync::{Arc, Mutex, PoisonError};

use crate::spool::log::{Index, LogReader};
use crate::spool::{JobId, Result};

/// How many indexes are kept. The index of a log of 10,000,000 records takes 80 kB.
const KEPT: usize = 16;

/// Indexes in memory. A log whose `log.index` is missing or damaged is counted once, and not for each reader.
#[derive(Debug, Default)]
pub struct Indexes {
    /// In the order of their last use.
    known: Mutex<Vec<(JobId, Shared)>>,
}

type Shared = Arc<Mutex<Option<Index>>>;

/// Keeps an index in memory, however many others are used.
#[derive(Debug)]
pub struct Kept {
    _index: Shared,
}

impl Indexes {
    /// Does work with the index of an open log. It may wait for a disk, and for another thread that counts the same log.
    ///
    /// # Errors
    /// The log cannot be read; and the errors of the work.
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

    /// Keeps the index of a log that is counted again and again, so that this costs only what is new.
    pub fn keep(&self, id: JobId) -> Kept {
        Kept { _index: self.of(id) }
    }

    fn of(&self, id: JobId) -> Shared {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = match known.iter().position(|(known, _)| *known == id) {
            Some(place) => known.remove(place).1,
            None => Shared::default(),
        };
        if known.len() >= KEPT
            && let Some(oldest) = known.iter().position(|(_, index)| Arc::strong_count(index) == 1)
        {
            known.remove(oldest);
        }
        known.push((id, Arc::clone(&shared)));
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_that_nobody_keeps() {
        let id = |number: u64| JobId::try_from(number).unwrap();
        let indexes = Indexes::default();
        let kept = indexes.keep(id(1));
        let many = 10 * KEPT as u64;
        (2..=many).for_each(|number| drop(indexes.of(id(number))));
        let known = || -> Vec<JobId> { indexes.known.lock().unwrap().iter().map(|(id, _)| *id).collect() };
        let newest = many - KEPT as u64 + 2;
        assert_eq!(known(), std::iter::once(1).chain(newest..=many).map(id).collect::<Vec<_>>());
        drop(kept);
        drop(indexes.of(id(many + 1)));
        assert_eq!(known(), (newest..=many + 1).map(id).collect::<Vec<_>>());
        let all: Vec<Kept> = (1..=many).map(|number| indexes.keep(id(number))).collect();
        assert_eq!(known().len(), all.len());
    }
}
