//! The thread that looks at the spool and puts what it finds into the view.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::spool::job::Job;
use crate::spool::open;
use crate::spool::open::{Checked, JOB_LIMIT};
use crate::spool::request::JobRequest;
use crate::spool::runner_state::RunnerState;
use crate::spool::watch::{Hint, Watch};
use crate::spool::{Error, JobId, Result, Spool, Time, layout, queue, reject, submitter};

use super::hints::{Place, Todo};
use super::monitoring::MonitoringReader;
use super::reader::{HistoryReader, News};
use super::view::{Claimed, Entry, Queued, Rejected, Runner};
use super::{Render, Shared, cut, reader, runner_is_up};

/// Between two looks at everything while the kernel tells of changes: for what it did not tell.
const FULL_LOOK: Duration = Duration::from_secs(30);
/// After this a watch that was lost, or not to be had, is asked for again.
const WATCH_AGAIN: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 30_000 });
/// The same while it does not. Tests have less patience.
const FULL_LOOK_UNTOLD: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1000 });
/// When the runner is looked at again after its lock was closed: the kernel tells of that a moment before the lock is
/// free, and on a busy machine a moment can be long.
const RUNNER_ENDS: [Duration; 3] = [Duration::from_millis(5), Duration::from_millis(100), Duration::from_secs(2)];

/// Looks at the spool and puts what it finds into the view. There is one for each mirror.
pub struct Feed {
    shared: Arc<Shared>,
    spool: Spool,
    /// None if the kernel tells nothing, or not all.
    watch: Option<Watch>,
    /// The jobs whose directories are watched.
    watched: HashSet<JobId>,
    /// When to ask for a watch, if there is none and the configuration asks for one.
    watch_at: Option<Instant>,
    history: HistoryReader,
    monitoring: MonitoringReader,
    /// When to look at everything.
    full_look_at: Instant,
    /// When to look at the runner, because its lock was closed; the next first.
    runner_looks: VecDeque<Instant>,
}

impl Feed {
    /// Looks everywhere for the first time, and then leaves the rest to a thread that ends when the hints do.
    pub(crate) fn start(shared: Arc<Shared>, spool: Spool, watch: bool, render: Render) -> Result<()> {
        let mut feed = Self::new(shared, spool, render);
        feed.watch_at = watch.then(Instant::now);
        feed.begin()
    }

    /// A feed that believes to be told of everything and is told of nothing.
    #[cfg(test)]
    pub(crate) fn start_deaf(shared: Arc<Shared>, spool: Spool, render: Render) -> Result<()> {
        let mut feed = Self::new(shared, spool, render);
        feed.watch = Some(Watch::new(|_| {})?);
        feed.begin()
    }

    fn new(shared: Arc<Shared>, spool: Spool, render: Render) -> Self {
        Self {
            shared,
            spool,
            watch: None,
            watched: HashSet::new(),
            watch_at: None,
            history: HistoryReader::new(render),
            monitoring: MonitoringReader::default(),
            full_look_at: Instant::now(),
            runner_looks: VecDeque::new(),
        }
    }

    fn begin(mut self) -> Result<()> {
        self.look_everywhere()?;
        let root = self.spool.root().to_owned();
        let thread = std::thread::Builder::new().name("mirror".into()).spawn(move || self.run());
        thread.map(drop).map_err(|error| Error::io("start a thread for", &root, error))
    }

    fn run(mut self) {
        while let Some(todo) = self.shared.hints.wait(self.next_look()) {
            if todo.everywhere || Instant::now() >= self.full_look_at {
                let problem = self.look_everywhere().err().map(|error| error.to_string());
                if let Some(problem) = &problem {
                    tracing::error!(problem, "cannot read the spool");
                }
                self.shared.view_mut().problem = problem;
            } else {
                self.look_at(&todo);
            }
            // A look can be the one at which the watch is lost.
            self.full_look_at = self.full_look_at.min(Instant::now() + self.patience());
            self.look_for_end_of_runner();
        }
    }

    fn next_look(&self) -> Instant {
        self.runner_looks.front().map_or(self.full_look_at, |look| self.full_look_at.min(*look))
    }

    fn patience(&self) -> Duration {
        if self.watch.is_some() { FULL_LOOK } else { FULL_LOOK_UNTOLD }
    }

    /// Asks the kernel to tell of changes, if the configuration asks for it, it is not so yet, and it is time.
    fn start_watch(&mut self) {
        if self.watch.is_some() || self.watch_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        let root = self.spool.root().to_owned();
        let shared = Arc::clone(&self.shared);
        let hear = move |hint: Hint| shared.hear(&root, &hint);
        let mut directories =
            vec![self.spool.root().to_owned(), self.spool.queue(), self.spool.jobs(), self.spool.rejected()];
        // A spool that an earlier version laid out lacks it until its runner is restarted; the watch on the root tells.
        directories.extend(Some(self.spool.monitoring()).filter(|directory| directory.exists()));
        let watch = Watch::new(hear).and_then(|mut watch| {
            directories.iter().try_for_each(|directory| watch.add(directory))?;
            Ok(watch)
        });
        match watch {
            Ok(watch) => {
                self.watch = Some(watch);
                self.shared.view_mut().watch_lost = None;
            }
            Err(error) => self.do_without_watch(&error),
        }
    }

    fn do_without_watch(&mut self, error: &Error) {
        tracing::warn!(%error, "the kernel does not tell of changes in the spool; looking at all of it every second");
        self.shared.view_mut().watch_lost = Some(error.to_string());
        self.watch = None;
        self.watched.clear();
        self.watch_at = Some(Instant::now() + WATCH_AGAIN);
    }

    fn look_everywhere(&mut self) -> Result<()> {
        self.start_watch();
        self.full_look_at = Instant::now() + self.patience();
        let _ = self.look_at_history()?;
        self.look_at_runner();
        self.look_at_monitoring();
        for id in self.candidates()? {
            self.look_at_job(id);
        }
        self.shared.view_mut().last_full_look = Instant::now();
        self.shared.followers.wake_all();
        Ok(())
    }

    fn look_at(&mut self, todo: &Todo) {
        for place in &todo.places {
            match *place {
                Place::Directory(id) => {
                    self.unwatch(id);
                    self.look_at_job(id);
                }
                Place::Job(id) => self.look_at_job(id),
                Place::Log(id) => self.shared.followers.wake(id),
                Place::Runner => self.look_at_runner(),
                Place::RunnerLock => {
                    self.look_at_runner();
                    self.runner_looks = RUNNER_ENDS.map(|patience| Instant::now() + patience).into();
                }
                Place::Monitoring => self.look_at_monitoring(),
                Place::Tree => {
                    self.watch = None;
                    self.watched.clear();
                    self.full_look_at = Instant::now();
                }
                Place::History => match self.look_at_history() {
                    Ok(true) => self.full_look_at = Instant::now(),
                    Ok(false) => {}
                    Err(error) => tracing::error!(%error, "cannot read the history"),
                },
            }
        }
    }

    fn look_for_end_of_runner(&mut self) {
        let now = Instant::now();
        if self.runner_looks.pop_front_if(|look| *look <= now).is_some() {
            self.look_at_runner();
            if !self.shared.view().runner.up {
                self.runner_looks.clear();
            }
        }
    }

    /// The jobs that a look at everything has to look at: those whose end is not known, and names that are new.
    fn candidates(&self) -> Result<HashSet<JobId>> {
        // There may be very many names, and nobody waits for the view meanwhile.
        let view = self.shared.view().clone();
        let mut found: HashSet<JobId> = view.open().map(|(id, _)| id).collect();
        let mut meet = |id: Option<JobId>| {
            found.extend(id.filter(|id| !matches!(view.get(*id), Some(Entry::Finished(_) | Entry::Rejected(_)))));
        };
        layout::for_each_name(&self.spool.queue(), |name| meet(queue::number(&name)))?;
        layout::for_each_name(&self.spool.jobs(), |name| meet(name.to_str().and_then(|name| name.parse().ok())))?;
        layout::for_each_name(&self.spool.rejected(), |name| meet(queue::number(&name)))?;
        Ok(found)
    }

    /// Returns whether the history is another one than it was, so that jobs may be missing in it.
    fn look_at_history(&mut self) -> Result<bool> {
        match self.history.look(&self.spool)? {
            News::Anew(history) => {
                self.shared.view_mut().set_history(*history);
                Ok(true)
            }
            News::Appended(lines) => {
                for (offset, line) in &lines {
                    self.set_finished(*offset, line);
                }
                Ok(false)
            }
        }
    }

    fn set_finished(&mut self, offset: u64, line: &[u8]) {
        let shown = self.history.shown(line);
        let mut view = self.shared.view_mut();
        let parsed = reader::parse(line, offset, |job_type, user| view.origin(job_type, user));
        let Some((finished, retry_of)) = parsed else { return };
        view.set_finished(finished, retry_of, shown);
        drop(view);
        self.unwatch(finished.id);
        self.shared.followers.wake(finished.id);
    }

    fn look_at_runner(&self) {
        let state = RunnerState::read(&self.spool).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot see what the runner does");
            None
        });
        let runner = Runner { up: runner_is_up(&self.spool), state, paused: self.spool.pause_reason() };
        self.shared.view_mut().set_runner(runner);
    }

    fn look_at_monitoring(&mut self) {
        let known = Arc::clone(&self.shared.view().monitoring);
        let found = self.monitoring.look(&self.spool, &known);
        self.shared.view_mut().set_monitoring(found);
    }

    fn look_at_job(&mut self, id: JobId) {
        if self.shared.view().history().get(id).is_some() {
            return;
        }
        // In the order of a job's life: one that moves on meanwhile is met in its next place.
        let queued = self.queued(id);
        let claimed = match self.claimed(id) {
            Ok(claimed) => claimed,
            Err(error) => {
                // What was known of it is better than nothing.
                tracing::warn!(%error, "cannot see how a job stands");
                return;
            }
        };
        let found = claimed.map(|claimed| Entry::Claimed(Arc::new(claimed)));
        let found = found.or(queued).or_else(|| self.rejected(id));
        if !matches!(&found, Some(Entry::Claimed(claimed)) if !claimed.status.state.is_final()) {
            self.unwatch(id);
        }
        self.shared.view_mut().set(id, found);
        self.shared.followers.wake(id);
    }

    /// The runner checks what is in the queue; here it is only shown, if it can be read.
    fn queued(&self, id: JobId) -> Option<Entry> {
        let (request, _) = request_in(&self.spool.queued(id))?;
        let request = request.filter(|request| request.id == id)?;
        Some(Entry::queued(request))
    }

    fn claimed(&mut self, id: JobId) -> Result<Option<Claimed>> {
        let job = Job::new(&self.spool, id);
        if !job.exists() {
            return Ok(None);
        }
        let known = match self.shared.view().get(id) {
            Some(Entry::Claimed(claimed)) => Some(claimed),
            _ => None,
        };
        if !known.as_ref().is_some_and(|known| known.status.state.is_final()) {
            self.watch(id);
        }
        let Some(mut status) = job.status()? else { return Ok(None) };
        // It never changes, and so is read once.
        let (request, mut is_cut) = match known.filter(|known| known.request.is_some()) {
            Some(known) => (known.request.clone(), known.is_cut),
            None => cut_request(job.request().ok()),
        };
        is_cut |= cut::command(&mut status.command);
        Ok(Some(Claimed { status, request, is_cut }))
    }

    fn rejected(&self, id: JobId) -> Option<Entry> {
        let name = format!("{id}.json");
        let (request, owner) = request_in(&self.spool.rejected().join(&name))?;
        // The reason comes last; without it the file is still being put there.
        let path = self.spool.rejected().join(reject::reason_name(name.as_ref()));
        let reason = open::read(&path).ok()?;
        let reason = String::from_utf8_lossy(&reason).trim().to_owned();
        let at = path.metadata().and_then(|metadata| metadata.modified()).map_or_else(|_| Time::now(), time_of);
        let (request, is_cut) = cut_request(request);
        Some(Entry::Rejected(Arc::new(Rejected { id, request, is_cut, owner, reason, at })))
    }

    /// To be called before a job's directory is looked at.
    fn watch(&mut self, id: JobId) {
        let Some(watch) = &mut self.watch else { return };
        if self.watched.contains(&id) {
            return;
        }
        match watch.add(&self.spool.job(id)) {
            Ok(()) => {
                self.watched.insert(id);
            }
            // It may have been taken back a moment ago.
            Err(_) if !Job::new(&self.spool, id).exists() => {}
            Err(error) => self.do_without_watch(&error),
        }
    }

    fn unwatch(&mut self, id: JobId) {
        if self.watched.remove(&id)
            && let Some(watch) = &mut self.watch
        {
            watch.remove(&self.spool.job(id));
        }
    }
}

/// All of a job of which only the beginning is kept, from its files. `None` if they are somewhere else by now, or cannot be
/// read.
#[must_use]
pub fn whole(spool: &Spool, entry: &Entry) -> Option<Entry> {
    let id = entry.id();
    match entry {
        Entry::Queued(_) => {
            let request = request_in(&spool.queued(id))?.0?;
            Some(Entry::Queued(Arc::new(Queued { request, is_cut: false })))
        }
        Entry::Claimed(_) => {
            let job = Job::new(spool, id);
            let (status, request) = (job.status().ok()??, job.request().ok());
            Some(Entry::Claimed(Arc::new(Claimed { status, request, is_cut: false })))
        }
        Entry::Rejected(rejected) => {
            let (request, _) = request_in(&spool.rejected().join(format!("{id}.json")))?;
            let rejected = Rejected { request, is_cut: false, ..Rejected::clone(rejected) };
            Some(Entry::Rejected(Arc::new(rejected)))
        }
        Entry::Finished(_) => None,
    }
}

/// What is kept of a request, and whether that is not all.
fn cut_request(mut request: Option<JobRequest>) -> (Option<JobRequest>, bool) {
    let is_cut = request.as_mut().is_some_and(cut::request);
    (request, is_cut)
}

/// The request in a file that anybody may have put there, as far as it is one, and the file's owner. `None` if the file
/// is not there or cannot be opened.
fn request_in(path: &Path) -> Option<(Option<JobRequest>, Option<String>)> {
    match open::read_checked(path, JOB_LIMIT) {
        Ok(Checked::File(opened)) => Some((JobRequest::parse(&opened.bytes).ok(), submitter::login_name(opened.owner))),
        Ok(Checked::Refused(_)) => Some((None, None)),
        Ok(Checked::Gone) | Err(_) => None,
    }
}

fn time_of(time: SystemTime) -> Time {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_milliseconds(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
