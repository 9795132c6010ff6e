//! What is known of the spool: where every job stands, and what the runner does.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use serde_json::value::RawValue;

use super::changes::{Changes, Thing};
use crate::api::job::Job;
use crate::spool::history::HistoryLine;
use crate::spool::request::JobRequest;
use crate::spool::runner_state::RunnerState;
use crate::spool::status::{State, Status};
use crate::spool::{JobId, Time};

/// Every job that the spool knows, and the runner.
#[derive(Debug, Default)]
pub struct View {
    jobs: BTreeMap<JobId, Entry>,
    /// The jobs that are in the queue or claimed, and not in the history.
    open: BTreeSet<JobId>,
    /// What changed lately.
    pub changes: Changes,
    /// The runner.
    pub runner: Runner,
    /// Why the spool could not be read at the last look at everything.
    pub problem: Option<String>,
    /// When all of the spool was last looked at.
    pub last_full_look: Option<Instant>,
    /// Why the kernel tells of no changes, if it was asked to.
    pub watch_lost: Option<String>,
}

/// What the runner does.
#[derive(Debug, Default, PartialEq)]
pub struct Runner {
    /// Whether one lives, as of the last time that somebody looked.
    pub up: bool,
    /// What it says of itself, or the last one said.
    pub state: Option<RunnerState>,
    /// Why no new job starts.
    pub paused: Option<String>,
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// In `queue/`. Nobody has checked it yet but its submitter.
    Queued(Arc<JobRequest>),
    /// In `jobs/`, and not in the history: it runs, or has just ended.
    Claimed(Arc<Claimed>),
    /// In the history.
    Finished(Arc<Finished>),
    /// In `rejected/`, and nowhere else.
    Rejected(Arc<Rejected>),
}

/// A claimed job.
#[derive(Debug, PartialEq)]
pub struct Claimed {
    /// What it does now.
    pub status: Status,
    /// What was asked for; a damaged copy is as good as none.
    pub request: Option<JobRequest>,
}

/// A finished job. It never changes again, and there are many: kept is only what is sent.
#[derive(Debug)]
pub struct Finished {
    /// The job as clients see it: the JSON of a [`Job`].
    pub shown: Box<RawValue>,
}

/// A file that was no valid job, under a number that no job has.
#[derive(Debug, PartialEq)]
pub struct Rejected {
    /// The number that it wanted.
    pub id: JobId,
    /// What was asked for, as far as it can be read.
    pub request: Option<JobRequest>,
    /// Whose file it was.
    pub owner: Option<String>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Time,
}

/// Whether a job's log can still grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It can.
    Open,
    /// It is complete.
    Ended,
    /// There is no such job.
    NoSuchJob,
}

impl PartialEq for Finished {
    fn eq(&self, other: &Self) -> bool {
        self.shown.get() == other.shown.get()
    }
}

impl Entry {
    /// Whether nothing will change any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Queued(_) => false,
            Self::Claimed(claimed) => claimed.status.state.is_final(),
            Self::Finished(_) | Self::Rejected(_) => true,
        }
    }

    fn is_open(&self) -> bool {
        matches!(self, Self::Queued(_) | Self::Claimed(_))
    }
}

impl Finished {
    /// From the line of the history. `None` if it says that the job is not final, and so is none of ours.
    #[must_use]
    pub fn new(line: &HistoryLine) -> Option<Self> {
        if !line.state.is_final() || line.state == State::Rejected {
            return None;
        }
        let shown = serde_json::value::to_raw_value(&Job::finished(line)).ok()?;
        Some(Self { shown })
    }
}

impl View {
    /// A job.
    #[must_use]
    pub fn get(&self, id: JobId) -> Option<&Entry> {
        self.jobs.get(&id)
    }

    /// All jobs, the newest first.
    pub fn newest(&self) -> impl Iterator<Item = (JobId, &Entry)> {
        self.jobs.iter().rev().map(|(id, entry)| (*id, entry))
    }

    /// The jobs that are in the queue or claimed and not in the history, the oldest first.
    pub fn open(&self) -> impl Iterator<Item = (JobId, &Entry)> {
        self.open.iter().filter_map(|id| Some((*id, self.jobs.get(id)?)))
    }

    /// How many jobs there are.
    #[must_use]
    pub fn job_count(&self) -> usize {
        self.jobs.len()
    }

    /// Whether a job's log can still grow.
    #[must_use]
    pub fn ending(&self, id: JobId) -> Ending {
        match self.jobs.get(&id) {
            None => Ending::NoSuchJob,
            Some(entry) if entry.is_final() => Ending::Ended,
            Some(_) => Ending::Open,
        }
    }

    /// Puts in what was found at a look; a job that is in the history stays what it is there.
    pub(super) fn set(&mut self, id: JobId, found: Option<Entry>) {
        let is_history = |entry: Option<&Entry>| matches!(entry, Some(Entry::Finished(_)));
        if is_history(self.jobs.get(&id)) && !is_history(found.as_ref()) {
            return;
        }
        if self.jobs.get(&id) != found.as_ref() {
            self.changes.note(Thing::Job(id));
        }
        if found.as_ref().is_some_and(Entry::is_open) {
            self.open.insert(id);
        } else {
            self.open.remove(&id);
        }
        match found {
            Some(entry) => self.jobs.insert(id, entry),
            None => self.jobs.remove(&id),
        };
    }

    /// Puts in what the runner does.
    pub(super) fn set_runner(&mut self, runner: Runner) {
        if self.runner != runner {
            self.runner = runner;
            self.changes.note(Thing::Runner);
        }
    }

    /// Puts in whether a runner lives.
    pub(super) fn set_runner_up(&mut self, up: bool) {
        if self.runner.up != up {
            self.runner.up = up;
            self.changes.note(Thing::Runner);
        }
    }

    /// Puts in a job that was just queued, unless a look was faster and knows more.
    pub(super) fn insert_queued(&mut self, request: JobRequest) {
        if !self.jobs.contains_key(&request.id) {
            self.set(request.id, Some(Entry::Queued(Arc::new(request))));
        }
    }
}

/// Why a queued job waits, in words; `None` if nobody has said it yet.
#[must_use]
pub fn waiting_for(runner: &Runner, id: JobId) -> Option<Cow<'_, str>> {
    if !runner.up {
        return Some("The job runner is not running".into());
    }
    if let Some(reason) = &runner.paused {
        return Some(format!("New jobs are paused: {reason}").into());
    }
    let lanes = runner.state.as_ref()?.lanes.values();
    lanes.into_iter().find_map(|lane| lane.waiting.get(&id)).map(|reason| reason.as_str().into())
}
