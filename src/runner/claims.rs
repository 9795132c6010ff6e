//! From the queue into the lanes: admitting files, claiming jobs, starting supervisors.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::time::Duration;

use tracing::{info, warn};

use super::daemon::{Daemon, Ended, Event, Phase, link_target};
use super::lanes::Slot;
use super::outcome::End;
use super::{plan, readable, supervise, supervisor};
use crate::shortage;
use crate::shortage::Shortage;
use crate::spool::error::{Error, Result};
use crate::spool::job::{Job, LockedJob};
use crate::spool::lock::SlotLock;
use crate::spool::log::{Cause, RecordKind};
use crate::spool::queue;
use crate::spool::queue::{Submission, Verdict};
use crate::spool::status::Status;
use crate::spool::{JobId, atomic, reject, sequence};

/// After so many failures to start, a job has failed.
pub(super) const START_ATTEMPTS: u32 = 3;

/// Between two looks at a process whose end cannot be waited for.
const LOOK_FOR_END: Duration = Duration::from_secs(1);

/// What the lack of processes is called among the problems.
const PROCESSES: &str = "processes";

impl Daemon {
    /// Meets what is new in `queue/`, and forgets what is gone.
    pub(super) fn look_at_queue(&mut self) -> Result<()> {
        let (ids, others) = queue::list(&self.spool)?;
        for name in others {
            let reason =
                "its name is not a job number and .json; publish it as queue/N.json with a number from `sequence`";
            let rejected = reject::reject(&self.spool, &self.lock, &name, reason).map(|_| ());
            self.note_problem(&format!("queue/{}", name.display()), rejected);
        }
        self.waiting.retain(|id, _| ids.binary_search(id).is_ok());
        self.inherited.retain(|id| ids.binary_search(id).is_ok());
        self.held.clear();
        for id in ids {
            if !self.waiting.contains_key(&id) && !self.jobs.contains_key(&id) {
                let admitted = self.admit(id);
                if let Err(error) = &admitted {
                    self.held.insert(id, error.to_string());
                }
                let held = |reason| Error::invalid(&self.spool.queued(id), reason);
                let admitted = admitted.and_then(|()| self.held.get(&id).cloned().map_or(Ok(()), |why| Err(held(why))));
                self.note_problem(&format!("queue/{id}.json"), admitted);
            }
        }
        Ok(())
    }

    /// Looks at one file of the queue: it becomes a waiting job, or is rejected.
    fn admit(&mut self, id: JobId) -> Result<()> {
        if self.finished.contains(id) {
            return self.settle_finished(id);
        }
        if Job::new(&self.spool, id).exists() {
            self.reconcile(id);
            return Ok(());
        }
        if u64::from(id) > sequence::last(&self.spool)? {
            return self.reject(id, "its number is above `sequence`; take numbers from there");
        }
        if let Some((_, lane)) = self.examine(id)? {
            self.waiting.insert(id, lane);
        }
        Ok(())
    }

    /// Reads a file of the queue and checks it against the declared job types. What is no valid job is
    /// rejected. Returns the job and its lane.
    fn examine(&mut self, id: JobId) -> Result<Option<(Submission, String)>> {
        let submission = match queue::examine(&self.spool, id, &self.trusted)? {
            Verdict::Job(submission) => *submission,
            Verdict::Gone | Verdict::Later => return Ok(None),
            Verdict::Rejected(reason) => return self.reject(id, &reason).map(|()| None),
        };
        match plan::render(&self.config, &submission) {
            Ok((job_type, _)) => {
                let lane = job_type.lane.clone();
                Ok(Some((submission, lane)))
            }
            // It may have been accepted, and its submitter told so, before the configuration was changed.
            Err(reason) if self.inherited.contains(&id) => {
                let what_to_do = "it was submitted before the runner was started, and waits: put the configuration back as \
                                  it was and restart spiderpig-runner, or cancel the job";
                self.held.insert(id, format!("{reason}; {what_to_do}"));
                Ok(None)
            }
            Err(reason) => self.reject(id, &reason).map(|()| None),
        }
    }

    pub(super) fn reject(&mut self, id: JobId, reason: &str) -> Result<()> {
        self.waiting.remove(&id);
        let name = format!("{id}.json");
        reject::reject(&self.spool, &self.lock, name.as_ref(), reason)?;
        warn!(job = %id, reason, "rejected");
        Ok(())
    }

    /// Starts what may start: jobs by their number within a lane, lanes independently of each other.
    pub(super) fn fill_lanes(&mut self) {
        if self.is_short() || self.spool.pause_reason().is_some() {
            return;
        }
        let startable = self.jobs.iter().filter_map(|(id, phase)| match phase {
            Phase::Startable { lane } => Some((*id, lane.clone())),
            _ => None,
        });
        let mut busy = BTreeSet::new();
        // What was claimed before and not executed has its turn before what waits.
        for (id, lane) in startable.collect::<Vec<_>>() {
            self.fill_slot(id, lane, &mut busy);
        }
        let mut last = None;
        while !self.is_short()
            && let Some((id, lane)) = self.next_waiting(last, &busy)
        {
            last = Some(id);
            self.fill_slot(id, lane, &mut busy);
        }
    }

    /// The first waiting job behind `last` whose lane is not known to be busy.
    fn next_waiting(&self, last: Option<JobId>, busy: &BTreeSet<String>) -> Option<(JobId, String)> {
        let after = last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.waiting.range((after, Bound::Unbounded));
        rest.find(|(_, lane)| !busy.contains(*lane)).map(|(id, lane)| (*id, lane.clone()))
    }

    /// Starts a job if its lane has room; else notes that the lane is busy, so that no later job overtakes it.
    fn fill_slot(&mut self, id: JobId, lane: String, busy: &mut BTreeSet<String>) {
        if busy.contains(&lane) || self.is_short() {
            return;
        }
        let taken = self.lanes.take(&self.spool, &self.config, &lane, id);
        if taken.is_ok() {
            self.problems.remove(&format!("lanes/{lane}"));
        }
        match taken {
            Ok(Slot::Free(slot)) => {
                let started = self.claim_or_start(id, Some(slot));
                if started.is_err() {
                    self.impatient = true;
                    busy.insert(lane);
                }
                self.note_problem(&format!("job {id}"), started);
            }
            Ok(Slot::Busy) => drop(busy.insert(lane)),
            Ok(Slot::HeldByStranger) => {
                self.impatient = true;
                busy.insert(lane);
            }
            Err(error) => {
                self.note_problem(&format!("lanes/{lane}"), Err(error));
                busy.insert(lane);
            }
        }
    }

    /// Gives a job its supervisor, claiming it if it is still in the queue. Without a slot the job is led only to be
    /// cancelled by the signal that waits for it.
    pub(super) fn claim_or_start(&mut self, id: JobId, slot: Option<SlotLock>) -> Result<()> {
        if self.is_short() {
            return Ok(());
        }
        if let Some(Phase::Startable { .. }) = self.jobs.get(&id) {
            return self.start_again(id, slot);
        }
        let Some((submission, lane)) = self.examine(id)? else {
            self.waiting.remove(&id);
            return Ok(());
        };
        if slot.is_some() && self.waiting.get(&id) != Some(&lane) {
            // The file was replaced since it was admitted; the slot is one of another lane.
            self.waiting.insert(id, lane);
            self.impatient = true;
            return Ok(());
        }
        let Ok((job_type, command)) = plan::render(&self.config, &submission) else { return Ok(()) };
        let number = slot.as_ref().map(SlotLock::slot);
        let (plan, status, ready) = plan::make(
            &self.config,
            &self.account,
            &self.trusted,
            &submission,
            (job_type, command),
            number,
            self.groups.as_deref(),
        );
        let job = LockedJob::claim(&self.spool, &self.lock, &submission.bytes, &plan, &status)?;
        self.waiting.remove(&id);
        if let Some(slot) = number {
            self.lanes.assign(&plan.lane, slot, id, &plan.user);
        }
        info!(job = %id, user = %submission.user, kind = %submission.request.job_type, "claimed");
        let linked = atomic::symlink(&link_target(id), &self.spool.running_link(id));
        self.note_problem("running", linked);
        // Without a slot it is only to be cancelled, whatever keeps it from starting.
        let may_start = if slot.is_some() { ready.and_then(|()| self.may_start(id)) } else { Ok(()) };
        match may_start {
            Ok(()) => self.lead(job, slot),
            Err(reason) => {
                self.fail_unstarted(&job, status, &reason);
                Ok(())
            }
        }
    }

    /// A job that was claimed and never executed gets another supervisor, maybe in another slot.
    fn start_again(&mut self, id: JobId, slot: Option<SlotLock>) -> Result<()> {
        let Some(job) = LockedJob::try_lock(&self.spool, id)? else {
            self.jobs.insert(id, Phase::LedByUnknown);
            return Ok(());
        };
        let mut plan = job.plan()?;
        if let Some(slot) = &slot {
            plan.slot = Some(slot.slot());
            job.write_plan(&plan)?;
            self.lanes.assign(&plan.lane, slot.slot(), id, &plan.user);
        }
        let may_start = if slot.is_some() { self.may_start(id) } else { Ok(()) };
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

    fn may_start(&self, id: JobId) -> Result<(), String> {
        match self.failed_starts.get(&id) {
            Some((count, words)) if *count >= START_ATTEMPTS => {
                let words = if words.is_empty() { "its supervisor left no word" } else { words };
                Err(format!("could not be started in {START_ATTEMPTS} attempts: {words}"))
            }
            _ => Ok(()),
        }
    }

    /// Starts a supervisor and waits for its end in the background. If there is no process to be had, that is not the
    /// job's fault, and not counted.
    fn lead(&mut self, job: LockedJob, slot: Option<SlotLock>) -> Result<()> {
        let id = job.id();
        match supervisor::start(&self.spool, job, slot, &self.supervisor_environment) {
            Ok(supervisor) => {
                self.jobs.insert(id, Phase::Led { last_words: Some(supervisor.last_words), ended: Ended::Somehow });
                self.end_shortage();
                self.supervisors.insert(id, supervisor.child.id().cast_signed());
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

    /// No process was to be had: nothing is started before the next attempt.
    pub(super) fn meet_shortage(&mut self, words: impl Into<String>) {
        let shortage = Shortage::after(self.shortage.as_ref(), words);
        self.tell_problem(PROCESSES, shortage.to_string());
        self.shortage = Some(shortage);
    }

    pub(super) fn end_shortage(&mut self) {
        self.shortage = None;
        self.problems.remove(PROCESSES);
    }

    /// Whether the next attempt to start a process is still to be waited for.
    fn is_short(&self) -> bool {
        self.shortage.as_ref().is_some_and(|shortage| !shortage.is_over())
    }

    pub(super) fn count_failed_start(&mut self, id: JobId, words: &str) {
        let (count, last_words) = self.failed_starts.entry(id).or_default();
        *count += 1;
        words.clone_into(last_words);
        warn!(job = %id, attempt = count, words, "the job could not be started");
    }

    /// Ends a job that cannot be started, as durably as its start would have been.
    fn fail_unstarted(&mut self, job: &LockedJob, mut status: Status, reason: &str) {
        let id = job.id();
        let ended = (|| {
            let mut log = job.log_writer()?;
            log.record(&RecordKind::Note { note: reason.to_owned(), cause: Some(Cause::NotStarted) });
            // The reason stands in the status too, which has its own room on a full disk.
            let _ = log.finish();
            status.log_records = log.records();
            End::not_started(id, reason).put_into(&mut status, job.directory());
            job.write_final_status(&status)?;
            job.make_durable(&self.spool)?;
            queue::remove(&self.spool, id)?;
            self.tidy(job, &status)
        })();
        if ended.is_err() {
            self.jobs.insert(id, Phase::Damaged);
        }
        self.note_problem(&format!("jobs/{id}"), ended);
    }
}

/// Waits until a supervisor has ended, and tells how.
async fn wait_for_end(id: JobId, mut child: Child, end: Option<OwnedFd>) -> Event {
    if let Some(end) = end {
        // If it cannot be waited for, one looks.
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
        Some(0) => Ended::Well,
        Some(code) if code == i32::from(supervise::WANT) => Ended::ForWant,
        _ => Ended::Somehow,
    };
    Event::LeaderEnded(id, ended)
}
