//! Asking other services, by HTTP and TLS: with a time limit and a size limit, and never many requests at once.
//!
//! Such a service may be slow, down, or not what it was. Whatever it does, only those wait who ask it, and not for long.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 4 << 20;

/// Requests to one service at once.
const AT_ONCE: usize = 8;

/// How much of the address is told that a redirection leads to, in characters.
const MAX_LOCATION: usize = 200;

/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(30);

const PROGRAM: &str = concat!("spiderpig/", env!("CARGO_PKG_VERSION"));

/// A service that is asked. Its connections are used again.
#[derive(Debug)]
pub struct Outbound {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    turns: Semaphore,
    time_limit: Duration,
    accept: HeaderValue,
}

/// Why there is no answer; the words follow the name of the service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// It took too long.
    #[error("did not answer within {} s", .0.as_secs())]
    TooSlow(Duration),
    /// There is no connection to be had, or it broke.
    #[error("cannot be asked: {0}")]
    Broken(String),
    /// It answered with another status than 200, and perhaps an address where it is said to be better.
    #[error("answered {}{}", status.as_u16(), pointing(location.as_deref()))]
    Status {
        /// The status.
        status: StatusCode,
        /// Where a redirection leads, which is not followed.
        location: Option<String>,
    },
    /// It sent too much.
    #[error("sent more than {} MiB", MAX_ANSWER >> 20)]
    TooLarge,
}

impl Outbound {
    /// Trusts the certificates that the system trusts, as they are now: this reads them from the disk. `time_limit` is for
    /// an answer with everything: waiting for a turn, the name, the connection, and the last byte. `accept` is what kind of
    /// answer is asked for (RFC 9110, 12.5.1).
    #[must_use]
    pub fn new(time_limit: Duration, accept: &'static str) -> Self {
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls()).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(AT_ONCE)
            .build(connector);
        Self { client, turns: Semaphore::new(AT_ONCE), time_limit, accept: HeaderValue::from_static(accept) }
    }

    /// The body at an address, which was answered with 200.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn get(&self, url: &str) -> Result<Bytes, OutboundError> {
        let answer = tokio::time::timeout(self.time_limit, self.ask(url)).await;
        answer.map_err(|_| OutboundError::TooSlow(self.time_limit))?
    }

    async fn ask(&self, url: &str) -> Result<Bytes, OutboundError> {
        let broken = |error: &dyn std::error::Error| OutboundError::Broken(innermost(error));
        let request = Request::get(url).header(USER_AGENT, PROGRAM).header(ACCEPT, &self.accept);
        let request = request.body(Empty::new()).map_err(|error| broken(&error))?;
        let _turn = self.turns.acquire().await.map_err(|error| broken(&error))?;
        let response = self.client.request(request).await.map_err(|error| broken(&error))?;
        if response.status() != StatusCode::OK {
            return Err(unexpected(&response));
        }
        read(response.into_body()).await
    }
}

fn pointing(location: Option<&str>) -> String {
    location.map_or_else(String::new, |to| format!(", and points to {to}"))
}

fn unexpected<T>(response: &Response<T>) -> OutboundError {
    let status = response.status();
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location =
        location.filter(|_| status.is_redirection()).map(|location| cut(location, MAX_LOCATION).into_owned());
    OutboundError::Status { status, location }
}

/// The beginning of what a service says, which may be of any length, with a mark if it is not all.
#[must_use]
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

async fn read(mut body: Incoming) -> Result<Bytes, OutboundError> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| OutboundError::Broken(innermost(&error)))?;
        if let Some(data) = frame.data_ref() {
            if read.len() + data.len() > MAX_ANSWER {
                return Err(OutboundError::TooLarge);
            }
            read.extend_from_slice(data);
        }
    }
    Ok(read.into())
}

/// What went wrong at the bottom: the errors above say only that something did.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    if text.contains("certificate") {
        return format!("{text}. Its certificate must be signed by an authority that this system trusts");
    }
    text
}

/// The choice of algorithms is made here, and not by whatever else is linked into the program.
fn tls() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    #[expect(clippy::expect_used, reason = "ring has what the default versions need")]
    let builder = builder.expect("the provider can do TLS");
    builder.with_root_certificates(authorities()).with_no_client_auth()
}

fn authorities() -> RootCertStore {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "cannot read a certificate that this system trusts");
    }
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        tracing::warn!("this system trusts no certificates, so nothing can be asked by https: install ca-certificates");
    }
    store
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_is_told_in_short() {
        let redirection = |to: &str| Response::builder().status(302).header(LOCATION, to).body(()).unwrap();
        let told = |to: &str| unexpected(&redirection(to)).to_string();
        assert_eq!(told("https://elsewhere.test/login"), "answered 302, and points to https://elsewhere.test/login");
        assert!(told(&"x".repeat(1 << 16)).len() < 2 * MAX_LOCATION);
        assert_eq!(unexpected(&Response::builder().status(500).body(()).unwrap()).to_string(), "answered 500");
    }
}
