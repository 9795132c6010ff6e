//! Searching a log.

mod needle;
mod scan;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::sync::Arc;

use hyper::body::Bytes;
use tokio::time::Instant;

use self::needle::Needle;
use self::scan::Scan;
use super::super::id_in_path;
use super::{INCLUDE_SENSITIVE, invalid, must_exist, note_use};
use crate::api::app::App;
use crate::api::body::Pieces;
use crate::api::error::ApiError;
use crate::api::query::Query;
use crate::api::request::Request;
use crate::api::response::{self, Response};
use crate::api::routes::{Argument, ArgumentKind};
use crate::spool::log::LogReader;
use crate::spool::{JobId, Result as SpoolResult};

/// What [`search`] understands.
pub const ARGUMENTS: &[Argument] = &[
    Argument { name: "q", kind: ArgumentKind::Text, help: "The text to be found; upper and lower case are the same" },
    INCLUDE_SENSITIVE,
];

/// The longest text that can be searched for, in bytes.
const MAX_LENGTH: usize = 1000;

/// A search ends with so many matches.
const MAX_MATCHES: usize = 10_000;

/// How much is searched in one turn, in bytes: a few milliseconds, after which others have theirs.
const TURN: usize = 4 << 20;

/// `GET /api/jobs/{id}/log/search`: JSON lines, a `match` with the `recno` of its first record for each line, remark,
/// question or answer that contains the text, and then `end`: how many `matches` there are, how many records were
/// `searched`, how many sensitive lines were left out (`hidden`), and whether that was `complete`. A search ends after
/// [`MAX_MATCHES`], and after [`search`](crate::api::app::Limits::search). It goes as far as the log does when it gets
/// there.
///
/// # Errors
/// 404 if there is no such job, 422 for arguments of the wrong kind.
pub async fn search(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let id = id_in_path(&request)?;
    let query = request.query()?;
    let needle = needle(&query)?;
    let include_sensitive = query.flag("include_sensitive")?;
    must_exist(&app, id)?;
    note_use(&request, id, include_sensitive);
    let scan = Scan::new(needle, include_sensitive);
    Ok(response::produce("application/octet-stream", app.end_of_stream(), |mut pieces| async move {
        if let Err(error) = run(&app, id, scan, &mut pieces).await {
            tracing::error!(job = %id, ?error, "a search broke off");
        }
    }))
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

async fn run(app: &App, id: JobId, scan: Scan, pieces: &mut Pieces) -> Result<(), ApiError> {
    let deadline = Instant::now() + app.limits.search;
    let directory = app.spool.job(id);
    let mut search = Search { log: None, scan, matches: 0 };
    let open = move || LogReader::open(&directory);
    search.log = app.logs.run(open).await?.map_err(ApiError::internal)?;
    let is_complete = loop {
        // Between two turns nothing is held, so that a client that does not read keeps nobody waiting.
        let (turn, done) = app.logs.run(move || (search.turn(), search)).await?;
        search = done;
        let is_at_end = turn.map_err(ApiError::internal)?;
        let found = search.found(is_at_end);
        if !found.is_empty() {
            pieces.send(found).await;
        }
        if is_at_end || search.matches == MAX_MATCHES || Instant::now() >= deadline {
            break is_at_end && search.scan.found().is_empty();
        }
    };
    pieces.send(search.end(is_complete)).await;
    Ok(())
}

/// A search and how far it is.
struct Search {
    log: Option<LogReader>,
    scan: Scan,
    matches: usize,
}

impl Search {
    /// Searches on for a while. Returns whether the end of the log was reached.
    fn turn(&mut self) -> SpoolResult<bool> {
        let Some(log) = &mut self.log else { return Ok(true) };
        let mut left = TURN;
        while left > 0 && self.matches + self.scan.found().len() < MAX_MATCHES {
            let Some(lines) = log.read()? else { return Ok(true) };
            self.scan.portion(lines);
            left = left.saturating_sub(lines.len());
        }
        log.rest();
        Ok(false)
    }

    /// What was found since the last time, up to the limit.
    fn found(&mut self, is_at_end: bool) -> Bytes {
        if is_at_end {
            self.scan.end();
        }
        let mut text = Vec::new();
        for recno in self.scan.take(MAX_MATCHES - self.matches) {
            self.matches += 1;
            // Writing to memory cannot fail.
            let _ = writeln!(text, r#"{{"type":"match","recno":{recno}}}"#);
        }
        text.into()
    }

    fn end(&self, is_complete: bool) -> Bytes {
        let Self { scan, matches, .. } = self;
        let (searched, hidden) = (scan.records(), scan.hidden());
        let end = format!(
            r#"{{"type":"end","matches":{matches},"searched":{searched},"hidden":{hidden},"complete":{is_complete}}}"#
        );
        (end + "\n").into()
    }
}
