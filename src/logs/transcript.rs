//! The records of a log as JSON lines for clients.
//!
//! Each line has a `recno`: how many records of the log come up to it, with those that are not shown. A line in several
//! pieces is shown once, when it is complete. A run of hidden lines is shown as one remark.

use std::io::Write as _;

use bytes::Bytes;
use serde::Serialize;

use super::records;
use super::records::Stored;
use crate::spool::log::{Record, RecordKind};

/// How much of a line is shown, in bytes, because the pieces of a line are held in memory. Windows and plain text have the
/// whole line.
const LINE_LIMIT: usize = 1 << 20;

/// Something to show, as JSON.
#[derive(Serialize)]
#[serde(tag = "type")]
enum Shown<'a> {
    #[serde(rename = "connected")]
    Connected { recno: u64 },
    #[serde(rename = "waitingForLogfile")]
    WaitingForLogfile { recno: u64 },
    #[serde(rename = "line")]
    Remark { line: &'a str, recno: u64 },
    #[serde(rename = "line")]
    Hidden { line: &'a str, sensitive: bool, recno: u64 },
    #[serde(rename = "response")]
    Response { user: &'a str, response: &'a str, recno: u64 },
    #[serde(rename = "EOF")]
    Eof { recno: u64 },
}

/// A line of output whose end was not read yet.
#[derive(Debug, Default)]
struct Unfinished {
    /// There is such a line.
    open: bool,
    /// Its pieces so far: the inside of a JSON string.
    text: Vec<u8>,
    /// How many bytes of further pieces are left out.
    left_out: usize,
    sensitive: bool,
    /// The number of its last piece.
    last: u64,
    /// The client has it, unless it goes on.
    is_known: bool,
}

/// Turns records into the lines that clients see.
#[derive(Debug)]
pub struct Transcript {
    include_sensitive: bool,
    /// The number of the last record that was read.
    records: u64,
    unfinished: Unfinished,
    /// The number of the last line that was shown.
    shown: u64,
    /// The last line that was shown stands for hidden lines.
    hiding: bool,
    told: Vec<u8>,
}

/// The beginning of a stream, for a client that has received the first `resume` records.
#[must_use]
pub fn connected(resume: u64) -> Bytes {
    json(&Shown::Connected { recno: resume })
}

/// What a stream says once if there is no log yet.
#[must_use]
pub fn waiting_for_log(resume: u64) -> Bytes {
    json(&Shown::WaitingForLogfile { recno: resume })
}

fn json(shown: &Shown) -> Bytes {
    let mut text = Vec::new();
    write(&mut text, shown);
    text.into()
}

fn write(text: &mut Vec<u8>, shown: &Shown) {
    // Serialising strings and numbers to memory cannot fail.
    let _ = serde_json::to_writer(&mut *text, shown);
    text.push(b'\n');
}

impl Transcript {
    /// From the first record on.
    #[must_use]
    pub fn new(include_sensitive: bool) -> Self {
        Self {
            include_sensitive,
            records: 0,
            unfinished: Unfinished::default(),
            shown: 0,
            hiding: false,
            told: Vec::new(),
        }
    }

    /// Begins after this many records.
    pub fn start_behind(&mut self, records: u64) {
        self.records = records;
    }

    /// Takes the whole lines that were made since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.told)
    }

    /// The client has received the number of the last record. If that record is a piece of an unfinished line, the client
    /// has this line, because no other line has its number.
    pub fn is_known(&mut self) {
        self.unfinished.is_known = self.unfinished.last == self.records;
    }

    /// From now on this is for other clients too, which may have less. A line that comes twice is better than one that
    /// never comes.
    pub fn is_shared(&mut self) {
        self.unfinished.is_known = false;
    }

    /// The log is complete, so an unfinished line is complete too.
    pub fn end_log(&mut self) {
        self.end_line();
    }

    /// The stream is complete. `recno`: how many records the client has received.
    pub fn eof(&mut self, recno: u64) {
        self.show(&Shown::Eof { recno });
    }

    /// The next records, whole lines of the log.
    pub fn tell(&mut self, lines: &[u8]) {
        self.told.reserve(lines.len());
        records::lines(lines).for_each(|line| self.record(line));
    }

    /// A line that is no record counts as one that is not shown.
    fn record(&mut self, record: &[u8]) {
        self.records += 1;
        let Some(stored) = Stored::parse(record) else { return };
        match &*stored.kind {
            "line" => self.line(&stored),
            "response" | "signal" | "note" => {
                if let Ok(record) = serde_json::from_slice::<Record>(record) {
                    self.event(&record.kind);
                }
            }
            _ => {}
        }
    }

    fn line(&mut self, line: &Stored) {
        let Some(text) = line.escaped() else { return };
        if !line.continues && !line.rewrites {
            self.end_line();
        }
        let unfinished = &mut self.unfinished;
        unfinished.open = true;
        unfinished.sensitive |= line.sensitive;
        unfinished.last = self.records;
        unfinished.is_known = false;
        if line.rewrites {
            unfinished.text.clear();
            unfinished.left_out = 0;
        }
        if unfinished.text.len() < LINE_LIMIT {
            unfinished.text.extend_from_slice(text.as_bytes());
        } else {
            unfinished.left_out += text.len();
        }
        if !line.continued && !line.partial {
            self.end_line();
        }
    }

    fn event(&mut self, kind: &RecordKind) {
        self.hiding = false;
        let recno = self.records;
        self.shown = recno;
        match kind {
            RecordKind::Response { user, response, .. } => self.show(&Shown::Response { user, response, recno }),
            RecordKind::Note { note, .. } => self.show(&Shown::Remark { line: &format!("[Jobrunner: {note}]"), recno }),
            RecordKind::Signal { user, signal } => {
                let done = match signal.as_str() {
                    "interrupt" => "interrupted",
                    "kill" => "killed",
                    other => other,
                };
                self.show(&Shown::Remark { line: &format!("[Jobrunner: {user} {done}]"), recno });
            }
            _ => {}
        }
    }

    /// Shows the unfinished line, if there is one: no more of it will come.
    fn end_line(&mut self) {
        if !std::mem::take(&mut self.unfinished.open) {
            return;
        }
        // It has the number of its last piece, unless a remark with a higher one has come in between.
        let recno = self.unfinished.last.max(self.shown);
        let sensitive = std::mem::take(&mut self.unfinished.sensitive);
        let hide = sensitive && !self.include_sensitive;
        let goes_on_hiding = std::mem::replace(&mut self.hiding, hide) && hide;
        if std::mem::take(&mut self.unfinished.is_known) {
            // Nothing is to be said.
        } else if !hide {
            self.shown = recno;
            self.show_line(sensitive, recno);
        } else if !goes_on_hiding {
            self.shown = recno;
            self.show(&Shown::Hidden { line: "<sensitive information hidden>", sensitive: true, recno });
        }
        self.unfinished.left_out = 0;
        self.unfinished.text.clear();
        self.unfinished.text.shrink_to(LINE_LIMIT / 16);
    }

    fn show_line(&mut self, sensitive: bool, recno: u64) {
        let Unfinished { text, left_out, .. } = &self.unfinished;
        self.told.extend_from_slice(br#"{"type":"line","line":""#);
        self.told.extend_from_slice(text);
        // Writing to memory cannot fail.
        if *left_out > 0 {
            let _ = write!(self.told, " [… {left_out} more bytes]");
        }
        self.told.extend_from_slice(if sensitive { br#"","sensitive":true,"# } else { br#"","# });
        let _ = writeln!(self.told, r#""recno":{recno}}}"#);
    }

    fn show(&mut self, shown: &Shown) {
        write(&mut self.told, shown);
    }
}

#[cfg(test)]
mod tests;
