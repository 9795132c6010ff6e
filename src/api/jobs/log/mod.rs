//! A job's log: followed to its end, looked into, searched, marked.
//!
//! Nothing here holds more of a log than a portion at a time, however long it is and however slow its reader.

mod candidates;
mod indexes;
pub(in crate::api) mod length;
mod live;
pub mod marks;
pub mod records;
mod rendering;
mod reveals;
pub mod search;
mod stored;
mod survey;
mod tail;
#[cfg(test)]
pub(in crate::api) mod tests;
mod text;
mod transcript;
mod viewer;

use std::sync::Arc;

use hyper::body::Bytes;
use serde_json::json;
use tokio::sync::Semaphore;

use self::indexes::Indexes;
use self::length::Lengths;
use self::rendering::{Form, Rendering};
use self::reveals::{Reveal, Reveals};
use self::tail::Tails;
use self::viewer::Viewer;
use super::{id_in_path, job_type_of, no_such_job};
use crate::api::app::App;
use crate::api::auth::access::Guarded;
use crate::api::auth::audit::Event;
use crate::api::auth::record::Deed;
use crate::api::blocking;
use crate::api::body::{CutOff, Manner};
use crate::api::error::{ApiError, Invalid};
use crate::api::mirror::Ending;
use crate::api::query::Query;
use crate::api::request::Request;
use crate::api::response::{self, Response};
use crate::api::routes::{Argument, ArgumentKind};
use crate::spool::JobId;

const INCLUDE_SENSITIVE: Argument = Argument {
    name: "include_sensitive",
    kind: ArgumentKind::Switch,
    help: "Show sensitive lines; who asks for them is noted",
};

/// What [`log`] understands.
pub const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "resume_record",
        kind: ArgumentKind::Number,
        help: "How many records the client has been told of",
    },
    INCLUDE_SENSITIVE,
    Argument {
        name: "format",
        kind: ArgumentKind::Choices(&["text"]),
        help: "Plain text from the beginning, without sensitive lines",
    },
    Argument {
        name: "heartbeat",
        kind: ArgumentKind::Switch,
        help: "Say `heartbeat` whenever nothing else was said for 15 seconds, so that no proxy takes the stream for dead",
    },
];

/// It has no `recno`: to come back with the number of a line is right whenever that was.
const HEARTBEAT: &str = "{\"type\":\"heartbeat\"}\n";

/// How many portions of logs are read, and searched, at a time. The machine has better things to do too, and each takes
/// a thread; the others wait for their turn, which is short.
const TURNS: usize = 4;

/// What those who read logs have in common.
#[derive(Debug)]
pub struct Logs {
    tails: Tails,
    indexes: Indexes,
    lengths: Lengths,
    turns: Arc<Semaphore>,
    reveals: Reveals,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            tails: Tails::default(),
            indexes: Indexes::default(),
            lengths: Lengths::default(),
            turns: Arc::new(Semaphore::new(TURNS)),
            reveals: Reveals::default(),
        }
    }
}

impl Logs {
    /// Does work on a log that takes a moment, on a thread where it may block, when it is its turn.
    ///
    /// # Errors
    /// 500 if the work panics.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let turns = Arc::clone(&self.turns);
        // A task of its own: a turn must not wait for a client who got it and does not read.
        let done = tokio::spawn(async move {
            let _turn = turns.acquire_owned().await.map_err(ApiError::internal)?;
            blocking::run(work).await
        });
        done.await.map_err(ApiError::internal)?
    }

    /// Reads a portion, of at most `limit` records.
    ///
    /// # Errors
    /// 500 if the log cannot be read.
    async fn read(&self, mut log: Rendering, limit: u64) -> Result<(Option<Bytes>, Rendering), ApiError> {
        let (read, log) = self.run(move || (log.read(limit), log)).await?;
        Ok((read.map_err(ApiError::internal)?, log))
    }
}

/// `GET /api/jobs/{id}/log`: JSON lines, see [`transcript`], or plain [`text`]. A stream of JSON lines that ends without
/// `EOF` was cut off: the client comes back with the last `recno` that it got as `resume_record`. Plain text that is cut
/// off lacks the last chunk.
///
/// # Errors
/// 404 if there is no such job, 422 for arguments of the wrong kind, or that do not go together.
pub async fn log(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let id = id_in_path(&request)?;
    let query = request.query()?;
    let resume = query.number("resume_record")?;
    let form = form(&query)?;
    let heartbeat = query.flag("heartbeat")?.then(|| app.heartbeat(HEARTBEAT));
    must_exist(&app, id)?;
    if let Form::Lines { include_sensitive } = form {
        record_use(&app, &request, id, include_sensitive).await?;
    }
    let viewer = Viewer::new(Arc::clone(&app), id, form, resume.unwrap_or(0));
    let open = app.metrics.stream("log");
    let include_sensitive = matches!(form, Form::Lines { include_sensitive: true });
    let manner = Manner { heartbeat, marks_its_end: form != Form::Text, ..app.stream(&request.identity)? };
    let response = response::produce(form.content_type(), manner, |mut pieces| async move {
        let _open = open;
        match viewer.watch(&mut pieces).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(CutOff),
            Err(error) => {
                tracing::error!(job = %id, ?error, "a log stream broke off");
                Err(CutOff)
            }
        }
    });
    Ok(as_secret_as(include_sensitive, response))
}

/// The form that the arguments ask for.
fn form(query: &Query) -> Result<Form, ApiError> {
    let include_sensitive = query.flag("include_sensitive")?;
    let refused = |name: &str, message: &str| {
        let input = query.get(name).unwrap_or_default().into();
        Err(invalid(name, message, input))
    };
    match query.get("format") {
        None => Ok(Form::Lines { include_sensitive }),
        Some("text") if include_sensitive => {
            refused("include_sensitive", "Plain text never has sensitive lines: leave out format, or this")
        }
        Some("text") if query.flag("heartbeat")? => {
            refused("heartbeat", "Plain text has nothing but the log in it: leave out format, or this")
        }
        Some("text") if query.get("resume_record").is_some() => refused(
            "resume_record",
            "Plain text has no record numbers and always comes from its beginning: leave this out",
        ),
        Some("text") => Ok(Form::Text),
        Some(_) => refused("format", "Input should be text, or left out for JSON lines"),
    }
}

fn invalid(name: &str, message: &str, input: serde_json::Value) -> ApiError {
    let location = vec!["query".into(), name.into()];
    ApiError::invalid(Invalid { kind: "value_error", location, message: message.into(), input })
}

/// Sensitive lines must not be found in a browser by whoever sits there next.
fn as_secret_as(include_sensitive: bool, response: Response) -> Response {
    if include_sensitive { response::unstored(response) } else { response }
}

/// # Errors
/// 404 if there is no such job.
pub(in crate::api) fn must_exist(app: &App, id: JobId) -> Result<(), ApiError> {
    if app.mirror.view().ending(id) == Ending::NoSuchJob { Err(no_such_job(id)) } else { Ok(()) }
}

/// Records who wants to see sensitive lines, before they do: once an hour for each job and place, as a page asks for many
/// windows. Of two that come at once each is recorded.
///
/// # Errors
/// 403, or what the route has instead, for who may not see them; 503 if it cannot be recorded: then they are not shown.
async fn record_use(app: &App, request: &Request, id: JobId, include_sensitive: bool) -> Result<(), ApiError> {
    if !include_sensitive {
        return Ok(());
    }
    request.may_reveal(Guarded::by(&job_type_of(app, id)?, &app.config))?;
    let reveal = Reveal { user: Arc::clone(&request.user), job: id, address: request.client.address };
    if !app.logs.reveals.is_recorded(&reveal) {
        Deed::of(request, Event::Reveal, json!({ "job": id })).record(app).await?;
        app.logs.reveals.remember(reveal);
    }
    Ok(())
}
