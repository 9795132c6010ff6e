//! The records of a log as plain text.
//!
//! It is made from the records, by the same code as `output.log`, and not read from that file: the file is not synced,
//! and has gaps where the disk was full or the power failed. The log is the record.

use super::stored;
use super::stored::Stored;
use crate::spool::log::{PlainText, Record};

/// Turns records into plain text.
#[derive(Debug, Default)]
pub struct Text {
    plain: PlainText,
    told: Vec<u8>,
}

impl Text {
    /// What was made since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.told)
    }

    /// The log is complete.
    pub fn end(&mut self) {
        self.plain.end_line(&mut self.told);
    }

    /// The next records, whole lines of the log.
    pub fn tell(&mut self, lines: &[u8]) {
        stored::lines(lines).for_each(|line| self.record(line));
    }

    fn record(&mut self, line: &[u8]) {
        let Some(stored) = Stored::parse(line) else { return };
        if stored.kind == "line" {
            if let Some(text) = stored.text() {
                self.plain.piece(stored.piece(&text), &mut self.told);
            }
        } else if let Ok(record) = serde_json::from_slice::<Record>(line) {
            self.plain.record(&record.kind, &mut self.told);
        }
    }
}
