//! `log.index`: where every thousandth record begins.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// One entry per this many records.
pub const INTERVAL: u64 = 1000;

/// A record whose place is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The record's number.
    pub record: u64,
    /// Where its line begins in `log.jsonl`, in bytes.
    pub offset: u64,
}

impl Checkpoint {
    /// The first record, which needs no index.
    pub const START: Self = Self { record: 1, offset: 0 };

    /// The entry as it stands in the file.
    #[must_use]
    pub fn to_line(self) -> String {
        format!("{} {}\n", self.record, self.offset)
    }

    fn parse(line: &str) -> Option<Self> {
        let (record, offset) = line.split_once(' ')?;
        Some(Self { record: record.parse().ok()?, offset: offset.parse().ok()? })
    }
}

/// The last checkpoint of an index that is not behind a record and can be believed: it follows from those before it, one
/// interval after the other, and is at the start of a line of the log.
#[must_use]
pub fn nearest(text: &str, log: &File, record: u64) -> Checkpoint {
    let mut entries: Vec<Checkpoint> = Vec::new();
    for line in text.lines() {
        let last = entries.last().copied().unwrap_or(Checkpoint::START);
        match Checkpoint::parse(line) {
            Some(entry) if entry.record > record => break,
            Some(entry) if entry.record == last.record + INTERVAL && entry.offset > last.offset => entries.push(entry),
            _ => break,
        }
    }
    let believable = entries.into_iter().rev().find(|entry| begins_a_line(log, entry.offset));
    believable.unwrap_or(Checkpoint::START)
}

fn begins_a_line(log: &File, offset: u64) -> bool {
    let mut before = [0];
    offset > 0 && log.read_exact_at(&mut before, offset - 1).is_ok() && before == *b"\n"
}
