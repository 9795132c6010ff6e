//! From the claim to the executed command, or to a job that was cancelled before it started.

use std::ffi::CString;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::protocol::{Decoder, IoKey};
use crate::runner::cgroup::Group;
use crate::runner::hints::Hints;
use crate::runner::outcome::End;
use crate::runner::process;
use crate::shortage;
use crate::shortage::Shortage;
use crate::spool::error::{Error, Result};
use crate::spool::inbox;
use crate::spool::inbox::{Letter, Purpose, Reading, Recipient, SignalRequest};
use crate::spool::job::LockedJob;
use crate::spool::lock::JobLock;
use crate::spool::plan::Plan;
use crate::spool::status::State;
use crate::spool::{JobId, Spool, Time};

use super::command;
use super::command::{Refusal, Running};
use super::helpers::Helpers;
use super::journal::Journal;
use super::leader::Leader;
use super::stdin::JobInput;

/// The exit status of a supervisor that could not begin because of a shortage (sysexits.h: `EX_TEMPFAIL`). The runner
/// tries again, and does not count this attempt.
pub const SHORTAGE_STATUS: u8 = 75;

/// The exit status that tells the runner of an error.
#[must_use]
pub fn exit_status(error: &Error) -> u8 {
    match error {
        Error::Io { source, .. } if shortage::words(source).is_some() => SHORTAGE_STATUS,
        _ => 1,
    }
}

/// The locks that the runner passed on.
#[derive(Debug)]
pub struct Inherited {
    job: OwnedFd,
    /// Held until this process ends. None for a job that was claimed only to be cancelled.
    slot: Option<OwnedFd>,
}

impl Inherited {
    /// Takes over the descriptors with these numbers, and keeps them from being passed on to the command.
    ///
    /// # Errors
    /// A number is not that of an open descriptor: this process was not started by a runner.
    pub fn take(job: RawFd, slot: Option<RawFd>) -> Result<Self> {
        Ok(Self { job: take_descriptor(job)?, slot: slot.map(take_descriptor).transpose()? })
    }
}

fn take_descriptor(number: RawFd) -> Result<OwnedFd> {
    let path = Path::new("the inherited lock");
    let standard_streams = 0..=2;
    if number < 0 || standard_streams.contains(&number) {
        return Err(Error::invalid(path, "only the runner can start `supervise`"));
    }
    #[expect(unsafe_code, reason = "the number of an inherited descriptor has to become an owner once")]
    // SAFETY: called once per number, first thing in the process, before anything else could own it; a number that is
    // not open is found by the next call and never used.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    match rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC) {
        Ok(()) => Ok(descriptor),
        Err(error) => {
            // Closing a number that is not open would be an error of its own.
            std::mem::forget(descriptor);
            Err(Error::io("take over", path, error))
        }
    }
}

/// Leads job `id` from its claim to its end. Returns when its final status is durable.
///
/// # Errors
/// The job could not be started, and its status still says `starting`, so that the runner may try again; or its end
/// could not be recorded, and recovery does it.
pub fn run(spool: &Spool, id: JobId, inherited: Inherited) -> Result<()> {
    leave_the_runner(id)?;
    let Inherited { job, slot } = inherited;
    let job = LockedJob::inherited(spool, JobLock::inherited(id, job));
    let plan = job.plan()?;
    let Some(status) = job.status()? else {
        return Err(Error::invalid(job.directory(), "there is no status.json"));
    };
    let prefix = format!("{id}.");
    let hints = Hints::new(&[&spool.inbox()], plan.watch, move |path| {
        path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
    })?;
    let stop = first_signal(spool, id, &plan)?;
    let mut journal = Journal::open(spool, job, plan, status)?;
    match stop {
        Some((letter, request)) => cancel(&mut journal, letter, &request),
        // The signal for which it was claimed is gone; the runner starts it when its lane has room.
        None if slot.is_none() => Ok(()),
        None => start(journal, hints),
    }
}

/// A session of its own, and the adoption of every orphan of the job: what ends the runner, its terminal or its service must not end a deployment.
fn leave_the_runner(id: JobId) -> Result<()> {
    let this = Path::new("this process");
    if let Ok(name) = CString::new(format!("supervise-{id}")) {
        // The name in `top` and in the kernel's messages; the program was started as /proc/self/exe.
        let _ = rustix::thread::set_name(&name);
    }
    // A process that leads a group cannot begin a session. Then it is not in a shell's job either.
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| Error::io("become the subreaper of", this, error))
}

fn first_signal(spool: &Spool, id: JobId, plan: &Plan) -> Result<Option<(Letter, SignalRequest)>> {
    for letter in inbox::for_job(spool, id)? {
        if matches!(letter.recipient, Recipient::Job(_, Purpose::Signal))
            // The log reports an unreadable one, as soon as there is a log.
            && let Ok(Reading::Valid(request)) = inbox::read::<SignalRequest>(spool, &letter, &plan.trusted_submitters)
        {
            return Ok(Some((letter, request)));
        }
    }
    Ok(None)
}

fn cancel(journal: &mut Journal, letter: Letter, request: &SignalRequest) -> Result<()> {
    journal.record_signal(request, std::time::Instant::now());
    journal.finish_with(End::cancelled(journal.plan().id, &request.user))?;
    journal.commit_unstarted()?;
    journal.signal_delivered(letter);
    Ok(())
}

fn start(mut journal: Journal, hints: Hints) -> Result<()> {
    if let Some(trouble) = hints.trouble() {
        journal.note(format!("answers and signals may take 1 s: {trouble}"));
    }
    let status = journal.status_mut();
    status.state = State::Running;
    status.started_at = Some(Time::now());
    status.boot_id = process::boot_id();
    status.supervisor = Some(process::own_identity());
    let cgroup = make_group(&mut journal);
    if let Err(error) = journal.commit_start() {
        return give_up(&mut journal, &format!("its start could not be made durable: {error}"));
    }
    let key = match IoKey::generate() {
        Ok(key) => key,
        Err(error) => return give_up(&mut journal, &format!("cannot make a random key: {error}")),
    };
    let (helpers, socket) = listen_for_helpers(&key, &mut journal);
    match execute(&key, socket.as_deref(), cgroup, &mut journal, &hints) {
        Ok(Executed::Running(running)) => {
            Leader::new(journal, hints, Decoder::new(key), helpers, running).lead().finish()
        }
        Ok(Executed::Stopped(letter, request)) => {
            journal.status_mut().started_at = None;
            cancel(&mut journal, letter, &request)
        }
        Err(reason) => give_up(&mut journal, &reason),
    }
}

/// Opens the socket for helpers. Returns it with its name.
fn listen_for_helpers(key: &IoKey, journal: &mut Journal) -> (Helpers, Option<String>) {
    match Helpers::listen(key) {
        Ok((helpers, socket)) => (helpers, Some(socket)),
        Err(error) => {
            journal.note(format!(
                "helpers can ask only through the job's standard input, because their socket cannot be made: {error}"
            ));
            (Helpers::none(), None)
        }
    }
}

fn give_up(journal: &mut Journal, reason: &str) -> Result<()> {
    journal.record_not_started(reason);
    journal.finish()?;
    journal.commit_unstarted()
}

/// Makes the control group of the job, if it is to have one. Without it the job runs as well.
fn make_group(journal: &mut Journal) -> Option<Group> {
    let path = journal.plan().cgroup.clone()?;
    match Group::make(&path) {
        Ok(group) => {
            journal.status_mut().cgroup = Some(path);
            Some(group)
        }
        Err(error) => {
            journal.note(format!("the job has no control group of its own: {}: {error}", path.display()));
            None
        }
    }
}

/// The result of executing the command.
enum Executed {
    Running(Running),
    /// There was no process for it until somebody did not want it any more.
    Stopped(Letter, SignalRequest),
}

/// Executes the command. As long as the system has no process for it, tries again: nothing was executed, and the job is not
/// to blame.
fn execute(
    key: &IoKey,
    socket: Option<&str>,
    mut cgroup: Option<Group>,
    journal: &mut Journal,
    hints: &Hints,
) -> Result<Executed, String> {
    let mut shortage: Option<Shortage> = None;
    loop {
        match command::execute(journal.plan(), key, socket, cgroup.as_ref()) {
            Ok(running) => {
                if shortage.is_some() {
                    journal.note("the command was executed after all");
                    journal.tell(None);
                }
                return Ok(Executed::Running(running));
            }
            Err(Refusal::Final(reason)) => {
                remove(cgroup.as_ref());
                return Err(reason);
            }
            Err(Refusal::NoEntry) => {
                journal.note("the job has no control group of its own: the command cannot enter it");
                journal.status_mut().cgroup = None;
                remove(cgroup.take().as_ref());
            }
            Err(Refusal::ForNow(words)) => {
                let next = Shortage::after(shortage.as_ref(), words);
                if shortage.is_none() {
                    journal.note(next.to_string());
                }
                journal.tell(Some(next.to_string()));
                if let Some((letter, request)) = stop_before(next.until(), journal, hints) {
                    remove(cgroup.as_ref());
                    return Ok(Executed::Stopped(letter, request));
                }
                shortage = Some(next);
            }
        }
    }
}

/// Removes a group that nothing has entered. One that stays is removed by the runner, later.
fn remove(cgroup: Option<&Group>) {
    let _ = cgroup.map(Group::remove);
}

/// Waits until `deadline`, or until somebody stops the job.
fn stop_before(deadline: Instant, journal: &mut Journal, hints: &Hints) -> Option<(Letter, SignalRequest)> {
    loop {
        let _ = hints.clear();
        let stop = journal.read_inbox(&mut JobInput::closed(), &mut Helpers::none()).into_iter().next();
        journal.flush();
        if stop.is_some() {
            return stop;
        }
        let left = deadline.checked_duration_since(Instant::now())?;
        let timeout = Timespec::try_from(hints.rescan(left)).ok();
        // An interrupted wait only causes another look.
        let _ = rustix::event::poll(&mut [PollFd::new(hints, PollFlags::IN)], timeout.as_ref());
    }
}
