//! Going through a log from some place to its end, in turns, and telling what is found on the way.

use hyper::body::Bytes;
use tokio::time::Instant;

use crate::api::app::App;
use crate::http::body::Pieces;
use crate::http::error::ApiError;
use crate::spool::Result as SpoolResult;
use crate::spool::log::LogReader;

/// So many things are told in one answer.
pub const MAX_FOUND: usize = 10_000;

/// How much is looked at in one turn, in bytes: a few milliseconds, after which others have theirs.
const TURN: usize = 4 << 20;

/// What is looked for in a log.
pub trait Survey: Send + 'static {
    /// Looks at the next lines, behind so many records.
    fn portion(&mut self, before: u64, lines: &[u8]);

    /// The log has come to its end.
    fn end(&mut self) {}

    /// Whether enough was found, and the rest of the log can be left out.
    fn is_full(&self) -> bool;

    /// What was found and not taken yet, as JSON lines.
    fn take(&mut self) -> Vec<u8>;

    /// What is said at the end. `is_at_end`: the whole log was looked at.
    fn summary(&self, is_at_end: bool) -> String;
}

/// Goes through a log, if there is one, as far as the log goes when it gets there; until the survey is full, or for
/// [`search`](crate::api::app::Limits::search). `begin` opens it where the survey begins.
///
/// # Errors
/// 500 if the log cannot be read.
pub async fn run<S: Survey>(
    app: &App,
    begin: impl FnOnce() -> SpoolResult<(Option<LogReader>, S)> + Send + 'static,
    pieces: &mut Pieces,
) -> Result<(), ApiError> {
    let deadline = Instant::now() + app.limits.search;
    let (mut log, mut survey) = app.logs.run(begin).await?.map_err(ApiError::internal)?;
    let is_at_end = loop {
        // Between two turns nothing is held, so that a client that does not read keeps nobody waiting.
        let work = move || (turn(log.as_mut(), &mut survey), log, survey);
        let (done, rest, surveyed) = app.logs.run(work).await?;
        (log, survey) = (rest, surveyed);
        let is_at_end = done.map_err(ApiError::internal)?;
        let found = survey.take();
        if !found.is_empty() {
            pieces.send(found.into()).await;
        }
        if is_at_end || survey.is_full() || Instant::now() >= deadline {
            break is_at_end;
        }
    };
    pieces.send(Bytes::from(survey.summary(is_at_end) + "\n")).await;
    Ok(())
}

/// Goes on for a while. Returns whether the end of the log was reached.
pub(crate) fn turn(log: Option<&mut LogReader>, survey: &mut impl Survey) -> SpoolResult<bool> {
    let Some(log) = log else {
        survey.end();
        return Ok(true);
    };
    let mut left = TURN;
    while left > 0 && !survey.is_full() {
        let before = log.records();
        let Some(lines) = log.read()? else {
            survey.end();
            return Ok(true);
        };
        survey.portion(before, lines);
        left = left.saturating_sub(lines.len());
    }
    log.rest();
    Ok(false)
}
