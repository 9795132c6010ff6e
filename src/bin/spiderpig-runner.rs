//! `spiderpig-runner`: claims jobs from the spool and leads them. Arguments and wiring only.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use spiderpig::check;
use spiderpig::config::{self, Config, LogFormat};
use spiderpig::daemon_log::DaemonLog;
use spiderpig::process_state;
use spiderpig::runner::job_script::{self, Job, JobCommand, Streams};
use spiderpig::runner::supervise::{self, Inherited};
use spiderpig::runner::{AccountEnvironment, Daemon};
use spiderpig::spool::{Spool, fault};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The search path of jobs if the runner itself has none.
const DEFAULT_SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Something went wrong.
const FAILURE: u8 = 1;
/// The configuration or the arguments are wrong.
const USAGE: u8 = 2;

/// Claims jobs from the spool and leads them. Without a subcommand, it runs the daemon.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Arguments {
    /// The configuration file [default: the one that `SPIDERPIG_CONFIG` names, else /etc/spiderpig/spiderpig.toml].
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The spool directory, instead of the configured one.
    #[arg(long, value_name = "DIR", global = true)]
    spool: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Checks the configuration and the spool, and names a fix for each finding. Changes nothing.
    Check {
        /// Accept any kind of filesystem, because you know that locks work on it.
        #[arg(long)]
        any_filesystem: bool,
    },
    /// Asks people, and reports status and progress. For scripts of jobs.
    #[command(subcommand)]
    Job(JobCommand),
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(arguments) = supervise::Arguments::parse(&arguments) {
        let locks: Vec<_> = std::iter::once(arguments.job_lock).chain(arguments.slot_lock).collect();
        process_state::begin_supervisor(&locks);
        plan_faults("supervise");
        speak_in_sentences();
        return supervise(&arguments)
            .map_or_else(|error| complain(&error, supervise::exit_status(&error)), |()| ExitCode::SUCCESS);
    }
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Job(command)) => job(&command),
        Some(Command::Check { any_filesystem }) => check(arguments.config, arguments.spool, any_filesystem),
        None => daemon(arguments.config, arguments.spool),
    }
}

fn supervise(arguments: &supervise::Arguments) -> spiderpig::spool::Result<()> {
    // This comes first: the numbers name the locks only until another file is opened.
    let inherited = Inherited::take(arguments.job_lock, arguments.slot_lock)?;
    supervise::run(&Spool::open(&arguments.spool)?, arguments.id, inherited)
}

/// Reports a panic as a sentence: people read the last words of a supervisor as the reason why a job did not start.
fn speak_in_sentences() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let words = panic.payload_as_str().unwrap_or("no reason given");
        complain(&format!("this program has an error, at {place}: {words}"), FAILURE);
    }));
}

fn daemon(config: Option<PathBuf>, spool: Option<PathBuf>) -> ExitCode {
    process_state::begin_daemon(&[]);
    let filter = std::env::var("RUST_LOG").ok();
    let (output, ansi) = (std::io::stderr(), std::io::stderr().is_terminal());
    let log = DaemonLog::start(output, filter.as_deref(), LogFormat::Text, ansi);
    // Through the log, which does not block if standard error does.
    let end = |error: &dyn std::fmt::Display, code: u8| {
        log.say(&last_word(error));
        ExitCode::from(code)
    };
    let config = match load(config, spool) {
        Ok(config) => config,
        Err(error) => return end(&error, USAGE),
    };
    plan_faults("runner");
    let language = std::env::var("LANG").ok();
    let account = AccountEnvironment::new(&search_path(), language.as_deref());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(config, account)));
    served.map_or_else(|error| end(&error, FAILURE), |()| ExitCode::SUCCESS)
}

async fn run(config: Config, account: AccountEnvironment) -> Result<(), Box<dyn std::error::Error>> {
    let shutdown = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::info!(
                "received SIGHUP, which does not reload the configuration. Restart to load it; running jobs continue"
            );
        }
    });
    let stop = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Daemon::new(config, account, supervisor_environment())?.run(shutdown).await?;
    Ok(())
}

fn load(config: Option<PathBuf>, spool: Option<PathBuf>) -> Result<Config, Box<dyn std::error::Error>> {
    let mut config = Config::load(&config::choose_path(config, std::env::var_os("SPIDERPIG_CONFIG")))?;
    if let Some(spool) = spool {
        config.spool = std::path::absolute(spool)?;
    }
    Ok(config)
}

fn check(config: Option<PathBuf>, spool: Option<PathBuf>, any_filesystem: bool) -> ExitCode {
    let config = match load(config, spool) {
        Ok(config) => config,
        Err(error) => return complain(&error, USAGE),
    };
    let search_path = search_path();
    let findings = check::check(&config, check::Options { search_path: &search_path, any_filesystem });
    let mut output = std::io::stdout().lock();
    let told = findings.iter().try_for_each(|finding| writeln!(output, "{finding}"));
    match (told, findings.len()) {
        (Err(error), _) => complain(&error, FAILURE),
        (Ok(()), 0) => outcome(writeln!(output, "no findings: the configuration and the spool are in order")),
        (Ok(()), 1) => complain(&"1 finding", FAILURE),
        (Ok(()), count) => complain(&format!("{count} findings"), FAILURE),
    }
}

/// The search path that jobs get.
fn search_path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| DEFAULT_SEARCH_PATH.to_owned())
}

fn job(command: &JobCommand) -> ExitCode {
    let variable = |name| std::env::var(name).ok();
    let (key, socket) = (variable("SPIDERPIG_IO_KEY"), variable("SPIDERPIG_ASK_SOCKET"));
    let input = variable("SPIDERPIG_STDIN");
    let job = Job { key: key.as_deref(), socket: socket.as_deref(), input: input.as_deref() };
    let (mut input, mut answer, mut messages) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let mut streams = Streams { input: &mut input, answer: &mut answer, messages: &mut messages };
    outcome(job_script::run(command, job.key, &mut streams, || job.find_channel()))
}

fn outcome<E: std::fmt::Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, FAILURE),
    }
}

fn complain(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    // If standard error does not work, the exit code still tells.
    let _ = writeln!(std::io::stderr(), "{}", last_word(error));
    ExitCode::from(code)
}

fn last_word(error: &dyn std::fmt::Display) -> String {
    format!("spiderpig-runner: {error}")
}

/// Variable by which tests make the writes of a process fail, as `runner=7:die`, `supervise=3:fail`, or
/// `all=1:norename` for those of the API as well.
const FAULT_VARIABLE: &str = "SPIDERPIG_FAULT";

/// Lets tests break a debug build. A release build ignores the variable.
fn plan_faults(role: &str) {
    if cfg!(debug_assertions)
        && let Ok(text) = std::env::var(FAULT_VARIABLE)
        && let Some((whose, plan)) = text.split_once('=')
        && (whose == role || whose == "all")
        && let Ok(plan) = plan.parse()
    {
        fault::install(plan);
    }
}

/// The environment of supervisors. It is empty, but tests of debug builds pass faults in it.
fn supervisor_environment() -> Vec<(OsString, OsString)> {
    let fault = std::env::var_os(FAULT_VARIABLE).filter(|_| cfg!(debug_assertions));
    fault.map(|plan| (FAULT_VARIABLE.into(), plan)).into_iter().collect()
}
