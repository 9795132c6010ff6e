//! What every handler may use.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::spool::Spool;

use super::access::PublicUrl;
use super::body::End;
use super::jobs::log::Logs;
use super::mirror::Mirror;

/// The state that all requests share.
#[derive(Debug)]
pub struct App {
    /// The configuration.
    pub config: Config,
    /// Where jobs, answers and signals are put.
    pub spool: Spool,
    /// What is known of the spool without opening anything.
    pub mirror: Mirror,
    /// Where people reach this service; its host is the one that requests must name.
    pub public_url: PublicUrl,
    /// The listener is bound to a loopback address, so requests may also name `localhost`.
    pub listener_is_loopback: bool,
    /// Everybody is signed in as this user.
    pub user: Arc<str>,
    /// How long the server waits for a client.
    pub limits: Limits,
    /// Cancelled when the service stops. Every stream ends with it.
    pub shutdown: CancellationToken,
    /// What those who read logs have in common.
    pub logs: Logs,
}

impl App {
    /// When a stream that begins now ends at the latest.
    #[must_use]
    pub fn end_of_stream(&self) -> End {
        End { token: self.shutdown.clone(), lifetime: self.limits.stream }
    }
}

/// How long the server waits for a client before it goes on without it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a complete request head, and so also for the next request on an idle connection.
    pub head_read: Duration,
    /// For a complete request body.
    pub body_read: Duration,
    /// For open requests and connections after a shutdown began.
    pub drain: Duration,
    /// For a stream, however much is still to come: its client comes back, and is let in again or not.
    pub stream: Duration,
    /// For a search in a log.
    pub search: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_read: Duration::from_secs(30),
            body_read: Duration::from_secs(30),
            drain: Duration::from_millis(900),
            stream: Duration::from_hours(1),
            search: Duration::from_secs(10),
        }
    }
}
