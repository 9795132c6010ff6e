//! `GET /api/jobs/{id}/log/marks`: the records of a log that say how its job went.

use std::sync::Arc;

use super::{invalid, must_exist, send_found};
use crate::api::app::App;
use crate::api::handlers::jobs::id_in_path;
use crate::api::request::Request;
use crate::http::body::CutOff;
use crate::http::describe::{Argument, ArgumentKind};
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::response;
use crate::http::response::Response;

/// What [`marks`] understands.
pub const ARGUMENTS: &[Argument] = &[Argument {
    name: "from",
    kind: ArgumentKind::Number,
    help: "The first record, from 1; to continue, the `next` of the answer before",
}];

/// `GET /api/jobs/{id}/log/marks`: JSON lines about the records from `from` on. For each that is neither output nor
/// progress: the record as it is stored, with its number as `recno`. For each line of output that looks like an
/// [error](crate::output::errors): one of the type `error`, with the number and time of the record in which it begins to
/// look so. Then `end`: the record to ask on from when the log has grown (`next`), and whether these were all as far as
/// the log goes (`complete`). It ends after [`MAX_FOUND`](crate::logs::scan::MAX_FOUND) marks, and after
/// [`search`](crate::api::app::Limits::search).
///
/// Sensitive lines are not looked into. A line of the log that is no record is passed over.
///
/// # Errors
/// 404 if there is no such job, 422 for a `from` that is no number of a record.
pub async fn marks(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let id = id_in_path(&request)?;
    let from = from(&request.query()?)?;
    must_exist(&app, id)?;
    Ok(response::produce("application/octet-stream", app.stream(&request.identity)?, |mut pieces| async move {
        let marks = app.logs.marks(id, from, app.limits.search);
        send_found(marks, &mut pieces).await.map_err(|error| {
            tracing::error!(job = %id, ?error, "the marks of a log broke off");
            CutOff
        })
    }))
}

fn from(query: &Query) -> Result<u64, ApiError> {
    match query.number("from")? {
        Some(0) => Err(invalid("from", "Records are counted from 1", 0.into())),
        from => Ok(from.unwrap_or(1)),
    }
}

#[cfg(test)]
mod tests;
