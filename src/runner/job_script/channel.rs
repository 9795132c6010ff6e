//! The channel by which a helper's question gets to a person, and the answer back.
//!
//! In a job, the helper asks the supervisor on a connection. The supervisor may be unreachable: from another network
//! namespace, or while a supervisor of an earlier version leads the job. Then the helper uses the protocol of all other
//! programs: the question on standard error, the answer on standard input. It does so only if its standard input is the
//! job's own: after `done < list` there are no answers on it, but lines of a list.
//!
//! Without a key, the helper asks a person at the terminal. It reads standard input if that is the terminal, or if
//! there is no terminal. A script without a terminal can get its answers only from its pipe.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read, Write};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use super::JobScriptError;
use crate::protocol::{IoKey, Prompt, encode};
use crate::runner::helper_line;
use crate::runner::helper_line::Reply;
use crate::runner::process;
use crate::runner::process::Process;

/// Attempts to ask a supervisor that has no room for this helper.
const ATTEMPTS: u32 = 20;
/// The pause before each further attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// The environment of a helper, which describes its job. An empty text counts as missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Job<'a> {
    /// The job's key. Outside a job there is none.
    pub key: Option<&'a str>,
    /// The socket of the supervisor.
    pub socket: Option<&'a str>,
    /// The identity of the job's own standard input.
    pub input: Option<&'a str>,
}

/// The channel of a question.
pub enum Channel<'a> {
    /// A connection to the supervisor that listens at this address.
    Supervisor(SocketAddr),
    /// The question goes out as text, and the answer comes in as a line.
    Lines {
        /// The input with the answer.
        input: Box<dyn Read + 'a>,
        /// The output for the question, if not standard error.
        shown: Option<Box<dyn Write + 'a>>,
    },
}

impl Job<'_> {
    /// Finds the channel for a question.
    ///
    /// # Errors
    /// There is no channel ([`JobScriptError::NoChannel`]), or standard input cannot be used.
    pub fn find_channel(self) -> Result<Channel<'static>, JobScriptError> {
        // The library's own handle would read ahead, and take the answer to the next helper's question.
        let input = io::stdin().as_fd().try_clone_to_owned().map(File::from).map_err(JobScriptError::Read)?;
        if self.key.is_none_or(str::is_empty) {
            return Ok(terminal(input));
        }
        let reason = match self.socket.filter(|name| !name.is_empty()) {
            Some(name) => match SocketAddr::from_abstract_name(name).and_then(|at| connect(&at).map(|_| at)) {
                Ok(address) => return Ok(Channel::Supervisor(address)),
                Err(error) => format!("the socket {name} cannot be reached from here: {error}"),
            },
            None => format!("the variable {} is not set", helper_line::SOCKET_VARIABLE),
        };
        if self.is_own(&input) {
            return Ok(Channel::Lines { input: Box::new(input), shown: None });
        }
        Err(JobScriptError::NoChannel(reason))
    }

    /// Whether this file is the standard input of the job's command.
    fn is_own(self, input: &File) -> bool {
        let own = match self.input.filter(|identity| !identity.is_empty()) {
            Some(identity) => Some(identity.to_owned()),
            None => input_of_session_leader(input),
        };
        own.is_some() && own == helper_line::identity(input)
    }
}

/// Supervisors of earlier versions do not say which file it is. A job's command leads its session. So its standard
/// input is the job's own, unless it is a file.
fn input_of_session_leader(input: &File) -> Option<String> {
    if !rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(input).ok()?.st_mode).is_fifo() {
        return None;
    }
    // Not getsid(2): its number is 0 if the leader is outside this PID namespace, which rustix takes for impossible.
    let leader = Process::find(process::own_identity().pid)?.session;
    let stat = rustix::fs::stat(format!("/proc/{leader}/fd/0")).ok()?;
    Some(format!("{}:{}", stat.st_dev, stat.st_ino))
}

fn terminal(input: File) -> Channel<'static> {
    let Some(terminal) = Some(&input).filter(|input| !input.is_terminal()).and_then(|_| open_terminal()) else {
        return Channel::Lines { input: Box::new(input), shown: None };
    };
    let shown = terminal.try_clone().ok().filter(|_| !io::stderr().is_terminal());
    Channel::Lines { input: Box::new(terminal), shown: shown.map(|terminal| Box::new(terminal) as _) }
}

#[expect(clippy::disallowed_methods, reason = "a terminal is no file of the spool")]
fn open_terminal() -> Option<File> {
    File::options().read(true).write(true).open("/dev/tty").ok()
}

fn connect(address: &SocketAddr) -> io::Result<UnixStream> {
    UnixStream::connect_addr(address)
}

/// Asks the supervisor, and waits for the answer without a limit.
pub(super) fn ask_supervisor(at: &SocketAddr, key: &IoKey, prompt: &Prompt) -> Result<String, JobScriptError> {
    let message = format!("{}\n{}", key.as_str(), encode::interaction(key, prompt));
    for _ in 0..ATTEMPTS {
        let Ok(mut stream) = connect(at) else { return Err(JobScriptError::Gone) };
        let mut line = String::new();
        // A supervisor with many helpers at once may close a connection before it reads from it.
        let heard = stream.write_all(message.as_bytes());
        if heard.and_then(|()| BufReader::new(&stream).read_line(&mut line)).is_ok_and(|length| length > 0) {
            return match serde_json::from_str(&line) {
                Ok(Reply::Answer(answer)) => Ok(answer),
                Ok(Reply::Refused(reason)) => Err(JobScriptError::Refused(reason)),
                Err(_) => Err(JobScriptError::Gone),
            };
        }
        std::thread::sleep(PAUSE);
    }
    Err(JobScriptError::Gone)
}
