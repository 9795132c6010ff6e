//! Requests to other services by HTTP and TLS, with limits on time, size and concurrency.
//!
//! Such a service may be slow, down or hostile. Only the callers that need its answer wait for it, and not for long.

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

/// The largest answer, in bytes.
const MAX_ANSWER: usize = 4 << 20;

/// The maximum number of concurrent requests to one service.
const MAX_CONCURRENT: usize = 8;

/// The maximum length, in characters, of a redirection's address in a message.
const MAX_LOCATION: usize = 200;

/// The time for which an idle connection is kept for the next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

const AGENT: &str = concat!("spiderpig/", env!("CARGO_PKG_VERSION"));

/// Another service. Its connections are reused.
#[derive(Debug)]
pub struct Outbound {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    turns: Semaphore,
    time_limit: Duration,
    accept: HeaderValue,
}

/// The reason why there is no answer. Messages put the name of the service before its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The answer took too long.
    #[error("did not answer within {} s", .0.as_secs())]
    TooSlow(Duration),
    /// There was no connection, or it broke.
    #[error("cannot be asked: {0}")]
    Broken(String),
    /// The service answered with a status other than 200.
    #[error("answered {}{}", status.as_u16(), redirection_text(location.as_deref()))]
    Status {
        /// The status.
        status: StatusCode,
        /// The address of a redirection, which is not followed.
        location: Option<String>,
    },
    /// The answer was too large.
    #[error("sent more than {} MiB", MAX_ANSWER >> 20)]
    TooLarge,
}

impl Outbound {
    /// Trusts the certificates that the system trusts now: this reads them from the disk. `time_limit` covers the whole
    /// request: waiting for a turn, the name, the connection, and the answer to its last byte. `accept` is the wanted
    /// type of the answer (RFC 9110, 12.5.1).
    #[must_use]
    pub fn new(time_limit: Duration, accept: &'static str) -> Self {
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls()).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_CONCURRENT)
            .build(connector);
        Self { client, turns: Semaphore::new(MAX_CONCURRENT), time_limit, accept: HeaderValue::from_static(accept) }
    }

    /// Returns the body of an answer with status 200.
    ///
    /// # Errors
    /// [`OutboundError`] if there is no such answer.
    pub async fn get(&self, url: &str) -> Result<Bytes, OutboundError> {
        let answer = tokio::time::timeout(self.time_limit, self.ask(url)).await;
        answer.map_err(|_| OutboundError::TooSlow(self.time_limit))?
    }

    async fn ask(&self, url: &str) -> Result<Bytes, OutboundError> {
        let broken = |error: &dyn std::error::Error| OutboundError::Broken(innermost(error));
        let request = Request::get(url).header(USER_AGENT, AGENT).header(ACCEPT, &self.accept);
        let request = request.body(Empty::new()).map_err(|error| broken(&error))?;
        let _turn = self.turns.acquire().await.map_err(|error| broken(&error))?;
        let response = self.client.request(request).await.map_err(|error| broken(&error))?;
        if response.status() != StatusCode::OK {
            return Err(unexpected(&response));
        }
        read(response.into_body()).await
    }
}

fn redirection_text(location: Option<&str>) -> String {
    location.map_or_else(String::new, |to| format!(", and points to {to}"))
}

fn unexpected<T>(response: &Response<T>) -> OutboundError {
    let status = response.status();
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location =
        location.filter(|_| status.is_redirection()).map(|location| cut(location, MAX_LOCATION).into_owned());
    OutboundError::Status { status, location }
}

/// The first `most` characters of a text of any length, with `…` if there are more.
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

/// The message of the root cause. The errors above it only say that something failed.
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

/// The program chooses the TLS algorithms here, because other linked libraries could choose differently.
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
