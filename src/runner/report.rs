//! `runner.json`: reports to people and the API what the daemon is doing, and why jobs wait.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::daemon::Daemon;
use super::problems::Subject;
use super::process;
use crate::spool::printable::printable;
use crate::spool::runner_state::{Holder, LaneState, RunnerState, VERSION};
use crate::spool::status::ProcessIdentity;
use crate::spool::{JobId, Time, lock};

/// The shortest pause between two writes: people do not read faster.
const INTERVAL: Duration = Duration::from_millis(100);

/// A long queue makes a large file, which is written less often: one interval more for each of so many waiting jobs.
const WAITING_PER_INTERVAL: usize = 500;
/// The pause after a failed write.
const RETRY: Duration = Duration::from_secs(2);

/// The last report, and when the next one may be written.
#[derive(Debug)]
pub(super) struct Report {
    started_at: Time,
    process: ProcessIdentity,
    watching: bool,
    last: Option<RunnerState>,
    not_before: Instant,
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            started_at: Time::now(),
            process: process::own_identity(),
            watching: false,
            last: None,
            not_before: Instant::now(),
        }
    }

    pub(super) fn set_watching(&mut self, watching: bool) {
        self.watching = watching;
    }

    /// Records a successful write. A long queue delays the next one.
    fn written(&mut self, state: RunnerState, waiting: usize) {
        let intervals = u32::try_from(waiting / WAITING_PER_INTERVAL).unwrap_or(u32::MAX - 1) + 1;
        self.last = Some(state);
        self.not_before = Instant::now() + INTERVAL * intervals;
    }

    /// Records a failed write. Returns when the next attempt is due.
    fn failed(&mut self) -> Instant {
        self.not_before = Instant::now() + RETRY;
        self.not_before
    }
}

impl Daemon {
    /// Writes `runner.json` if it has changed. Returns when to try again, if the last write was too recent or this one
    /// failed.
    pub(super) fn write_report(&mut self) -> Option<Instant> {
        if Instant::now() < self.report.not_before {
            return Some(self.report.not_before);
        }
        let state = self.state();
        if self.report.last.as_ref() == Some(&state) {
            return None;
        }
        let written = state.write(&self.spool, &self.lock);
        let again = match written {
            Ok(()) => {
                self.report.written(state, self.queue.len());
                None
            }
            Err(_) => Some(self.report.failed()),
        };
        self.problems.note(Subject::top("runner.json"), written);
        again
    }

    fn state(&self) -> RunnerState {
        let paused = self.spool.pause_reason();
        let mut lanes: BTreeMap<String, LaneState> = BTreeMap::new();
        // Jobs may still run in lanes that the configuration does not have any more.
        for name in self.settings.config.lane_names().into_iter().chain(self.lanes.names().map(String::as_str)) {
            lanes.insert(name.to_owned(), LaneState::default());
        }
        for (lane, state) in &mut lanes {
            state.concurrency = self.settings.config.lane_concurrency(lane);
            state.holders = self.holders(lane);
        }
        for (id, lane) in self.jobs.startable().chain(self.queue.waiting()) {
            let state = lanes.entry(lane.to_owned()).or_default();
            let reason = self.why(id, lane, state, paused.as_deref());
            state.waiting.insert(id, reason);
        }
        RunnerState {
            version: VERSION,
            pid: std::process::id(),
            process: Some(self.report.process),
            started_at: self.report.started_at,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            configuration: self.settings.config.hash.clone(),
            shared_configuration: self.settings.config.shared_hash.clone(),
            watching: self.report.watching,
            job_types: self.settings.config.job_types.keys().cloned().collect(),
            paused,
            cgroup: self.settings.groups.clone(),
            lanes,
            held: self.queue.held().clone(),
            failed_starts: self.starts.counts(),
            problems: self.problems.texts().map(printable).collect(),
        }
    }

    fn holders(&self, lane: &str) -> Vec<Holder> {
        self.lanes
            .holders(lane)
            .map(|(slot, holder)| Holder { slot, job: holder.id, user: holder.user.clone() })
            .collect()
    }

    /// Why a job waits, in words. A claimed job may have its slot already.
    fn why(&self, id: JobId, lane: &str, state: &LaneState, paused: Option<&str>) -> String {
        if let Some(reason) = paused {
            return format!("the runner is paused: {reason}");
        }
        if let Some((last, _)) = state.waiting.last() {
            return format!("job {last} is before it in lane {lane}");
        }
        let taken = |slot| state.holders.iter().any(|holder| holder.slot == slot && holder.job != id);
        if let Some(problem) = self.problems.of(&Subject::Start(id)) {
            return format!("the start failed: {problem}; the runner tries again");
        }
        if let Some(problem) = self.problems.of(&Subject::lane(lane)) {
            return format!("the runner cannot get a slot of lane {lane}: {problem}; it tries again");
        }
        let is_blocked = self.lanes.blocking(lane).next().is_some();
        let free = (1..=state.concurrency).find(|slot| !taken(*slot) && !is_blocked);
        match free {
            Some(slot) if lock::is_held(&self.spool.lane_slot(lane, slot)).unwrap_or(false) => {
                format!("slot {slot} of lane {lane} is locked by another process")
            }
            Some(_) => {
                let is_next = || format!("lane {lane} is free; the job is about to start");
                self.starts.why_not(id).unwrap_or_else(is_next)
            }
            None => format!("lane {lane} is busy with {}", self.list(lane, &state.holders)),
        }
    }

    /// The jobs in a lane, in words. A job that a person must look at keeps its slot until then.
    fn list(&self, lane: &str, holders: &[Holder]) -> String {
        let job = |id: JobId| self.problems.of(&Subject::job(id)).map(|problem| format!(": {problem}"));
        let with_user = |holder: &Holder| {
            let problem = job(holder.job).unwrap_or_default();
            format!("job {} of {}{problem}", holder.job, holder.user)
        };
        let blocking = self.lanes.blocking(lane).map(|id| format!("job {id}{}", job(id).unwrap_or_default()));
        let words: Vec<String> = holders.iter().map(with_user).chain(blocking).collect();
        words.join(", ")
    }
}
