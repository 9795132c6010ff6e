//! Recovers jobs without a supervisor: the recovery table of the layout, row by row.
//!
//! The lock tells whether a supervisor lives: if it is free and the status is not final, the supervisor died. All
//! decisions depend only on the files under that lock, so recovering a job twice changes nothing.

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
use crate::spool::open::{Checked, JOB_LIMIT};
use crate::spool::plan::Plan;
use crate::spool::queue;
use crate::spool::status::{ProcessIdentity, State, Status};
use crate::spool::{JobId, Time, atomic};

impl Daemon {
    /// Adopts a job if its supervisor lives. Otherwise takes the next step of its recovery.
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
            // Its supervisor has made everything durable, and has cleaned up.
            return self.tidy(&job, status);
        }
        if let Ok(Some(status)) = &status
            && !status.state.is_final()
            && job.is_copy()
        {
            return self.end_copy(&job, status.clone());
        }
        // First, before an error can happen: no other job may get its slot while it is not final.
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
                _ if never_executed => return self.undo_claim(job),
                Err(error) if is_missing_or_damaged(error) => return self.undo_claim(job),
                // They may be valid, but cannot be read now.
                Err(_) => return documents.map(|_| ()),
                Ok(_) => {}
            }
            self.remove_or_reject_queued(&job)?;
        }
        match status {
            Ok(Some(status)) if status.state.is_final() => {
                // It is unknown what its supervisor has synced.
                job.make_durable(&self.spool)?;
                self.tidy(&job, &status)
            }
            _ if never_executed => self.make_startable(&job, &documents?),
            status => self.stop_what_is_left(job, status.ok().flatten().as_ref()),
        }
    }

    /// The lock of `jobs/N` is held, so its supervisor lives. Keeps its slot, and waits for its end.
    fn adopt(&mut self, id: JobId) -> Result<()> {
        let job = Job::new(&self.spool, id);
        let plan = job.plan();
        let status = job.status();
        self.hold_slot(id, plan.as_ref().ok(), status.as_ref().ok().and_then(Option::as_ref));
        let status = status?;
        let end = status.as_ref().and_then(supervisor_of).and_then(process::open);
        let Some(end) = end else {
            // Its first status identifies it. A hint follows, when it removes queue/N.json.
            self.jobs.set(id, Phase::LedByUnknown);
            self.schedule.look_again_soon();
            return Ok(());
        };
        info!(job = %id, "adopted");
        self.jobs.supervisor_adopted(id);
        self.events.spawn(async move {
            // If waiting fails, the lock tells whether it lives.
            let _ = readable::wait(end).await;
            Event::LeaderEnded(id, Ended::Unknown)
        });
        Ok(())
    }

    fn hold_slot(&mut self, id: JobId, plan: Option<&Plan>, status: Option<&Status>) {
        match (plan, status) {
            (Some(Plan { lane, slot: Some(slot), user, .. }), _) => self.lanes.assign(lane, *slot, id, user),
            (None, Some(status)) => self.lanes.block(&status.lane, id),
            // A job that was claimed only to be cancelled; or damage, which is reported elsewhere.
            (Some(_) | None, _) => {}
        }
    }

    /// The claim was not durable and the command was not executed: moves the job back to the queue.
    fn undo_claim(&mut self, job: LockedJob) -> Result<()> {
        let id = job.id();
        info!(job = %id, "the claim was not durable; the job waits again");
        job.undo_claim(&self.spool)?;
        atomic::remove(&self.spool.running_link(id))?;
        self.jobs.remove(id);
        self.lanes.release(id);
        self.schedule.look_at_drops();
        Ok(())
    }

    /// Removes a file of the queue with the number of a finished job, if it is the same file; else rejects it.
    pub(super) fn remove_or_reject_finished(&mut self, id: JobId) -> Result<()> {
        if Job::new(&self.spool, id).exists() {
            // Another process may hold the lock for a moment; the next look finds the file again.
            let job = LockedJob::try_lock(&self.spool, id)?;
            return job.map_or(Ok(()), |job| self.remove_or_reject_queued(&job));
        }
        self.reject(id, &format!("the number {id} was used before, by a job that is finished"))
    }

    /// Removes a file of the queue with the number of a started job, if it is the same file; else rejects it.
    fn remove_or_reject_queued(&mut self, job: &LockedJob) -> Result<()> {
        let id = job.id();
        job.make_durable(&self.spool)?;
        let queued = match open::read_checked(&self.spool.queued(id), JOB_LIMIT)? {
            Checked::File(opened) => Some(opened.bytes),
            Checked::Gone => return Ok(()),
            Checked::Refused(_) => None,
        };
        if queued.is_some() && queued == job.request_bytes()? {
            return queue::remove(&self.spool, id);
        }
        self.reject(id, &format!("the number {id} was used before, by another job"))
    }

    /// The job was claimed durably and never executed: it waits for its lane, or for a signal that cancels it.
    fn make_startable(&mut self, job: &LockedJob, plan: &Plan) -> Result<()> {
        if job.status()?.is_none() {
            let request = job.request()?;
            job.write_status(&blank_status(&request.job_type, plan, request.submitted_at))?;
        }
        // The daemon now reads signals that its supervisor would have read.
        self.schedule.look_at_drops();
        self.jobs.set(job.id(), Phase::Startable { lane: plan.lane.clone() });
        Ok(())
    }

    /// The supervisor died after the start: all processes of the job must end before its lane is used again.
    fn stop_what_is_left(&mut self, job: LockedJob, status: Option<&Status>) -> Result<()> {
        let id = job.id();
        let plan = job.plan().ok();
        let marker = status.and_then(|status| status.marker.clone());
        let Some(marker) = marker.or_else(|| plan.as_ref().map(|plan| plan.marker.clone())) else {
            let damage = "neither status.json nor plan.json can be read, so the runner cannot find the processes of \
                          the job; stop them by hand, then write a final status.json or remove the directory";
            return Err(Error::invalid(job.directory(), damage));
        };
        warn!(job = %id, "its supervisor died; stopping its processes");
        self.jobs.set(id, Phase::BeingStopped);
        // After a reboot, process numbers are invalid and all groups are gone.
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

    /// No process of the job is left: its `exit` record tells its end, or the end is unknown.
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

    /// Ends a job in a copied directory. Its processes belong to the original directory, so the runner leaves them
    /// alone. Its end is known only if it had ended before the copy.
    fn end_copy(&mut self, job: &LockedJob, mut status: Status) -> Result<()> {
        let id = job.id();
        let alone = "its directory is a copy of the one in which it was started; the runner leaves its processes alone";
        warn!(job = %id, "{alone}");
        let account = account(job)?;
        let end = account.end(id).unwrap_or_else(|| End::copied(id, account.phase()));
        if let Ok(mut log) = job.log_writer() {
            log.note(
                "this directory is a copy of the one in which the job was started; the runner leaves its processes \
                 alone",
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
                "; it had no control group of its own, so the runner cannot recognise processes that it started under \
                 another account and in another session"
            }
            Proof::Hidden => {
                "; processes of other accounts cannot be seen here (hidepid), and an operator has confirmed that none \
                 is left"
            }
        };
        let rest = match stopped.count {
            0 => "no process of it was left".to_owned(),
            1 => "1 process of it was left and was stopped".to_owned(),
            count => format!("{count} processes of it were left and were stopped"),
        };
        let rest = rest + unseen;
        if let Some(group) = status.cgroup.as_deref().and_then(Group::at) {
            let usage = group.usage();
            (status.memory_peak, status.cpu_seconds) = (usage.memory_peak, usage.cpu_seconds);
            // It is empty. If the removal fails, a rescan tries again.
            let _ = group.remove();
        }
        // Even without a writable log, the result is recorded and the lane is freed.
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

/// The file by which an operator confirms that no invisible process of a job is left.
fn nothing_left(job: &LockedJob) -> PathBuf {
    job.directory().join(NOTHING_LEFT)
}

/// Why a job keeps its slot although the runner sees no process of it.
fn hidden(job: &LockedJob) -> String {
    format!(
        "its supervisor died, and the runner cannot see processes of other accounts (hidepid), so some may be left; \
         look as root: ps -eo pid,user,lstart,args. If none is left, confirm that: touch {}. No other job gets the \
         slot until then",
        nothing_left(job).display()
    )
}

/// Whether a file is missing or damaged, as after a power cut before a sync.
fn is_missing_or_damaged(error: &Error) -> bool {
    error.is_not_found() || matches!(error, Error::Invalid { .. })
}

fn supervisor_of(status: &Status) -> Option<ProcessIdentity> {
    (status.boot_id.is_some() && status.boot_id == process::boot_id()).then_some(status.supervisor)?
}

/// Reads the account of a job from its log. Without its plan there are no rules.
fn account(job: &LockedJob) -> Result<Account> {
    let mut account = job.plan().map_or_else(|_| Account::default(), |plan| Account::new(&plan));
    if let Some(mut reader) = LogReader::open(job.directory())? {
        reader.for_each_of(TYPES, |record| account.meet(&record))?;
    }
    Ok(account)
}

/// A status for a job whose status cannot be read.
fn blank_status(job_type: &str, plan: &Plan, queued_at: Time) -> Status {
    Status::starting(plan, job_type, vec!["(unknown)".to_owned()], queued_at)
}
