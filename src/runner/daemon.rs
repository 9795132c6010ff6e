//! The daemon's loop, and the table of what it knows.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::unix::AsyncFd;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::cgroup;
use super::hints::Hints;
use super::lanes::Lanes;
use super::plan::AccountEnvironment;
use super::readable;
use super::report::Report;
use super::stop::Stopped;
use super::strangers;
use crate::config::Config;
use crate::process_state;
use crate::shortage::Shortage;
use crate::spool::error::{Error, Result};
use crate::spool::id::JobIdSet;
use crate::spool::job;
use crate::spool::job::LockedJob;
use crate::spool::layout;
use crate::spool::lock::RunnerLock;
use crate::spool::runner_state::RunnerState;
use crate::spool::submitter;
use crate::spool::submitter::TrustedSubmitters;
use crate::spool::{JobId, Spool, atomic, history, queue, sequence};

/// Between two looks at something that gives no hint when it changes: a slot that a stranger holds, a lock whose holder
/// has not said yet who it is.
const IMPATIENCE: Duration = Duration::from_secs(2);
/// A file in `incoming/` that was not written to for longer was left by a writer that died.
const INCOMING_AGE: Duration = Duration::from_hours(1);

/// After this a watch that was not to be had is asked for again, and then after twice that, and so on.
const WATCH_AGAIN: Duration = Duration::from_secs(5);
/// The longest of these pauses.
const WATCH_AGAIN_AT_MOST: Duration = Duration::from_mins(5);
/// What the lack of a watch is called among the problems.
const WATCH: &str = "watch";

/// A job that is claimed and not finished.
#[derive(Debug)]
pub(super) enum Phase {
    /// A supervisor leads it; what it says when it cannot is in the file.
    Led { last_words: Option<File>, ended: Ended },
    /// Its lock is held, by a supervisor that has not yet said who it is.
    LedByUnknown,
    /// It was claimed and never executed; it waits for this lane.
    Startable { lane: String },
    /// Its supervisor died; what belongs to it is being stopped.
    BeingStopped,
    /// A person must look at it.
    Damaged,
}

/// How a supervisor ended, as far as that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nobody knows, or it has not ended.
    Somehow,
    /// Without an error: all that it has to make durable is.
    Well,
    /// It could not begin, for want of what the system may have again later.
    ForWant,
}

/// Refuses to run as root on a spool that is another account's, which would run its jobs as root.
fn refuse_root_for_others(spool: &Path) -> Result<()> {
    let owner = spool.metadata().ok().map(|metadata| metadata.uid()).filter(|owner| *owner != 0);
    let Some(owner) = owner.filter(|_| rustix::process::geteuid().is_root()) else { return Ok(()) };
    let name = submitter::login_name(owner).unwrap_or_else(|| format!("'#{owner}'"));
    Err(Error::invalid(
        spool,
        format!(
            "it belongs to {name}, and this runner was started by root: all jobs would run as root. Start it as {name}: \
             sudo -u {name} spiderpig-runner"
        ),
    ))
}

/// What the daemon waits for besides hints and time.
#[derive(Debug)]
pub(super) enum Event {
    /// A supervisor has ended.
    LeaderEnded(JobId, Ended),
    /// What belonged to a job without a supervisor was stopped; or why it could not be.
    Stopped(Box<LockedJob>, Result<Stopped, String>),
}

/// The runner of a spool.
#[derive(Debug)]
pub struct Daemon {
    pub(super) spool: Spool,
    pub(super) lock: RunnerLock,
    pub(super) config: Config,
    pub(super) account: AccountEnvironment,
    pub(super) trusted: TrustedSubmitters,
    /// Variables for supervisors, which get no others; only tests have any.
    pub(super) supervisor_environment: Vec<(OsString, OsString)>,
    /// Where the control groups of jobs are made, if they get any.
    pub(super) groups: Option<PathBuf>,
    /// Jobs that are in the history.
    pub(super) finished: JobIdSet,
    /// Valid jobs in the queue, and the lane that each waits for.
    pub(super) waiting: BTreeMap<JobId, String>,
    /// Files in the queue that a person must look at first, and why.
    pub(super) held: BTreeMap<JobId, String>,
    /// What was in the queue when this runner started: it may have been accepted under another configuration.
    pub(super) inherited: BTreeSet<JobId>,
    pub(super) jobs: BTreeMap<JobId, Phase>,
    /// The supervisors that are children of this process, by their process numbers.
    pub(super) supervisors: BTreeMap<JobId, i32>,
    pub(super) lanes: Lanes,
    /// How often a job could not be started, and what it said the last time.
    pub(super) failed_starts: BTreeMap<JobId, (u32, String)>,
    /// The system gave no process at the last attempt.
    pub(super) shortage: Option<Shortage>,
    /// What a person should look at, by what it is about.
    pub(super) problems: BTreeMap<String, String>,
    pub(super) events: JoinSet<Event>,
    pub(super) report: Report,
    /// Something may have come into `queue/` or `inbox/` since they were listed, or concern us now that did not then.
    pub(super) drops_may_have_changed: bool,
    /// Something is to be looked at again soon that gives no hint.
    pub(super) impatient: bool,
}

impl Daemon {
    /// Becomes the runner of the spool that the configuration names, laying it out if need be.
    ///
    /// # Errors
    /// The spool cannot be used, or has a runner.
    pub fn new(
        config: Config,
        account: AccountEnvironment,
        supervisor_environment: Vec<(OsString, OsString)>,
    ) -> Result<Self> {
        refuse_root_for_others(&config.spool)?;
        let spool = Spool::lay_out(&config.spool)?;
        let lock = RunnerLock::take(&spool)?;
        atomic::try_new_names(&spool.incoming())?;
        let finished = history::ids(&spool)?;
        let inherited = queue::list(&spool)?.0.into_iter().collect();
        let before = RunnerState::read(&spool).ok().flatten();
        let failed_starts = before.map(|state| state.failed_starts).unwrap_or_default();
        let trusted = TrustedSubmitters::from_names(&config.runner.trusted_submitters);
        let (groups, ungrouped) = match cgroup::parent::find(config.runner.cgroup.as_deref()) {
            Ok(groups) => (groups, None),
            Err(problem) => (None, Some(problem)),
        };
        let mut daemon = Self {
            spool,
            lock,
            account,
            trusted,
            supervisor_environment,
            groups,
            finished,
            waiting: BTreeMap::new(),
            held: BTreeMap::new(),
            inherited,
            jobs: BTreeMap::new(),
            supervisors: BTreeMap::new(),
            lanes: Lanes::default(),
            failed_starts: failed_starts
                .into_iter()
                .filter_map(|(id, count)| Some((JobId::try_from(u64::from(id)).ok()?, (count, String::new()))))
                .collect(),
            shortage: None,
            problems: BTreeMap::new(),
            events: JoinSet::new(),
            report: Report::new(),
            drops_may_have_changed: true,
            impatient: false,
            config,
        };
        daemon.raise_sequence()?;
        if let Some(problem) = ungrouped {
            daemon.tell_problem("cgroup", problem);
        }
        Ok(daemon)
    }

    fn raise_sequence(&self) -> Result<()> {
        let (queued, _) = queue::list(&self.spool)?;
        let (claimed, _) = job::list(&self.spool)?;
        let used = claimed.into_iter().chain(self.finished.highest()).max().map_or(0, u64::from);
        let queued = queued.into_iter().max().map_or(0, u64::from);
        sequence::raise(&self.spool, &self.lock, used, queued)
    }

    /// Runs until `shutdown` is cancelled. Jobs that run then go on under their supervisors.
    ///
    /// # Errors
    /// The system gives no descriptor to wait on. Nothing that is found in the spool ends the daemon.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<()> {
        let mut hints = self.hints()?;
        let (mut watch_pause, mut watch_at) = (WATCH_AGAIN, Instant::now() + WATCH_AGAIN);
        if let Some(limit) = process_state::file_size_limit() {
            let words = "(`ulimit -f`, LimitFSIZE=): logs of jobs end there";
            self.tell_problem("file size", format!("no file can become larger than {limit} bytes {words}"));
        }
        let mut adopted_end = strangers::ends()?;
        info!(spool = %self.spool.root().display(), "the runner is up");
        let mut rescan_at = Instant::now();
        loop {
            self.drops_may_have_changed |= std::mem::take(&mut self.impatient);
            if hints.get_ref().trouble().is_some() && Instant::now() >= watch_at {
                hints = self.hints()?;
                watch_pause = (2 * watch_pause).min(WATCH_AGAIN_AT_MOST);
                (watch_at, rescan_at) = (Instant::now() + watch_pause, Instant::now());
            }
            let everything = Instant::now() >= rescan_at;
            if everything {
                rescan_at = Instant::now() + hints.get_ref().rescan(self.config.runner.rescan);
            }
            self.look_with_processes(everything);
            let report_at = self.write_report();
            let impatient_at = self.impatient.then(|| Instant::now() + IMPATIENCE);
            let processes_at = self.shortage.as_ref().map(Shortage::until);
            let wake_at = [report_at, impatient_at, processes_at].into_iter().flatten().fold(rescan_at, Instant::min);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(event) = self.events.join_next() => self.handle(event),
                () = strangers::next(&mut adopted_end) => self.reap_strangers(),
                () = hint(&hints) => self.drops_may_have_changed = true,
                () = tokio::time::sleep_until(wake_at.into()) => {}
            }
            while let Some(event) = self.events.try_join_next() {
                self.handle(event);
            }
        }
        info!("the runner leaves; running jobs go on");
        self.events.detach_all();
        Ok(())
    }

    /// Watches what others drop, or notes why that is not possible.
    fn hints(&mut self) -> Result<AsyncFd<Hints>> {
        let (queue, inbox, root) = (self.spool.queue(), self.spool.inbox(), self.spool.root());
        let paused = self.spool.paused();
        let hints = Hints::new(&[&queue, &inbox, root], self.config.runner.watch, move |path| {
            // What vanishes from the queue was taken by a supervisor. A pause ends by vanishing.
            path == paused || path.parent() != paused.parent() && !is_hidden(path) && path.symlink_metadata().is_ok()
        })?;
        let trouble = hints.trouble().map(|trouble| {
            let problem = format!("looking every second, because nothing can be watched: {trouble}");
            if !self.problems.contains_key(WATCH) {
                warn!("{problem}");
            }
            problem
        });
        match trouble {
            Some(problem) => drop(self.problems.insert(WATCH.into(), problem)),
            None => drop(self.problems.remove(WATCH)),
        }
        self.report.set_watching(hints.watching());
        readable::register(hints).map_err(|error| Error::io("wait for", Path::new("hints"), error))
    }

    fn handle(&mut self, event: std::result::Result<Event, tokio::task::JoinError>) {
        match event {
            Ok(Event::LeaderEnded(id, how)) => {
                if self.supervisors.remove(&id).is_some() {
                    self.reap_strangers();
                }
                if let Some(Phase::Led { ended, .. }) = self.jobs.get_mut(&id) {
                    *ended = how;
                }
                self.reconcile(id);
            }
            Ok(Event::Stopped(job, stopped)) => self.conclude_stopped(&job, stopped),
            // The next rescan meets the job again.
            Err(error) => warn!(%error, "a task of the runner failed"),
        }
    }

    /// Looks, with another attempt at what could not be started for want of processes if it is time for one.
    fn look_with_processes(&mut self, everything: bool) {
        let due = self.shortage.as_ref().filter(|shortage| shortage.is_over()).map(Shortage::until);
        // A signal for a job that waits takes a process as well.
        self.drops_may_have_changed |= due.is_some();
        self.look(everything);
        if due.is_some() && due == self.shortage.as_ref().map(Shortage::until) {
            // There is nothing left to start.
            self.end_shortage();
        }
    }

    /// Looks at everything that may have changed, and does what can be done. Jobs are adopted and recovered before
    /// anything is claimed. What people drop is listed when something may have come: it can be much.
    fn look(&mut self, everything: bool) {
        if everything {
            self.reap_strangers();
            let looked = self.look_at_jobs();
            self.note_problem("jobs", looked);
            if let Some(groups) = &self.groups {
                cgroup::remove_empty(groups);
            }
            let cleaned = self.clean_incoming();
            self.note_problem("incoming", cleaned);
            // A disk that has no room for this is told of where it matters.
            let _ = self.spool.set_aside(&self.lock);
            self.forget_solved_problems();
        }
        self.look_at_unknown_leaders();
        if everything || std::mem::take(&mut self.drops_may_have_changed) {
            let looked = self.look_at_queue();
            self.note_problem("queue", looked);
            let looked = self.look_at_inbox();
            self.note_problem("inbox", looked);
        }
        self.fill_lanes();
    }

    /// Meets every job that is in `jobs/` and not finished, and puts the view in `running/` right.
    fn look_at_jobs(&mut self) -> Result<()> {
        let (jobs, uncommitted) = job::list(&self.spool)?;
        let mended = self.mend_sequence(jobs.last().copied());
        self.note_problem("sequence", mended);
        for id in uncommitted {
            let removed = self.remove_uncommitted(id);
            self.note_problem(&format!("jobs/.{id}"), removed);
        }
        for &id in &jobs {
            let lost_sight = matches!(self.jobs.get(&id), None | Some(Phase::Damaged));
            if lost_sight && !self.finished.contains(id) {
                self.reconcile(id);
            }
        }
        let gone: Vec<JobId> = self.jobs.keys().filter(|id| jobs.binary_search(id).is_err()).copied().collect();
        for id in gone {
            self.forget(id);
        }
        self.mend_view()
    }

    /// Somebody may have brought an old `sequence` back from a backup, or damaged it.
    fn mend_sequence(&self, last_claimed: Option<JobId>) -> Result<()> {
        let used = last_claimed.max(self.finished.highest()).map_or(0, u64::from);
        if sequence::last(&self.spool).is_ok_and(|last| last >= used) {
            return Ok(());
        }
        warn!("`sequence` is damaged, or lower than the numbers in use; mending it");
        self.raise_sequence()
    }

    /// The directory of a job is gone. A supervisor that still leads it keeps its slot until it ends.
    fn forget(&mut self, id: JobId) {
        if matches!(self.jobs.get(&id), Some(Phase::Led { .. } | Phase::BeingStopped)) {
            let gone = "somebody has removed the directory of this job while it runs, so its output and its end are not \
                        recorded any more. It keeps its lane until it ends; a signal in inbox/ still stops it";
            self.note_problem(&removed(id), Err(Error::invalid(&self.spool.job(id), gone)));
            return;
        }
        self.drop_job(id);
    }

    /// Nothing of a job is left, and no directory.
    pub(super) fn drop_job(&mut self, id: JobId) {
        self.jobs.remove(&id);
        self.lanes.release(id);
        self.problems.remove(&removed(id));
    }

    /// A claim that was not committed has no value; one that is being built belongs to this very process.
    fn remove_uncommitted(&self, id: JobId) -> Result<()> {
        atomic::remove_tree(&self.spool.uncommitted_job(id))
    }

    fn mend_view(&self) -> Result<()> {
        for name in layout::names(&self.spool.running())? {
            let unfinished =
                name.to_str().and_then(|name| name.parse().ok()).is_some_and(|id| self.jobs.contains_key(&id));
            if !unfinished {
                atomic::remove(&self.spool.running().join(name))?;
            }
        }
        for id in self.jobs.keys() {
            let link = self.spool.running_link(*id);
            if std::fs::read_link(&link).ok() != Some(link_target(*id)) {
                atomic::symlink(&link_target(*id), &link)?;
            }
        }
        Ok(())
    }

    fn clean_incoming(&mut self) -> Result<()> {
        for name in layout::names(&self.spool.incoming())? {
            let path = self.spool.incoming().join(&name);
            let modified = std::fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
            let age = modified.map(|modified| SystemTime::now().duration_since(modified).unwrap_or_default());
            if age.is_ok_and(|age| age > INCOMING_AGE) {
                self.note_problem(&format!("incoming/{}", name.display()), atomic::remove(&path));
            }
        }
        Ok(())
    }

    /// What was about a file that is gone, or about a job that does not wait any more, is no problem now.
    fn forget_solved_problems(&mut self) {
        self.problems.retain(|about, _| {
            if let Some(Ok(id)) = about.strip_prefix("job ").map(str::parse) {
                return self.waiting.contains_key(&id) || self.jobs.contains_key(&id);
            }
            let is_file = matches!(about.split_once('/'), Some(("incoming" | "inbox" | "jobs" | "queue", _)));
            !is_file || self.spool.root().join(about).symlink_metadata().is_ok()
        });
    }

    fn look_at_unknown_leaders(&mut self) {
        let unknown: Vec<JobId> =
            self.jobs.iter().filter(|(_, phase)| matches!(phase, Phase::LedByUnknown)).map(|(id, _)| *id).collect();
        for id in unknown {
            self.reconcile(id);
        }
    }

    /// Keeps a problem for people as long as it lasts; it is told once.
    pub(super) fn note_problem(&mut self, about: &str, result: Result<()>) {
        match result {
            Ok(()) => drop(self.problems.remove(about)),
            Err(error) => self.tell_problem(about, error.to_string()),
        }
    }

    pub(super) fn tell_problem(&mut self, about: &str, problem: String) {
        if self.problems.get(about) != Some(&problem) {
            warn!("{problem}");
            self.problems.insert(about.to_owned(), problem);
        }
    }
}

/// Waits for a hint. What else happens in the directories, such as what this process writes there, is no reason to look.
async fn hint(hints: &AsyncFd<Hints>) {
    while let Ok(mut ready) = hints.readable().await {
        ready.clear_ready();
        if hints.get_ref().clear() {
            return;
        }
    }
}

/// What the removal of a running job's directory is called among the problems.
fn removed(id: JobId) -> String {
    format!("removed {id}")
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Where `running/N` points to.
pub(super) fn link_target(id: JobId) -> std::path::PathBuf {
    Path::new("../jobs").join(id.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chown;

    use super::*;

    #[test]
    fn root_runs_nobody_elses_jobs() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        refuse_root_for_others(directory.path()).unwrap();
        refuse_root_for_others(&directory.path().join("none")).unwrap();
        chown(directory.path(), Some(4_000_000), None).unwrap();
        let refused = refuse_root_for_others(directory.path()).unwrap_err().to_string();
        for words in ["belongs to '#4000000'", "all jobs would run as root", "sudo -u '#4000000' spiderpig-runner"] {
            assert!(refused.contains(words), "{refused}");
        }
    }
}
