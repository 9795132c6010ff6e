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

/// The entries that can be believed: each one interval after the one before, at the start of a line of the log. The
/// first that cannot ends the list.
#[must_use]
pub fn believable(text: &str, log: &File) -> Vec<Checkpoint> {
    let mut entries = vec![Checkpoint::START];
    for line in text.lines() {
        let (Some(entry), Some(last)) = (Checkpoint::parse(line), entries.last()) else { break };
        let follows = entry.record == last.record + INTERVAL && entry.offset > last.offset;
        if !follows || !begins_a_line(log, entry.offset) {
            break;
        }
        entries.push(entry);
    }
    entries
}

fn begins_a_line(log: &File, offset: u64) -> bool {
    let mut before = [0];
    offset > 0 && log.read_exact_at(&mut before, offset - 1).is_ok() && before == *b"\n"
}
