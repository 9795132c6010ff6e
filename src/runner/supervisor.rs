//! Starts a supervisor: the same program, with only the job's locks.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::MemfdFlags;
use rustix::io::FdFlags;

use super::process;
use super::supervise::Arguments;
use crate::spool::Spool;
use crate::spool::error::{Error, Result};
use crate::spool::job::LockedJob;
use crate::spool::lock::SlotLock;

/// A supervisor that was started.
#[derive(Debug)]
pub struct Supervisor {
    /// Its process, which must be collected when it has ended.
    pub child: Child,
    /// Becomes readable when it ends.
    pub end: Option<OwnedFd>,
    /// Its error, if it fails before it can write the job's log. A file in memory, which cannot block it.
    pub last_words: File,
}

/// Starts `supervise N` and passes the locks on to it alone. They are closed here when this returns, so the supervisor's
/// copies are the only ones.
///
/// # Errors
/// The process cannot be started.
pub fn start(
    spool: &Spool,
    job: LockedJob,
    slot: Option<SlotLock>,
    environment: &[(OsString, OsString)],
) -> Result<Supervisor> {
    // The program of this daemon, even if a newer version has replaced the file.
    let program = Path::new("/proc/self/exe");
    let wrap = |error| Error::io("start a supervisor from", program, error);
    let last_words = rustix::fs::memfd_create("last words", MemfdFlags::CLOEXEC).map_err(|error| wrap(error.into()))?;
    let last_words = File::from(last_words);
    let arguments = Arguments {
        id: job.id(),
        spool: spool.root().to_owned(),
        job_lock: job.lock().as_fd().as_raw_fd(),
        slot_lock: slot.as_ref().map(|slot| slot.as_fd().as_raw_fd()),
    };
    let mut command = Command::new(program);
    command.arg0("spiderpig-runner").args(arguments.to_vec());
    command.env_clear().envs(environment.iter().cloned()).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(last_words.try_clone().map_err(wrap)?);
    // No other process inherits the locks: only this thread starts processes, and it closes both first.
    for lock in std::iter::once(job.lock().as_fd()).chain(slot.as_ref().map(AsFd::as_fd)) {
        rustix::io::fcntl_setfd(lock, FdFlags::empty()).map_err(|error| wrap(error.into()))?;
    }
    let child = command.spawn().map_err(wrap)?;
    drop((job, slot));
    let identity = i32::try_from(child.id()).ok().and_then(process::identity);
    Ok(Supervisor { child, end: identity.and_then(process::open), last_words })
}

/// Reads the last words of a supervisor that has ended.
#[must_use]
pub fn read_last_words(mut file: File) -> String {
    let mut bytes = Vec::new();
    // On an error the reason is only less precise.
    let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.by_ref().take(4096).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
