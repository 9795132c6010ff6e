//! Locks: `flock` on files that are never replaced and never removed while they are in use.
//!
//! A lock is a value. A function that needs a lock takes that value as an argument or is a method of it. So code that
//! calls it without the lock does not compile. Dropping the value closes the descriptor. The kernel frees the lock when
//! the last copy of the descriptor is closed, also those that other processes have inherited.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use fs2::FileExt as _;
use serde::{Deserialize, Serialize};

use super::atomic;
use super::error::{Error, Missing as _, Result};
use super::id::JobId;
use super::layout::{FILE, SECRET_FILE, Spool};
use super::mount::Mount;
use super::open;
use super::process;
use super::runner_state::RunnerState;

/// How long the starting runner waits for `runner.lock`. A recipe that tests the lock holds it for a moment.
pub const RUNNER_PATIENCE: Duration = Duration::from_secs(2);

/// The time between two attempts to take a lock. `flock` has no form with a time limit.
const RETRY: Duration = Duration::from_millis(2);

fn try_exclusive(file: &File, path: &Path) -> Result<bool> {
    match file.try_lock_exclusive() {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(Error::io("lock", path, error)),
    }
}

/// Takes an exclusive lock of an open file, and waits for it at most `patience`. Returns whether it has the lock.
///
/// # Errors
/// The file cannot be locked, for another reason than that somebody holds the lock.
pub fn exclusive_within(file: &File, path: &Path, patience: Duration) -> Result<bool> {
    let deadline = Instant::now() + patience;
    while !try_exclusive(file, path)? {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        std::thread::sleep(RETRY);
    }
    Ok(true)
}

/// Whether a path still leads to an open file. Another process may have replaced the file while this one waited for its
/// lock.
///
/// # Errors
/// The path or the file cannot be examined.
pub fn is_at(path: &Path, file: &File) -> Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let wrap = |error| Error::io("examine", path, error);
    let open = file.metadata().map_err(wrap)?;
    let there = path.symlink_metadata().map_err(wrap).missing_is_none()?;
    Ok(there.is_some_and(|there| (there.dev(), there.ino()) == (open.dev(), open.ino())))
}

/// How long a process that wants to replace a file waits for others that do.
const REPLACEMENT_PATIENCE: Duration = Duration::from_secs(5);

/// Opens and locks the file at a path. `open` creates it if it is missing. The holder of the lock may replace the file.
///
/// # Errors
/// The error of `open`, or another process holds the lock for longer than 5 s.
pub fn replaceable(path: &Path, open: impl Fn() -> Result<File>) -> Result<File> {
    loop {
        let file = open()?;
        if !exclusive_within(&file, path, REPLACEMENT_PATIENCE)? {
            let holder = "another process changes it; `fuser` on the file names it".to_owned();
            return Err(Error::Locked { path: path.to_owned(), holder });
        }
        // The holder before may have replaced the file.
        if is_at(path, &file)? {
            return Ok(file);
        }
    }
}

/// `runner.lock`: this process is the runner of the spool.
#[derive(Debug)]
pub struct RunnerLock {
    _file: File,
}

impl RunnerLock {
    /// Takes the lock. Waits for it at most [`RUNNER_PATIENCE`].
    ///
    /// # Errors
    /// Another runner holds it. The error has its process number, if `runner.json` has it.
    pub fn take(spool: &Spool) -> Result<Self> {
        let path = spool.runner_lock();
        let file = atomic::open_lock(&path, FILE)?;
        if exclusive_within(&file, &path, RUNNER_PATIENCE)? {
            return Ok(Self { _file: file });
        }
        let holder = match RunnerState::read(spool).ok().flatten() {
            Some(state) => format!("another runner uses this spool (process {})", state.pid),
            None => "another process holds it; `fuser` on the file names it".to_owned(),
        };
        Err(Error::Locked { path, holder })
    }
}

/// Whether a runner works on the spool. It takes a shared lock for a moment, because `/proc/locks` does not show the
/// locks of other containers. A runner that starts at that moment waits for it.
///
/// # Errors
/// The lock file cannot be opened. If it is missing, there is no runner.
pub fn runner_is_up(spool: &Spool) -> Result<bool> {
    let path = spool.runner_lock();
    let Some(file) = open::read_only(&path).missing_is_none()? else { return Ok(false) };
    match fs2::FileExt::try_lock_shared(&file) {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(Error::io("lock", &path, error)),
    }
}

/// Identifies the file of a lock until the next boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockIdentity {
    /// The boot. Devices get new numbers in each.
    pub boot_id: String,
    /// The device.
    pub device: u64,
    /// The inode on the device.
    pub inode: u64,
}

/// `jobs/N/lock`: this process leads the job.
#[derive(Debug)]
pub struct JobLock {
    id: JobId,
    file: File,
}

impl JobLock {
    /// Creates the lock file of a job directory that is being built, and takes it.
    ///
    /// # Errors
    /// Any failure to create or to lock it.
    pub(super) fn create(directory: &Path, id: JobId) -> Result<Self> {
        let path = directory.join("lock");
        let file = atomic::create_file(&path, b"", SECRET_FILE)?;
        if !try_exclusive(&file, &path)? {
            return Err(Error::Locked {
                path,
                holder: "a file that was just made is locked by another process".into(),
            });
        }
        Ok(Self { id, file })
    }

    /// Takes the lock of a job directory if it is free. Creates a missing lock file: only a job whose claim was
    /// interrupted by a power cut lacks it.
    ///
    /// # Errors
    /// Any failure to open or to lock it.
    pub fn try_take(directory: &Path, id: JobId) -> Result<Option<Self>> {
        let path = directory.join("lock");
        let file = atomic::open_lock(&path, SECRET_FILE)?;
        Ok(try_exclusive(&file, &path)?.then_some(Self { id, file }))
    }

    /// The lock that the runner passed on to this process.
    #[must_use]
    pub fn inherited(id: JobId, descriptor: OwnedFd) -> Self {
        Self { id, file: File::from(descriptor) }
    }

    /// Identifies the lock file. `None` if the system does not tell.
    #[must_use]
    pub fn identity(&self) -> Option<LockIdentity> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = self.file.metadata().ok()?;
        Some(LockIdentity { boot_id: process::boot_id()?, device: metadata.dev(), inode: metadata.ino() })
    }

    /// The job's number.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }
}

impl AsFd for JobLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// `lanes/NAME.I.lock`: the right to run in slot I of a lane.
#[derive(Debug)]
pub struct SlotLock {
    slot: u32,
    file: File,
}

impl SlotLock {
    /// Takes a slot of a lane if it is free.
    ///
    /// # Errors
    /// Any failure to open or to lock it.
    pub fn try_take(spool: &Spool, lane: &str, slot: u32) -> Result<Option<Self>> {
        let path = spool.lane_slot(lane, slot);
        let file = atomic::open_lock(&path, FILE)?;
        Ok(try_exclusive(&file, &path)?.then_some(Self { slot, file }))
    }

    /// The slot's number, from 1.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }
}

impl AsFd for SlotLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Whether somebody holds the `flock` of a file. It searches `/proc/locks` for the file's device and inode, so it never
/// blocks a process that wants the lock. If the device is not known, it compares the inode only.
///
/// # Errors
/// The file or `/proc/locks` cannot be read. A missing file is not locked.
pub fn is_held(path: &Path) -> Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::symlink_metadata(path).map_err(|error| Error::io("examine", path, error));
    let Some(metadata) = metadata.missing_is_none()? else { return Ok(false) };
    let table = Path::new("/proc/locks");
    let locks = std::fs::read_to_string(table).map_err(|error| Error::io("read", table, error))?;
    let device = Mount::of(path).map(|mount| mount.device);
    Ok(has_lock(&locks, device.as_deref(), metadata.ino()))
}

/// Whether a table of locks has a `flock` of a file.
fn has_lock(locks: &str, device: Option<&str>, inode: u64) -> bool {
    let inode = inode.to_string();
    locks.lines().filter(|line| line.contains(" FLOCK ")).any(|line| {
        // `12: FLOCK  ADVISORY  WRITE 5670 fe:00:131104 0 EOF`
        let file = line.split_whitespace().nth(5).and_then(|file| file.rsplit_once(':'));
        file.is_some_and(|(on, number)| number == inode && device.is_none_or(|device| device == on))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_excludes_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        let path = spool.lane_slot("default", 1);
        assert!(!is_held(&path).unwrap());
        let slot = SlotLock::try_take(&spool, "default", 1).unwrap().unwrap();
        assert!(is_held(&path).unwrap());
        assert!(SlotLock::try_take(&spool, "default", 1).unwrap().is_none());
        assert!(SlotLock::try_take(&spool, "default", 2).unwrap().is_some());
        drop(slot);
        assert!(!is_held(&path).unwrap());
        assert!(SlotLock::try_take(&spool, "default", 1).unwrap().is_some());
    }

    #[test]
    fn a_lock_on_another_device_with_the_same_inode_does_not_count() {
        let table = "1: FLOCK  ADVISORY  WRITE 5670 fe:00:131104 0 EOF\n2: POSIX  ADVISORY  WRITE 7 00:34:7 0 EOF\n";
        assert!(has_lock(table, Some("fe:00"), 131_104) && has_lock(table, None, 131_104));
        assert!(!has_lock(table, Some("fe:01"), 131_104) && !has_lock(table, Some("00:34"), 7));
        assert!(!has_lock(table, None, 1104));
    }

    #[test]
    fn a_second_runner_gets_an_error_about_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        let _first = RunnerLock::take(&spool).unwrap();
        let error = RunnerLock::take(&spool).unwrap_err().to_string();
        assert!(error.contains("runner.lock is locked: another process holds it"), "{error}");
    }
}
