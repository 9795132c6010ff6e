//! The state of a process at its start: signals, descriptors, limits.
//!
//! A process inherits all of that from a shell, a service manager or a container. Parts of it break programs that rely
//! on the opposite: if SIGCHLD is ignored, a parent does not learn how a child ended. An inherited descriptor holds the
//! lock of the process that opened it. Standard input, output and error are always open: Rust's runtime opens
//! `/dev/null` in place of those that are not.

use std::io;
use std::os::fd::RawFd;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The highest number of a signal on Linux, for all architectures that Rust supports except MIPS.
pub const LAST_SIGNAL: i32 = 64;

/// These are never ignored. SIGKILL and SIGSTOP cannot be, and without SIGCHLD the end of children would go unnoticed.
const NEVER_IGNORED: [i32; 3] = [libc::SIGKILL, libc::SIGSTOP, libc::SIGCHLD];

/// A daemon does not ignore these either: the signals that it handles, those of faults, and those by which a shell stops
/// and continues it.
const LEFT_TO_DAEMONS: [i32; 14] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGQUIT,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGSYS,
    libc::SIGCONT,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

/// The action of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The default action of the system, which usually ends the process.
    Default,
    /// The signal has no effect.
    Ignore,
}

/// Prepares a daemon. Call it before anything else in the process, while it has one thread. `passed` are the
/// descriptors that the daemon was given to use. SIGHUP is ignored until it is handled.
pub fn begin_daemon(passed: &[RawFd]) {
    begin(passed, |signal| !LEFT_TO_DAEMONS.contains(&signal));
}

/// Prepares a supervisor. Before the end of its job only SIGKILL ends it. A signal for a fault, sent by another
/// process, does not. A fault of its own still ends it.
pub fn begin_supervisor(passed: &[RawFd]) {
    begin(passed, |_| true);
}

fn begin(passed: &[RawFd], ignored: impl Fn(i32) -> bool) {
    for signal in 1..=LAST_SIGNAL {
        if !NEVER_IGNORED.contains(&signal) && ignored(signal) {
            set(signal, Disposition::Ignore);
        } else if is_ignored(signal) {
            set(signal, Disposition::Default);
        }
    }
    unblock_all();
    close_all_but(passed);
    // If the limit may not be raised, `file_size_limit` reports it.
    let limit = getrlimit(Resource::Fsize);
    let _ = setrlimit(Resource::Fsize, Rlimit { current: limit.maximum, ..limit });
}

/// The maximum size of a file that this process writes, in bytes. `None` if there is no limit, as it should be.
#[must_use]
pub fn file_size_limit() -> Option<u64> {
    getrlimit(Resource::Fsize).maximum
}

/// The argument of `sigaction` in the kernel's form: first the action, then flags and a mask, which are not used.
type KernelAction = [usize; 8];

/// The size of the kernel's set of signals, in bytes.
const SET: usize = 8;

/// Sets the action of a signal. Async-signal-safe. It makes the system call itself, because the C library keeps two
/// signals for itself. They also end a process when they are sent to it.
pub fn set(signal: i32, disposition: Disposition) {
    let mut action: KernelAction = [0; 8];
    action[0] = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
    };
    let none = std::ptr::null_mut::<KernelAction>();
    #[expect(unsafe_code, reason = "signal dispositions have no safe form")]
    // SAFETY: the action is one that the kernel knows, larger than the kernel reads, and no handler runs. The kernel
    // refuses SIGKILL and SIGSTOP, which does no harm.
    unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, &raw const action, none, SET);
    }
}

fn is_ignored(signal: i32) -> bool {
    let mut action: KernelAction = [0; 8];
    let none = std::ptr::null::<KernelAction>();
    #[expect(unsafe_code, reason = "signal dispositions have no safe form")]
    // SAFETY: the kernel writes less than there is room for.
    let asked = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, none, &raw mut action, SET) };
    asked == 0 && action[0] == libc::SIG_IGN
}

fn unblock_all() {
    #[expect(unsafe_code, reason = "signal masks have no safe form")]
    // SAFETY: sigemptyset(3) makes the set before it is read.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Closes inherited descriptors. Otherwise this process could hold another program's lock for months.
fn close_all_but(passed: &[RawFd]) {
    for descriptor in open_descriptors().unwrap_or_default() {
        if descriptor > 2 && !passed.contains(&descriptor) {
            #[expect(unsafe_code, reason = "an inherited descriptor has no owner")]
            // SAFETY: this process has opened no descriptor yet, so the number has no owner.
            unsafe {
                libc::close(descriptor);
            }
        }
    }
}

/// Lists the open descriptors. One of them belongs to the list itself, and is closed when this returns.
fn open_descriptors() -> io::Result<Vec<RawFd>> {
    let entries = std::fs::read_dir("/proc/self/fd")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}
