//! `GET /api/jobs/{id}/log/search`: a search in a log.

use std::sync::Arc;

use super::{INCLUDE_SENSITIVE, as_secret_as, invalid, must_exist, record_use, send_found};
use crate::api::app::App;
use crate::api::handlers::jobs::id_in_path;
use crate::api::request::Request;
use crate::http::body::CutOff;
use crate::http::describe::{Argument, ArgumentKind};
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::response;
use crate::http::response::Response;
use crate::logs::search::Needle;

/// What [`search`] understands.
pub const ARGUMENTS: &[Argument] = &[
    Argument { name: "q", kind: ArgumentKind::Text, help: "The text to find; upper and lower case are equal" },
    INCLUDE_SENSITIVE,
];

/// The longest text that can be searched for, in bytes.
const MAX_LENGTH: usize = 1000;

/// `GET /api/jobs/{id}/log/search`: JSON lines, a `match` with the `recno` of its first record for each line, remark,
/// question or answer that contains the text, and then `end`: how many `matches` there are, how many records were
/// `searched`, how many sensitive lines were left out (`hidden`), and whether that was `complete`. A search ends after
/// [`MAX_FOUND`](crate::logs::scan::MAX_FOUND) matches, and after [`search`](crate::api::app::Limits::search). It goes as far as the log does when it
/// gets there.
///
/// # Errors
/// 404 if there is no such job, 422 for arguments of the wrong kind.
pub async fn search(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let id = id_in_path(&request)?;
    let query = request.query()?;
    let needle = needle(&query)?;
    let include_sensitive = query.flag("include_sensitive")?;
    must_exist(&app, id)?;
    record_use(&app, &request, id, include_sensitive).await?;
    let response =
        response::produce("application/octet-stream", app.stream(&request.identity)?, |mut pieces| async move {
            let search = app.logs.search(id, needle, include_sensitive, app.limits.search);
            send_found(search, &mut pieces).await.map_err(|error| {
                tracing::error!(job = %id, ?error, "a search broke off");
                CutOff
            })
        });
    Ok(as_secret_as(include_sensitive, response))
}

fn needle(query: &Query) -> Result<Needle, ApiError> {
    match query.get("q") {
        Some(text) if (1..=MAX_LENGTH).contains(&text.len()) => Ok(Needle::new(text)),
        text => {
            let message = format!("A search needs a text of 1 to {MAX_LENGTH} bytes");
            Err(invalid("q", &message, text.unwrap_or_default().into()))
        }
    }
}

#[cfg(test)]
mod tests;
