//! The daemon: its loop, and the order of its work.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::cgroup;
use super::hints::Hints;
use super::jobs::{Ended, Jobs};
use super::lanes::Lanes;
use super::orphans;
use super::plan::AccountEnvironment;
use super::problems::{Problems, Subject};
use super::queue::Queue;
use super::readable;
use super::report::Report;
use super::schedule::Schedule;
use super::starts::Starts;
use super::stop::Stopped;
use crate::config::Config;
use crate::process_state;
use crate::spool::error::{Error, Result};
use crate::spool::job;
use crate::spool::job::LockedJob;
use crate::spool::lock::RunnerLock;
use crate::spool::runner_state::RunnerState;
use crate::spool::submitter;
use crate::spool::submitter::TrustedSubmitters;
use crate::spool::{JobId, Spool, atomic, history, queue, sequence};

/// The pause before the next attempt to watch, after one has failed. It doubles with each failure.
const WATCH_AGAIN: Duration = Duration::from_secs(5);
/// The longest of these pauses.
const WATCH_AGAIN_AT_MOST: Duration = Duration::from_mins(5);

/// Refuses to run as root on a spool of another account, because all jobs would run as root.
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

/// The settings of the daemon. They do not change while it runs.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) account: AccountEnvironment,
    pub(super) trusted: TrustedSubmitters,
    /// The environment of supervisors. Only tests put variables into it.
    pub(super) supervisor_environment: Vec<(OsString, OsString)>,
    /// Where the control groups of jobs are made, if they get any.
    pub(super) groups: Option<PathBuf>,
}

/// The events of background tasks.
#[derive(Debug)]
pub(super) enum Event {
    /// A supervisor has ended.
    LeaderEnded(JobId, Ended),
    /// The processes of a job without a supervisor were stopped; or the reason why not.
    Stopped(Box<LockedJob>, Result<Stopped, String>),
}

/// The runner of a spool.
#[derive(Debug)]
pub struct Daemon {
    pub(super) spool: Spool,
    pub(super) lock: RunnerLock,
    pub(super) settings: Settings,
    pub(super) queue: Queue,
    pub(super) jobs: Jobs,
    pub(super) lanes: Lanes,
    pub(super) starts: Starts,
    pub(super) problems: Problems,
    pub(super) events: JoinSet<Event>,
    pub(super) report: Report,
    pub(super) schedule: Schedule,
}

impl Daemon {
    /// Becomes the runner of the configured spool. Creates the spool if necessary.
    ///
    /// # Errors
    /// The spool cannot be used, or has another runner.
    pub fn new(
        config: Config,
        account: AccountEnvironment,
        supervisor_environment: Vec<(OsString, OsString)>,
    ) -> Result<Self> {
        refuse_root_for_others(&config.spool)?;
        let spool = Spool::lay_out(&config.spool)?;
        let lock = RunnerLock::take(&spool)?;
        atomic::check_renames(&spool.incoming())?;
        let jobs = Jobs::new(history::ids(&spool)?);
        let queue = Queue::new(queue::list(&spool)?.0);
        let before = RunnerState::read(&spool).ok().flatten();
        let starts = before.map_or_else(Starts::default, |state| Starts::new(&state.failed_starts));
        let trusted = TrustedSubmitters::from_names(&config.runner.trusted_submitters);
        let (groups, ungrouped) = match cgroup::parent::find(config.runner.cgroup.as_deref()) {
            Ok(groups) => (groups, None),
            Err(problem) => (None, Some(problem)),
        };
        let mut daemon = Self {
            spool,
            lock,
            settings: Settings { config, account, trusted, supervisor_environment, groups },
            queue,
            jobs,
            lanes: Lanes::default(),
            starts,
            problems: Problems::default(),
            events: JoinSet::new(),
            report: Report::new(),
            schedule: Schedule::new(),
        };
        daemon.raise_sequence()?;
        if let Some(problem) = ungrouped {
            daemon.problems.tell(Subject::ControlGroups, problem);
        }
        Ok(daemon)
    }

    pub(super) fn raise_sequence(&self) -> Result<()> {
        let (queued, _) = queue::list(&self.spool)?;
        let (claimed, _) = job::list(&self.spool)?;
        let used = claimed.into_iter().chain(self.jobs.highest_finished()).max().map_or(0, u64::from);
        let queued = queued.into_iter().max().map_or(0, u64::from);
        sequence::repair(&self.spool, &self.lock, used, queued)
    }

    /// Runs until `shutdown` is cancelled. Running jobs continue under their supervisors.
    ///
    /// # Errors
    /// The system gives no descriptor to wait on. No fault in the spool ends the daemon.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<()> {
        let mut hints = self.hints()?;
        let (mut watch_pause, mut watch_at) = (WATCH_AGAIN, Instant::now() + WATCH_AGAIN);
        if let Some(limit) = process_state::file_size_limit() {
            let words = "(`ulimit -f`, LimitFSIZE=), so longer logs of jobs are cut off";
            self.problems.tell(Subject::FileSize, format!("files cannot grow beyond {limit} bytes {words}"));
        }
        let mut adopted_end = orphans::notifications()?;
        info!(spool = %self.spool.root().display(), "the runner is up");
        loop {
            if hints.get_ref().trouble().is_some() && Instant::now() >= watch_at {
                hints = self.hints()?;
                watch_pause = (2 * watch_pause).min(WATCH_AGAIN_AT_MOST);
                watch_at = Instant::now() + watch_pause;
                self.schedule.rescan_now();
            }
            let everything = self.schedule.begin_look(|| hints.get_ref().rescan(self.settings.config.runner.rescan));
            self.look_with_processes(everything);
            let report_at = self.write_report();
            let deadlines = [report_at, self.starts.next_attempt()].into_iter().flatten();
            let wake_at = deadlines.fold(self.schedule.next_look(), Instant::min);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(event) = self.events.join_next() => self.handle(event),
                () = orphans::next(&mut adopted_end) => self.reap_orphans(),
                () = hint(&hints) => self.schedule.look_at_drops(),
                () = tokio::time::sleep_until(wake_at.into()) => {}
            }
            while let Some(event) = self.events.try_join_next() {
                self.handle(event);
            }
        }
        info!("the runner stops; running jobs continue");
        self.events.detach_all();
        Ok(())
    }

    /// Watches the directories into which others put files, or reports why it cannot.
    fn hints(&mut self) -> Result<AsyncFd<Hints>> {
        let (queue, inbox, root) = (self.spool.queue(), self.spool.inbox(), self.spool.root());
        let paused = self.spool.paused();
        let hints = Hints::new(&[&queue, &inbox, root], self.settings.config.runner.watch, move |path| {
            // A supervisor removes files from the queue. The removal of `paused` ends a pause.
            path == paused || path.parent() != paused.parent() && !is_hidden(path) && path.symlink_metadata().is_ok()
        })?;
        match hints.trouble() {
            Some(trouble) => {
                let problem = format!("the runner looks every second, because it cannot watch directories: {trouble}");
                self.problems.tell_first(Subject::Watch, problem);
            }
            None => self.problems.forget(&Subject::Watch),
        }
        self.report.set_watching(hints.watching());
        readable::register(hints).map_err(|error| Error::io("wait for", Path::new("hints"), error))
    }

    fn handle(&mut self, event: std::result::Result<Event, tokio::task::JoinError>) {
        match event {
            Ok(Event::LeaderEnded(id, how)) => {
                if self.jobs.supervisor_ended(id, how) {
                    self.reap_orphans();
                }
                self.reconcile(id);
            }
            Ok(Event::Stopped(job, stopped)) => self.conclude_stopped(&job, stopped),
            // The next rescan finds the job again.
            Err(error) => warn!(%error, "a task of the runner failed"),
        }
    }

    /// Looks at the spool. Attempts again to start jobs after a shortage of processes, if it is time.
    fn look_with_processes(&mut self, everything: bool) {
        let due = self.starts.next_attempt().filter(|_| !self.starts.must_wait());
        if due.is_some() {
            // A signal for a waiting job also needs a process.
            self.schedule.look_at_drops();
        }
        self.look(everything);
        if due.is_some() && due == self.starts.next_attempt() {
            // No job needed a process.
            self.end_shortage();
        }
    }

    /// Looks at everything that may have changed, and acts. Jobs are adopted and recovered before others are claimed.
    /// The inbox and the queue can be long, so they are listed only after a hint or in a rescan.
    fn look(&mut self, everything: bool) {
        if everything {
            self.reap_orphans();
            let looked = self.look_at_jobs();
            self.problems.note(Subject::top("jobs"), looked);
            if let Some(groups) = &self.settings.groups {
                cgroup::remove_empty(groups);
            }
            let cleaned = self.clean_incoming();
            self.problems.note(Subject::top("incoming"), cleaned);
            // Other errors report a full disk.
            let _ = self.spool.set_aside_for_pause(&self.lock);
            self.problems.forget_solved(&self.spool, |id| self.queue.is_waiting(id) || self.jobs.contains(id));
        }
        self.look_at_unknown_leaders();
        if everything || self.schedule.takes_drops() {
            let looked = self.look_at_queue();
            self.problems.note(Subject::top("queue"), looked);
            let looked = self.look_at_inbox();
            self.problems.note(Subject::top("inbox"), looked);
        }
        self.fill_lanes();
    }

    fn look_at_unknown_leaders(&mut self) {
        for id in self.jobs.led_by_unknown() {
            self.reconcile(id);
        }
    }
}

/// Waits for a hint. Ignores other events in the directories, such as writes of this process.
async fn hint(hints: &AsyncFd<Hints>) {
    while let Ok(mut ready) = hints.readable().await {
        ready.clear_ready();
        if hints.get_ref().clear() {
            return;
        }
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// The target of the link `running/N`.
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
