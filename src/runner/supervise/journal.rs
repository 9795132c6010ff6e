//! The state of a running job, and how it gets into the job's files.
//!
//! The journal is the only writer of `log.jsonl`, `output.log` and `status.json` while the job runs. It takes what the
//! decoder finds in the output, keeps the status in memory, and publishes it: at once when the state, the message or
//! the prompt changed, at most twenty times a second when only the progress did.
//!
//! [`questions`] handles the questions of the job, and [`letters`] the answers and signals in the inbox.

mod letters;
mod questions;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use super::prompts::{Asker, Prompts};
use super::quiet::Quiet;
use super::reach::Delivery;
use crate::protocol::{Message, Piece, Sink};
use crate::runner::cgroup::Usage;
use crate::runner::outcome::{Account, End, words};
use crate::spool::error::{Error, Result};
use crate::spool::inbox::{JobSignal, SignalRequest};
use crate::spool::job::{LockedJob, WrittenTo};
use crate::spool::log::{Cause, Exit, LogWriter, RecordKind};
use crate::spool::plan::Plan;
use crate::spool::status::{ProcessIdentity, State, Status};
use crate::spool::{Spool, queue};

/// The pause between two publications of progress alone.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);
/// After this a publication that failed is tried again, and one that used the room for a full disk is followed by another.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// The longest pause between two attempts to write the final status on a full disk.
const LAST_RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// How soon people must know of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Nothing,
    Soon,
    Now,
}

/// The journal of one job.
#[derive(Debug)]
pub struct Journal {
    spool: Spool,
    job: LockedJob,
    plan: Plan,
    log: LogWriter,
    status: Status,
    prompts: Prompts,
    urgency: Urgency,
    /// When the status may be written again.
    not_before: Instant,
    /// The disk took the last status only in the room that was set aside, or not at all: nothing is so urgent that it
    /// need not wait.
    crowded: bool,
    /// The account that tells how the job ended.
    account: Account,
    quiet: Quiet,
    /// Letters that could not be read and were reported.
    unreadable: BTreeSet<OsString>,
    /// The command has ended.
    ended: bool,
    /// Signals that were delivered, in case their letters cannot be removed.
    acted_on: BTreeSet<OsString>,
    full: bool,
}

impl Journal {
    /// Opens the log of a job.
    ///
    /// # Errors
    /// The log cannot be opened.
    pub fn open(spool: &Spool, job: LockedJob, plan: Plan, status: Status) -> Result<Self> {
        let log = job.log_writer()?;
        let account = Account::new(&plan);
        let quiet = Quiet::new(plan.quiet_after_ms.map(Duration::from_millis), Instant::now());
        Ok(Self {
            spool: spool.clone(),
            job,
            plan,
            log,
            status,
            prompts: Prompts::default(),
            urgency: Urgency::Nothing,
            not_before: Instant::now(),
            crowded: false,
            account,
            quiet,
            unreadable: BTreeSet::new(),
            ended: false,
            acted_on: BTreeSet::new(),
            full: false,
        })
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The status, to be changed before the command starts; [`Journal::publish_now`] shows it.
    pub fn status_mut(&mut self) -> &mut Status {
        &mut self.status
    }

    /// The command runs as this process. The status says so a moment later, because most short jobs have ended by then.
    pub fn set_process(&mut self, process: ProcessIdentity, now: Instant) {
        self.status.process = Some(process);
        self.quiet.hear(now);
        self.not_before = now + PROGRESS_INTERVAL;
        self.changed(Urgency::Soon);
    }

    /// **The start group**: makes the claim durable, then takes the job out of the queue.
    ///
    /// # Errors
    /// Something cannot be written or synced.
    pub fn commit_start(&mut self) -> Result<()> {
        self.publish_now()?;
        self.job.make_durable(&self.spool)?;
        queue::remove(&self.spool, self.status.id)
    }

    /// Adds a remark to the log.
    pub fn note(&mut self, note: impl Into<String>) {
        self.log.note(note);
    }

    /// Adds a record to the log and to the account.
    fn record(&mut self, record: &RecordKind) {
        self.account.meet(record);
        self.log.record(record);
    }

    /// Writes the collected records. After an error the next turn tries again, and the job continues.
    pub fn flush(&mut self) {
        let _ = self.log.flush();
    }

    /// Writes the status.
    ///
    /// # Errors
    /// The status cannot be written.
    pub fn publish_now(&mut self) -> Result<()> {
        self.flush();
        self.status.log_records = self.log.records();
        self.status.dropped_bytes = self.log.dropped();
        let written = self.job.write_status(&self.status);
        self.crowded = !matches!(written, Ok(WrittenTo::NewFile));
        written.map(|_| ())
    }

    /// Writes the status if it is time to.
    pub fn publish(&mut self, now: Instant) {
        let due = match self.urgency {
            Urgency::Nothing => return,
            Urgency::Now if !self.crowded => true,
            Urgency::Now | Urgency::Soon => now >= self.not_before,
        };
        if !due {
            return;
        }
        // A full disk: neither spin on it nor forget.
        self.urgency = if self.publish_now().is_ok() { Urgency::Nothing } else { Urgency::Soon };
        self.not_before = now + if self.crowded { RETRY_INTERVAL } else { PROGRESS_INTERVAL };
    }

    /// The next deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let status = match self.urgency {
            Urgency::Nothing => None,
            Urgency::Now if !self.crowded => Some(Instant::now()),
            Urgency::Now | Urgency::Soon => Some(self.not_before),
        };
        [status, self.prompts.deadline(), self.quiet.deadline()].into_iter().flatten().min()
    }

    fn changed(&mut self, urgency: Urgency) {
        self.urgency = self.urgency.max(urgency);
    }

    fn refresh_state(&mut self) {
        self.status.state = match (self.prompts.is_open(), self.account.is_stopped()) {
            (true, _) => State::Waiting,
            (false, true) => State::Stopping,
            (false, false) => State::Running,
        };
        if self.prompts.is_open() || self.ended {
            self.quiet.pause();
            self.status.quiet_since = None;
        } else {
            self.quiet.go_on(Instant::now());
        }
        self.changed(Urgency::Now);
    }

    /// Records a signal before it is delivered, and closes the prompt that it overtakes.
    pub fn record_signal(&mut self, request: &SignalRequest, now: Instant) {
        self.record(&RecordKind::Signal { user: request.user.clone(), signal: request.signal.word().to_owned() });
        self.stop(now);
    }

    /// Records that the job is stopped because it took too long.
    pub fn record_time_limit(&mut self, limit: Duration, now: Instant) {
        let note = format!("the time limit of {} is reached; interrupting the job", words::duration(limit));
        self.record(&RecordKind::Note { note, cause: Some(Cause::TimeLimit) });
        self.stop(now);
    }

    /// Records that the job is killed because it did not stop when it took too long.
    pub fn record_time_limit_kill(&mut self, now: Instant) {
        let note = "the job did not stop in time; killing it".to_owned();
        self.record(&RecordKind::Note { note, cause: Some(Cause::TimeLimit) });
        self.stop(now);
    }

    /// Records which processes the last signal did not reach. A signal that reached none stopped none.
    pub fn record_delivery(&mut self, what: &str, signal: JobSignal, delivery: &Delivery, has_cgroup: bool) {
        let complaint = delivery.complaint(what, signal, has_cgroup);
        if let Some(note) = complaint.clone() {
            let cause = if delivery.reached { Cause::StopPartlyRefused } else { Cause::StopRefused };
            self.record(&RecordKind::Note { note, cause: Some(cause) });
            self.refresh_state();
        }
        if self.status.stop_refused != complaint {
            self.status.stop_refused = complaint;
            self.changed(Urgency::Now);
        }
    }

    /// Records the resources that the job has used.
    pub fn record_usage(&mut self, usage: Usage) {
        (self.status.memory_peak, self.status.cpu_seconds) = (usage.memory_peak, usage.cpu_seconds);
    }

    fn stop(&mut self, now: Instant) {
        self.prompts.interrupt(now);
        self.status.interaction = None;
        self.refresh_state();
    }

    /// Tells people in the status why the job does not end.
    pub fn explain(&mut self, message: String) {
        self.note(message.clone());
        self.tell(Some(message));
    }

    /// Replaces the message in the status by one that is not the job's own.
    pub fn tell(&mut self, message: Option<String>) {
        self.status.message = message;
        self.changed(Urgency::Now);
        self.publish(Instant::now());
    }

    /// The job has printed something.
    pub fn hear_output(&mut self, now: Instant) {
        self.quiet.hear(now);
        if self.status.quiet_since.take().is_some() {
            self.changed(Urgency::Now);
        }
    }

    /// Tells people if the job has been quiet for long, once each time.
    pub fn watch_quiet(&mut self, now: Instant) {
        if let Some(silence) = self.quiet.notice(now) {
            self.note(format!("no output for {}", words::duration(silence.length)));
            self.status.quiet_since = Some(silence.since);
            self.changed(Urgency::Now);
        }
    }

    /// Records why the command was not executed.
    pub fn record_not_started(&mut self, reason: &str) {
        let note = format!("could not be executed: {reason}");
        self.record(&RecordKind::Note { note, cause: Some(Cause::NotStarted) });
        self.record_exit(Exit { status: None, signal: None });
    }

    /// Adds the record of how the command ended.
    pub fn record_exit(&mut self, exit: Exit) {
        self.record(&RecordKind::Exit(exit));
        self.flush();
    }

    /// Ends the job as its account tells: the log is made durable, then the final status becomes visible.
    ///
    /// # Errors
    /// The final status cannot be written; recovery makes it from the log.
    pub fn finish(&mut self) -> Result<()> {
        match self.account.end(self.status.id) {
            Some(end) => self.finish_with(end),
            None => Err(Error::invalid(self.job.directory(), "its command has not ended")),
        }
    }

    /// Ends the job with this end. Only this process knows it, so on a full disk it waits until there is space.
    ///
    /// # Errors
    /// The final status cannot be written for any other reason.
    pub fn finish_with(&mut self, end: End) -> Result<()> {
        if self.log.sync().is_err() {
            // The reserved space is needed no longer, so the last records of the log get it.
            self.job.release_spare();
            self.log.drop_output_lines();
        }
        // A log that is cut short on a full disk does not keep the result from being recorded.
        let _ = self.log.finish();
        end.put_into(&mut self.status, self.job.directory());
        self.status.log_records = self.log.records();
        self.status.dropped_bytes = self.log.dropped();
        let mut pause = RETRY_INTERVAL;
        loop {
            match self.job.write_final_status(&self.status) {
                Err(error) if error.is_disk_full_or_read_only() => {
                    std::thread::sleep(pause);
                    pause = LAST_RETRY_INTERVAL.min(pause * 2);
                }
                written => return written,
            }
        }
    }

    /// Makes a final status that was written before the start group as durable as that group would.
    ///
    /// # Errors
    /// Something cannot be synced or removed.
    pub fn commit_unstarted(&mut self) -> Result<()> {
        self.job.make_durable(&self.spool)?;
        queue::remove(&self.spool, self.status.id)
    }
}

impl Sink for Journal {
    fn piece(&mut self, piece: Piece<'_>) {
        if self.log.size() >= self.plan.max_log {
            if !std::mem::replace(&mut self.full, true) {
                let limit = self.plan.max_log;
                self.note(format!("the log has reached {limit} bytes (max_log); further output is not kept"));
            }
            self.log.drop_output(piece.text.len());
            return;
        }
        self.log.text(piece);
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Status(status) => {
                self.status.message.clone_from(&status);
                self.status.progress = None;
                self.record(&RecordKind::Status { status });
                self.changed(Urgency::Now);
            }
            Message::Progress(progress) => {
                self.record(&RecordKind::Progress { progress: progress.clone() });
                self.status.progress = Some(progress);
                self.changed(Urgency::Soon);
            }
            Message::Interaction(prompt) => self.ask(Asker::Job, prompt),
            Message::Note(note) => self.note(note),
            Message::LostQuestion(reason) => self.warn_of_unasked(&reason),
        }
    }
}
