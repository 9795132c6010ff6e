//! Admits files of the queue, claims jobs, and starts supervisors.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::time::Duration;

use tracing::{info, warn};

use super::daemon::{Daemon, Event, link_target};
use super::jobs::{Ended, Phase};
use super::lanes::Slot;
use super::outcome::End;
use super::problems::Subject;
use super::{plan, readable, supervise, supervisor};
use crate::shortage;
use crate::spool::error::{Error, Result};
use crate::spool::job::{Job, LockedJob};
use crate::spool::lock::SlotLock;
use crate::spool::log::{Cause, RecordKind};
use crate::spool::queue;
use crate::spool::queue::{Submission, Verdict};
use crate::spool::status::Status;
use crate::spool::{JobId, atomic, reject, sequence};

/// The pause between two looks at a process that gives no descriptor to wait on.
const LOOK_FOR_END: Duration = Duration::from_secs(1);

impl Daemon {
    /// Admits new files in `queue/`, and forgets jobs whose files are gone.
    pub(super) fn look_at_queue(&mut self) -> Result<()> {
        let (ids, others) = queue::list(&self.spool)?;
        for name in others {
            let reason =
                "its name is not a job number and .json; publish it as queue/N.json with a number from `sequence`";
            let rejected = reject::reject(&self.spool, &self.lock, &name, reason).map(|_| ());
            self.problems.note(Subject::in_queue(&name), rejected);
        }
        self.queue.listed(&ids);
        for id in ids {
            if !self.queue.is_waiting(id) && !self.jobs.contains(id) {
                let admitted = self.admit(id);
                if let Err(error) = &admitted {
                    self.queue.hold(id, error.to_string());
                }
                let held = |why: &str| Err(Error::invalid(&self.spool.queued(id), why));
                let admitted = admitted.and_then(|()| self.queue.why_held(id).map_or(Ok(()), held));
                self.problems.note(Subject::queued(id), admitted);
            }
        }
        Ok(())
    }

    /// Examines a file of the queue: it becomes a waiting job, or is rejected.
    fn admit(&mut self, id: JobId) -> Result<()> {
        if self.jobs.is_finished(id) {
            return self.remove_or_reject_finished(id);
        }
        if Job::new(&self.spool, id).exists() {
            self.reconcile(id);
            return Ok(());
        }
        if u64::from(id) > sequence::last(&self.spool)? {
            return self.reject(id, "its number is above `sequence`; take numbers from there");
        }
        if let Some((_, lane)) = self.examine(id)? {
            self.queue.admit(id, lane);
        }
        Ok(())
    }

    /// Reads a file of the queue and checks it against the declared job types. Rejects an invalid job. Returns a valid
    /// one with its lane.
    fn examine(&mut self, id: JobId) -> Result<Option<(Submission, String)>> {
        let submission = match queue::examine(&self.spool, id, &self.settings.trusted)? {
            Verdict::Job(submission) => *submission,
            Verdict::Gone | Verdict::Unfinished => return Ok(None),
            Verdict::Rejected(reason) => return self.reject(id, &reason).map(|()| None),
        };
        match plan::render(&self.settings.config, &submission) {
            Ok((job_type, _)) => {
                let lane = job_type.lane.clone();
                Ok(Some((submission, lane)))
            }
            // An API may have accepted it before the configuration was changed.
            Err(reason) if self.queue.is_inherited(id) => {
                let what_to_do = "the job was submitted before the runner started, so it waits: restore the old \
                                  configuration and restart spiderpig-runner, or cancel the job";
                self.queue.hold(id, format!("{reason}; {what_to_do}"));
                Ok(None)
            }
            Err(reason) => self.reject(id, &reason).map(|()| None),
        }
    }

    pub(super) fn reject(&mut self, id: JobId, reason: &str) -> Result<()> {
        self.queue.remove(id);
        let name = format!("{id}.json");
        reject::reject(&self.spool, &self.lock, name.as_ref(), reason)?;
        warn!(job = %id, reason, "rejected");
        Ok(())
    }

    /// Starts jobs that may start: by their number within a lane, and in each lane independently.
    pub(super) fn fill_lanes(&mut self) {
        if self.starts.must_wait() || self.spool.pause_reason().is_some() {
            return;
        }
        let startable: Vec<_> = self.jobs.startable().map(|(id, lane)| (id, lane.to_owned())).collect();
        let mut busy = BTreeSet::new();
        // Claimed jobs that were not executed come before those in the queue.
        for (id, lane) in startable {
            self.fill_slot(id, lane, &mut busy);
        }
        let mut last = None;
        while !self.starts.must_wait()
            && let Some((id, lane)) = self.queue.next(last, &busy)
        {
            last = Some(id);
            self.fill_slot(id, lane, &mut busy);
        }
    }

    /// Starts a job if its lane has room. Otherwise notes that the lane is busy, so that no later job overtakes this
    /// one.
    fn fill_slot(&mut self, id: JobId, lane: String, busy: &mut BTreeSet<String>) {
        if busy.contains(&lane) || self.starts.must_wait() {
            return;
        }
        let taken = self.lanes.take(&self.spool, &self.settings.config, &lane, id);
        if taken.is_ok() {
            self.problems.forget(&Subject::lane(&lane));
        }
        match taken {
            Ok(Slot::Free(slot)) => {
                let started = self.claim_or_start(id, Some(slot));
                if started.is_err() {
                    self.schedule.look_again_soon();
                    busy.insert(lane);
                }
                self.problems.note(Subject::Start(id), started);
            }
            Ok(Slot::Busy) => drop(busy.insert(lane)),
            Ok(Slot::HeldByStranger) => {
                self.schedule.look_again_soon();
                busy.insert(lane);
            }
            Err(error) => {
                self.problems.note(Subject::lane(&lane), Err(error));
                busy.insert(lane);
            }
        }
    }

    /// Starts a supervisor for a job, and claims the job if it is still in the queue. Without a slot, the supervisor
    /// only cancels the job, because of a waiting signal.
    pub(super) fn claim_or_start(&mut self, id: JobId, slot: Option<SlotLock>) -> Result<()> {
        if self.starts.must_wait() {
            return Ok(());
        }
        if let Some(Phase::Startable { .. }) = self.jobs.phase(id) {
            return self.start_again(id, slot);
        }
        let Some((submission, lane)) = self.examine(id)? else {
            self.queue.remove(id);
            return Ok(());
        };
        if slot.is_some() && self.queue.lane(id) != Some(&lane) {
            // Somebody replaced the file after it was admitted; the slot is in another lane.
            self.queue.admit(id, lane);
            self.schedule.look_again_soon();
            return Ok(());
        }
        let Ok((job_type, command)) = plan::render(&self.settings.config, &submission) else { return Ok(()) };
        let number = slot.as_ref().map(SlotLock::slot);
        let (plan, status, ready) = plan::make(&self.settings, &submission, (job_type, command), number);
        let job = LockedJob::claim(&self.spool, &self.lock, &submission.bytes, &plan, &status)?;
        self.queue.remove(id);
        if let Some(slot) = number {
            self.lanes.assign(&plan.lane, slot, id, &plan.user);
        }
        info!(job = %id, user = %submission.user, kind = %submission.request.job_type, "claimed");
        let linked = atomic::symlink(&link_target(id), &self.spool.running_link(id));
        self.problems.note(Subject::top("running"), linked);
        // Without a slot, the supervisor only cancels the job, even if the job could not start.
        let may_start = if slot.is_some() { ready.and_then(|()| self.starts.may_start(id)) } else { Ok(()) };
        match may_start {
            Ok(()) => self.lead(job, slot),
            Err(reason) => {
                self.fail_unstarted(&job, status, &reason);
                Ok(())
            }
        }
    }

    /// Starts another supervisor for a job that was claimed and never executed, maybe in another slot.
    fn start_again(&mut self, id: JobId, slot: Option<SlotLock>) -> Result<()> {
        let Some(job) = LockedJob::try_lock(&self.spool, id)? else {
            self.jobs.set(id, Phase::LedByUnknown);
            return Ok(());
        };
        let mut plan = job.plan()?;
        if let Some(slot) = &slot {
            plan.slot = Some(slot.slot());
            job.write_plan(&plan)?;
            self.lanes.assign(&plan.lane, slot.slot(), id, &plan.user);
        }
        let may_start = if slot.is_some() { self.starts.may_start(id) } else { Ok(()) };
        match may_start {
            Ok(()) => self.lead(job, slot),
            Err(reason) => {
                if let Some(status) = job.status()? {
                    self.fail_unstarted(&job, status, &reason);
                }
                Ok(())
            }
        }
    }

    /// Starts a supervisor and waits for its end in the background. A shortage of processes does not count as a failed
    /// start of the job.
    fn lead(&mut self, job: LockedJob, slot: Option<SlotLock>) -> Result<()> {
        let id = job.id();
        match supervisor::start(&self.spool, job, slot, &self.settings.supervisor_environment) {
            Ok(supervisor) => {
                self.jobs.supervisor_started(id, supervisor.child.id().cast_signed(), supervisor.last_words);
                self.end_shortage();
                self.events.spawn(wait_for_end(id, supervisor.child, supervisor.end));
                Ok(())
            }
            Err(error) => {
                self.reconcile(id);
                let Error::Io { source, .. } = &error else { return Err(error) };
                let words = shortage::words(source).ok_or(error)?;
                self.meet_shortage(words);
                Ok(())
            }
        }
    }

    /// The system gave no process: the daemon starts no job before the next attempt.
    pub(super) fn meet_shortage(&mut self, words: impl Into<String>) {
        self.problems.tell(Subject::Processes, self.starts.begin_shortage(words));
    }

    pub(super) fn end_shortage(&mut self) {
        self.starts.end_shortage();
        self.problems.forget(&Subject::Processes);
    }

    pub(super) fn count_failed_start(&mut self, id: JobId, words: &str) {
        let count = self.starts.count_failure(id, words);
        warn!(job = %id, attempt = count, words, "the job could not be started");
    }

    /// Ends a job that cannot be started. The end is as durable as a start.
    fn fail_unstarted(&mut self, job: &LockedJob, mut status: Status, reason: &str) {
        let id = job.id();
        let ended = (|| {
            let mut log = job.log_writer()?;
            log.record(&RecordKind::Note { note: reason.to_owned(), cause: Some(Cause::NotStarted) });
            // The status has the reason too, and has reserved space on a full disk.
            let _ = log.finish();
            status.log_records = log.records();
            End::not_started(id, reason).put_into(&mut status, job.directory());
            job.write_final_status(&status)?;
            job.make_durable(&self.spool)?;
            queue::remove(&self.spool, id)?;
            self.tidy(job, &status)
        })();
        if ended.is_err() {
            self.jobs.set(id, Phase::Damaged);
        }
        self.problems.note(Subject::job(id), ended);
    }
}

/// Waits until a supervisor has ended, and returns how it ended.
async fn wait_for_end(id: JobId, mut child: Child, end: Option<OwnedFd>) -> Event {
    if let Some(end) = end {
        // If waiting fails, the loop below looks now and then.
        let _ = readable::wait(end).await;
    }
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) => tokio::time::sleep(LOOK_FOR_END).await,
            Err(_) => break None,
        }
    };
    let ended = match status.and_then(|status| status.code()) {
        Some(0) => Ended::Successfully,
        Some(code) if code == i32::from(supervise::SHORTAGE_STATUS) => Ended::ForShortage,
        _ => Ended::Unknown,
    };
    Event::LeaderEnded(id, ended)
}
