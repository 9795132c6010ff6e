//! A job's log as a stream that follows it to its end.

mod lines;
pub mod records;
pub mod search;
#[cfg(test)]
mod tests;
mod transcript;

use std::path::PathBuf;
use std::sync::Arc;

use hyper::body::Bytes;
use tokio::sync::{mpsc, watch};

use self::transcript::Transcript;
use super::{id_in_path, no_such_job};
use crate::api::app::App;
use crate::api::blocking;
use crate::api::error::ApiError;
use crate::api::mirror::Ending;
use crate::api::request::Request;
use crate::api::response::{self, Response};
use crate::api::routes::{Argument, ArgumentKind};
use crate::spool::log::LogReader;
use crate::spool::{JobId, Result as SpoolResult};

/// What [`log`] understands.
pub const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "resume_record",
        kind: ArgumentKind::Number,
        help: "How many records the client has been told of",
    },
    INCLUDE_SENSITIVE,
];

const INCLUDE_SENSITIVE: Argument = Argument {
    name: "include_sensitive",
    kind: ArgumentKind::Switch,
    help: "Show sensitive lines; who asks for them is noted",
};

/// How many records before those that the client lacks are read again: a line that they begin, or a run of hidden lines
/// that they end, goes on behind them.
const CONTEXT: u64 = 100;

/// `GET /api/jobs/{id}/log`: JSON lines, see [`transcript`]. A stream that ends without `EOF` was cut off: the client
/// comes back with the last `recno` that it got as `resume_record`.
///
/// # Errors
/// 404 if there is no such job, 422 for arguments of the wrong kind.
pub async fn log(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let id = id_in_path(&request)?;
    let query = request.query()?;
    let resume = query.number("resume_record")?.unwrap_or(0);
    let include_sensitive = query.flag("include_sensitive")?;
    if app.mirror.view().ending(id) == Ending::NoSuchJob {
        return Err(no_such_job(id));
    }
    note_sensitive(id, include_sensitive);
    let (sender, response) = response::stream("application/octet-stream", app.shutdown.clone());
    let log = Log {
        directory: app.spool.job(id),
        reader: None,
        resume,
        transcript: Transcript::new(resume, include_sensitive),
    };
    let open = app.metrics.stream("log");
    let stream = Stream { id, changes: app.mirror.follow(id), app, sender };
    tokio::spawn(async move {
        let _open = open;
        if let Err(error) = stream.send(log).await {
            tracing::error!(job = %id, ?error, "a log stream broke off");
        }
    });
    Ok(response)
}

/// Somebody may see what is hidden from others: the log of the service has who, by the request's span.
fn note_sensitive(id: JobId, include_sensitive: bool) {
    if include_sensitive {
        tracing::info!(job = %id, "sensitive lines of a log are shown");
    }
}

/// A log and how far it was told. It goes to another thread for each chunk and comes back.
struct Log {
    directory: PathBuf,
    reader: Option<LogReader>,
    resume: u64,
    transcript: Transcript,
}

impl Log {
    /// Tells the next chunk. Returns whether there was one.
    fn tell_chunk(&mut self) -> SpoolResult<bool> {
        if self.reader.is_none() {
            self.reader = self.open()?;
        }
        let Some(reader) = &mut self.reader else { return Ok(false) };
        let Some(lines) = reader.read()? else { return Ok(false) };
        self.transcript.tell(lines);
        Ok(true)
    }

    fn open(&mut self) -> SpoolResult<Option<LogReader>> {
        let mut reader = LogReader::open(&self.directory)?;
        if let Some(reader) = &mut reader {
            reader.skip_to(self.resume.saturating_sub(CONTEXT))?;
            self.transcript.start_behind(reader.records());
        }
        Ok(reader)
    }
}

/// One client that reads a log.
struct Stream {
    id: JobId,
    changes: watch::Receiver<()>,
    app: Arc<App>,
    sender: mpsc::Sender<Bytes>,
}

impl Stream {
    async fn send(mut self, mut log: Log) -> Result<(), ApiError> {
        log.transcript.connected();
        loop {
            // First what was known of the end, then the log: so an end is never told before the last record.
            self.changes.mark_unchanged();
            let ending = self.app.mirror.view().ending(self.id);
            let mut more = true;
            while more {
                (more, log) = tell_chunk(log).await?;
                if !self.send_told(&mut log).await {
                    return Ok(());
                }
            }
            match ending {
                Ending::Open if log.reader.is_none() => log.transcript.waiting_for_log(),
                Ending::Open => {}
                Ending::Ended => {
                    log.transcript.end();
                    self.send_told(&mut log).await;
                    return Ok(());
                }
                Ending::NoSuchJob => return Ok(()),
            }
            if !self.send_told(&mut log).await || !self.changed().await {
                return Ok(());
            }
        }
    }

    /// Sends what was told. Returns whether there is still somebody to send to.
    async fn send_told(&self, log: &mut Log) -> bool {
        let told = log.transcript.take();
        if told.is_empty() {
            return true;
        }
        // A client that is slow has one chunk waiting for it, not as many as the channel takes.
        let Ok(mut places) = self.sender.reserve_many(self.sender.max_capacity()).await else { return false };
        if let Some(place) = places.next() {
            place.send(told.into());
        }
        true
    }

    /// Waits for the job to change. Returns whether there is still somebody to tell.
    async fn changed(&mut self) -> bool {
        tokio::select! {
            changed = self.changes.changed() => changed.is_ok(),
            () = self.sender.closed() => false,
        }
    }
}

async fn tell_chunk(mut log: Log) -> Result<(bool, Log), ApiError> {
    let (told, log) = blocking::run(move || (log.tell_chunk(), log)).await?;
    Ok((told.map_err(ApiError::internal)?, log))
}
