//! `GET /api/jobs/{id}/log/records`: a window of a log.

use std::sync::Arc;

use hyper::StatusCode;

use super::{INCLUDE_SENSITIVE, as_secret_as, invalid, must_exist, record_use};
use crate::api::app::App;
use crate::api::handlers::jobs::id_in_path;
use crate::api::request::Request;
use crate::http::body;
use crate::http::describe::{Argument, ArgumentKind};
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::response;
use crate::http::response::Response;
use crate::logs::window::Wanted;

/// What [`records`] understands.
pub const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "from",
        kind: ArgumentKind::Integer,
        help: "The first record, from 1. A negative number counts from the end: -100 gives the last 100",
    },
    Argument {
        name: "count",
        kind: ArgumentKind::Number,
        help: "The maximum number of records: 200 by default, at most 2000",
    },
    INCLUDE_SENSITIVE,
];

const DEFAULT_COUNT: u64 = 200;
const MAX_COUNT: u64 = 2000;

/// `GET /api/jobs/{id}/log/records`: `count` records as they are stored, each with its number as `recno`.
///
/// `from` is the number of the first, `next` the one to ask on from, `total` how many the log has now, and `hidden` how
/// many sensitive ones of the window are left out. A job without a log has none. A line of the log that is no record is
/// shown as one of the type `damaged`, without its text, which could be anything.
///
/// # Errors
/// 404 if there is no such job, 422 for arguments of the wrong kind.
pub async fn records(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let id = id_in_path(&request)?;
    let query = request.query()?;
    let from = from(&query)?;
    let count = query.number("count")?.unwrap_or(DEFAULT_COUNT).min(MAX_COUNT);
    let include_sensitive = query.flag("include_sensitive")?;
    must_exist(&app, id)?;
    record_use(&app, &request, id, include_sensitive).await?;
    let window = app.logs.window(id, Wanted { from, count, include_sensitive }).await?;
    let response = response::uncached(StatusCode::OK, "application/json", body::full(window));
    Ok(as_secret_as(include_sensitive, response))
}

fn from(query: &Query) -> Result<i64, ApiError> {
    match query.number("from")? {
        Some(0) => Err(invalid("from", "Records are counted from 1, or from the end with negative numbers", 0.into())),
        from => Ok(from.unwrap_or(1)),
    }
}

#[cfg(test)]
mod tests;
