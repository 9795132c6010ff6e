//! From a configuration to a service.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::access::InvalidPublicUrl;
use super::app::{App, Limits, SEARCHES};
use super::blocking::{self, Writes};
use super::health::SharedLook;
use super::idempotency::Idempotency;
use super::metrics::Metrics;
use super::mirror::Mirror;
use super::server;
use crate::config::{AuthMode, Config, Listen, OpenToAll};
use crate::spool::{self, Spool, submitter};

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Strangers could reach a service that signs in everybody.
    #[error(transparent)]
    OpenToAll(#[from] OpenToAll),
    /// The configured way to sign in does not exist yet.
    #[error("this version knows only the authentication mode \"none\": set `mode = \"none\"` in [auth]")]
    NoSuchAuth,
    /// The configured kind of listener does not exist yet.
    #[error("this version listens only on an IP address and port, not on {0}: set `listen` in [api]")]
    NoSuchListener(Listen),
    /// The public URL cannot be used.
    #[error(transparent)]
    PublicUrl(#[from] InvalidPublicUrl),
    /// Nobody to be signed in as.
    #[error("the account of this process has no login name: set `dev_user` in [auth]")]
    NoUser,
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] spool::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// Reading the spool panicked, which the log explains.
    #[error("the spool could not be read: a part of this program failed")]
    Panicked,
}

impl StartError {
    /// Whether it is the configuration that must be changed.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        !matches!(self, Self::Spool(_) | Self::Bind { .. } | Self::Panicked)
    }
}

/// Serves the spool of a configuration until `shutdown` is cancelled.
///
/// # Errors
/// [`StartError`]; once it listens, nothing ends it but the shutdown.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), StartError> {
    config.auth.check_listener(&config.api.listen)?;
    if config.auth.mode != AuthMode::None {
        return Err(StartError::NoSuchAuth);
    }
    let address = match &config.api.listen {
        Listen::Tcp(address) => *address,
        listen @ Listen::Unix(_) => return Err(StartError::NoSuchListener(listen.clone())),
    };
    let user = user(&config).ok_or(StartError::NoUser)?;
    let public_url = config.api.public_url.parse()?;
    let bind = |source| StartError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let (spool, mirror, idempotency) = open(&config).await?;
    let app = App {
        config,
        spool,
        mirror,
        public_url,
        listener_is_loopback: address.ip().is_loopback(),
        user: user.into(),
        metrics: Metrics::default(),
        disk: SharedLook::default(),
        searches: Semaphore::new(SEARCHES),
        submissions: Writes::default(),
        letters: Writes::default(),
        idempotency,
        limits: Limits::default(),
        shutdown,
    };
    let address = listener.local_addr().map_err(bind)?;
    tracing::info!(spool = %app.spool.root().display(), "listening on http://{address}");
    server::serve(listener, Arc::new(app)).await;
    Ok(())
}

/// Everybody who connects is this user.
fn user(config: &Config) -> Option<String> {
    config.auth.dev_user.clone().or_else(|| submitter::login_name(rustix::process::getuid().as_raw()))
}

async fn open(config: &Config) -> Result<(Spool, Mirror, Idempotency), StartError> {
    let root = config.spool.clone();
    let watch = config.runner.watch;
    let idempotency = Idempotency::new(&config.api.state_directory);
    let open = move || -> spool::Result<(Spool, Mirror, Idempotency)> {
        let spool = Spool::open(&root)?;
        idempotency.sweep();
        Ok((spool.clone(), Mirror::start(spool, watch)?, idempotency))
    };
    Ok(blocking::run(open).await.map_err(|_| StartError::Panicked)??)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{Bench, soon};

    fn config(auth: &str, listen: &str, bench: &Bench) -> Config {
        let text = format!("[auth]\nmode = \"{auth}\"");
        let mut config = Config::parse("test.toml".as_ref(), &text).unwrap();
        config.spool = bench.spool.root().to_owned();
        config.api.listen = listen.parse().unwrap();
        config
    }

    async fn refusal(config: Config) -> StartError {
        soon(run(config, CancellationToken::new())).await.unwrap_err()
    }

    #[tokio::test]
    async fn what_this_version_cannot_do_is_refused_by_name() {
        let bench = Bench::new();
        for (auth, listen, expected) in [
            ("none", "0.0.0.0:0", "open to other machines"),
            ("local", "127.0.0.1:0", "mode = \"none\""),
            ("none", "unix:/run/api.sock", "unix:/run/api.sock"),
        ] {
            let error = refusal(config(auth, listen, &bench)).await;
            assert!(error.is_configuration() && error.to_string().contains(expected), "{error}");
        }
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
        let service = tokio::spawn(run(config("none", "127.0.0.1:0", &bench), shutdown.clone()));
        shutdown.cancel();
        soon(service).await.unwrap().unwrap();
    }
}
