//! What the feed has been told to look at and has not looked at yet: a set, so that it stays small however fast the
//! spool changes.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::spool::monitoring::{Document as _, MediaWikiErrors, Train};
use crate::spool::{JobId, queue};

/// Something in the spool that can be looked at by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// `jobs/N` came or went: a watch on it may be one on its predecessor.
    Directory(JobId),
    /// Where a job stands: its file in `queue/` or `rejected/`, or its status.
    Job(JobId),
    /// The log of a job.
    Log(JobId),
    /// `history.jsonl`.
    History,
    /// `runner.json` or `paused`.
    Runner,
    /// `runner.lock`: a runner may have ended.
    RunnerLock,
    /// A file of `monitoring/`.
    Monitoring,
    /// One of the directories that are watched came or went: the watch may be on its predecessor.
    Tree,
}

impl Place {
    /// The place of a path; `None` for what the mirror does not hold, such as temporary files.
    #[must_use]
    pub fn of(spool: &Path, path: &Path) -> Option<Self> {
        let mut names = path.strip_prefix(spool).ok()?.iter();
        let Some(first) = names.next() else { return Some(Self::Tree) };
        let first = first.to_str()?;
        match (first, names.next(), names.next()) {
            ("history.jsonl", None, None) => Some(Self::History),
            ("runner.json" | "paused", None, None) => Some(Self::Runner),
            ("runner.lock", None, None) => Some(Self::RunnerLock),
            ("queue" | "jobs" | "rejected" | "monitoring", None, None) => Some(Self::Tree),
            ("monitoring", Some(name), None) => is_monitored(name).then_some(Self::Monitoring),
            ("queue", Some(name), None) => queue::number(name).map(Self::Job),
            ("rejected", Some(name), None) => rejected_number(name).map(Self::Job),
            ("jobs", Some(name), None) => name.to_str()?.parse().ok().map(Self::Directory),
            ("jobs", Some(name), Some(file)) => {
                let id = name.to_str()?.parse().ok()?;
                match file.to_str()? {
                    "status.json" => Some(Self::Job(id)),
                    "log.jsonl" => Some(Self::Log(id)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

fn is_monitored(name: &OsStr) -> bool {
    [Train::NAME, MediaWikiErrors::NAME].iter().any(|known| name == *known)
}

/// `N.json` and `N.reason`. A second file of the same number has no page of its own.
fn rejected_number(name: &OsStr) -> Option<JobId> {
    queue::number(name).or_else(|| name.to_str()?.strip_suffix(".reason")?.parse().ok())
}

/// What is to be looked at.
#[derive(Debug, Default)]
pub struct Todo {
    /// Everything; the places are part of it.
    pub everywhere: bool,
    /// These.
    pub places: BTreeSet<Place>,
    stop: bool,
}

impl Todo {
    fn is_empty(&self) -> bool {
        !self.everywhere && self.places.is_empty() && !self.stop
    }
}

/// The hints that wait for the feed.
#[derive(Debug, Default)]
pub struct Hints {
    todo: Mutex<Todo>,
    told: Condvar,
}

impl Hints {
    /// One place may have changed.
    pub fn tell(&self, place: Place) {
        self.change(|todo| {
            todo.places.insert(place);
        });
    }

    /// Anything may have changed.
    pub fn tell_everywhere(&self) {
        self.change(|todo| todo.everywhere = true);
    }

    /// There will be nothing more to look at.
    pub fn stop(&self) {
        self.change(|todo| todo.stop = true);
    }

    /// Waits for a hint until a deadline, and takes all that there are. `None` after [`stop`](Self::stop).
    pub fn wait(&self, deadline: Instant) -> Option<Todo> {
        let mut todo = self.lock();
        loop {
            let patience = deadline.saturating_duration_since(Instant::now());
            if patience.is_zero() || !todo.is_empty() {
                break;
            }
            todo = self.told.wait_timeout(todo, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        let todo = std::mem::take(&mut *todo);
        (!todo.stop).then_some(todo)
    }

    fn change(&self, change: impl FnOnce(&mut Todo)) {
        change(&mut self.lock());
        self.told.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Todo> {
        self.todo.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_places() {
        let job = JobId::try_from(7).unwrap();
        for (path, place) in [
            ("queue/7.json", Some(Place::Job(job))),
            ("queue/.7.json", None),
            ("queue/x.json", None),
            ("rejected/7.json", Some(Place::Job(job))),
            ("rejected/7.reason", Some(Place::Job(job))),
            ("rejected/7.2.json", None),
            ("jobs/7", Some(Place::Directory(job))),
            ("jobs/.7", None),
            ("jobs/7/status.json", Some(Place::Job(job))),
            ("jobs/7/log.jsonl", Some(Place::Log(job))),
            ("jobs/7/output.log", None),
            ("jobs/7/.tmpAbc", None),
            ("history.jsonl", Some(Place::History)),
            ("paused", Some(Place::Runner)),
            ("runner.lock", Some(Place::RunnerLock)),
            ("monitoring", Some(Place::Tree)),
            ("monitoring/train.json", Some(Place::Monitoring)),
            ("monitoring/mediawiki.json", Some(Place::Monitoring)),
            ("monitoring/.draft", None),
            ("monitoring/mediawiki.json/x", None),
            ("sequence", None),
            ("queue", Some(Place::Tree)),
            ("", Some(Place::Tree)),
            ("../elsewhere", None),
        ] {
            assert_eq!(Place::of(Path::new("/spool"), &Path::new("/spool").join(path)), place, "{path}");
        }
    }
}
