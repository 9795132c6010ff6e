//! What is known of the spool: where every job stands, and what the runner does.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::iter::{Peekable, Rev};
use std::sync::Arc;
use std::time::Instant;

use serde_json::value::RawValue;

use super::changes::{Changes, Thing};
use super::cut;
use super::history::{Finished, History, Origin};
use super::monitoring::Monitoring;
use crate::spool::outcome::Outcome;
use crate::spool::request::JobRequest;
use crate::spool::runner_state::RunnerState;
use crate::spool::status::{State, Status};
use crate::spool::{JobId, Time};

/// What a file is called whose content names no job type, and who is not known.
pub const UNKNOWN: &str = "unknown";

/// Every job that the spool knows, the runner, and what is monitored. A clone is cheap as long as few jobs are open or
/// rejected.
#[derive(Clone, Debug)]
pub struct View {
    /// The jobs that are not in the history.
    jobs: BTreeMap<JobId, Entry>,
    /// Those of them that are in the queue or claimed.
    open: BTreeSet<JobId>,
    history: History,
    /// What changed lately.
    pub changes: Changes,
    /// The runner.
    pub runner: Arc<Runner>,
    /// What is wrong with the spool beside what the runner says of itself, in words.
    pub trouble: Arc<Vec<String>>,
    /// What other programs tell of the site.
    pub monitoring: Arc<Monitoring>,
    /// Why the spool could not be read at the last look at everything.
    pub problem: Option<String>,
    /// When everything was last looked at.
    pub last_full_look: Instant,
    /// Why the kernel tells of no changes, if it was asked to.
    pub watch_lost: Option<String>,
}

/// What the runner does.
#[derive(Debug, Default, PartialEq)]
pub struct Runner {
    /// Whether one lives.
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
    Queued(Arc<Queued>),
    /// In `jobs/`, and not in the history: it runs, or has just ended.
    Claimed(Arc<Claimed>),
    /// In the history.
    Finished(Finished),
    /// In `rejected/`, and nowhere else.
    Rejected(Arc<Rejected>),
}

/// A job that waits.
#[derive(Debug, PartialEq)]
pub struct Queued {
    /// What was asked for.
    pub request: JobRequest,
    /// It is large, and only its beginning is here; see [`cut`].
    pub is_cut: bool,
}

/// A claimed job.
#[derive(Debug, PartialEq)]
pub struct Claimed {
    /// What it does now.
    pub status: Status,
    /// What was asked for; a damaged copy is as good as none.
    pub request: Option<JobRequest>,
    /// It is large, and only its beginning is here; see [`cut`].
    pub is_cut: bool,
}

/// A file that was no valid job, under a number that no job has.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// The number that it wanted.
    pub id: JobId,
    /// What was asked for, as far as it can be read.
    pub request: Option<JobRequest>,
    /// It is large, and only its beginning is here; see [`cut`].
    pub is_cut: bool,
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

impl Entry {
    /// A job in the queue, of which only the beginning is kept if it is large.
    #[must_use]
    pub fn queued(mut request: JobRequest) -> Self {
        let is_cut = cut::request(&mut request);
        Self::Queued(Arc::new(Queued { request, is_cut }))
    }

    /// Whether it is large, and only its beginning is here. Of a finished job nothing is.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        match self {
            Self::Queued(queued) => queued.is_cut,
            Self::Claimed(claimed) => claimed.is_cut,
            Self::Rejected(rejected) => rejected.is_cut,
            Self::Finished(_) => false,
        }
    }

    /// Whether nothing will change any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Queued(_) => false,
            Self::Claimed(claimed) => claimed.status.state.is_final(),
            Self::Finished(_) | Self::Rejected(_) => true,
        }
    }

    /// The job.
    #[must_use]
    pub fn id(&self) -> JobId {
        match self {
            Self::Queued(queued) => queued.request.id,
            Self::Claimed(claimed) => claimed.status.id,
            Self::Finished(finished) => finished.id,
            Self::Rejected(rejected) => rejected.id,
        }
    }

    /// Where it is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        match self {
            Self::Queued(_) => State::Queued,
            Self::Claimed(claimed) => claimed.status.state,
            Self::Finished(finished) => finished.state,
            Self::Rejected(_) => State::Rejected,
        }
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Queued(_) | Self::Rejected(_) => None,
            Self::Claimed(claimed) => claimed.status.outcome,
            Self::Finished(finished) => finished.outcome,
        }
    }

    /// The job that it tries again; not told of a finished one, whose line has it.
    fn retry_of(&self) -> Option<JobId> {
        match self {
            Self::Queued(queued) => queued.request.retry_of,
            Self::Claimed(claimed) => claimed.request.as_ref()?.retry_of,
            Self::Rejected(rejected) => rejected.request.as_ref()?.retry_of,
            Self::Finished(_) => None,
        }
    }

    fn is_open(&self) -> bool {
        matches!(self, Self::Queued(_) | Self::Claimed(_))
    }
}

impl Rejected {
    /// The job type that was asked for.
    #[must_use]
    pub fn job_type(&self) -> &str {
        self.request.as_ref().map_or(UNKNOWN, |request| &request.job_type)
    }

    /// Who asked for it.
    #[must_use]
    pub fn user(&self) -> &str {
        let requested = self.request.as_ref().map(|request| &request.user);
        requested.or(self.owner.as_ref()).map_or(UNKNOWN, String::as_str)
    }
}

impl Default for View {
    fn default() -> Self {
        Self {
            jobs: BTreeMap::new(),
            open: BTreeSet::new(),
            history: History::default(),
            changes: Changes::default(),
            runner: Arc::default(),
            trouble: Arc::default(),
            monitoring: Arc::default(),
            problem: None,
            last_full_look: Instant::now(),
            watch_lost: None,
        }
    }
}

impl View {
    /// A job.
    #[must_use]
    pub fn get(&self, id: JobId) -> Option<Entry> {
        let finished = || self.history.get(id).map(Entry::Finished);
        self.jobs.get(&id).cloned().or_else(finished)
    }

    /// The type of a job; [`UNKNOWN`] of a rejected one that cannot be read. `None` if there is no such job.
    #[must_use]
    pub fn job_type(&self, id: JobId) -> Option<String> {
        Some(match self.get(id)? {
            Entry::Queued(queued) => queued.request.job_type.clone(),
            Entry::Claimed(claimed) => claimed.status.job_type.clone(),
            Entry::Finished(finished) => self.history.origins().pair(finished.origin()).0.to_owned(),
            Entry::Rejected(rejected) => rejected.job_type().to_owned(),
        })
    }

    /// The jobs with a number below `before`, the newest first.
    #[must_use]
    pub fn newest(&self, before: u64) -> Newest<'_> {
        let last = before.min(u64::from(JobId::MAX) + 1).saturating_sub(1);
        let others = JobId::try_from(last).map(|last| self.jobs.range(..=last)).unwrap_or_default();
        Newest { others: others.rev().peekable(), pieces: Box::new(self.history.pieces(before)), piece: &[] }
    }

    /// The jobs that are in the queue or claimed and not in the history, the oldest first.
    pub fn open(&self) -> impl Iterator<Item = (JobId, &Entry)> {
        self.open.iter().filter_map(|id| Some((*id, self.jobs.get(id)?)))
    }

    /// The finished jobs.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The highest number that a job has had; 0 if there was none. What somebody put into the queue is none yet.
    #[must_use]
    pub fn highest_used(&self) -> u64 {
        let is_job = |entry: &Entry| matches!(entry, Entry::Claimed(_) | Entry::Finished(_));
        self.newest(u64::MAX).find(is_job).map_or(0, |entry| u64::from(entry.id()))
    }

    /// How many jobs there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.jobs.len() + self.history.len()
    }

    /// How many jobs there are in each state. It does not look at the finished ones, of which there are many.
    #[must_use]
    pub fn count_by_state(&self) -> BTreeMap<State, usize> {
        let mut counts: BTreeMap<State, usize> =
            State::ALL.into_iter().map(|state| (state, self.history.count_in(state))).collect();
        for entry in self.jobs.values() {
            *counts.entry(entry.state()).or_default() += 1;
        }
        counts
    }

    /// How many jobs there are of each outcome.
    #[must_use]
    pub fn count_by_outcome(&self) -> BTreeMap<Outcome, usize> {
        let mut counts: BTreeMap<Outcome, usize> =
            Outcome::ALL.into_iter().map(|outcome| (outcome, self.history.count_of(outcome))).collect();
        for outcome in self.jobs.values().filter_map(Entry::outcome) {
            *counts.entry(outcome).or_default() += 1;
        }
        counts
    }

    /// Whether a job's log can still grow.
    #[must_use]
    pub fn ending(&self, id: JobId) -> Ending {
        match self.jobs.get(&id) {
            Some(entry) if entry.is_final() => Ending::Ended,
            Some(_) => Ending::Open,
            None if self.history.get(id).is_some() => Ending::Ended,
            None => Ending::NoSuchJob,
        }
    }

    /// Puts in a job that was just queued, unless a look was faster and knows more.
    pub(crate) fn insert_queued(&mut self, request: JobRequest) {
        if self.get(request.id).is_none() {
            self.set(request.id, Some(Entry::queued(request)));
        }
    }

    // Whatever changes in a view and is told does so by one of the following.

    /// Puts in what was found at a look; a job that is in the history stays what it is there.
    pub(crate) fn set(&mut self, id: JobId, found: Option<Entry>) {
        if self.history.get(id).is_some() {
            return;
        }
        if self.jobs.get(&id) != found.as_ref() {
            self.changes.note(Thing::Job(id));
        }
        self.set_retry(id, found.as_ref().and_then(Entry::retry_of));
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

    /// Puts in a job whose line was appended to the history, and how it is shown if that is worth keeping.
    pub(crate) fn set_finished(&mut self, finished: Finished, retry_of: Option<JobId>, shown: Option<Arc<RawValue>>) {
        self.set_retry(finished.id, retry_of);
        self.jobs.remove(&finished.id);
        self.open.remove(&finished.id);
        self.changes.note(Thing::Job(finished.id));
        self.history.insert(finished, shown);
    }

    /// A job tries this one again. That is a change of the other one, too.
    fn set_retry(&mut self, id: JobId, retry_of: Option<JobId>) {
        let before = self.jobs.get(&id).and_then(Entry::retry_of).filter(|before| Some(*before) != retry_of);
        let removed = before.filter(|original| self.history.remove_retry(*original, id));
        let added = retry_of.filter(|original| self.history.add_retry(*original, id));
        for original in removed.into_iter().chain(added) {
            if self.get(original).is_some() {
                self.changes.note(Thing::Job(original));
            }
        }
    }

    /// The number of a job type and user, for a job that is to be put in.
    pub(crate) fn origin(&mut self, job_type: &str, user: &str) -> Origin {
        self.history.origin(job_type, user)
    }

    /// Puts in another history. Jobs that only the earlier one had are not known until they are looked at.
    pub(crate) fn set_history(&mut self, history: History) {
        self.jobs.retain(|id, _| history.get(*id).is_none());
        self.open.retain(|id| history.get(*id).is_none());
        self.history = history;
        for (id, entry) in &self.jobs {
            if let Some(original) = entry.retry_of() {
                self.history.add_retry(original, *id);
            }
        }
        self.changes.note_everything();
    }

    /// Puts in what the runner does.
    pub(crate) fn set_runner(&mut self, runner: Runner) {
        if *self.runner != runner {
            self.runner = Arc::new(runner);
            self.changes.note(Thing::Runner);
        }
    }

    /// Puts in what is wrong with the spool.
    pub(crate) fn set_trouble(&mut self, trouble: Vec<String>) {
        if *self.trouble != trouble {
            self.trouble = Arc::new(trouble);
            self.changes.note(Thing::Runner);
        }
    }

    /// Puts in what other programs tell.
    pub(crate) fn set_monitoring(&mut self, monitoring: Monitoring) {
        if *self.monitoring != monitoring {
            self.monitoring = Arc::new(monitoring);
            self.changes.note(Thing::Monitoring);
        }
    }
}

/// All jobs below a number, the newest first.
pub struct Newest<'a> {
    others: Peekable<Rev<btree_map::Range<'a, JobId, Entry>>>,
    pieces: Box<dyn Iterator<Item = &'a [Finished]> + 'a>,
    /// What is left of the piece at hand.
    piece: &'a [Finished],
}

impl Newest<'_> {
    /// Passes over jobs, many at once where only finished ones come.
    pub fn pass_over(&mut self, mut count: usize) {
        while count > 0 {
            self.fill_piece();
            let other = self.others.peek().map(|(id, _)| **id);
            match self.piece.first() {
                Some(last) if self.piece.len() <= count && other.is_none_or(|id| id < last.id) => {
                    count -= self.piece.len();
                    self.piece = &[];
                }
                _ if self.next().is_none() => return,
                _ => count -= 1,
            }
        }
    }

    fn fill_piece(&mut self) {
        while self.piece.is_empty()
            && let Some(piece) = self.pieces.next()
        {
            self.piece = piece;
        }
    }
}

impl Iterator for Newest<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.fill_piece();
        let finished = self.piece.split_last();
        let is_next = |id: JobId| finished.is_none_or(|(finished, _)| finished.id < id);
        if let Some((_, entry)) = self.others.next_if(|(id, _)| is_next(**id)) {
            return Some(entry.clone());
        }
        let (finished, rest) = finished?;
        self.piece = rest;
        Some(Entry::Finished(*finished))
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
    let state = runner.state.as_ref()?;
    let in_lane = || state.lanes.values().find_map(|lane| lane.waiting.get(&id));
    state.held.get(&id).or_else(in_lane).map(|reason| reason.as_str().into())
}
