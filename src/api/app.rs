//! The services that handlers use. [`App`] owns them; it knows no handler.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::spool::Spool;

use crate::accounts::Auth;
use crate::accounts::identity::Identity;
use crate::audit::Audit;
use crate::audit::refusals::RefusalLimiter;
use crate::blocking::WriteLimiter;
use crate::changes::gerrit::Gerrit;
use crate::health::disk::Disks;
use crate::health::metrics::Metrics;
use crate::http::body::{End, Heartbeat, Manner, Revoked};
use crate::http::error::ApiError;
use crate::http::files::EmbeddedFiles;
use crate::http::host::PublicUrl;
use crate::http::streams::Streams;
use crate::logs::Logs;
use crate::mirror::Mirror;
use crate::submit::Submissions;

/// So many large responses are on their way at once: whoever does not read keeps one in memory.
pub const LARGE_AT_ONCE: usize = 8;

/// Gives the description of the API for programs, by whether people sign in.
pub type OpenApi = fn(is_guarded: bool) -> Result<&'static Value, &'static serde_json::Error>;

/// The state that all requests share.
#[derive(Debug)]
pub struct App {
    /// The configuration.
    pub config: Config,
    /// Where jobs, answers and signals are put.
    pub spool: Spool,
    /// What is known of the spool without opening anything.
    pub mirror: Arc<Mirror>,
    /// Where people reach this service; its host is the one that requests must name.
    pub public_url: PublicUrl,
    /// Who asks, and what they may do.
    pub auth: Auth,
    /// The files of the web page.
    pub page: EmbeddedFiles,
    /// Makes the description of the API, which tells of handlers that stand above this.
    pub openapi: OpenApi,
    /// What is counted.
    pub metrics: Metrics,
    /// The disks of the spool and of the state directory.
    pub disks: Arc<Disks>,
    /// Where changes are looked up, if there is such a place.
    pub gerrit: Option<Gerrit>,
    /// Where jobs are queued.
    pub submissions: Arc<Submissions>,
    /// Files for the inbox: answers, signals and pauses. They do not wait behind submissions.
    pub inbox_writes: WriteLimiter,
    /// Where it is recorded who did what.
    pub audit: Arc<Audit>,
    /// Which refusals get a line in the audit trail.
    pub refusals: RefusalLimiter,
    /// How long it waits for what.
    pub limits: Limits,
    /// Cancelled when the service stops. Every stream ends with it.
    pub shutdown: CancellationToken,
    /// The logs of the jobs.
    pub logs: Arc<Logs>,
    /// Who has how many streams.
    pub streams: Streams,
    /// The turns of responses that are large.
    pub large: Arc<Semaphore>,
}

impl App {
    /// How a stream is sent that begins now for somebody, and whose pieces say when they are all there.
    ///
    /// # Errors
    /// 429 if they have too many.
    pub fn stream(&self, identity: &Identity) -> Result<Manner, ApiError> {
        let turn = match (&self.auth, identity) {
            (Auth::Guarded(_), Identity::Authenticated(caller)) => {
                let most = self.limits.streams_of_a_user;
                let turn = self.streams.begin(&caller.user, most);
                Some(turn.ok_or_else(|| too_many_streams(most))?)
            }
            // Where nobody signs in all people are one user.
            _ => None,
        };
        let revoked = self.auth.watch(identity).map(|watch| -> Revoked { Box::pin(watch.lost()) });
        let end = End { token: self.shutdown.clone(), lifetime: self.limits.stream, revoked, turn };
        Ok(Manner { end, heartbeat: None, marks_its_end: true })
    }

    /// The sign of life of a stream in which nothing happens.
    #[must_use]
    pub fn heartbeat(&self, piece: &'static str) -> Heartbeat {
        Heartbeat { pause: self.limits.heartbeat, piece: Bytes::from_static(piece.as_bytes()) }
    }
}

fn too_many_streams(most: usize) -> ApiError {
    let message = format!("You already have {most} streams open in your tabs and scripts: close some of them");
    ApiError::refused(StatusCode::TOO_MANY_REQUESTS, message).with("code", "too_many_streams").retry_after(5)
}

/// How long the service waits for the disk, for another service, or to say something, and how many streams a user has.
/// How long the server waits for its clients stands in [`server::Limits`](crate::http::server::Limits).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Between two signs of life in a stream where nothing happens.
    pub heartbeat: Duration,
    /// For a search in a log, or for its marks: what was found until then is told.
    pub search: Duration,
    /// For the spool's disk to answer how it is.
    pub disk: Duration,
    /// For another service to answer one question.
    pub outbound: Duration,
    /// For somebody who could not sign in to be told so: it takes as long whatever was wrong.
    pub failed_sign_in: Duration,
    /// For a stream, however much is still to come: its client comes back, and is let in again or not.
    pub stream: Duration,
    /// How many streams one user has at once.
    pub streams_of_a_user: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(15),
            stream: Duration::from_hours(1),
            search: Duration::from_secs(10),
            disk: Duration::from_secs(1),
            outbound: Duration::from_secs(5),
            failed_sign_in: Duration::from_secs(1),
            streams_of_a_user: 100,
        }
    }
}
