//! The control group of a job (cgroups(7), version 2). It contains all processes that the command starts, of any
//! account, session or parent. So the kernel can kill all of them at once, and knows whether one is left.
//!
//! [`parent`] finds the place for such groups. Jobs also run without one: [`descendants`](super::supervise) and
//! [`stop`](super::stop) stop them then.

pub mod parent;

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags};

use crate::spool::JobId;

/// A group that was empty for this long is left over: its supervisor died, or its last process has ended.
const EMPTY_AGE: Duration = Duration::from_mins(1);
/// The maximum number of attempts to remove a group, in case somebody makes groups in it meanwhile.
const REMOVALS: usize = 8;

/// The group of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    path: PathBuf,
}

/// The resources that a job has used up to now. `None` for those that the kernel does not report.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// The peak of its memory, in bytes. Known only if the memory controller is enabled for the group.
    pub memory_peak: Option<u64>,
    /// Its CPU time, in seconds.
    pub cpu_seconds: Option<f64>,
}

/// The path of a job's group below the directory for groups. The marker makes the name unique.
#[must_use]
pub fn path_for(parent: &Path, id: JobId, marker: &str) -> PathBuf {
    parent.join(format!("job-{id}-{marker}"))
}

impl Group {
    /// Makes the group, or reuses an existing one that no process has entered.
    ///
    /// # Errors
    /// The group cannot be made, or the kernel cannot kill a whole group (before Linux 5.14).
    pub fn make(path: &Path) -> io::Result<Self> {
        match rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let group = Self { path: path.to_owned() };
        if let Err(error) = group.path.join("cgroup.kill").metadata() {
            let _ = group.remove();
            return Err(error);
        }
        Ok(group)
    }

    /// The group at this path, if it exists.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        path.join("cgroup.kill").metadata().is_ok().then(|| Self { path: path.to_owned() })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file to which a process writes `0` to enter the group.
    ///
    /// # Errors
    /// This account may not enter the group.
    pub fn entry(&self) -> io::Result<OwnedFd> {
        open(&self.path.join("cgroup.procs"), OFlags::WRONLY)
    }

    /// A descriptor that signals POLLPRI when the group becomes empty or gets a process. `None` if it is empty now.
    #[must_use]
    pub fn changes(&self) -> Option<OwnedFd> {
        let mut events = File::from(open(&self.path.join("cgroup.events"), OFlags::RDONLY).ok()?);
        let mut text = String::new();
        // The kernel reports changes after this read.
        events.read_to_string(&mut text).ok()?;
        is_populated(&text).then(|| events.into())
    }

    /// Whether a process is in it or below. A group that does not exist has none.
    ///
    /// # Errors
    /// The kernel does not report it.
    pub fn is_populated(&self) -> io::Result<bool> {
        match read(&self.path.join("cgroup.events")) {
            Ok(text) => Ok(is_populated(&text)),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The processes in it and below, as far as they can be listed.
    #[must_use]
    pub fn processes(&self) -> Vec<i32> {
        let lists = self.tree().into_iter().filter_map(|path| read(&path.join("cgroup.procs")).ok());
        let mut pids: Vec<i32> =
            lists.flat_map(|text| text.lines().filter_map(|l| l.parse().ok()).collect::<Vec<_>>()).collect();
        // 0 is a process of another namespace.
        pids.retain(|pid| *pid > 0);
        pids
    }

    /// Whether this process is in it or below.
    #[must_use]
    pub fn holds(&self, pid: i32) -> bool {
        let name = self.path.file_name();
        std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| {
            text.lines().filter(|l| l.starts_with("0::")).any(|l| l.split('/').any(|part| Some(part.as_ref()) == name))
        })
    }

    /// Kills all processes in it and below, of any account, also those that are just being forked.
    ///
    /// # Errors
    /// This account may not kill its processes.
    pub fn kill(&self) -> io::Result<()> {
        let written = open(&self.path.join("cgroup.kill"), OFlags::WRONLY)
            .and_then(|file| Ok(rustix::io::write(file, b"1").map(drop)?));
        written.or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) })
    }

    /// The resources that the job has used.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let number = |text: String, name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
        };
        let microseconds = read(&self.path.join("cpu.stat")).ok().and_then(|text| number(text, "usage_usec "));
        Usage {
            memory_peak: read(&self.path.join("memory.peak")).ok().and_then(|text| number(text, "")),
            cpu_seconds: microseconds.map(|microseconds| Duration::from_micros(microseconds).as_secs_f64()),
        }
    }

    /// Removes it and the groups that the job made in it, the deepest first.
    ///
    /// # Errors
    /// A process is still in it.
    pub fn remove(&self) -> io::Result<()> {
        let mut removed = Ok(());
        for _ in 0..REMOVALS {
            for path in self.tree().iter().rev() {
                removed = match rustix::fs::rmdir(path) {
                    Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
                    Err(error) => Err(error.into()),
                };
            }
            if removed.is_ok() || self.is_populated()? {
                break;
            }
        }
        removed
    }

    /// The group and all groups below, each before those in it.
    fn tree(&self) -> Vec<PathBuf> {
        let mut found = vec![self.path.clone()];
        let mut next = 0;
        while let Some(path) = found.get(next) {
            let below = std::fs::read_dir(path).into_iter().flatten().flatten();
            let groups: Vec<PathBuf> = below
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path())
                .collect();
            found.extend(groups);
            next += 1;
        }
        found
    }
}

/// Removes groups of jobs that have been empty for a while. Either the processes that were left running have ended, or
/// a supervisor died before its command entered the group.
pub fn remove_empty(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let age =
            entry.metadata().and_then(|metadata| metadata.modified()).map(|at| SystemTime::now().duration_since(at));
        let is_old = matches!(age, Ok(Ok(age)) if age >= EMPTY_AGE);
        if is_old
            && entry.file_name().as_encoded_bytes().starts_with(b"job-")
            && let Some(group) = Group::at(&entry.path())
            && matches!(group.is_populated(), Ok(false))
        {
            // A group that a process has entered meanwhile stays.
            let _ = group.remove();
        }
    }
}

/// Puts this process into the group of an [entry](Group::entry). Async-signal-safe.
///
/// # Errors
/// The kernel refuses.
pub fn enter(entry: &OwnedFd) -> rustix::io::Result<()> {
    rustix::io::write(entry, b"0").map(drop)
}

fn open(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?)
}

fn is_populated(events: &str) -> bool {
    events.lines().any(|line| line == "populated 1")
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::from(open(path, OFlags::RDONLY)?).read_to_string(&mut text)?;
    Ok(text)
}

/// Whether an error says that the group was removed.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files by hand that only look like a group's")]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_not_tell_is_unknown() {
        let directory = tempfile::tempdir().unwrap();
        let group = Group { path: directory.path().to_owned() };
        assert_eq!(group.usage(), Usage::default());
        assert!(!group.is_populated().unwrap());
        std::fs::write(directory.path().join("memory.peak"), "73400320\n").unwrap();
        std::fs::write(directory.path().join("cpu.stat"), "nr_periods 0\nusage_usec 1250000\nuser_usec 1\n").unwrap();
        std::fs::write(directory.path().join("cgroup.events"), "populated 1\nfrozen 0\n").unwrap();
        assert_eq!(group.usage(), Usage { memory_peak: Some(73_400_320), cpu_seconds: Some(1.25) });
        assert!(group.is_populated().unwrap());
    }

    #[test]
    fn processes_are_those_of_the_groups_below_too() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(directory.path().join("cgroup.procs"), "12\n0\n").unwrap();
        std::fs::write(below.join("cgroup.procs"), "34\n").unwrap();
        let group = Group { path: directory.path().to_owned() };
        assert_eq!(group.processes(), [12, 34]);
    }
}
