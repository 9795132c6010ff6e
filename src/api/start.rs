//! From a configuration to a service.

use std::sync::Arc;
use std::time::Duration;

use rust_embed::RustEmbed;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::app::{App, LARGE_AT_ONCE, Limits};
use super::document;
use super::front;
use super::job;
use crate::accounts::guard::Guard;
use crate::accounts::{Auth, follow};
use crate::audit::Audit;
use crate::audit::refusals::RefusalLimiter;
use crate::blocking;
use crate::blocking::WriteLimiter;
use crate::changes::gerrit::Gerrit;
use crate::config::{AuthMode, Config, Listen, OpenToAll};
use crate::health::disk::Disks;
use crate::health::metrics::Metrics;
use crate::http::files::EmbeddedFiles;
use crate::http::host::InvalidPublicUrl;
use crate::http::listener::{ListenFailure, Listener, PassedSocket};
use crate::http::server;
use crate::logs::Logs;
use crate::mirror::Mirror;
use crate::spool;
use crate::spool::{Spool, room, submitter};
use crate::state::StateDirectory;
use crate::submit::Submissions;

/// How often one looks whether there is room for answers and signals on a full disk.
const SET_ASIDE_INTERVAL: Duration = Duration::from_secs(20);

/// The page, as `make web` builds it from `web/`. A debug build does without it if it is not there.
#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Page;

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Strangers could reach a service that signs in everybody.
    #[error(transparent)]
    OpenToAll(#[from] OpenToAll),
    /// What is known of those who sign in cannot be used.
    #[error("nobody could sign in: {0}")]
    Auth(spool::Error),
    /// The public URL cannot be used.
    #[error(transparent)]
    PublicUrl(#[from] InvalidPublicUrl),
    /// Nobody to be signed in as.
    #[error("the account of this process has no login name: set `dev_user` in [auth]")]
    NoUser,
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] spool::Error),
    /// The listener cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenFailure),
    /// Reading the spool panicked, which the log explains.
    #[error("the spool could not be read: a part of this program failed")]
    Panicked,
}

impl StartError {
    /// Whether it is the configuration that must be changed.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        !matches!(self, Self::Auth(_) | Self::Spool(_) | Self::Listen(_) | Self::Panicked)
    }
}

/// A service that is ready: clients can connect, and are answered once it [runs](Service::run).
#[derive(Debug)]
pub struct Service {
    app: Arc<App>,
    listeners: Vec<Listener>,
    limits: server::Limits,
}

impl Service {
    /// Opens the spool of a configuration, and listens: on the sockets that the service manager has passed, or where
    /// the configuration says if there are none.
    ///
    /// # Errors
    /// [`StartError`]; once it listens, nothing ends it but the shutdown.
    pub async fn open(
        config: Config,
        passed: Vec<PassedSocket>,
        shutdown: CancellationToken,
    ) -> Result<Self, StartError> {
        let listens = passed.iter().map(PassedSocket::listen);
        let configured = passed.is_empty().then(|| config.api.listen.clone());
        listens.chain(configured).try_for_each(|listen| config.auth.check_listener(&listen))?;
        let public_url = config.api.public_url.parse()?;
        let listeners = if passed.is_empty() {
            vec![Listener::bind(&config.api.listen).await?]
        } else {
            passed.into_iter().map(Listener::adopt).collect::<Result<_, _>>()?
        };
        let (spool, mirror, submissions) = open(&config).await?;
        tokio::spawn(set_room_aside(spool.clone(), shutdown.clone()));
        let limits = Limits::default();
        let auth = open_auth(&config, limits, &shutdown).await?;
        let audit = Audit::new(StateDirectory::new(&config.api.state_directory));
        let logs = Logs::new(spool.clone(), Arc::clone(&mirror));
        let disks = Disks::new(spool.clone(), Arc::clone(&mirror), config.api.state_directory.clone());
        let app = App {
            gerrit: Gerrit::of(&config.gerrit, limits.outbound),
            config,
            spool,
            mirror,
            public_url,
            auth,
            page: EmbeddedFiles::of::<Page>(),
            openapi: document::openapi,
            metrics: Metrics::default(),
            disks: Arc::new(disks),
            submissions: Arc::new(submissions),
            inbox_writes: WriteLimiter::default(),
            audit: Arc::new(audit),
            refusals: RefusalLimiter::default(),
            limits,
            shutdown,
            logs: Arc::new(logs),
            streams: crate::http::streams::Streams::default(),
            large: Arc::new(tokio::sync::Semaphore::new(LARGE_AT_ONCE)),
        };
        Ok(Self { app: Arc::new(app), listeners, limits: server_limits() })
    }

    /// Serves until `shutdown` is cancelled.
    pub async fn run(self) {
        let spool = self.app.spool.root().display().to_string();
        for listener in &self.listeners {
            let listen = listener.listen();
            let scheme = if matches!(listen, Listen::Tcp(_)) { "http://" } else { "" };
            tracing::info!(spool, "listening on {scheme}{listen}");
        }
        let (disks, patience) = (Arc::clone(&self.app.disks), self.app.limits.disk);
        let shutdown = self.app.shutdown.clone();
        tokio::spawn(async move { disks.watch(patience, shutdown).await });
        front::serve(self.listeners, self.app, self.limits).await;
    }
}

/// Sets aside what a full disk will need for answers and signals, and again what was used of it.
async fn set_room_aside(spool: Spool, shutdown: CancellationToken) {
    let mut again = tokio::time::interval(SET_ASIDE_INTERVAL);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    while shutdown.run_until_cancelled(again.tick()).await.is_some() {
        let spool = spool.clone();
        let problem = match blocking::run(move || room::set_aside(&spool)).await {
            Ok(Err(error)) => Some(error.to_string()),
            // What panicked is in the log.
            Ok(Ok(())) | Err(_) => None,
        };
        if problem != last {
            if let Some(problem) = &problem {
                tracing::warn!("no room is set aside for answers and signals on a full disk: {problem}");
            }
            last = problem;
        }
    }
}

fn server_limits() -> server::Limits {
    let open_files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    open_files.map_or_else(server::Limits::default, server::Limits::for_open_files)
}

async fn open_auth(config: &Config, limits: Limits, shutdown: &CancellationToken) -> Result<Auth, StartError> {
    if config.auth.mode == AuthMode::None {
        return Ok(Auth::open(&user(config).ok_or(StartError::NoUser)?));
    }
    let opening = config.clone();
    let guard = blocking::run(move || Guard::open(&opening, limits.outbound)).await;
    let guard = Arc::new(guard.map_err(|_| StartError::Panicked)?.map_err(StartError::Auth)?);
    tokio::spawn(follow::follow(Arc::clone(&guard), config.clone(), shutdown.clone()));
    Ok(Auth::Guarded(guard))
}

/// Everybody who connects is this user.
fn user(config: &Config) -> Option<String> {
    config.auth.dev_user.clone().or_else(|| submitter::login_name(rustix::process::getuid().as_raw()))
}

async fn open(config: &Config) -> Result<(Spool, Arc<Mirror>, Submissions), StartError> {
    let root = config.spool.clone();
    let watch = config.runner.watch;
    let state = StateDirectory::new(&config.api.state_directory);
    let open = move || -> spool::Result<(Spool, Arc<Mirror>, Submissions)> {
        let spool = Spool::open(&root)?;
        let mirror = Arc::new(Mirror::start(spool.clone(), watch, job::rendered)?);
        let submissions = Submissions::new(spool.clone(), Arc::clone(&mirror), state);
        submissions.forget_old_keys();
        Ok((spool, mirror, submissions))
    };
    Ok(blocking::run(open).await.map_err(|_| StartError::Panicked)??)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{Bench, soon};
    use crate::spool::atomic;
    use crate::spool::atomic::Durability;

    fn config(auth: &str, listen: &str, bench: &Bench) -> Config {
        let text = format!("[auth]\nmode = \"{auth}\"");
        let mut config = Config::parse("test.toml".as_ref(), &text).unwrap();
        config.spool = bench.spool.root().to_owned();
        config.api.state_directory = bench.state_directory().path().to_owned();
        config.auth.users_file = bench.state_directory().join("users.toml");
        config.api.listen = listen.parse().unwrap();
        config
    }

    async fn refusal(config: Config) -> StartError {
        soon(Service::open(config, Vec::new(), CancellationToken::new())).await.unwrap_err()
    }

    #[tokio::test]
    async fn strangers_do_not_reach_a_service_that_signs_in_everybody() {
        let bench = Bench::new();
        let error = refusal(config("none", "0.0.0.0:0", &bench)).await;
        assert!(error.is_configuration() && error.to_string().contains("open to other machines"), "{error}");
    }

    #[tokio::test]
    async fn where_people_sign_in_their_files_must_be_fit_for_it() {
        let bench = Bench::new();
        let open = || Service::open(config("local", "127.0.0.1:0", &bench), Vec::new(), CancellationToken::new());
        let service = soon(open()).await.unwrap();
        assert!(matches!(service.app.auth, Auth::Guarded(_)));
        let users = bench.state_directory().join("users.toml");
        atomic::replace(&users, b"[users", 0o600, Durability::Ordered).unwrap();
        let error = soon(open()).await.unwrap_err();
        assert!(!error.is_configuration() && error.to_string().contains("users.toml"), "{error}");
    }

    #[tokio::test]
    async fn a_directory_that_is_no_spool_is_refused_with_what_to_do() {
        let bench = Bench::new();
        let mut config = config("none", "127.0.0.1:0", &bench);
        config.spool.push("queue");
        let error = refusal(config).await;
        assert!(!error.is_configuration() && error.to_string().contains("start spiderpig-runner"), "{error}");
    }

    #[tokio::test]
    async fn a_shutdown_ends_it() {
        let bench = Bench::new();
        let shutdown = CancellationToken::new();
        let config = config("none", "127.0.0.1:0", &bench);
        let service = soon(Service::open(config, Vec::new(), shutdown.clone())).await.unwrap();
        let service = tokio::spawn(service.run());
        shutdown.cancel();
        soon(service).await.unwrap();
    }
}
