//! The finished jobs: of each as much as lists choose by, in 24 bytes, and the newest as clients see them.
//!
//! A clone is a snapshot that shares almost everything, so a long search needs no lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::retries::Retries;
use crate::spool::history::{HistoryFile, HistoryLine};
use crate::spool::outcome::Outcome;
use crate::spool::status::State;
use crate::spool::{JobId, Result};

/// How many jobs are kept as clients see them: the largest page.
pub const READY: usize = 512;
/// A line that is longer than this, in bytes, is read when it is asked for, however new it is.
const READY_LINE: usize = 64 << 10;
/// How much is read at once in a search, in bytes.
const READ_AT_ONCE: u64 = 8 << 20;
/// How many numbers a chunk spans. A snapshot costs one pointer for each chunk, a change under it a copy of one chunk.
const CHUNK: u32 = 4096;

/// Makes JSON of a line of the history: a finished job as clients see it. The mirror is told how by whoever starts it.
pub type Render = fn(&HistoryLine) -> serde_json::Result<Box<RawValue>>;

/// A finished job: enough to choose it, and to find its line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finished {
    /// The job.
    pub id: JobId,
    /// Whether its command ended with status 0.
    pub state: State,
    /// How it ended; none if its line is of an earlier version that did not tell, or of a later one that has more words.
    pub outcome: Option<Outcome>,
    pub(crate) origin: Origin,
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

/// A job type together with a user, by number: there are few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin(u32);

impl Origin {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Every job type that a user has had a finished job of.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    list: Vec<(Arc<str>, Arc<str>)>,
    numbers: HashMap<Arc<str>, HashMap<Arc<str>, Origin>>,
}

/// All finished jobs.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Number / [`CHUNK`] → the jobs with such numbers, by number.
    chunks: BTreeMap<u32, Arc<Vec<Finished>>>,
    count: usize,
    /// How many there are in each state, in the order of [`State::ALL`].
    states: [usize; State::ALL.len()],
    /// How many there are of each outcome, in the order of [`Outcome::ALL`].
    outcomes: [usize; Outcome::ALL.len()],
    origins: Arc<Origins>,
    /// Who tried which jobs again, finished or not: how a finished job is shown depends on it.
    retries: Retries,
    /// The newest.
    ready: BTreeMap<JobId, Arc<RawValue>>,
    /// What the offsets are for.
    file: Option<Arc<HistoryFile>>,
}

impl Origins {
    /// The number of a pair, which it gets when it is first met.
    pub fn number(&mut self, job_type: &str, user: &str) -> Origin {
        if let Some(origin) = self.get(job_type, user) {
            return origin;
        }
        // A spool does not have room for so many jobs that the numbers would not do.
        let origin = Origin(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        let (job_type, user): (Arc<str>, Arc<str>) = (job_type.into(), user.into());
        self.list.push((Arc::clone(&job_type), Arc::clone(&user)));
        self.numbers.entry(job_type).or_default().insert(user, origin);
        origin
    }

    /// The number of a pair that was met before.
    #[must_use]
    pub fn get(&self, job_type: &str, user: &str) -> Option<Origin> {
        self.numbers.get(job_type)?.get(user).copied()
    }

    /// The job type and the user.
    #[must_use]
    pub fn pair(&self, origin: Origin) -> (&str, &str) {
        self.list.get(origin.index()).map_or(("", ""), |(job_type, user)| (job_type, user))
    }

    /// Which pairs meet a condition; to be asked by [`Chosen::has`].
    pub fn choose(&self, condition: impl Fn(&str, &str) -> bool) -> Chosen {
        Chosen(self.list.iter().map(|(job_type, user)| condition(job_type, user)).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list.iter().map(|(job_type, user)| (&**job_type, &**user))
    }
}

/// Some of the [`Origins`].
#[derive(Debug)]
pub struct Chosen(Vec<bool>);

impl Chosen {
    /// Whether a job's is one of them.
    #[must_use]
    pub fn has(&self, finished: &Finished) -> bool {
        self.0.get(finished.origin.index()).copied().unwrap_or(false)
    }
}

impl History {
    /// An empty one, whose jobs will be in this file.
    pub(crate) fn of(file: Option<Arc<HistoryFile>>) -> Self {
        Self { file, ..Self::default() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// How many there are in a state.
    #[must_use]
    pub fn count_in(&self, state: State) -> usize {
        self.states[state as usize]
    }

    /// How many there are of an outcome.
    #[must_use]
    pub fn count_of(&self, outcome: Outcome) -> usize {
        self.outcomes[outcome as usize]
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A job.
    #[must_use]
    pub fn get(&self, id: JobId) -> Option<Finished> {
        let chunk = self.chunks.get(&(id.get() / CHUNK))?;
        chunk.binary_search_by_key(&id, |finished| finished.id).ok().map(|at| chunk[at])
    }

    /// Those with a number below `before`, in pieces that are each sorted by number; the piece with the highest first.
    pub fn pieces(&self, before: u64) -> impl Iterator<Item = &[Finished]> {
        let last = u32::try_from(before).unwrap_or(u32::MAX) / CHUNK;
        self.chunks.range(..=last).rev().map(move |(_, chunk)| {
            let end = chunk.partition_point(|finished| u64::from(finished.id) < before);
            &chunk[..end]
        })
    }

    /// The job types and users.
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The jobs that tried others again.
    #[must_use]
    pub fn retries(&self) -> &Retries {
        &self.retries
    }

    /// The job as clients see it, if it is one of the newest.
    #[must_use]
    pub fn ready(&self, id: JobId) -> Option<Arc<RawValue>> {
        self.ready.get(&id).map(Arc::clone)
    }

    /// Reads the line of a job from the disk.
    ///
    /// # Errors
    /// The file cannot be read, or was cut.
    pub fn read(&self, finished: &Finished) -> Result<Vec<u8>> {
        let mut line = vec![0; finished.length as usize];
        if let Some(file) = &self.file {
            file.read(&mut line, finished.offset)?;
        }
        Ok(line)
    }

    /// Reads the lines of neighbours into `buffer`, in one go if nothing else lies between them, and visits them.
    ///
    /// # Errors
    /// The file cannot be read, or was cut.
    pub fn read_all(
        &self,
        neighbours: &[Finished],
        buffer: &mut Vec<u8>,
        mut visit: impl FnMut(&Finished, &[u8]),
    ) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let begin = neighbours.iter().map(|finished| finished.offset).min().unwrap_or_default();
        let end = neighbours.iter().map(Finished::end).max().unwrap_or_default();
        let wanted: u64 = neighbours.iter().map(|finished| u64::from(finished.length)).sum();
        // Room for the newlines, and for a few jobs that ended in another order than they came.
        if end - begin <= (wanted + wanted / 4 + 4096).min(READ_AT_ONCE) {
            buffer.resize(usize::try_from(end - begin).unwrap_or(usize::MAX), 0);
            file.read(buffer, begin)?;
            for finished in neighbours {
                let at = usize::try_from(finished.offset - begin).unwrap_or(usize::MAX);
                visit(finished, &buffer[at..at + finished.length as usize]);
            }
            return Ok(());
        }
        neighbours.iter().try_for_each(|finished| {
            buffer.resize(finished.length as usize, 0);
            file.read(buffer, finished.offset)?;
            visit(finished, buffer);
            Ok(())
        })
    }

    /// Puts a job in, in the place of an earlier line of the same number; and how it is shown, which is kept if it is
    /// one of the newest.
    pub(crate) fn insert(&mut self, finished: Finished, shown: Option<Arc<RawValue>>) {
        let chunk = Arc::make_mut(self.chunks.entry(finished.id.get() / CHUNK).or_default());
        match chunk.binary_search_by_key(&finished.id, |known| known.id) {
            Ok(at) => {
                self.states[chunk[at].state as usize] -= 1;
                if let Some(outcome) = chunk[at].outcome {
                    self.outcomes[outcome as usize] -= 1;
                }
                chunk[at] = finished;
            }
            Err(at) => {
                chunk.insert(at, finished);
                self.count += 1;
            }
        }
        self.states[finished.state as usize] += 1;
        if let Some(outcome) = finished.outcome {
            self.outcomes[outcome as usize] += 1;
        }
        match shown {
            Some(shown) => self.make_one_ready(finished.id, shown),
            None => self.ready.remove(&finished.id),
        };
        if self.ready.len() > READY {
            self.ready.pop_first();
        }
    }

    /// A job tries another again. Returns whether that is new.
    pub(crate) fn add_retry(&mut self, original: JobId, retry: JobId) -> bool {
        self.retries.insert(original, retry) && self.show_retries(original)
    }

    /// A job does not try another again after all. Returns whether it was said to.
    pub(crate) fn remove_retry(&mut self, original: JobId, retry: JobId) -> bool {
        self.retries.remove(original, retry) && self.show_retries(original)
    }

    fn show_retries(&mut self, original: JobId) -> bool {
        if let Some(shown) = self.ready.get(&original).cloned() {
            self.make_one_ready(original, shown);
        }
        true
    }

    /// Keeps how a job is shown. Returns what was kept of it before.
    fn make_one_ready(&mut self, id: JobId, shown: Arc<RawValue>) -> Option<Arc<RawValue>> {
        let shown = with_retries(&shown, self.retries.of(id)).unwrap_or(shown);
        self.ready.insert(id, shown)
    }

    /// The number of a job type and user, for [`insert`](Self::insert).
    pub(crate) fn origin(&mut self, job_type: &str, user: &str) -> Origin {
        match self.origins.get(job_type, user) {
            Some(origin) => origin,
            None => Arc::make_mut(&mut self.origins).number(job_type, user),
        }
    }

    /// Makes the newest jobs ready, from the disk.
    pub(crate) fn make_ready(&mut self, render: Render) -> Result<()> {
        let all = self.pieces(u64::MAX).flat_map(|piece| piece.iter().rev());
        let newest: Vec<Finished> = all.take(READY).copied().collect();
        for finished in newest {
            if let Some(shown) = shown(&self.read(&finished)?, render) {
                self.make_one_ready(finished.id, shown);
            }
        }
        Ok(())
    }
}

impl Finished {
    /// What it was and who asked for it, to be looked up in the [`Origins`].
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// How long its line in the history is, in bytes.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.length
    }

    fn end(&self) -> u64 {
        self.offset + u64::from(self.length)
    }
}

/// The same job with those that tried it again; `None` if it has them. Nothing else of it is looked into.
fn with_retries(shown: &RawValue, retries: &[JobId]) -> Option<Arc<RawValue>> {
    let mut members: IndexMap<&str, &RawValue> = serde_json::from_str(shown.get()).ok()?;
    let retries = serde_json::value::to_raw_value(retries).ok()?;
    let known = members.get_mut("retries")?;
    if known.get() == retries.get() {
        return None;
    }
    *known = &retries;
    serde_json::value::to_raw_value(&members).ok().map(Arc::from)
}

/// The job of a line as clients see it, if it is short enough to be kept so.
pub(crate) fn shown(line: &[u8], render: Render) -> Option<Arc<RawValue>> {
    if line.len() > READY_LINE {
        return None;
    }
    let line: HistoryLine = serde_json::from_slice(line).ok()?;
    render(&line).ok().map(Arc::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_job_takes_24_bytes() {
        assert_eq!(size_of::<Finished>(), 24);
    }
}
