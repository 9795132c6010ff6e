//! Finds records by their number, with `log.index`: the file says where every thousandth record begins.

use std::os::unix::fs::FileExt as _;

use super::reader::LogReader;
use crate::spool::error::Result;
use crate::spool::open;

/// The number of records for each entry.
pub const INTERVAL: u64 = 1000;

/// The size of one read when an entry is checked, in bytes.
const CHECKED: usize = 64 * 1024;

/// A record with a known place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The record's number.
    pub record: u64,
    /// Where its line begins in `log.jsonl`, in bytes.
    pub offset: u64,
}

impl Checkpoint {
    /// The first record. Its place is known without an index.
    pub const START: Self = Self { record: 1, offset: 0 };

    /// The entry as a line of the file.
    #[must_use]
    pub fn to_line(self) -> String {
        format!("{} {}\n", self.record, self.offset)
    }

    fn parse(line: &str) -> Option<Self> {
        let (record, offset) = line.split_once(' ')?;
        Some(Self { record: record.parse().ok()?, offset: offset.parse().ok()? })
    }
}

/// The places of every thousandth record of a log, and of its end.
///
/// It starts with the entries of `log.index` and grows with the log. It checks an entry when it is used, and only that
/// one: there must be exactly [`INTERVAL`] lines between the entry before and this one. If entries are wrong or
/// missing, it reads the log. A caller that keeps the index pays for that only once.
#[derive(Debug)]
pub struct Index {
    /// Offsets of the records 1, 1001, 2001…
    offsets: Vec<u64>,
    /// How many of them are from the file and not checked, counted from the second.
    unchecked: usize,
    /// The end of the log as it was found last. `None` before the first search.
    end: Option<Checkpoint>,
    file: FileId,
}

/// Device and inode. They tell whether another file has the same name now.
type FileId = (u64, u64);

impl Index {
    /// Reads the `log.index` of an open log.
    ///
    /// # Errors
    /// The log cannot be examined.
    pub fn load(log: &LogReader) -> Result<Self> {
        let text = open::read(&log.path().with_file_name("log.index")).unwrap_or_default();
        let mut offsets = vec![Checkpoint::START.offset];
        for entry in String::from_utf8_lossy(&text).lines().map_while(Checkpoint::parse) {
            let expected = offsets.len() as u64 * INTERVAL + 1;
            if entry.record != expected || offsets.last().is_some_and(|last| entry.offset <= *last) {
                break;
            }
            offsets.push(entry.offset);
        }
        let unchecked = offsets.len() - 1;
        Ok(Self { offsets, unchecked, end: None, file: log.file_id()? })
    }

    /// Whether this is the index of the open log. It is not if the log is another file or has become shorter.
    ///
    /// # Errors
    /// The log cannot be examined.
    pub fn is_of(&self, log: &LogReader) -> Result<bool> {
        let known = self.end.map_or(0, |end| end.offset);
        Ok(self.file == log.file_id()? && known <= log.length()?)
    }

    /// How many finished records the log has now. Moves the reader.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn count(&mut self, log: &mut LogReader) -> Result<u64> {
        Ok(self.find_end(log)?.record - 1)
    }

    /// The last known place at or before a record. Moves the reader.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn find(&mut self, log: &mut LogReader, record: u64) -> Result<Checkpoint> {
        let wanted = usize::try_from(record.saturating_sub(1) / INTERVAL).unwrap_or(usize::MAX);
        if wanted >= self.offsets.len() || !self.is_valid(log, wanted) {
            self.truncate_at(wanted);
            self.find_end(log)?;
        }
        Ok(self.entry(wanted.min(self.offsets.len() - 1)))
    }

    fn entry(&self, place: usize) -> Checkpoint {
        Checkpoint { record: place as u64 * INTERVAL + 1, offset: self.offsets[place] }
    }

    /// Whether an entry is right: it was counted here, or there are [`INTERVAL`] lines between the one before and it.
    fn is_valid(&self, log: &LogReader, place: usize) -> bool {
        if place == 0 || place > self.unchecked {
            return true;
        }
        let (from, to) = (self.offsets[place - 1], self.offsets[place]);
        (from == 0 || ends_a_line(log, from)) && ends_a_line(log, to) && lines_between(log, from, to) == Some(INTERVAL)
    }

    fn truncate_at(&mut self, place: usize) {
        if place < self.offsets.len() {
            self.offsets.truncate(place.max(1));
            self.unchecked = self.unchecked.min(self.offsets.len() - 1);
            self.end = None;
        }
    }

    /// Finds the end of the log as it is now. It leaves later output for the next call: a job may print faster than a
    /// busy machine reads, so the search might never end.
    fn find_end(&mut self, log: &mut LogReader) -> Result<Checkpoint> {
        let length = log.length()?;
        self.find_end_behind(log, length)
    }

    /// Reads on from the end that was found last, or from the last entry that is right, until `length` bytes of the log
    /// were read.
    fn find_end_behind(&mut self, log: &mut LogReader, length: u64) -> Result<Checkpoint> {
        let begin = if let Some(end) = self.end {
            end
        } else {
            while !self.is_valid(log, self.offsets.len() - 1) {
                self.truncate_at(self.offsets.len() - 1);
            }
            self.entry(self.offsets.len() - 1)
        };
        log.go_to(begin);
        let mut record = begin.record;
        let mut offset = begin.offset;
        while offset < length
            && let Some(lines) = log.read()?
        {
            for newline in memchr::memchr_iter(b'\n', lines) {
                record += 1;
                if record % INTERVAL == 1 {
                    self.offsets.push(offset + newline as u64 + 1);
                }
            }
            offset += lines.len() as u64;
        }
        let end = Checkpoint { record, offset };
        self.end = Some(end);
        Ok(end)
    }
}

fn ends_a_line(log: &LogReader, offset: u64) -> bool {
    let mut before = [0];
    offset > 0 && log.file().read_exact_at(&mut before, offset - 1).is_ok() && before == *b"\n"
}

/// How many lines end between two offsets. `None` if the log is shorter.
fn lines_between(log: &LogReader, from: u64, to: u64) -> Option<u64> {
    let mut buffer = vec![0; CHECKED];
    let mut lines = 0;
    let mut at = from;
    while at < to {
        let wanted = usize::try_from(to - at).unwrap_or(usize::MAX).min(CHECKED);
        log.file().read_exact_at(&mut buffer[..wanted], at).ok()?;
        lines += memchr::memchr_iter(b'\n', &buffer[..wanted]).count() as u64;
        at += wanted as u64;
    }
    Some(lines)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests prepare files by hand")]
mod tests {
    use super::*;

    #[test]
    fn the_search_for_the_end_leaves_later_output_for_the_next_call() {
        let directory = tempfile::tempdir().unwrap();
        let line = format!("{}\n", "x".repeat(99));
        std::fs::write(directory.path().join("log.jsonl"), line.repeat(100_000)).unwrap();
        let mut log = LogReader::open(directory.path()).unwrap().unwrap();
        let mut index = Index::load(&log).unwrap();
        let end = index.find_end_behind(&mut log, 1_000_000).unwrap();
        assert!((10_000..20_000).contains(&end.record), "{end:?}");
        assert_eq!(end.offset, (end.record - 1) * 100);
        assert_eq!(index.count(&mut log).unwrap(), 100_000);
    }
}
