//! The log of a job. These handlers read the request and send the answer; [`logs`](crate::logs) does the work.

pub mod marks;
pub mod search;
#[cfg(test)]
pub(crate) mod tests;
pub mod window;

use std::sync::Arc;

use serde_json::json;

use super::jobs::{id_in_path, job_type_of, no_such_job};
use crate::accounts::access::Guarded;
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::health::metrics::StreamKind;
use crate::http::body::{CutOff, Manner, Pieces};
use crate::http::describe::{Argument, ArgumentKind};
use crate::http::error::{ApiError, Invalid};
use crate::http::query::Query;
use crate::http::response;
use crate::http::response::Response;
use crate::logs::LogError;
use crate::logs::rendering::Form;
use crate::logs::reveals::Reveal;
use crate::logs::scan::{Scan, Scanning};
use crate::logs::viewer::{Update, Viewer};
use crate::mirror::Ending;
use crate::spool::JobId;

const INCLUDE_SENSITIVE: Argument = Argument {
    name: "include_sensitive",
    kind: ArgumentKind::Switch,
    help: "Include sensitive lines; the request is recorded with its user",
};

/// What [`log`] understands.
pub const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "resume_record",
        kind: ArgumentKind::Number,
        help: "The number of records that the client knows of",
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
        help: "Send `heartbeat` after each 15 s without other data, so that no proxy takes the stream for dead",
    },
];

/// It has no `recno`: to come back with the number of a line is right whenever that was.
const HEARTBEAT: &str = "{\"type\":\"heartbeat\"}\n";

/// `GET /api/jobs/{id}/log`: JSON lines, see [`transcript`](crate::logs::transcript), or plain text. A stream of JSON lines that ends without
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
    let viewer = app.logs.watch(id, form, resume.unwrap_or(0));
    let open = app.metrics.open_stream(StreamKind::Log);
    let include_sensitive = matches!(form, Form::Lines { include_sensitive: true });
    let manner = Manner { heartbeat, marks_its_end: form != Form::Text, ..app.stream(&request.identity)? };
    let response = response::produce(form.content_type(), manner, |mut pieces| async move {
        let _open = open;
        send(viewer, &mut pieces).await
    });
    Ok(as_secret_as(include_sensitive, response))
}

/// Sends a log to its end.
async fn send(mut viewer: Viewer, pieces: &mut Pieces) -> Result<(), CutOff> {
    loop {
        match viewer.next().await {
            Ok(Update::Piece(piece)) => pieces.send(piece).await,
            Ok(Update::Complete) => return Ok(()),
            Ok(Update::Gone) => return Err(CutOff),
            Err(error) => {
                tracing::error!(job = %viewer.job(), ?error, "a log stream broke off");
                return Err(CutOff);
            }
        }
    }
}

/// Sends what a scan finds.
async fn send_found<S: Scan>(mut scanning: Scanning<S>, pieces: &mut Pieces) -> Result<(), LogError> {
    while let Some(found) = scanning.next().await? {
        pieces.send(found).await;
    }
    Ok(())
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
pub fn must_exist(app: &App, id: JobId) -> Result<(), ApiError> {
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
        AuditRecord::of(request, Event::Reveal, json!({ "job": id })).record(app).await?;
        app.logs.reveals.remember(reveal);
    }
    Ok(())
}
