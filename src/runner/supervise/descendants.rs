//! The descendants of the supervisor: the command, its children, and processes that they left behind. As a child
//! subreaper
//! (prctl(2)) the supervisor becomes the parent of every orphan among them, so none can leave the tree.

use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Signal, WaitOptions, WaitStatus};

use super::journal::Journal;
use super::reach;
use crate::runner::cgroup::Group;
use crate::runner::process;
use crate::spool::log::Exit;
use crate::spool::status::ProcessIdentity;

/// The pause between the interrupt and the kill of processes that are left.
const LEFTOVER_GRACE: Duration = Duration::from_secs(2);
/// The pause between two kills of a process that does not die, because it is in an uninterruptible wait.
const KILL_AGAIN: Duration = Duration::from_secs(1);

/// Between the first two looks for something that is there and was not seen.
const UNSEEN_PAUSE: Duration = Duration::from_millis(1);
/// The time after which people are told that a process does not die: it hangs in the kernel.
const EXPLAIN_AFTER: Duration = Duration::from_secs(3);

/// All descendants of this process that have not ended.
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

/// Kills all descendants of this process, until a look finds no new ones: a process may fork meanwhile. Returns those
/// that cannot be signalled.
pub fn kill_all() -> BTreeSet<i32> {
    let mut met = BTreeSet::new();
    let mut refused = BTreeSet::new();
    loop {
        let fresh: Vec<_> = all().into_iter().filter(|process| !met.contains(&process.pid)).collect();
        if fresh.is_empty() {
            return refused;
        }
        for process in fresh {
            if process::signal(process, Signal::KILL).is_err() {
                refused.insert(process.pid);
            }
            met.insert(process.pid);
        }
    }
}

/// Stops processes that the command left behind: interrupts them, and kills them two seconds later. Returns when none
/// is left.
///
/// Whether something is, the kernel says for certain: every orphan of the tree becomes a child of this process, and a
/// control group is populated or not. The process table only says what there is to signal; who forks and ends while it is
/// read is not in it.
pub fn stop_leftovers(journal: &mut Journal, cgroup: Option<&Group>) {
    if !is_any_left(cgroup) {
        return;
    }
    let left = reach::left(cgroup);
    journal.note(format!("interrupted processes that the job left behind: {}", list(&left)));
    journal.flush();
    for process in left.iter().filter_map(|pid| process::identity(*pid)) {
        // A process that cannot be signalled is reported when it should be killed.
        let _ = process::signal(process, Signal::INT);
        let _ = process::signal(process, Signal::CONT);
    }
    let kill_at = Instant::now() + LEFTOVER_GRACE;
    let mut unseen = UNSEEN_PAUSE;
    while is_any_left(cgroup) && Instant::now() < kill_at {
        wait_for_an_end(kill_at, cgroup, &mut unseen);
    }
    if !is_any_left(cgroup) {
        return;
    }
    let left = reach::left(cgroup);
    journal.note(format!("killed processes that the job left behind, because they did not end: {}", list(&left)));
    journal.flush();
    let mut told = BTreeSet::new();
    let mut tell_at = Some(Instant::now() + EXPLAIN_AFTER);
    while is_any_left(cgroup) {
        let killed_whole = cgroup.is_some_and(|group| group.kill().is_ok());
        kill_all();
        let refused: BTreeSet<i32> = reach::left(None).into_iter().filter(|pid| reach::refuses(*pid)).collect();
        let beyond: BTreeSet<i32> = refused
            .into_iter()
            .filter(|pid| !(killed_whole && cgroup.is_some_and(|group| group.holds(*pid))))
            .collect();
        if !beyond.is_empty() && told != beyond {
            explain_refused(journal, &beyond);
            told = beyond;
        }
        wait_for_an_end(Instant::now() + KILL_AGAIN, cgroup, &mut unseen);
        if tell_at.take_if(|at| *at <= Instant::now()).is_some() && told.is_empty() {
            let left = list(&reach::left(cgroup));
            journal.explain(format!(
                "Cannot stop processes that the job left behind ({left}): they do not die; stop them by hand"
            ));
        }
        journal.refuse_letters();
        journal.flush();
    }
}

fn explain_refused(journal: &mut Journal, refused: &BTreeSet<i32>) {
    let whom = process::list(refused.iter().copied());
    let numbers = reach::numbers(refused.iter().copied());
    journal.explain(format!(
        "Cannot stop processes that the job left behind ({whom}): the runner's account may not signal them; as root: \
         kill -KILL {numbers}. The job ends and frees its lane after they have ended"
    ));
}

/// Notes processes that the command left behind and that continue. They still have the pipe, which is read no longer.
pub fn note_left_running(journal: &mut Journal, cgroup: Option<&Group>) {
    if is_any_left(cgroup) {
        let left = list(&reach::left(cgroup));
        journal.note(format!(
            "left processes of the job running (leftovers = \"leave\"): {left}. They still have the output of the \
             job, which nobody reads now: a process that prints dies by SIGPIPE. Start such processes with their \
             output redirected: >FILE 2>&1"
        ));
    }
}

fn is_any_left(cgroup: Option<&Group>) -> bool {
    // Both are called, because the first one collects ended children.
    let is_child_left = reap(0).1;
    is_child_left || cgroup.is_some_and(|group| group.is_populated().unwrap_or(true))
}

fn list(left: &BTreeSet<i32>) -> String {
    let numbers: Vec<String> = left.iter().map(i32::to_string).collect();
    match numbers.as_slice() {
        [] => "short-lived or invisible processes".to_owned(),
        [one] => format!("process {one}"),
        _ => format!("processes {}", numbers.join(", ")),
    }
}

/// Waits until a process that is left has ended, or until the deadline. If it sees none, it waits only for a moment,
/// and longer each time.
fn wait_for_an_end(deadline: Instant, cgroup: Option<&Group>, unseen: &mut Duration) {
    let children = process::hidden_children([process::own_identity().pid]);
    let seen = all().into_iter().filter_map(process::open);
    let descriptors: Vec<OwnedFd> = seen.chain(children.into_iter().filter_map(process::open_child)).collect();
    let mut polled: Vec<PollFd<'_>> =
        descriptors.iter().map(|pidfd| PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)).collect();
    let changes = cgroup.and_then(Group::changes);
    polled.extend(changes.iter().map(|events| PollFd::from_borrowed_fd(events.as_fd(), PollFlags::PRI)));
    let left = deadline.saturating_duration_since(Instant::now());
    let patience = if polled.is_empty() {
        *unseen = (*unseen * 2).min(KILL_AGAIN);
        left.min(*unseen)
    } else {
        left
    };
    let timeout = rustix::event::Timespec::try_from(patience).ok();
    // An interrupted wait only causes another look.
    let _ = rustix::event::poll(&mut polled, timeout.as_ref());
}
