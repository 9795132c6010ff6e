//! The HTTP front: arguments, environment, signals and exit codes. Everything else is in the library.

use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal as _, Write as _};
use std::os::fd::RawFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use listenfd::ListenFd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use spiderpig::admin::{self, Operator};
use spiderpig::api::start::Service;
use spiderpig::check::{self, Account};
use spiderpig::config::{self, Config, Listen};
use spiderpig::daemon_log::DaemonLog;
use spiderpig::http::listener::PassedSocket;
use spiderpig::process_state;
use spiderpig::shortage;
use spiderpig::spool::fault;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long the program waits at its end for writes that must be completed.
const LAST_WRITES: Duration = Duration::from_millis(100);

/// How long an idle thread for blocking work is kept: for ever. If the system gives no more threads, work waits for an
/// existing one. Without any thread, the event loop would panic.
const KEEP_THREADS: Duration = Duration::from_secs(u32::MAX as u64);

/// The number of the first descriptor that systemd passes.
const FIRST_PASSED: RawFd = 3;

/// Exit status for arguments and configurations that cannot be used.
const USAGE: u8 = 2;

/// SpiderPig's web server. People start, watch, answer and stop jobs with it. Without a subcommand, it serves.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Arguments {
    /// The configuration file [default: the one that `SPIDERPIG_CONFIG` names, else /etc/spiderpig/spiderpig.toml]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The spool directory, instead of the configured one
    #[arg(long, value_name = "DIR", global = true)]
    spool: Option<PathBuf>,
    /// Where to accept connections, such as 127.0.0.1:8000, instead of the configured address
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Listen>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Check that this account has the rights that the API needs, and name a fix for each finding. Changes nothing
    Check,
    #[command(flatten)]
    Admin(admin::Command),
}

fn main() -> ExitCode {
    // This comes first: the environment may be changed only while there is no other thread.
    let manager = ServiceManager::take();
    let Arguments { config, spool, listen, command } = Arguments::parse();
    if command.is_none() {
        process_state::begin_daemon(&manager.descriptors());
    }
    let configuration = configuration(config, spool, listen);
    let done = configuration.and_then(|config| match command {
        Some(Command::Check) => check(&config),
        Some(Command::Admin(command)) => administrate(command, &config),
        None => run(config, manager),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            // If standard error does not work, the exit code still tells.
            let _ = message.map_or(Ok(()), |message| writeln!(std::io::stderr(), "{message}"));
            code.into()
        }
    }
}

struct Failure {
    code: u8,
    /// `None` if the log has it.
    message: Option<String>,
}

impl Failure {
    fn new(code: u8, error: impl std::fmt::Display) -> Self {
        Self { code, message: Some(format!("spiderpig-api: {error}")) }
    }
}

fn check(config: &Config) -> Result<(), Failure> {
    let findings = check::check_access(config, &Account::current());
    let mut output = std::io::stdout().lock();
    findings.iter().try_for_each(|finding| writeln!(output, "{finding}")).map_err(|error| Failure::new(1, error))?;
    match findings.len() {
        0 => {
            let done = writeln!(output, "no findings: this account has the rights that the API needs");
            done.map_err(|error| Failure::new(1, error))
        }
        1 => Err(Failure::new(1, "1 finding")),
        count => Err(Failure::new(1, format!("{count} findings"))),
    }
}

fn administrate(command: admin::Command, config: &Config) -> Result<(), Failure> {
    let name = operator();
    let mut output = std::io::stdout().lock();
    let at_terminal = std::io::stdin().is_terminal();
    let mut read_secret = |words: &str| if at_terminal { type_secret(words) } else { read_line() };
    let mut operator = Operator { name: &name, output: &mut output, read_secret: &mut read_secret, at_terminal };
    admin::run(command, config, &mut operator).map_err(|error| Failure::new(1, error))
}

/// The person who runs this. `sudo` sets the variable, and lets nobody else set it.
fn operator() -> String {
    let account = Account::current().name();
    std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty()).unwrap_or(account)
}

/// Reads a secret from the terminal, without showing it.
fn type_secret(words: &str) -> std::io::Result<String> {
    rpassword::prompt_password(format!("{words}: "))
}

/// Reads a secret from a script.
fn read_line() -> std::io::Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn run(config: Config, manager: ServiceManager) -> Result<(), Failure> {
    let filter = std::env::var("RUST_LOG").ok();
    let (output, ansi) = (std::io::stderr(), std::io::stderr().is_terminal());
    let log = DaemonLog::start(output, filter.as_deref(), config.api.log_format, ansi);
    raise_open_files();
    if let Some(limit) = process_state::file_size_limit() {
        tracing::warn!(
            "files cannot grow beyond {limit} bytes (`ulimit -f`, LimitFSIZE=), so the audit trail ends there"
        );
    }
    plan_faults();
    serve(config, manager).map_err(|failure| {
        // Through the log, which does not block if standard error does.
        failure.message.iter().for_each(|message| log.say(message));
        Failure { message: None, ..failure }
    })
}

fn serve(config: Config, mut manager: ServiceManager) -> Result<(), Failure> {
    let sockets = manager.sockets().map_err(|error| Failure::new(USAGE, error))?;
    shortage::check_for_thread().map_err(|error| no_thread(&error))?;
    let mut builder = runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().thread_keep_alive(KEEP_THREADS).build();
    let runtime = runtime.map_err(|error| Failure::new(1, error))?;
    let shutdown = CancellationToken::new();
    let served = runtime.block_on(async {
        stop_on_signals(&shutdown, manager.notifier.clone()).map_err(|error| Failure::new(1, error))?;
        let opened = Service::open(config, sockets, shutdown).await;
        let service = opened.map_err(|error| Failure::new(if error.is_configuration() { USAGE } else { 1 }, error))?;
        manager.notifier.tell("READY=1");
        service.run().await;
        Ok(())
    });
    runtime.shutdown_timeout(LAST_WRITES);
    served
}

fn no_thread(error: &std::io::Error) -> Failure {
    let words = shortage::words(error).map_or_else(|| error.to_string(), str::to_owned);
    Failure::new(1, format!("no thread could be started: {words}"))
}

/// Variable by which tests make the writes of this process fail, as `api=7:die`.
const FAULT_VARIABLE: &str = "SPIDERPIG_FAULT";

/// Lets tests break a debug build. A release build ignores the variable.
fn plan_faults() {
    if cfg!(debug_assertions)
        && let Ok(text) = std::env::var(FAULT_VARIABLE)
        && let Some(plan) = text.strip_prefix("api=").or_else(|| text.strip_prefix("all="))
        && let Ok(plan) = plan.parse()
    {
        fault::install(plan);
    }
}

/// Raises the soft limit of open files: each connection is one, and the usual limit is for programs with `select`.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

fn configuration(file: Option<PathBuf>, spool: Option<PathBuf>, listen: Option<Listen>) -> Result<Config, Failure> {
    let path = config::choose_path(file, std::env::var_os("SPIDERPIG_CONFIG"));
    let mut config = Config::load(&path).map_err(|error| Failure::new(USAGE, error))?;
    if let Some(spool) = spool {
        config.spool = std::path::absolute(spool).map_err(|error| Failure::new(USAGE, error))?;
    }
    if let Some(listen) = listen {
        config.api.listen = listen;
    }
    Ok(config)
}

/// Ends the program in order at SIGTERM or SIGINT, within a second. Further signals change nothing.
fn stop_on_signals(shutdown: &CancellationToken, notifier: Notifier) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::info!(
                "received SIGHUP, which does not reload the configuration. Restart to load it; running jobs continue"
            );
        }
    });
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping on SIGTERM"),
            _ = interrupt.recv() => tracing::info!("stopping on SIGINT"),
        }
        notifier.tell("STOPPING=1");
        shutdown.cancel();
    });
    Ok(())
}

/// The service manager that started this program: systemd, or one like it.
struct ServiceManager {
    sockets: ListenFd,
    notifier: Notifier,
}

impl ServiceManager {
    /// Takes its variables out of the environment, so that child processes do not inherit them.
    fn take() -> Self {
        let sockets = ListenFd::from_env();
        let notifier = Notifier(std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()));
        for name in ["LISTEN_FDNAMES", "NOTIFY_SOCKET"] {
            #[expect(unsafe_code, reason = "the environment may be changed while there is no other thread")]
            // SAFETY: `main` calls this first, before anything could have started a thread.
            unsafe {
                std::env::remove_var(name);
            }
        }
        Self { sockets, notifier }
    }

    /// The descriptors of the sockets that it has opened (`sd_listen_fds(3)`).
    fn descriptors(&self) -> Vec<RawFd> {
        (FIRST_PASSED..).take(self.sockets.len()).collect()
    }

    /// The sockets that it has opened.
    fn sockets(&mut self) -> std::io::Result<Vec<PassedSocket>> {
        let mut sockets = Vec::new();
        for index in 0..self.sockets.len() {
            let unix = self.sockets.take_unix_listener(index).ok().flatten().map(PassedSocket::Unix);
            match unix {
                Some(socket) => sockets.push(socket),
                None => sockets.extend(self.sockets.take_tcp_listener(index)?.map(PassedSocket::Tcp)),
            }
        }
        Ok(sockets)
    }
}

/// The address for reports to the service manager: a path, or an abstract name after an `@`.
#[derive(Clone)]
struct Notifier(Option<OsString>);

impl Notifier {
    fn tell(&self, state: &str) {
        if let Some(name) = &self.0
            && let Err(error) = Self::send(name, state)
        {
            tracing::warn!(%error, "cannot tell the service manager {state}");
        }
    }

    fn send(name: &OsStr, state: &str) -> std::io::Result<()> {
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to_addr(state.as_bytes(), &address)?;
        Ok(())
    }
}
