//! The thread that looks at the spool.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::spool::history::{Cursor, HistoryLine};
use crate::spool::job::{self, Job};
use crate::spool::open::{self, JOB_LIMIT, Look};
use crate::spool::request::JobRequest;
use crate::spool::runner_state::RunnerState;
use crate::spool::watch::{Hint, Watch};
use crate::spool::{Error, JobId, Result, Spool, Time, layout, queue, reject, submitter};

use super::hints::{Place, Todo};
use super::view::{Claimed, Entry, Finished, Rejected, Runner};
use super::{Shared, runner_is_up};

/// Between two looks at everything while the kernel tells of changes: for what it did not tell.
const FULL_LOOK: Duration = Duration::from_secs(30);
/// The same while it does not. Tests have less patience.
const FULL_LOOK_UNTOLD: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1000 });

/// Looks at the spool and puts what it finds into the view. There is one for each mirror.
pub struct Feed {
    shared: Arc<Shared>,
    spool: Spool,
    /// None if the kernel tells nothing, or not all.
    watch: Option<Watch>,
    /// The jobs whose directories are watched.
    watched: HashSet<JobId>,
    history: Cursor,
}

impl Feed {
    /// Looks everywhere for the first time, and then leaves the rest to a thread that ends when the hints do.
    pub(super) fn start(shared: Arc<Shared>, spool: Spool, watch: bool) -> Result<()> {
        let mut feed = Self { shared, spool, watch: None, watched: HashSet::new(), history: Cursor::default() };
        if watch {
            feed.start_watch();
        }
        feed.begin()
    }

    /// A feed that believes to be told of everything and is told of nothing.
    #[cfg(test)]
    pub(super) fn start_deaf(shared: Arc<Shared>, spool: Spool) -> Result<()> {
        let watch = Some(Watch::new(|_| {})?);
        Self { shared, spool, watch, watched: HashSet::new(), history: Cursor::default() }.begin()
    }

    fn begin(mut self) -> Result<()> {
        self.look_everywhere()?;
        let root = self.spool.root().to_owned();
        let thread = std::thread::Builder::new().name("mirror".into()).spawn(move || self.run());
        thread.map(drop).map_err(|error| Error::io("start a thread for", &root, error))
    }

    fn run(mut self) {
        let mut full_look = Instant::now() + self.patience();
        while let Some(todo) = self.shared.hints.wait(full_look) {
            if todo.everywhere {
                let problem = self.look_everywhere().err().map(|error| error.to_string());
                if let Some(problem) = &problem {
                    tracing::error!(problem, "cannot read the spool");
                }
                self.shared.view_mut().problem = problem;
                full_look = Instant::now() + self.patience();
            } else {
                self.look_at(&todo);
                // A look can be the one at which the watch is lost.
                full_look = full_look.min(Instant::now() + self.patience());
            }
        }
    }

    fn patience(&self) -> Duration {
        if self.watch.is_some() { FULL_LOOK } else { FULL_LOOK_UNTOLD }
    }

    fn start_watch(&mut self) {
        let root = self.spool.root().to_owned();
        let shared = Arc::clone(&self.shared);
        let hear = move |hint: Hint| shared.hear(&root, &hint);
        let directories = [self.spool.root().to_owned(), self.spool.queue(), self.spool.jobs(), self.spool.rejected()];
        let watch = Watch::new(hear).and_then(|mut watch| {
            directories.iter().try_for_each(|directory| watch.add(directory))?;
            Ok(watch)
        });
        match watch {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => self.do_without_watch(&error),
        }
    }

    fn do_without_watch(&mut self, error: &Error) {
        tracing::warn!(%error, "the kernel does not tell of changes in the spool; looking at all of it every second");
        self.shared.view_mut().watch_lost = Some(error.to_string());
        self.watch = None;
        self.watched.clear();
    }

    fn look_everywhere(&mut self) -> Result<()> {
        self.look_at_history()?;
        self.look_at_runner();
        for id in self.candidates()? {
            self.look_at_job(id);
        }
        self.shared.view_mut().last_full_look = Some(Instant::now());
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
                Place::History => {
                    if let Err(error) = self.look_at_history() {
                        tracing::error!(%error, "cannot read the history");
                    }
                }
            }
        }
    }

    /// The jobs that a look at everything has to look at: those whose end is not known, and names that are new.
    fn candidates(&self) -> Result<HashSet<JobId>> {
        let mut found = queue::list(&self.spool)?.0;
        found.extend(job::list(&self.spool)?.0);
        found.extend(layout::names(&self.spool.rejected())?.iter().filter_map(|name| queue::number(name)));
        let view = self.shared.view();
        found.retain(|id| !matches!(view.get(*id), Some(Entry::Finished(_) | Entry::Rejected(_))));
        Ok(found.into_iter().chain(view.open().map(|(id, _)| id)).collect())
    }

    fn look_at_history(&mut self) -> Result<()> {
        let mut lines = Vec::new();
        let read = self.history.read_on(&self.spool, |line: HistoryLine| {
            lines.extend(Finished::new(&line).map(|finished| (line.id, Arc::new(finished))));
        });
        for (id, finished) in lines {
            self.shared.view_mut().set(id, Some(Entry::Finished(finished)));
            self.unwatch(id);
            self.shared.followers.wake(id);
        }
        read
    }

    fn look_at_runner(&self) {
        let state = RunnerState::read(&self.spool).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot see what the runner does");
            None
        });
        let runner = Runner { up: runner_is_up(&self.spool), state, paused: self.spool.pause_reason() };
        self.shared.view_mut().set_runner(runner);
    }

    fn look_at_job(&mut self, id: JobId) {
        if matches!(self.shared.view().get(id), Some(Entry::Finished(_))) {
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
        Some(Entry::Queued(Arc::new(request)))
    }

    fn claimed(&mut self, id: JobId) -> Result<Option<Claimed>> {
        let job = Job::new(&self.spool, id);
        if !job.exists() {
            return Ok(None);
        }
        let known = match self.shared.view().get(id) {
            Some(Entry::Claimed(claimed)) => Some(Arc::clone(claimed)),
            _ => None,
        };
        if !known.as_ref().is_some_and(|known| known.status.state.is_final()) {
            self.watch(id);
        }
        let Some(status) = job.status()? else { return Ok(None) };
        // It never changes, and so is read once.
        let request = known.and_then(|known| known.request.clone()).or_else(|| job.request().ok());
        Ok(Some(Claimed { status, request }))
    }

    fn rejected(&self, id: JobId) -> Option<Entry> {
        let name = format!("{id}.json");
        let (request, owner) = request_in(&self.spool.rejected().join(&name))?;
        // The reason comes last; without it the file is still being put there.
        let path = self.spool.rejected().join(reject::reason_name(name.as_ref()));
        let reason = open::read(&path).ok()?;
        let reason = String::from_utf8_lossy(&reason).trim().to_owned();
        let at = path.metadata().and_then(|metadata| metadata.modified()).map_or_else(|_| Time::now(), time_of);
        Some(Entry::Rejected(Arc::new(Rejected { id, request, owner, reason, at })))
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

/// The request in a file that anybody may have put there, as far as it is one, and the file's owner. `None` if the file
/// is not there or cannot be opened.
fn request_in(path: &Path) -> Option<(Option<JobRequest>, Option<String>)> {
    match open::look(path, JOB_LIMIT) {
        Ok(Look::File(opened)) => Some((JobRequest::parse(&opened.bytes).ok(), submitter::login_name(opened.owner))),
        Ok(Look::Refused(_)) => Some((None, None)),
        Ok(Look::Gone) | Err(_) => None,
    }
}

fn time_of(time: SystemTime) -> Time {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_milliseconds(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
