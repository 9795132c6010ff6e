//! The state from which a process goes on, whatever started it: signals, descriptors, limits.
//!
//! All of that is inherited, from a shell, a service manager, a container, and some of it breaks what relies on the
//! opposite: where SIGCHLD is ignored nobody learns how a child ended, and a descriptor that is passed on holds the lock of
//! whoever opened it. Standard input, output and error are open in any case: Rust's runtime opens `/dev/null` for those
//! that are not.

use std::io;
use std::os::fd::RawFd;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The highest number of a signal, on Linux wherever Rust runs but on MIPS.
pub const LAST_SIGNAL: i32 = 64;

/// What is never ignored: it cannot be, or the end of children would go unnoticed.
const NEVER_IGNORED: [i32; 3] = [libc::SIGKILL, libc::SIGSTOP, libc::SIGCHLD];

/// What a daemon leaves as it is, too: the signals that it handles, those of faults, and those by which a shell stops it and
/// lets it go on.
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

/// What becomes of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The system's choice: mostly the end of the process.
    Default,
    /// Nothing.
    Ignore,
}

/// Brings a daemon into its state. First of all in the process, while it has one thread; `passed` are the descriptors that it
/// was given to use. SIGHUP is ignored until it is handled.
pub fn begin_daemon(passed: &[RawFd]) {
    begin(passed, |signal| !LEFT_TO_DAEMONS.contains(&signal));
}

/// Brings a supervisor into its state: nothing but SIGKILL ends it before its job, also no signal that others use for
/// faults. A fault of its own ends it all the same.
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
    // Where it may not be raised, `file_size_limit` tells what holds.
    let limit = getrlimit(Resource::Fsize);
    let _ = setrlimit(Resource::Fsize, Rlimit { current: limit.maximum, ..limit });
}

/// How large a file may become that this process writes, in bytes. None if there is no limit, as there should be.
#[must_use]
pub fn file_size_limit() -> Option<u64> {
    getrlimit(Resource::Fsize).maximum
}

/// What `sigaction` takes, as the kernel has it: what is done first, then flags and a mask, which are not used.
type KernelAction = [usize; 8];

/// The size of the kernel's set of signals, in bytes.
const SET: usize = 8;

/// Sets what becomes of a signal. Async-signal-safe. The system call itself is used: the C library keeps two signals for
/// itself, which end a process like others when they are sent to it.
pub fn set(signal: i32, disposition: Disposition) {
    let mut action: KernelAction = [0; 8];
    action[0] = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
    };
    let none = std::ptr::null_mut::<KernelAction>();
    #[expect(unsafe_code, reason = "signal dispositions have no safe form")]
    // SAFETY: the action is one that the kernel knows, larger than what it reads, and no handler runs. It refuses SIGKILL
    // and SIGSTOP, which is no harm.
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
    // SAFETY: the set is made by sigemptyset(3) before it is read.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Closes what was open in whoever started this process. Somebody else's lock would be held by it for months.
fn close_all_but(passed: &[RawFd]) {
    for descriptor in open_descriptors().unwrap_or_default() {
        if descriptor > 2 && !passed.contains(&descriptor) {
            #[expect(unsafe_code, reason = "an inherited descriptor has no owner")]
            // SAFETY: nothing has been opened in this process yet, so nobody owns the number.
            unsafe {
                libc::close(descriptor);
            }
        }
    }
}

/// One of them is that of the list itself, and closed when this returns.
fn open_descriptors() -> io::Result<Vec<RawFd>> {
    let entries = std::fs::read_dir("/proc/self/fd")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}
