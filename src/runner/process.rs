//! The processes of `/proc` (proc(5)), and signals that cannot reach the wrong process.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal};

pub use crate::spool::process::boot_id;
use crate::spool::status::ProcessIdentity;
use crate::spool::submitter;

/// The variable that marks all processes of a job.
pub const MARKER_VARIABLE: &str = "SPIDERPIG_JOB_MARKER";

/// One line of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Which process.
    pub identity: ProcessIdentity,
    /// Its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session: the number of the process that leads it.
    pub session: i32,
    /// Whether it has ended and waits to be reaped.
    pub ended: bool,
}

impl Process {
    /// Looks up one process; `None` if it is gone.
    #[must_use]
    pub fn find(pid: i32) -> Option<Self> {
        // The command name stands in parentheses and may hold anything, parentheses included.
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse().ok();
        Some(Self {
            identity: ProcessIdentity { pid, start_time: fields.get(19)?.parse().ok()? },
            parent: number(1)?,
            group: number(2)?,
            session: number(3)?,
            // The first thread may have ended while others of the process live.
            ended: matches!(*fields.first()?, "Z" | "X") && number(17).is_none_or(|threads| threads <= 1),
        })
    }
}

/// This process.
#[must_use]
pub fn own_identity() -> ProcessIdentity {
    let pid = rustix::process::getpid().as_raw_pid();
    identity(pid).unwrap_or(ProcessIdentity { pid, start_time: 0 })
}

/// The identity of a process that is there now.
#[must_use]
pub fn identity(pid: i32) -> Option<ProcessIdentity> {
    Process::find(pid).map(|process| process.identity)
}

/// A descriptor of exactly this process, which becomes readable when it ends. `None` if it is gone already.
#[must_use]
pub fn open(identity: ProcessIdentity) -> Option<OwnedFd> {
    let pidfd = rustix::process::pidfd_open(Pid::from_raw(identity.pid)?, PidfdFlags::empty()).ok()?;
    // Only a look after the descriptor was opened is about its process.
    (self::identity(identity.pid)? == identity).then_some(pidfd)
}

/// A descriptor of a child of this process whose end was not collected, which becomes readable when it ends. It can be
/// had also of a child that `/proc` does not show.
#[must_use]
pub fn open_child(pid: i32) -> Option<OwnedFd> {
    rustix::process::pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// A process in words: its number and its account.
#[must_use]
pub fn describe(pid: i32) -> String {
    let owner = std::fs::metadata(format!("/proc/{pid}")).map(|metadata| metadata.uid());
    let account = owner.map_or_else(
        |_| "of another account".to_owned(),
        |uid| submitter::login_name(uid).unwrap_or_else(|| format!("uid {uid}")),
    );
    format!("{pid} ({account})")
}

/// Processes in words.
#[must_use]
pub fn list(pids: impl IntoIterator<Item = i32>) -> String {
    let described: Vec<String> = pids.into_iter().map(describe).collect();
    match described.as_slice() {
        [one] => format!("process {one}"),
        _ => format!("processes {}", described.join(", ")),
    }
}

/// Sends a signal to exactly this process.
///
/// # Errors
/// The account may not signal it. One that is gone is no error.
pub fn signal(identity: ProcessIdentity, signal: Signal) -> rustix::io::Result<()> {
    let Some(pidfd) = open(identity) else { return Ok(()) };
    match rustix::process::pidfd_send_signal(pidfd, signal) {
        Err(rustix::io::Errno::SRCH) => Ok(()),
        sent => sent,
    }
}

/// All processes that can be seen.
#[must_use]
pub fn table() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter_map(Process::find).collect()
}

/// The descendants of the given processes in a process table, with the given ones if `with_roots`. Leaves out
/// processes that have ended.
#[must_use]
pub fn descendants(table: &[Process], roots: &BTreeSet<i32>, with_roots: bool) -> Vec<ProcessIdentity> {
    let mut children: BTreeMap<i32, Vec<&Process>> = BTreeMap::new();
    for process in table {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found: Vec<ProcessIdentity> = Vec::new();
    if with_roots {
        found.extend(table.iter().filter(|p| roots.contains(&p.identity.pid) && !p.ended).map(|p| p.identity));
    }
    let mut seen = roots.clone();
    let mut open: Vec<i32> = roots.iter().copied().collect();
    while let Some(parent) = open.pop() {
        for process in children.get(&parent).into_iter().flatten() {
            if seen.insert(process.identity.pid) {
                open.push(process.identity.pid);
                if !process.ended {
                    found.push(process.identity);
                }
            }
        }
    }
    found
}

/// The children of these processes that `/proc` lists as such and shows no further: they are of another account, and
/// `hidepid` hides them (proc(5)).
#[must_use]
pub fn hidden_children(parents: impl IntoIterator<Item = i32>) -> BTreeSet<i32> {
    let threads = |pid| std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = parents.into_iter().flat_map(threads).filter_map(|thread| {
        // Some kernels do not have the file.
        std::fs::read_to_string(thread.path().join("children")).ok()
    });
    let numbers = |text: String| text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>();
    children.flat_map(numbers).filter(|pid| is_there(*pid) && Process::find(*pid).is_none()).collect()
}

/// Whether there is a process of this number, seen or not.
fn is_there(pid: i32) -> bool {
    let sent = Pid::from_raw(pid).map(rustix::process::test_kill_process);
    matches!(sent, Some(Ok(()) | Err(rustix::io::Errno::PERM)))
}

/// All processes of a job whose supervisor is gone: those with the marker in their environment, those in the session
/// of the command (unless its number belongs to another process now), those found before (their parents may have died
/// since), and all descendants of these.
#[must_use]
pub fn belonging(
    marker: &str,
    leader: Option<ProcessIdentity>,
    known: &BTreeSet<ProcessIdentity>,
) -> Vec<ProcessIdentity> {
    let table = table();
    let variable = format!("{MARKER_VARIABLE}={marker}");
    // The kernel gives the number of a session to no process as long as anybody is in that session.
    let session = leader.filter(|leader| identity(leader.pid).is_none_or(|there| there == *leader));
    let roots = table
        .iter()
        .filter(|process| {
            session
                .is_some_and(|leader| leader.pid == process.session && leader.start_time <= process.identity.start_time)
                || known.contains(&process.identity)
                || carries(process.identity.pid, variable.as_bytes())
        })
        .map(|process| process.identity.pid)
        .collect();
    descendants(&table, &roots, true)
}

fn carries(pid: i32, variable: &[u8]) -> bool {
    std::fs::read(Path::new("/proc").join(pid.to_string()).join("environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|entry| entry == variable))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_known_by_number_and_start_time() {
        let own = own_identity();
        assert_eq!(identity(own.pid), Some(own));
        assert!(open(own).is_some());
        assert!(open(ProcessIdentity { start_time: own.start_time + 1, ..own }).is_none());
        assert!(boot_id().is_some_and(|id| id.len() == 36));
    }

    #[test]
    fn what_carries_the_marker_is_found_with_its_descendants() {
        let mut shell = Command::new("sh")
            .args(["-c", "env -i setsid sleep 600 & echo ready; wait"])
            .env(MARKER_VARIABLE, "unit-test-1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut ready).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while belonging("unit-test-1", None, &BTreeSet::new()).len() < 2 {
            assert!(std::time::Instant::now() < deadline, "the child without an environment of its own is found too");
            std::thread::yield_now();
        }
        assert!(belonging("unit-test-10", None, &BTreeSet::new()).is_empty());
        for process in belonging("unit-test-1", None, &BTreeSet::new()) {
            signal(process, Signal::KILL).unwrap();
        }
        shell.wait().unwrap();
    }
}
