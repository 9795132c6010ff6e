//! The HTTP front: arguments, environment, signals and exit codes. Everything else is in the library.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use spiderpig::api::start;
use spiderpig::check::{self, Account};
use spiderpig::config::{self, Config, Listen};
use spiderpig::spool::fault;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// How long work that may not be abandoned half done gets after everything else has ended.
const LAST_WRITES: Duration = Duration::from_millis(100);

/// Exit status for arguments and configurations that cannot be used.
const USAGE: u8 = 2;

/// SpiderPig's web server: start, watch, answer and stop the jobs of a spool. Without a subcommand: serves.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Arguments {
    /// The configuration file; without it the one that `SPIDERPIG_CONFIG` names, or /etc/spiderpig/spiderpig.toml
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
    /// Verify what this account may do with the spool, and name the fix for each finding. Changes nothing
    Check,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).with_writer(std::io::stderr).init();
    let done = match arguments.command {
        Some(Command::Check) => check(arguments),
        None => run(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            #[expect(clippy::print_stderr, reason = "a program that cannot start says why")]
            {
                eprintln!("spiderpig-api: {message}");
            }
            code.into()
        }
    }
}

struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn new(code: u8, error: impl std::fmt::Display) -> Self {
        Self { code, message: error.to_string() }
    }
}

fn check(arguments: Arguments) -> Result<(), Failure> {
    let config = configuration(arguments)?;
    let findings = check::check_access(&config, &Account::current());
    let mut output = std::io::stdout().lock();
    findings.iter().try_for_each(|finding| writeln!(output, "{finding}")).map_err(|error| Failure::new(1, error))?;
    match findings.len() {
        0 => writeln!(output, "no findings: this account may do what it must").map_err(|error| Failure::new(1, error)),
        count => Err(Failure::new(1, format!("{count} to be looked at"))),
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = configuration(arguments)?;
    plan_faults();
    let runtime =
        runtime::Builder::new_current_thread().enable_all().build().map_err(|error| Failure::new(1, error))?;
    let shutdown = CancellationToken::new();
    let served = runtime.block_on(async {
        stop_on_signals(&shutdown).map_err(|error| Failure::new(1, error))?;
        let served = start::run(config, shutdown).await;
        served.map_err(|error| Failure::new(if error.is_configuration() { USAGE } else { 1 }, error))
    });
    runtime.shutdown_timeout(LAST_WRITES);
    served
}

/// Variable by which tests make the writes of this process fail, as `api=7:die`.
const FAULT_VARIABLE: &str = "SPIDERPIG_FAULT";

/// Lets a debug build break on demand; a release build never does.
fn plan_faults() {
    if cfg!(debug_assertions)
        && let Ok(text) = std::env::var(FAULT_VARIABLE)
        && let Some(plan) = text.strip_prefix("api=")
        && let Ok(plan) = plan.parse()
    {
        fault::install(plan);
    }
}

fn configuration(arguments: Arguments) -> Result<Config, Failure> {
    let path = config::choose_path(arguments.config, std::env::var_os("SPIDERPIG_CONFIG"));
    let mut config = Config::load(&path).map_err(|error| Failure::new(USAGE, error))?;
    if let Some(spool) = arguments.spool {
        config.spool = std::path::absolute(spool).map_err(|error| Failure::new(USAGE, error))?;
    }
    if let Some(listen) = arguments.listen {
        config.api.listen = listen;
    }
    Ok(config)
}

/// Either signal asks for an orderly end, which comes within a second; a second one changes nothing.
fn stop_on_signals(shutdown: &CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping on SIGTERM"),
            _ = interrupt.recv() => tracing::info!("stopping on SIGINT"),
        }
        shutdown.cancel();
    });
    Ok(())
}
