//! Collects children that the daemon did not start. As process 1 of a container, or as a subreaper, the daemon becomes
//! the parent of orphans. A shell that executes the daemon leaves its own children to it.

use std::path::Path;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::daemon::Daemon;
use crate::spool::error::{Error, Result};

/// Returns notifications of ended children if this process is process 1 or a subreaper. In other processes such
/// children are rare, and a rescan collects them.
///
/// # Errors
/// The system gives no notifications.
pub(super) fn notifications() -> Result<Option<Signal>> {
    let adopts =
        std::process::id() == 1 || rustix::process::child_subreaper().is_ok_and(|subreaper| subreaper.is_some());
    let notifications = adopts.then(|| signal(SignalKind::child())).transpose();
    notifications.map_err(|error| Error::io("wait for", Path::new("children"), error))
}

/// Waits until a child has ended. Without notifications it waits forever.
pub(super) async fn next(notifications: &mut Option<Signal>) {
    match notifications {
        Some(notifications) => drop(notifications.recv().await),
        None => std::future::pending().await,
    }
}

impl Daemon {
    /// Collects ended children that are not supervisors of this daemon, so that none stays a zombie. It stops at a
    /// supervisor: the supervisor's own task collects it, and then this is called again.
    pub(super) fn reap_orphans(&self) {
        while let Some(pid) = ended_child() {
            if self.jobs.is_supervisor(pid) {
                return;
            }
            let Some(child) = rustix::process::Pid::from_raw(pid) else { return };
            match rustix::process::waitpid(Some(child), rustix::process::WaitOptions::NOHANG) {
                Ok(_) => tracing::debug!(pid, "collected a process that this daemon did not start"),
                Err(_) => return,
            }
        }
    }
}

/// Finds a child that has ended. The child remains to be collected.
fn ended_child() -> Option<i32> {
    #[expect(unsafe_code, reason = "the safe form does not say which child it is about")]
    // SAFETY: the kernel fills the structure, and it is read only if that succeeded.
    unsafe {
        let mut information: libc::siginfo_t = std::mem::zeroed();
        let looked = libc::waitid(libc::P_ALL, 0, &raw mut information, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT);
        (looked == 0).then(|| information.si_pid()).filter(|pid| *pid != 0)
    }
}
