//! What every handler may use.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::spool::Spool;

use super::access::PublicUrl;
use super::blocking::Writes;
use super::health::{Disk, SharedLook};
use super::idempotency::Idempotency;
use super::metrics::Metrics;
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
    /// What is counted.
    pub metrics: Metrics,
    /// What the spool's disk says when it is asked, if it answers.
    pub disk: SharedLook<Disk>,
    /// The searches in logs that go on at once.
    pub searches: Semaphore,
    /// Submissions, which wait for the number of a job.
    pub submissions: Writes,
    /// Answers, signals and pauses, which do not wait behind submissions.
    pub letters: Writes,
    /// The requests that were sent with an idempotency key.
    pub idempotency: Idempotency,
    /// How long the server waits for a client.
    pub limits: Limits,
    /// Cancelled when the service stops. Every stream ends with it.
    pub shutdown: CancellationToken,
}

/// Searches in logs at once: each keeps a core busy, and there are viewers to be served.
pub const SEARCHES: usize = 2;

/// How long the server waits for a client, or for the disk, before it goes on without it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a complete request head, and so also for the next request on an idle connection.
    pub head_read: Duration,
    /// For a complete request body.
    pub body_read: Duration,
    /// Between two signs of life in a stream of events where nothing happens.
    pub heartbeat: Duration,
    /// For a search in a log, which then tells what it has found.
    pub search: Duration,
    /// For the spool's disk to answer how it is.
    pub disk: Duration,
    /// For open requests and connections after a shutdown began.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_read: Duration::from_secs(30),
            body_read: Duration::from_secs(30),
            heartbeat: Duration::from_secs(15),
            search: Duration::from_secs(10),
            disk: Duration::from_secs(1),
            drain: Duration::from_millis(900),
        }
    }
}
