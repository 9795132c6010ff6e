//! Executing the command of a plan: argument vector straight to execve, in a session of its own, with a clean
//! environment and default signals.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::Access;
use rustix::pipe::PipeFlags;

use crate::process_state;
use crate::process_state::Disposition;
use crate::protocol::IoKey;
use crate::runner::cgroup;
use crate::runner::cgroup::Group;
use crate::runner::helper_line;
use crate::shortage;
use crate::spool::plan::Plan;

/// A command that was executed.
#[derive(Debug)]
pub struct Running {
    /// Its process number, and the number of its session and process group.
    pub pid: i32,
    /// Its standard input, for answers, not blocking.
    pub stdin: OwnedFd,
    /// Its output, stdout and stderr merged, not blocking.
    pub output: File,
    /// The control group that it is in.
    pub cgroup: Option<Group>,
}

/// The error by which the child reports that it could not enter its group. No other call of the child can fail with it.
const NOT_ENTERED: i32 = libc::EOWNERDEAD;

/// Why a command was not executed, in words for people.
#[derive(Debug)]
pub enum Refusal {
    /// The system is short of something that it may have again later.
    ForNow(String),
    /// The command cannot enter its control group.
    NoEntry,
    /// The command cannot be executed.
    Final(String),
}

impl Refusal {
    fn of(what: &str, error: &std::io::Error) -> Self {
        match shortage::words(error) {
            _ if error.raw_os_error() == Some(NOT_ENTERED) => Self::NoEntry,
            Some(words) => Self::ForNow(words.to_owned()),
            None => Self::Final(format!("{what}: {}", explain(error))),
        }
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Final(reason)
    }
}

/// Executes the command, in a control group if one is given. `socket` is where its helpers are heard.
///
/// # Errors
/// The command was not executed; the text says why.
pub fn execute(plan: &Plan, key: &IoKey, socket: Option<&str>, cgroup: Option<&Group>) -> Result<Running, Refusal> {
    let directory = &plan.working_directory;
    if !directory.is_dir() {
        let reason = format!("the working directory {} does not exist or is not a directory", directory.display());
        return Err(reason.into());
    }
    let name = plan.arguments.first().ok_or_else(|| "the command is empty".to_owned())?;
    let program = resolve(name, plan)?;
    let pipes = |error: std::io::Error| Refusal::of("cannot make pipes for the command", &error);
    let (stdin_read, stdin_write) = pipe().map_err(pipes)?;
    let (output_read, output_write) = pipe().map_err(pipes)?;
    let output_again = output_write.try_clone().map_err(pipes)?;
    let input = helper_line::identity(&stdin_read);
    let own = [
        ("SPIDERPIG_IO_KEY", Some(key.as_str())),
        (helper_line::SOCKET_VARIABLE, socket),
        (helper_line::INPUT_VARIABLE, input.as_deref()),
    ];
    let image = Image::new(&program, plan, own)?;
    for descriptor in [stdin_write.as_fd(), output_read.as_fd()] {
        rustix::io::ioctl_fionbio(descriptor, true).map_err(|error| pipes(error.into()))?;
    }
    let entry = cgroup.map(Group::entry).transpose().map_err(|_| Refusal::NoEntry)?;
    // A larger pipe means fewer turns for a chatty job; the account's limit may forbid it.
    let _ = rustix::pipe::fcntl_setpipe_size(&output_read, 1 << 20);
    let mut command = Command::new(&program);
    command.current_dir(directory).stdin(Stdio::from(stdin_read));
    command.stdout(Stdio::from(output_write)).stderr(Stdio::from(output_again));
    let umask = plan.umask;
    #[expect(unsafe_code, reason = "between fork and exec; the closure makes only async-signal-safe system calls")]
    // SAFETY: no allocation and no lock in the child; everything it points to was built before the fork.
    unsafe {
        command.pre_exec(move || become_command(umask, entry.as_ref(), &image));
    }
    let started = command.spawn();
    let child = started.map_err(|error| Refusal::of(&format!("cannot execute {}", program.display()), &error))?;
    let pid = i32::try_from(child.id()).map_err(|_| "the system gave an impossible process number".to_owned())?;
    Ok(Running { pid, stdin: stdin_write, output: File::from(output_read), cgroup: cgroup.cloned() })
}

fn pipe() -> std::io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?)
}

/// Finds the program as execvp would, with the job's own PATH. Otherwise says why there is none.
fn resolve(name: &str, plan: &Plan) -> Result<PathBuf, String> {
    if name.contains('/') {
        let path = plan.working_directory.join(name);
        return check_program(&path).map(|()| path);
    }
    let search = plan.environment.get("PATH").map_or("", String::as_str);
    let mut refused = None;
    for directory in search.split(':').filter(|directory| !directory.is_empty()) {
        let path = plan.working_directory.join(directory).join(name);
        match check_program(&path) {
            Ok(()) => return Ok(path),
            Err(reason) if path.exists() => refused = refused.or(Some(reason)),
            Err(_) => {}
        }
    }
    Err(refused.unwrap_or_else(|| format!("the program `{name}` is not in the job's PATH ({search})")))
}

fn check_program(path: &Path) -> Result<(), String> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("the program {} does not exist", path.display()),
        _ => format!("the program {} cannot be examined: {error}", path.display()),
    })?;
    if !metadata.is_file() {
        return Err(format!("the program {} is not a file", path.display()));
    }
    rustix::fs::access(path, Access::EXEC_OK)
        .map_err(|_| format!("the program {} is not executable by the runner's account", path.display()))
}

fn explain(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOEXEC) => "it is neither a program nor a script that begins with #! and its interpreter".into(),
        Some(libc::ENOENT) => "it, or the interpreter that its first line names, does not exist".into(),
        Some(libc::E2BIG) => "its arguments and environment are too large for the system".into(),
        _ => error.to_string(),
    }
}

/// The arguments of execve, built before the fork.
struct Image {
    program: CString,
    _strings: Vec<CString>,
    arguments: Vec<*const libc::c_char>,
    environment: Vec<*const libc::c_char>,
}

#[expect(unsafe_code, reason = "the pointers lead into strings that live as long as the value")]
// SAFETY: the strings are never changed after `new`, so any thread may read them.
unsafe impl Send for Image {}
#[expect(unsafe_code, reason = "the pointers lead into strings that live as long as the value")]
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Image {
    /// `own` has variables besides those of the plan.
    fn new<'a>(
        program: &Path,
        plan: &'a Plan,
        own: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Self, String> {
        let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(|_| "an argument holds a NUL byte".to_owned());
        let mut strings = Vec::new();
        for argument in &plan.arguments {
            strings.push(text(OsStr::new(argument))?);
        }
        let planned = plan.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in planned.chain(own.into_iter().filter_map(|(name, value)| Some((name, value?)))) {
            strings.push(text(OsStr::new(&format!("{name}={value}")))?);
        }
        let (arguments, environment) = strings.split_at(plan.arguments.len());
        let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
            strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
        };
        Ok(Self {
            program: text(program.as_os_str())?,
            arguments: pointers(arguments),
            environment: pointers(environment),
            _strings: strings,
        })
    }
}

/// Runs in the child. Returns only if the command could not be executed. execve and not execvp, which would give a file
/// without `#!` to a shell.
fn become_command(umask: u32, entry: Option<&OwnedFd>, image: &Image) -> std::io::Result<()> {
    if let Some(entry) = entry {
        cgroup::enter(entry).map_err(|_| std::io::Error::from_raw_os_error(NOT_ENTERED))?;
    }
    rustix::process::setsid()?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
    for signal in 1..=process_state::LAST_SIGNAL {
        process_state::set(signal, Disposition::Default);
    }
    #[expect(unsafe_code, reason = "execve has no safe form")]
    // SAFETY: execve(2) is async-signal-safe; the pointers end with NULL and are alive.
    unsafe {
        libc::execve(image.program.as_ptr(), image.arguments.as_ptr(), image.environment.as_ptr());
    }
    Err(std::io::Error::last_os_error())
}
