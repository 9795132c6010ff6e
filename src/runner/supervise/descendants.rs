//! What descends from the supervisor: the command, its children, and what they left behind. As a child subreaper
//! (prctl(2)) the supervisor becomes the parent of every orphan among them, so none can leave the tree.

use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Signal, WaitOptions, WaitStatus};

use super::journal::Journal;
use crate::runner::process;
use crate::spool::log::Exit;
use crate::spool::status::ProcessIdentity;

/// Between the interrupt and the kill of what is left.
const LEFTOVER_GRACE: Duration = Duration::from_secs(2);
/// Between two kills of what does not die: a process in an uninterruptible wait.
const KILL_AGAIN: Duration = Duration::from_secs(1);

/// Everything that descends from this process and has not ended.
#[must_use]
pub fn all() -> Vec<ProcessIdentity> {
    let own = BTreeSet::from([process::own_identity().pid]);
    process::descendants(&process::table(), &own, false)
}

/// Collects every child that has ended. Returns how the given one ended, if it was among them, and whether any child
/// is left.
pub fn reap(command: i32) -> (Option<Exit>, bool) {
    let mut ended = None;
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid.as_raw_pid() == command => ended = Some(exit(status)),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return (ended, true),
            Err(_) => return (ended, false),
        }
    }
}

fn exit(status: WaitStatus) -> Exit {
    Exit { status: status.exit_status(), signal: status.terminating_signal() }
}

/// Kills everything that descends from this process, until a look finds nobody who was not killed before: a process may
/// fork while it is being looked for.
pub fn kill_all() {
    let mut killed = BTreeSet::new();
    loop {
        let fresh: Vec<_> = all().into_iter().filter(|process| !killed.contains(&process.pid)).collect();
        if fresh.is_empty() {
            return;
        }
        for process in fresh {
            send(process, Signal::KILL);
            killed.insert(process.pid);
        }
    }
}

/// A process that may not be signalled stays; the loops that wait for its end say so by not ending.
fn send(process: ProcessIdentity, signal: Signal) {
    let _ = process::signal(process, signal);
}

/// Stops what the command left behind: interrupted, two seconds later killed, until none is left. Returns when nothing
/// is.
pub fn stop_leftovers(journal: &mut Journal) {
    if !reap(0).1 {
        return;
    }
    let left = all();
    if left.is_empty() {
        return;
    }
    journal.note(format!("left behind by the job and interrupted: {}", list(&left)));
    journal.flush();
    for process in &left {
        send(*process, Signal::INT);
        send(*process, Signal::CONT);
    }
    wait_for_end(Instant::now() + LEFTOVER_GRACE);
    let left = all();
    if left.is_empty() {
        return;
    }
    journal.note(format!("left behind by the job and killed, as it did not end: {}", list(&left)));
    journal.flush();
    while !all().is_empty() {
        kill_all();
        wait_for_end(Instant::now() + KILL_AGAIN);
    }
}

fn list(processes: &[ProcessIdentity]) -> String {
    let numbers: Vec<String> = processes.iter().map(|process| process.pid.to_string()).collect();
    format!("{} {}", if numbers.len() == 1 { "process" } else { "processes" }, numbers.join(", "))
}

/// Waits until everything that descends from this process has ended, or until the deadline.
fn wait_for_end(deadline: Instant) {
    loop {
        reap(0);
        let descriptors: Vec<OwnedFd> = all().into_iter().filter_map(process::open).collect();
        let left = deadline.saturating_duration_since(Instant::now());
        if descriptors.is_empty() || left.is_zero() {
            return;
        }
        let mut polled: Vec<PollFd<'_>> =
            descriptors.iter().map(|pidfd| PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)).collect();
        let timeout = rustix::event::Timespec::try_from(left).ok();
        // An interrupted wait only means another look.
        let _ = rustix::event::poll(&mut polled, timeout.as_ref());
    }
}
