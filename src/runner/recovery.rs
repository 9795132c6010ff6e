//! What is done about a job that nobody leads: the recovery table of the layout, row by row.
//!
//! The lock is the truth about life: free and no final status means that a supervisor died. Everything is decided from
//! the files under that lock, so meeting a job twice changes nothing.

use std::path::PathBuf;
use std::time::Duration;

use tracing::{info, warn};

use super::cgroup::Group;
use super::daemon::{Daemon, Event};
use super::jobs::{Ended, Phase};
use super::outcome::{Account, End, TYPES};
use super::problems::Subject;
use super::stop::{Proof, Stopped};
use super::{process, readable, stop, supervisor};
use crate::spool::error::{Error, Result};
use crate::spool::job::{Job, LockedJob, NOTHING_LEFT};
use crate::spool::log::LogReader;
use crate::spool::open;
use crate::spool::open::{JOB_LIMIT, Look};
use crate::spool::plan::Plan;
use crate::spool::queue;
use crate::spool::status::{ProcessIdentity, State, Status};
use crate::spool::{JobId, Time, atomic};

impl Daemon {
    /// Meets a job: adopts it if it is alive, else brings it to where it belongs.
    pub(super) fn reconcile(&mut self, id: JobId) {
        let before = self.jobs.set(id, Phase::Damaged);
        let met = self.meet(id, before);
        if matches!(&met, Err(error) if error.is_not_found()) && !Job::new(&self.spool, id).exists() {
            self.drop_job(id);
            return;
        }
        self.problems.note(Subject::job(id), met);
    }

    fn meet(&mut self, id: JobId, before: Option<Phase>) -> Result<()> {
        let Some(job) = LockedJob::try_lock(&self.spool, id)? else { return self.adopt(id) };
        let status = job.status();
        let has_ended_successfully = matches!(before, Some(Phase::Led { ended: Ended::Successfully, .. }));
        if has_ended_successfully
            && let Ok(Some(status)) = &status
            && status.state.is_final()
        {
            // All that its supervisor had to make durable is, and it left nothing lying about.
            return self.tidy(&job, status);
        }
        if let Ok(Some(status)) = &status
            && !status.state.is_final()
            && job.is_copy()
        {
            return self.end_copy(&job, status.clone());
        }
        // Before anything can fail: no other job may have its slot while it is not final.
        self.hold_slot(id, job.plan().ok().as_ref(), status.as_ref().ok().and_then(Option::as_ref));
        job.remove_leftovers()?;
        let never_executed = matches!(&status, Ok(None | Some(Status { state: State::Starting, .. })));
        if never_executed && let Some(Phase::Led { last_words, ended }) = before {
            let words = last_words.map(supervisor::read_last_words).unwrap_or_default();
            match ended {
                Ended::ForShortage => self.meet_shortage(words),
                Ended::Successfully | Ended::Unknown => self.count_failed_start(id, &words),
            }
        }
        let documents = job.request().and(job.plan());
        if self.spool.queued(id).symlink_metadata().is_ok() {
            match &documents {
                _ if never_executed => return self.take_back(job),
                Err(error) if is_damage(error) => return self.take_back(job),
                // They may be there and good; the machine cannot read them now.
                Err(_) => return documents.map(|_| ()),
                Ok(_) => {}
            }
            self.settle_queue_file(&job)?;
        }
        match status {
            Ok(Some(status)) if status.state.is_final() => {
                // Nobody knows which syncs its supervisor came to.
                job.make_durable(&self.spool)?;
                self.tidy(&job, &status)
            }
            _ if never_executed => self.make_startable(&job, &documents?),
            status => self.stop_what_is_left(job, status.ok().flatten().as_ref()),
        }
    }

    /// `jobs/N`, lock held: its supervisor lives. Its slot counts, and its end is waited for.
    fn adopt(&mut self, id: JobId) -> Result<()> {
        let job = Job::new(&self.spool, id);
        let plan = job.plan();
        let status = job.status();
        self.hold_slot(id, plan.as_ref().ok(), status.as_ref().ok().and_then(Option::as_ref));
        let status = status?;
        let end = status.as_ref().and_then(supervisor_of).and_then(process::open);
        let Some(end) = end else {
            // It says who it is with its first status, which is followed by a hint: queue/N.json vanishes.
            self.jobs.set(id, Phase::LedByUnknown);
            self.schedule.look_again_soon();
            return Ok(());
        };
        info!(job = %id, "adopted");
        self.jobs.supervisor_adopted(id);
        self.events.spawn(async move {
            // If it cannot be waited for, the lock says whether it lives.
            let _ = readable::wait(end).await;
            Event::LeaderEnded(id, Ended::Unknown)
        });
        Ok(())
    }

    fn hold_slot(&mut self, id: JobId, plan: Option<&Plan>, status: Option<&Status>) {
        match (plan, status) {
            (Some(Plan { lane, slot: Some(slot), user, .. }), _) => self.lanes.assign(lane, *slot, id, user),
            (None, Some(status)) => self.lanes.block(&status.lane, id),
            // Claimed only to be cancelled; or damage that is reported where it is met.
            (Some(_) | None, _) => {}
        }
    }

    /// The claim was not durable and nothing was executed: the queue has the job again.
    fn take_back(&mut self, job: LockedJob) -> Result<()> {
        let id = job.id();
        info!(job = %id, "the claim was not durable; the job waits again");
        job.take_back(&self.spool)?;
        atomic::remove(&self.spool.running_link(id))?;
        self.jobs.remove(id);
        self.lanes.release(id);
        self.schedule.look_at_drops();
        Ok(())
    }

    /// A file in the queue under the number of a job in the history: the same file again, or a stranger.
    pub(super) fn settle_finished(&mut self, id: JobId) -> Result<()> {
        if Job::new(&self.spool, id).exists() {
            // Somebody may look at the lock for a moment; the next look meets the file again.
            let job = LockedJob::try_lock(&self.spool, id)?;
            return job.map_or(Ok(()), |job| self.settle_queue_file(&job));
        }
        self.reject(id, &format!("the number {id} was used before, by a job that is finished"))
    }

    /// The job was started, so what is in the queue under its number is the same file again, or a stranger.
    fn settle_queue_file(&mut self, job: &LockedJob) -> Result<()> {
        let id = job.id();
        job.make_durable(&self.spool)?;
        let queued = match open::look(&self.spool.queued(id), JOB_LIMIT)? {
            Look::File(opened) => Some(opened.bytes),
            Look::Gone => return Ok(()),
            Look::Refused(_) => None,
        };
        if queued.is_some() && queued == job.request_bytes()? {
            return queue::remove(&self.spool, id);
        }
        self.reject(id, &format!("the number {id} was used before, by another job"))
    }

    /// Claimed, durable, never executed: it waits for its lane, or for the signal that cancels it.
    fn make_startable(&mut self, job: &LockedJob, plan: &Plan) -> Result<()> {
        if job.status()?.is_none() {
            let request = job.request()?;
            job.write_status(&blank_status(&request.job_type, plan, request.submitted_at))?;
        }
        // A signal that was its supervisor's to read is the daemon's now.
        self.schedule.look_at_drops();
        self.jobs.set(job.id(), Phase::Startable { lane: plan.lane.clone() });
        Ok(())
    }

    /// The supervisor died after the start: nothing may be left of the job before its lane is used again.
    fn stop_what_is_left(&mut self, job: LockedJob, status: Option<&Status>) -> Result<()> {
        let id = job.id();
        let plan = job.plan().ok();
        let marker = status.and_then(|status| status.marker.clone());
        let Some(marker) = marker.or_else(|| plan.as_ref().map(|plan| plan.marker.clone())) else {
            let damage = "neither status.json nor plan.json can be read, so what belongs to the job cannot be known; \
                          stop it by hand, then write a final status.json or remove the directory";
            return Err(Error::invalid(job.directory(), damage));
        };
        warn!(job = %id, "its supervisor died; stopping what belongs to it");
        self.jobs.set(id, Phase::BeingStopped);
        // Process numbers mean nothing in another boot, and no group lives longer than one.
        let of_this_boot = status.filter(|status| status.boot_id == process::boot_id());
        let leader = of_this_boot.and_then(|status| status.process);
        let cgroup = match status {
            Some(_) => of_this_boot.and_then(|status| status.cgroup.as_deref()),
            None => plan.as_ref().and_then(|plan| plan.cgroup.as_deref()),
        };
        let cgroup = cgroup.and_then(Group::at);
        let grace =
            plan.map_or(self.settings.config.runner.stop_grace, |plan| Duration::from_millis(plan.stop_grace_ms));
        self.events.spawn(async move {
            let stopped = stop::stop_everything(&marker, leader, cgroup.as_ref(), grace).await;
            Event::Stopped(Box::new(job), stopped)
        });
        Ok(())
    }

    /// Nothing of the job is left: its end is what its `exit` record says, or unknown.
    pub(super) fn conclude_stopped(&mut self, job: &LockedJob, stopped: Result<Stopped, String>) {
        let id = job.id();
        let concluded = match stopped {
            Ok(Stopped { proof: Proof::Hidden, .. }) if !nothing_left(job).exists() => {
                Err(Error::invalid(job.directory(), hidden(job)))
            }
            Ok(stopped) => self.write_end(job, stopped),
            Err(reason) => Err(Error::invalid(job.directory(), reason)),
        };
        if concluded.is_err() {
            self.jobs.set(id, Phase::Damaged);
        }
        self.problems.note(Subject::job(id), concluded);
    }

    /// What runs of the job runs in the directory that this one was copied from, and is not touched. How it ended can be
    /// known only if it had when the copy was made.
    fn end_copy(&mut self, job: &LockedJob, mut status: Status) -> Result<()> {
        let id = job.id();
        warn!(job = %id, "its directory is a copy of the one that it was started in; nothing of it is touched");
        let account = account(job)?;
        let end = account.end(id).unwrap_or_else(|| End::copied(id, account.phase()));
        if let Ok(mut log) = job.log_writer() {
            log.note(
                "this directory is a copy of the one in which the job was started; what runs there is not touched",
            );
            let _ = log.finish();
            status.log_records = log.records();
        }
        end.put_into(&mut status, job.directory());
        job.write_final_status(&status)?;
        job.make_durable(&self.spool)?;
        self.tidy(job, &status)
    }

    fn write_end(&mut self, job: &LockedJob, stopped: Stopped) -> Result<()> {
        let mut status = if let Ok(Some(status)) = job.status() {
            status
        } else {
            let request = job.request()?;
            blank_status(&request.job_type, &job.plan()?, request.submitted_at)
        };
        let account = account(job)?;
        let unseen = match stopped.proof {
            Proof::Certain => "",
            Proof::Likely => {
                "; what it may have started as another account and in another session cannot be told from others here, \
                 as it had no control group of its own"
            }
            Proof::Hidden => {
                "; what runs as another account cannot be seen here (hidepid), and somebody has said that nothing is left"
            }
        };
        let rest = match stopped.count {
            0 => "nothing of it was left".to_owned(),
            1 => "1 process of it was left and was stopped".to_owned(),
            count => format!("{count} processes of it were left and were stopped"),
        };
        let rest = rest + unseen;
        if let Some(group) = status.cgroup.as_deref().and_then(Group::at) {
            let usage = group.usage();
            (status.memory_peak, status.cpu_seconds) = (usage.memory_peak, usage.cpu_seconds);
            // It is empty. What stays is removed later.
            let _ = group.remove();
        }
        // A log that cannot be written keeps neither the result from being recorded nor the lane from being freed.
        if let Ok(mut log) = job.log_writer() {
            log.note(format!("the supervisor of the job died; {rest}"));
            let _ = log.finish();
            status.log_records = log.records();
        }
        let end = account.end(job.id());
        let end = end.unwrap_or_else(|| End::lost(job.id(), account.phase(), &rest));
        end.put_into(&mut status, job.directory());
        job.write_final_status(&status)?;
        job.make_durable(&self.spool)?;
        atomic::remove(&nothing_left(job))?;
        self.tidy(job, &status)
    }
}

/// By this file an operator says that nothing of a job is left that the runner cannot see.
fn nothing_left(job: &LockedJob) -> PathBuf {
    job.directory().join(NOTHING_LEFT)
}

/// Why a job keeps its slot of which nothing is seen.
fn hidden(job: &LockedJob) -> String {
    format!(
        "its supervisor died, and /proc hides from the runner what other accounts run (hidepid), so nobody knows whether \
         something of it is left; look as root: ps -eo pid,user,lstart,args. When nothing is, say so: touch {}. Until then \
         no other job gets its slot",
        nothing_left(job).display()
    )
}

/// Whether an error says that a file is missing or not what was written: what a power cut does to what was not synced.
fn is_damage(error: &Error) -> bool {
    error.is_not_found() || matches!(error, Error::Invalid { .. })
}

fn supervisor_of(status: &Status) -> Option<ProcessIdentity> {
    (status.boot_id.is_some() && status.boot_id == process::boot_id()).then_some(status.supervisor)?
}

/// What the log of a job tells of how it went. Without its plan there are no rules.
fn account(job: &LockedJob) -> Result<Account> {
    let mut account = job.plan().map_or_else(|_| Account::default(), |plan| Account::new(&plan));
    if let Some(mut reader) = LogReader::open(job.directory())? {
        reader.for_each_of(TYPES, |record| account.meet(&record))?;
    }
    Ok(account)
}

/// A status for a job whose own cannot be read.
fn blank_status(job_type: &str, plan: &Plan, queued_at: Time) -> Status {
    Status::starting(plan, job_type, vec!["(unknown)".to_owned()], queued_at)
}
