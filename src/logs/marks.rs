//! Marks: the records of a log that say how its job went, among many that do not.
//!
//! Marks that are asked for in several steps are the same as marks that are asked for at once. So a mark depends on no
//! later record, and on no record before the last entry of the index: there each step begins.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Logs;
use super::indexes::Indexes;
use super::records::{Candidates, FLAG, Stored, Traces};
use super::scan::{MAX_FOUND, Scan, Scanning};
use crate::output::errors;
use crate::output::errors::looks_like_an_error;
use crate::spool::log::{INTERVAL, LogReader};
use crate::spool::{JobId, Result};

/// The types that are marks by themselves.
const TYPES: [&str; 6] = ["status", "interaction", "response", "signal", "note", "exit"];

impl Logs {
    /// The marks in the log of a job, if there is one, from a record on, looked for at most so long: a JSON line for each
    /// record that is neither output nor progress, as it is stored, with its number as `recno`; one of the type `error` for
    /// each line that looks like one; and then one that says where to ask on.
    #[must_use]
    pub fn marks(self: &Arc<Self>, id: JobId, from: u64, time_limit: Duration) -> Scanning<Marks> {
        let logs = Arc::clone(self);
        let begin = move || begin(&logs.indexes, &logs.spool.job(id), id, Marks::new(from, MAX_FOUND));
        Scanning::new(Arc::clone(self), time_limit, begin)
    }
}

/// Opens a log and goes to the first record whose mark is asked for.
fn begin(indexes: &Indexes, job: &Path, id: JobId, mut marks: Marks) -> Result<(Option<LogReader>, Marks)> {
    let Some(mut log) = LogReader::open(job)? else { return Ok((None, marks)) };
    indexes.with(id, &mut log, |index, log| log.skip_to_with(index, marks.first_to_be_seen() - 1))?;
    while log.records() + 1 < marks.from {
        let before = log.records();
        let Some(lines) = log.read_at_most(marks.from - 1 - before)? else { break };
        marks.portion(before, lines);
    }
    Ok((Some(log), marks))
}

/// The marks that are being looked for.
pub struct Marks {
    traces: Traces,
    /// The first record to look for marks in.
    from: u64,
    /// The most marks.
    most: usize,
    count: usize,
    /// How many records were looked at.
    records: u64,
    line: Line,
    /// What was found and not taken yet, as JSON lines.
    found: Vec<u8>,
    /// The record of the first mark beyond the most.
    untold: Option<u64>,
}

/// The line of output that may go on.
#[derive(Default)]
struct Line {
    /// The number of its last piece.
    last: u64,
    /// It has a mark, or cannot get one.
    is_settled: bool,
}

impl Marks {
    /// Looks for at most so many marks, from the record `from` on.
    fn new(from: u64, most: usize) -> Self {
        let types = TYPES.map(|name| format!("\"type\":\"{name}\""));
        Self {
            traces: Traces::new(types.iter().map(String::as_str).chain(errors::TRACES).chain([FLAG])),
            from,
            most,
            count: 0,
            records: 0,
            line: Line::default(),
            found: Vec::new(),
            untold: None,
        }
    }

    /// The first record that must be read: that of the last entry of the index at or before `from`.
    fn first_to_be_seen(&self) -> u64 {
        entry_before(self.from)
    }

    fn record(&mut self, number: u64, record: &[u8]) {
        let Some(stored) = Stored::parse(record) else { return };
        if stored.kind == "line" {
            self.line(number, &stored);
        } else if TYPES.contains(&&*stored.kind)
            && let Some(members) = record.strip_prefix(b"{")
        {
            self.mark(number, |mark| {
                mark.push(b',');
                mark.extend_from_slice(members);
            });
        }
    }

    /// A line that is rewritten, as a progress bar is, has one mark, too.
    fn line(&mut self, number: u64, stored: &Stored<'_>) {
        let goes_on = (stored.continues || stored.rewrites) && entry_before(self.line.last) == entry_before(number);
        let is_settled = goes_on && self.line.is_settled || stored.sensitive;
        let is_error = !is_settled && stored.text().is_some_and(|text| looks_like_an_error(&text));
        self.line = Line { last: number, is_settled: is_settled || is_error };
        if is_error {
            self.mark(number, |mark| {
                if let Some(time) = stored.time {
                    // Writing to memory cannot fail.
                    let _ = write!(mark, ",\"time\":{time}");
                }
                mark.extend_from_slice(b",\"type\":\"error\"}");
            });
        }
    }

    fn mark(&mut self, number: u64, write_members: impl FnOnce(&mut Vec<u8>)) {
        if number < self.from {
            return;
        }
        if self.count == self.most {
            self.untold.get_or_insert(number);
            return;
        }
        self.count += 1;
        let _ = write!(self.found, "{{\"recno\":{number}");
        write_members(&mut self.found);
        self.found.push(b'\n');
    }
}

/// The last record at or before another that has an entry in the index.
fn entry_before(record: u64) -> u64 {
    record.saturating_sub(1) / INTERVAL * INTERVAL + 1
}

impl Scan for Marks {
    fn portion(&mut self, before: u64, lines: &[u8]) {
        let mut candidates = Candidates::new(before, lines, self.traces.places(lines));
        while let Some(line) = candidates.next(false) {
            self.record(candidates.number(), line);
        }
        self.records = candidates.number();
    }

    fn is_full(&self) -> bool {
        self.untold.is_some()
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.found)
    }

    fn summary(&self, is_at_end: bool) -> String {
        let next = self.untold.unwrap_or(self.records + 1).max(self.from);
        let is_complete = is_at_end && self.untold.is_none();
        format!(r#"{{"type":"end","next":{next},"complete":{is_complete}}}"#)
    }
}

#[cfg(test)]
mod tests;
