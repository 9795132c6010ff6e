//! A control group of a job's own (cgroups(7), version 2): everything that the command starts is in it, whatever its
//! account, session or parent. So the kernel kills all of it at once, and knows whether anything is left.
//!
//! Where such groups can be made is found out by [`parent`]. Without one, jobs run as well: see
//! [`descendants`](super::supervise) and [`stop`](super::stop) for what is done then.

pub mod parent;

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags};

use crate::spool::JobId;

/// A group that nobody has entered for so long was left by a supervisor that died, or by a process that was spared.
const EMPTY_AGE: Duration = Duration::from_mins(1);
/// How often the removal of a group is tried again in which one was made meanwhile.
const REMOVALS: usize = 8;

/// The group of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    path: PathBuf,
}

/// What a job has used up to now. None of what the kernel does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// The most memory that it had at a time, in bytes: only where the memory controller is enabled for the group.
    pub memory_peak: Option<u64>,
    /// The time of all processors that it had, in seconds.
    pub cpu_seconds: Option<f64>,
}

/// Where the group of a job is, in a directory in which groups may be made. The marker makes the name new.
#[must_use]
pub fn path_for(parent: &Path, id: JobId, marker: &str) -> PathBuf {
    parent.join(format!("job-{id}-{marker}"))
}

impl Group {
    /// Makes the group; one that is there and was never entered is as good.
    ///
    /// # Errors
    /// It cannot be made, or the kernel cannot kill a whole group (before Linux 5.14).
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

    /// The group that was made at this path, if it is there.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        path.join("cgroup.kill").metadata().is_ok().then(|| Self { path: path.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a process writes `0` to that enters the group.
    ///
    /// # Errors
    /// This account may not.
    pub fn door(&self) -> io::Result<OwnedFd> {
        open(&self.path.join("cgroup.procs"), OFlags::WRONLY)
    }

    /// A descriptor on which POLLPRI says that the group has become empty, or was filled again; `None` if it is empty now.
    #[must_use]
    pub fn changes(&self) -> Option<OwnedFd> {
        let mut events = File::from(open(&self.path.join("cgroup.events"), OFlags::RDONLY).ok()?);
        let mut text = String::new();
        // What happens from this read on is told.
        events.read_to_string(&mut text).ok()?;
        is_populated(&text).then(|| events.into())
    }

    /// Whether any process is in it or below. A group that is gone has none.
    ///
    /// # Errors
    /// The kernel does not tell.
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

    /// Kills everything in it and below, whatever its account, also what is just being forked.
    ///
    /// # Errors
    /// This account may not.
    pub fn kill(&self) -> io::Result<()> {
        let written = open(&self.path.join("cgroup.kill"), OFlags::WRONLY)
            .and_then(|file| Ok(rustix::io::write(file, b"1").map(drop)?));
        written.or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) })
    }

    /// What the job has used.
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

    /// Removes it with the groups that the job made in it, the deepest first.
    ///
    /// # Errors
    /// Something is in it.
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

/// Removes the groups of jobs in a directory that have been empty for a while: what was spared has ended, or a supervisor
/// died before its command was in the group.
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
            // What was entered meanwhile stays.
            let _ = group.remove();
        }
    }
}

/// Puts this process into the group behind a [door](Group::door). Async-signal-safe.
///
/// # Errors
/// The kernel refuses.
pub fn enter(door: &OwnedFd) -> rustix::io::Result<()> {
    rustix::io::write(door, b"0").map(drop)
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

/// A file of a group that was removed: the name, or what is behind an open descriptor.
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
