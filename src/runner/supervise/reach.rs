//! Sends a signal to all processes of a job, and finds out which ones it did not reach: a job may have processes of
//! another account (`sudo`), which the supervisor's account may not signal.

use std::collections::BTreeSet;

use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use super::descendants;
use crate::runner::cgroup::Group;
use crate::runner::process;
use crate::runner::process::Process;
use crate::spool::inbox::JobSignal;

/// The result of a signal.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Some process got it.
    pub reached: bool,
    /// The processes that cannot be signalled.
    pub refused: BTreeSet<i32>,
}

impl Delivery {
    /// Which processes the signal did not reach, and what to do: a sentence for people. `None` if it reached all.
    #[must_use]
    pub fn complaint(&self, what: &str, signal: JobSignal, has_cgroup: bool) -> Option<String> {
        let refused = self.refused.iter().copied();
        if self.refused.is_empty() {
            return None;
        }
        let goes_on = if self.reached { "that part of the job continues" } else { "the job continues" };
        let way_out = match signal {
            JobSignal::Interrupt if has_cgroup => "a kill reaches it".to_owned(),
            JobSignal::Interrupt => format!("as root: kill -INT {}", numbers(refused.clone())),
            JobSignal::Kill => format!("as root: kill -KILL {}", numbers(refused.clone())),
        };
        let whom = process::list(refused);
        Some(format!("{what} did not reach {whom}, which the runner's account may not signal: {goes_on}; {way_out}"))
    }
}

/// Process numbers as `kill` takes them.
pub fn numbers(pids: impl IntoIterator<Item = i32>) -> String {
    pids.into_iter().map(|pid| pid.to_string()).collect::<Vec<_>>().join(" ")
}

/// Interrupts all of a job: each process group once, as many programs take a second interrupt for "at once".
///
/// The command's own group is there as long as the command's end was not collected. That of `timeout(1)` is another one,
/// and so is each that a shell with job control makes.
pub fn interrupt(command: i32, cgroup: Option<&Group>) -> Delivery {
    let members = members(command, cgroup);
    let mut groups = BTreeSet::from([command]);
    groups.extend(members.iter().filter_map(|pid| group_of(*pid)));
    if let Some(own) = group_of(process::own_identity().pid) {
        groups.remove(&own);
    }
    // The receiver may end a moment later.
    let mut delivery = ask(&members);
    let mut sent = false;
    for group in groups {
        sent |= send(group, Signal::INT) == Ok(());
        // A stopped process does not see the interrupt before it goes on.
        let _ = send(group, Signal::CONT);
    }
    delivery.reached &= sent;
    delivery
}

/// Kills all of a job.
pub fn kill(command: i32, cgroup: Option<&Group>) -> Delivery {
    let killed_whole = cgroup.filter(|group| group.kill().is_ok());
    let mut delivery = ask(&members(command, cgroup));
    let _ = send(command, Signal::KILL);
    delivery.refused.extend(descendants::kill_all());
    // The kernel kills all processes in the group, of any account.
    delivery.refused.retain(|pid| refuses(*pid) && killed_whole.is_none_or(|group| !group.holds(*pid)));
    delivery.reached |= killed_whole.is_some();
    delivery
}

/// The processes of a job while its command's end was not collected.
fn members(command: i32, cgroup: Option<&Group>) -> BTreeSet<i32> {
    let mut members = left(cgroup);
    members.insert(command);
    members
}

/// All processes of a job: the descendants of this process, and those in its group.
pub fn left(cgroup: Option<&Group>) -> BTreeSet<i32> {
    let mut left: BTreeSet<i32> = descendants::all().into_iter().map(|process| process.pid).collect();
    left.extend(process::hidden_children(left.iter().copied().chain([process::own_identity().pid])));
    left.extend(cgroup.map(Group::processes).unwrap_or_default());
    left
}

/// Which processes can be signalled now, and which cannot.
fn ask(members: &BTreeSet<i32>) -> Delivery {
    let mut delivery = Delivery::default();
    for pid in members {
        match Pid::from_raw(*pid).map(rustix::process::test_kill_process) {
            Some(Ok(())) => delivery.reached |= Process::find(*pid).is_some_and(|process| !process.ended),
            Some(Err(Errno::PERM)) => drop(delivery.refused.insert(*pid)),
            _ => {}
        }
    }
    delivery
}

/// Whether a process is there that this account may not signal.
pub fn refuses(pid: i32) -> bool {
    Pid::from_raw(pid).map(rustix::process::test_kill_process) == Some(Err(Errno::PERM))
}

fn group_of(pid: i32) -> Option<i32> {
    // The system call tells it of every process, also where `/proc` does not.
    rustix::process::getpgid(Some(Pid::from_raw(pid)?)).ok().map(Pid::as_raw_pid)
}

fn send(group: i32, signal: Signal) -> rustix::io::Result<()> {
    Pid::from_raw(group).map_or(Err(Errno::SRCH), |group| rustix::process::kill_process_group(group, signal))
}
