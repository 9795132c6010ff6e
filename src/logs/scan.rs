//! Going through a whole log in turns, so that others can read theirs meanwhile. [`search`](super::search) and
//! [`marks`](super::marks) say what is looked for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{LogError, Logs};
use crate::spool::Result as SpoolResult;
use crate::spool::log::LogReader;

/// The most finds in one answer.
pub const MAX_FOUND: usize = 10_000;

/// How much is read in one turn, in bytes: that takes a few milliseconds.
const TURN: usize = 4 << 20;

/// What is looked for in a log.
pub trait Scan: Send + 'static {
    /// Looks at the next lines, after so many records.
    fn portion(&mut self, before: u64, lines: &[u8]);

    /// The log has come to its end.
    fn end(&mut self) {}

    /// Whether enough was found. The rest of the log is left out then.
    fn is_full(&self) -> bool;

    /// Takes what was found since the last call, as JSON lines.
    fn take(&mut self) -> Vec<u8>;

    /// The last line of the answer. `is_at_end`: the whole log was looked at.
    fn summary(&self, is_at_end: bool) -> String;
}

/// A log that is being gone through, if there is one. It ends at the end of the log, when the scan is full, or after a time.
/// Between two turns it holds nothing that others wait for, so a slow client delays nobody.
pub struct Scanning<S> {
    logs: Arc<Logs>,
    time_limit: Duration,
    step: Step<S>,
}

/// Opens the log where the scan begins.
type Begin<S> = Box<dyn FnOnce() -> SpoolResult<(Option<LogReader>, S)> + Send>;

enum Step<S> {
    Begin(Begin<S>),
    Turn {
        log: Option<LogReader>,
        scan: S,
        deadline: Instant,
    },
    /// Only the last line is left.
    Summary(String),
    Ended,
}

impl<S: Scan> Scanning<S> {
    /// The log is opened later.
    pub(super) fn new(
        logs: Arc<Logs>,
        time_limit: Duration,
        begin: impl FnOnce() -> SpoolResult<(Option<LogReader>, S)> + Send + 'static,
    ) -> Self {
        Self { logs, time_limit, step: Step::Begin(Box::new(begin)) }
    }

    /// The next finds, as JSON lines. The last line says how the scan went; `None` comes after it.
    ///
    /// # Errors
    /// The log cannot be read. The scan ends with that.
    pub async fn next(&mut self) -> Result<Option<Bytes>, LogError> {
        loop {
            match std::mem::replace(&mut self.step, Step::Ended) {
                Step::Begin(begin) => {
                    let deadline = Instant::now() + self.time_limit;
                    let (log, scan) = self.logs.run(begin).await??;
                    self.step = Step::Turn { log, scan, deadline };
                }
                Step::Turn { mut log, mut scan, deadline } => {
                    let work = move || (turn(log.as_mut(), &mut scan), log, scan);
                    let (done, log, mut scan) = self.logs.run(work).await?;
                    let is_at_end = done?;
                    let found = scan.take();
                    let is_last = is_at_end || scan.is_full() || Instant::now() >= deadline;
                    self.step = if is_last {
                        Step::Summary(scan.summary(is_at_end) + "\n")
                    } else {
                        Step::Turn { log, scan, deadline }
                    };
                    if !found.is_empty() {
                        return Ok(Some(found.into()));
                    }
                }
                Step::Summary(summary) => return Ok(Some(summary.into())),
                Step::Ended => return Ok(None),
            }
        }
    }
}

/// Reads for one turn. Returns whether the end of the log was reached.
pub(super) fn turn(log: Option<&mut LogReader>, scan: &mut impl Scan) -> SpoolResult<bool> {
    let Some(log) = log else {
        scan.end();
        return Ok(true);
    };
    let mut left = TURN;
    while left > 0 && !scan.is_full() {
        let before = log.records();
        let Some(lines) = log.read()? else {
            scan.end();
            return Ok(true);
        };
        scan.portion(before, lines);
        left = left.saturating_sub(lines.len());
    }
    log.free_buffer();
    Ok(false)
}
