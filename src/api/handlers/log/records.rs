//! A window of a log, for pages that show any part of it.

use std::io::Write as _;
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
use crate::logs::stored;
use crate::logs::stored::Stored;
use crate::spool::log::LogReader;
use crate::spool::{JobId, Result as SpoolResult};

/// What [`records`] understands.
pub const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "from",
        kind: ArgumentKind::Integer,
        help: "The first record, from 1; negative: from the end, so that -100 are the last 100",
    },
    Argument {
        name: "count",
        kind: ArgumentKind::Number,
        help: "How many records at most: 200 if not given, 2000 if more",
    },
    INCLUDE_SENSITIVE,
];

const DEFAULT_COUNT: u64 = 200;
const MAX_COUNT: u64 = 2000;

/// A window ends behind the record with which it reaches this size, in bytes.
const MAX_SIZE: usize = 1 << 20;

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
    let wanted = Wanted { from, count, include_sensitive };
    let reading = Arc::clone(&app);
    let window = app.logs.run(move || wanted.read(&reading, id)).await?.map_err(ApiError::internal)?;
    let response = response::uncached(StatusCode::OK, "application/json", body::full(window));
    Ok(as_secret_as(include_sensitive, response))
}

fn from(query: &Query) -> Result<i64, ApiError> {
    match query.number("from")? {
        Some(0) => Err(invalid("from", "Records are counted from 1, or from the end with negative numbers", 0.into())),
        from => Ok(from.unwrap_or(1)),
    }
}

/// What a client wants to see.
struct Wanted {
    from: i64,
    count: u64,
    include_sensitive: bool,
}

impl Wanted {
    /// The number of the first record in a log of so many.
    fn first(&self, total: u64) -> u64 {
        match u64::try_from(self.from) {
            Ok(from) => from,
            Err(_) => total.saturating_sub(self.from.unsigned_abs()) + 1,
        }
    }

    fn read(&self, app: &App, id: JobId) -> SpoolResult<Vec<u8>> {
        let Some(mut log) = LogReader::open(&app.spool.job(id))? else {
            return Ok(Window::new(self.first(0), self.include_sensitive).end(0));
        };
        let (first, total) = app.logs.indexes.with(id, &mut log, |index, log| {
            let total = index.count(log)?;
            let first = self.first(total);
            log.skip_by(index, first - 1)?;
            Ok((first, total))
        })?;
        let mut window = Window::new(first, self.include_sensitive);
        let mut left = self.count.min(total.saturating_sub(first - 1));
        while left > 0 && !window.is_full() {
            let Some(lines) = log.read_at_most(left)? else { break };
            for line in stored::lines(lines) {
                window.add(line);
                left -= 1;
                if window.is_full() {
                    break;
                }
            }
        }
        Ok(window.end(total))
    }
}

/// The answer, as it is put together.
struct Window {
    first: u64,
    next: u64,
    hidden: u64,
    include_sensitive: bool,
    json: Vec<u8>,
}

impl Window {
    fn new(first: u64, include_sensitive: bool) -> Self {
        Self { first, next: first, hidden: 0, include_sensitive, json: b"{\"records\":[".to_vec() }
    }

    fn is_full(&self) -> bool {
        self.json.len() >= MAX_SIZE
    }

    /// Adds the next line of the log, as the JSON that it is.
    fn add(&mut self, line: &[u8]) {
        let number = self.next;
        self.next += 1;
        match Stored::parse(line).zip(line.strip_prefix(b"{")) {
            Some((stored, _)) if stored.sensitive && !self.include_sensitive => self.hidden += 1,
            Some((_, members)) => {
                self.begin_record(number);
                self.json.push(b',');
                self.json.extend_from_slice(members);
            }
            None => {
                self.begin_record(number);
                self.json.extend_from_slice(b",\"type\":\"damaged\"}");
            }
        }
    }

    fn begin_record(&mut self, number: u64) {
        let comma = if self.json.ends_with(b"[") { "" } else { "," };
        // Writing to memory cannot fail.
        let _ = write!(self.json, "{comma}{{\"recno\":{number}");
    }

    fn end(mut self, total: u64) -> Vec<u8> {
        let Self { first, next, hidden, .. } = self;
        let _ = write!(self.json, "],\"total\":{total},\"from\":{first},\"next\":{next},\"hidden\":{hidden}}}");
        self.json
    }
}

#[cfg(test)]
mod tests;
