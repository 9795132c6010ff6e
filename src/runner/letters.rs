//! The daemon's part of the inbox: pauses, signals for jobs without a supervisor, and letters that no supervisor will
//! read.

use std::ffi::OsStr;
use std::path::Path;

use tracing::{info, warn};

use super::daemon::Daemon;
use super::jobs::Phase;
use super::problems::Subject;
use crate::spool::error::Result;
use crate::spool::inbox;
use crate::spool::inbox::{Letter, Purpose, Reading, Recipient, RunnerRequest, SignalRequest};
use crate::spool::{JobId, reject};

/// The age at which a letter for an unknown job is removed, in seconds: its job may appear before that.
const UNKNOWN_AGE: i64 = 60;

/// How many jobs are cancelled at the same time, at most: each needs a process, descriptors and a watch.
const CANCELS_AT_ONCE: usize = 16;

impl Daemon {
    /// Reads the letters that no supervisor reads.
    pub(super) fn look_at_inbox(&mut self) -> Result<()> {
        let (mut letters, others) = inbox::list(&self.spool)?;
        // Of a pause and a resume, the later one wins.
        letters.sort_by_cached_key(|letter| match letter.recipient {
            Recipient::Pause | Recipient::Resume => (None, letter.changed(&self.spool)),
            Recipient::Job(..) => (Some(letter.clone()), None),
        });
        for name in others {
            let directory = self.spool.inbox().join(&name);
            if directory.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                let put_aside = self.put_directory_aside(&name, &directory);
                self.problems.note(Subject::in_inbox(&name), put_aside);
                continue;
            }
            let letter = Letter { recipient: Recipient::Resume, name };
            let removed = self.remove_if_old(&letter, "its name is not that of a letter");
            self.problems.note(Subject::in_inbox(&letter.name), removed);
        }
        for letter in letters {
            let read = self.read_letter(&letter);
            self.problems.note(Subject::in_inbox(&letter.name), read);
        }
        Ok(())
    }

    /// Puts a directory aside: at once if it has the name of a letter and so keeps people from answering, else after a
    /// while.
    fn put_directory_aside(&self, name: &OsStr, directory: &Path) -> Result<()> {
        let letter = Letter { recipient: Recipient::Resume, name: name.to_owned() };
        let is_old = letter.age(&self.spool).is_some_and(|age| age >= UNKNOWN_AGE);
        if Recipient::of(name).is_none() && !is_old {
            return Ok(());
        }
        reject::move_to_rejected(&self.spool, &self.lock, directory, "a directory is not a letter")?;
        warn!(directory = %directory.display(), "a directory in inbox/ was put aside into rejected/");
        Ok(())
    }

    fn read_letter(&mut self, letter: &Letter) -> Result<()> {
        match letter.recipient {
            Recipient::Pause | Recipient::Resume => self.pause_or_resume(letter),
            Recipient::Job(id, purpose) => self.read_job_letter(letter, id, purpose),
        }
    }

    fn pause_or_resume(&mut self, letter: &Letter) -> Result<()> {
        match inbox::read::<RunnerRequest>(&self.spool, letter, &self.settings.trusted)? {
            Reading::Valid(RunnerRequest { user, reason }) if letter.recipient == Recipient::Pause => {
                info!(user, reason, "paused");
                let reason = if reason.trim().is_empty() { "no reason given" } else { reason.trim() };
                self.spool.pause(&self.lock, &format!("{reason} ({user})"))?;
            }
            Reading::Valid(RunnerRequest { user, .. }) => {
                info!(user, "resumed");
                self.spool.resume(&self.lock)?;
            }
            Reading::Refused { user, reason } => {
                warn!(user, reason, letter = %letter.name.display(), "refused");
            }
            Reading::Gone | Reading::Unfinished => return Ok(()),
        }
        letter.remove(&self.spool)
    }

    fn read_job_letter(&mut self, letter: &Letter, id: JobId, purpose: Purpose) -> Result<()> {
        match self.jobs.phase(id) {
            Some(Phase::Startable { .. }) if purpose == Purpose::Signal => self.cancel(letter, id),
            // Only the supervisor touches the letters of a live job; recovery deals with those of a dead one.
            Some(_) => Ok(()),
            None if self.jobs.is_finished(id) => self.refuse_late_letter(id, letter),
            None if self.queue.why_held(id).is_some() && purpose == Purpose::Signal => self.cancel_held(letter, id),
            None if self.queue.is_waiting(id) && purpose == Purpose::Signal => self.cancel(letter, id),
            None if self.spool.queued(id).exists() || self.spool.job(id).exists() => Ok(()),
            None => self.remove_if_old(letter, "there is no such job"),
        }
    }

    /// A signal for a job that has not started: the job gets a supervisor at once, without a slot, which cancels it.
    fn cancel(&mut self, letter: &Letter, id: JobId) -> Result<()> {
        match inbox::read::<SignalRequest>(&self.spool, letter, &self.settings.trusted)? {
            Reading::Valid(_) if self.leaders_without_slot() >= CANCELS_AT_ONCE => {
                self.schedule.look_again_soon();
                Ok(())
            }
            Reading::Valid(_) => self.claim_or_start(id, None),
            Reading::Refused { user, reason } => {
                warn!(job = %id, user, reason, "signal refused");
                letter.remove(&self.spool)
            }
            Reading::Gone | Reading::Unfinished => Ok(()),
        }
    }

    /// A signal for a file in the queue that cannot be claimed: the file is rejected.
    fn cancel_held(&mut self, letter: &Letter, id: JobId) -> Result<()> {
        match inbox::read::<SignalRequest>(&self.spool, letter, &self.settings.trusted)? {
            Reading::Valid(SignalRequest { user, .. }) => {
                let why = self.queue.release(id).unwrap_or_default();
                self.reject(id, &format!("cancelled by {user} before it started. It waited because {why}"))?;
            }
            Reading::Refused { user, reason } => warn!(job = %id, user, reason, "signal refused"),
            Reading::Gone | Reading::Unfinished => return Ok(()),
        }
        letter.remove(&self.spool)
    }

    fn leaders_without_slot(&self) -> usize {
        self.jobs.led().filter(|id| !self.lanes.has_slot(*id)).count()
    }

    fn remove_if_old(&self, letter: &Letter, why: &str) -> Result<()> {
        if letter.age(&self.spool).is_some_and(|age| age >= UNKNOWN_AGE) {
            letter.remove(&self.spool)?;
            warn!(letter = %letter.name.display(), "removed: {why}");
        }
        Ok(())
    }
}
