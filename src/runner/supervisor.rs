//! Starting a supervisor: the same program, with the job's locks and nothing else of the daemon's.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use std::ffi::OsString;

use rustix::fs::MemfdFlags;

use super::process;
use crate::spool::Spool;
use crate::spool::error::{Error, Result};
use crate::spool::job::LockedJob;
use crate::spool::lock::SlotLock;

/// A supervisor that was started.
#[derive(Debug)]
pub struct Supervisor {
    /// Its process, to be waited for when it has ended.
    pub child: Child,
    /// Becomes readable when it ends.
    pub end: Option<OwnedFd>,
    /// What it says if it fails before it can write the job's log. A file in memory, which cannot block it.
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
    // What the daemon was started from, even if the file has been replaced by a newer version since.
    let program = Path::new("/proc/self/exe");
    let wrap = |error| Error::io("start a supervisor from", program, error);
    let last_words = rustix::fs::memfd_create("last words", MemfdFlags::CLOEXEC).map_err(|error| wrap(error.into()))?;
    let last_words = File::from(last_words);
    let mut command = Command::new(program);
    command.arg0("spiderpig-runner").arg("supervise").arg(job.id().to_string()).arg("--spool").arg(spool.root());
    let mut passed_on: Vec<RawFd> = vec![job.lock().as_raw_fd()];
    command.arg("--job-lock").arg(job.lock().as_raw_fd().to_string());
    if let Some(slot) = &slot {
        passed_on.push(slot.as_raw_fd());
        command.arg("--slot-lock").arg(slot.as_raw_fd().to_string());
    }
    command.env_clear().envs(environment.iter().cloned()).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(last_words.try_clone().map_err(wrap)?);
    #[expect(unsafe_code, reason = "between fork and exec; the closure makes only async-signal-safe system calls")]
    // SAFETY: fcntl(2) is async-signal-safe; the descriptors are open, as their owners live until `spawn` has returned.
    unsafe {
        command.pre_exec(move || passed_on.iter().try_for_each(|number| keep_open(*number)));
    }
    let child = command.spawn().map_err(wrap)?;
    drop((job, slot));
    let identity = i32::try_from(child.id()).ok().and_then(process::identity);
    Ok(Supervisor { child, end: identity.and_then(process::open), last_words })
}

/// Lets a descriptor survive execve, in the child only.
fn keep_open(number: RawFd) -> std::io::Result<()> {
    #[expect(unsafe_code, reason = "a descriptor is borrowed by its number between fork and exec")]
    // SAFETY: as above: it is open and stays open.
    let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    Ok(rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::empty())?)
}

/// What a supervisor that has ended said.
#[must_use]
pub fn read_last_words(mut file: File) -> String {
    let mut bytes = Vec::new();
    // Without its last words the reason is only less precise.
    let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.by_ref().take(4096).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
