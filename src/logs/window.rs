//! A window of a log, for pages that show any part of it.

use std::io::Write as _;
use std::sync::Arc;

use super::records;
use super::records::Stored;
use super::{LogError, Logs};
use crate::spool::log::LogReader;
use crate::spool::{JobId, Result};

/// A window ends behind the record with which it reaches this size, in bytes.
const MAX_SIZE: usize = 1 << 20;

impl Logs {
    /// A part of the log of a job, as a JSON object: `records` as they are stored, each with its number as `recno`; `from`
    /// is the number of the first, `next` the one to ask on from, `total` how many the log has now, and `hidden` how many
    /// sensitive ones of the window are left out. A line that is no record has the type `damaged`, and no text.
    ///
    /// # Errors
    /// The log cannot be read. One that is not there has no records.
    pub async fn window(self: &Arc<Self>, id: JobId, wanted: Wanted) -> std::result::Result<Vec<u8>, LogError> {
        let logs = Arc::clone(self);
        Ok(self.run(move || wanted.read(&logs, id)).await??)
    }
}

/// What a client wants to see.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The number of the first record, from 1; negative: counted from the end, so that -1 is the last.
    pub from: i64,
    /// How many records at most.
    pub count: u64,
    /// With the text of sensitive lines.
    pub include_sensitive: bool,
}

impl Wanted {
    /// The number of the first record in a log of so many.
    fn first(&self, total: u64) -> u64 {
        match u64::try_from(self.from) {
            Ok(from) => from,
            Err(_) => total.saturating_sub(self.from.unsigned_abs()) + 1,
        }
    }

    fn read(&self, logs: &Logs, id: JobId) -> Result<Vec<u8>> {
        let Some(mut log) = LogReader::open(&logs.spool.job(id))? else {
            return Ok(Window::new(self.first(0), self.include_sensitive).end(0));
        };
        let (first, total) = logs.indexes.with(id, &mut log, |index, log| {
            let total = index.count(log)?;
            let first = self.first(total);
            log.skip_to_with(index, first - 1)?;
            Ok((first, total))
        })?;
        let mut window = Window::new(first, self.include_sensitive);
        let mut left = self.count.min(total.saturating_sub(first - 1));
        while left > 0 && !window.is_full() {
            let Some(lines) = log.read_at_most(left)? else { break };
            for line in records::lines(lines) {
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
