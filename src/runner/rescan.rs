//! The directories that give no hint, and that a rescan looks at: `jobs/`, `running/`, `incoming/`, and `sequence`.

use std::time::{Duration, SystemTime};

use tracing::warn;

use super::daemon::{Daemon, link_target};
use super::jobs::Phase;
use super::problems::Subject;
use crate::spool::error::{Error, Result};
use crate::spool::{JobId, atomic, job, layout, sequence};

/// A file in `incoming/` that was not written to for longer was left by a writer that died.
const INCOMING_AGE: Duration = Duration::from_hours(1);

impl Daemon {
    /// Meets every job that is in `jobs/` and not finished, and puts the view in `running/` right.
    pub(super) fn look_at_jobs(&mut self) -> Result<()> {
        let (jobs, uncommitted) = job::list(&self.spool)?;
        let mended = self.mend_sequence(jobs.last().copied());
        self.problems.note(Subject::top("sequence"), mended);
        for id in uncommitted {
            let removed = self.remove_uncommitted(id);
            self.problems.note(Subject::uncommitted(id), removed);
        }
        for &id in &jobs {
            let lost_sight = matches!(self.jobs.phase(id), None | Some(Phase::Damaged));
            if lost_sight && !self.jobs.is_finished(id) {
                self.reconcile(id);
            }
        }
        let gone: Vec<JobId> = self.jobs.ids().filter(|id| jobs.binary_search(id).is_err()).collect();
        for id in gone {
            self.forget(id);
        }
        self.mend_view()
    }

    /// Somebody may have brought an old `sequence` back from a backup, or damaged it.
    fn mend_sequence(&self, last_claimed: Option<JobId>) -> Result<()> {
        let used = last_claimed.max(self.jobs.highest_finished()).map_or(0, u64::from);
        if sequence::last(&self.spool).is_ok_and(|last| last >= used) {
            return Ok(());
        }
        warn!("`sequence` is damaged, or lower than the numbers in use; repairing it");
        self.raise_sequence()
    }

    /// The directory of a job is gone. A supervisor that still leads it keeps its slot until it ends.
    fn forget(&mut self, id: JobId) {
        if matches!(self.jobs.phase(id), Some(Phase::Led { .. } | Phase::BeingStopped)) {
            let gone = "somebody has removed the directory of this job while it runs, so its output and its end are not \
                        recorded any more. It keeps its lane until it ends; a signal in inbox/ still stops it";
            self.problems.note(Subject::RemovedJob(id), Err(Error::invalid(&self.spool.job(id), gone)));
            return;
        }
        self.drop_job(id);
    }

    /// Nothing of a job is left, and no directory.
    pub(super) fn drop_job(&mut self, id: JobId) {
        self.jobs.remove(id);
        self.lanes.release(id);
        self.problems.forget(&Subject::RemovedJob(id));
    }

    /// A claim that was not committed has no value; one that is being built belongs to this very process.
    fn remove_uncommitted(&self, id: JobId) -> Result<()> {
        atomic::remove_tree(&self.spool.uncommitted_job(id))
    }

    fn mend_view(&self) -> Result<()> {
        for name in layout::names(&self.spool.running())? {
            let unfinished = name.to_str().and_then(|name| name.parse().ok()).is_some_and(|id| self.jobs.contains(id));
            if !unfinished {
                atomic::remove(&self.spool.running().join(name))?;
            }
        }
        for id in self.jobs.ids() {
            let link = self.spool.running_link(id);
            if std::fs::read_link(&link).ok() != Some(link_target(id)) {
                atomic::symlink(&link_target(id), &link)?;
            }
        }
        Ok(())
    }

    pub(super) fn clean_incoming(&mut self) -> Result<()> {
        for name in layout::names(&self.spool.incoming())? {
            let path = self.spool.incoming().join(&name);
            let modified = std::fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
            let age = modified.map(|modified| SystemTime::now().duration_since(modified).unwrap_or_default());
            if age.is_ok_and(|age| age > INCOMING_AGE) {
                self.problems.note(Subject::in_incoming(&name), atomic::remove(&path));
            }
        }
        Ok(())
    }
}
