//! The records of a log as JSON lines for clients.
//!
//! Each has a `recno`: how many records of the log were consumed, those included that are not shown. Pieces of a line
//! are shown as one, when it is complete; a run of hidden lines is shown as one remark.

use std::io::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::spool::log::{Record, RecordKind};

/// A record, if it is a line: borrowed, and its text as it stands, because there are millions of them.
#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are the members that the record has")]
struct Stored<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    line: Option<&'a RawValue>,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    continued: bool,
    #[serde(default)]
    partial: bool,
    #[serde(default)]
    continues: bool,
    #[serde(default)]
    rewrites: bool,
}

/// Something to show. The texts are JSON as they stand here.
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

/// A line of output whose end is not known yet.
#[derive(Default)]
struct Unfinished {
    /// There is such a line.
    open: bool,
    /// Its pieces so far: the inside of a JSON string.
    text: Vec<u8>,
    sensitive: bool,
}

/// Turns records into what is shown of them.
pub struct Transcript {
    include_sensitive: bool,
    /// The client has been told of this many records.
    resume: u64,
    /// The number of the last record that was consumed.
    records: u64,
    unfinished: Unfinished,
    /// The last thing shown stands for hidden lines.
    hiding: bool,
    said_waiting: bool,
    told: Vec<u8>,
}

impl Transcript {
    /// For a client that has been told of the first `resume` records.
    pub fn new(resume: u64, include_sensitive: bool) -> Self {
        Self {
            include_sensitive,
            resume,
            records: 0,
            unfinished: Unfinished::default(),
            hiding: false,
            said_waiting: false,
            told: Vec::new(),
        }
    }

    /// The log will be told from behind this many records.
    pub fn start_behind(&mut self, records: u64) {
        self.records = records;
    }

    /// What was made since the last time: whole lines.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.told)
    }

    /// The stream begins.
    pub fn connected(&mut self) {
        self.show(&Shown::Connected { recno: self.resume });
    }

    /// There is no log yet. It is said once.
    pub fn waiting_for_log(&mut self) {
        if !self.said_waiting {
            self.said_waiting = true;
            self.show(&Shown::WaitingForLogfile { recno: self.resume });
        }
    }

    /// The log is complete.
    pub fn end(&mut self) {
        self.end_line(self.records, self.records >= self.resume);
        self.show(&Shown::Eof { recno: self.records.max(self.resume) });
    }

    /// The next records, whole lines of the log.
    pub fn tell(&mut self, lines: &[u8]) {
        self.told.reserve(lines.len());
        let mut begin = 0;
        for newline in memchr::memchr_iter(b'\n', lines) {
            self.record(&lines[begin..newline]);
            begin = newline + 1;
        }
    }

    /// A line that is no record counts as one that is not shown.
    fn record(&mut self, record: &[u8]) {
        self.records += 1;
        let Ok(stored) = serde_json::from_slice::<Stored>(record) else { return };
        match stored.kind {
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
        let Some(text) = line.line.and_then(inside) else { return };
        if self.unfinished.open && !line.continues && !line.rewrites {
            self.end_line(self.records - 1, self.is_new());
        }
        let unfinished = &mut self.unfinished;
        unfinished.open = true;
        unfinished.sensitive |= line.sensitive;
        if line.rewrites {
            unfinished.text.clear();
        }
        unfinished.text.extend_from_slice(text.as_bytes());
        if !line.continued && !line.partial {
            self.end_line(self.records, self.is_new());
        }
    }

    fn event(&mut self, kind: &RecordKind) {
        self.hiding = false;
        if !self.is_new() {
            return;
        }
        let recno = self.records;
        match kind {
            RecordKind::Response { user, response, .. } => self.show(&Shown::Response { user, response, recno }),
            RecordKind::Note { note } => self.show(&Shown::Remark { line: &format!("[Jobrunner: {note}]"), recno }),
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

    /// Whether the client has not been told of the record that was consumed last.
    fn is_new(&self) -> bool {
        self.records > self.resume
    }

    /// The unfinished line, if there is one, is as complete as it will ever be.
    fn end_line(&mut self, recno: u64, is_new: bool) {
        if !std::mem::take(&mut self.unfinished.open) {
            return;
        }
        let sensitive = std::mem::take(&mut self.unfinished.sensitive);
        let hide = sensitive && !self.include_sensitive;
        let goes_on_hiding = std::mem::replace(&mut self.hiding, hide) && hide;
        if is_new && hide && !goes_on_hiding {
            self.show(&Shown::Hidden { line: "<sensitive information hidden>", sensitive: true, recno });
        } else if is_new && !hide {
            self.show_line(sensitive, recno);
        }
        self.unfinished.text.clear();
    }

    fn show_line(&mut self, sensitive: bool, recno: u64) {
        self.told.extend_from_slice(br#"{"type":"line","line":""#);
        self.told.extend_from_slice(&self.unfinished.text);
        self.told.extend_from_slice(if sensitive { br#"","sensitive":true,"# } else { br#"","# });
        // Writing to memory cannot fail.
        let _ = writeln!(self.told, r#""recno":{recno}}}"#);
    }

    fn show(&mut self, shown: &Shown) {
        // Nor can serialising strings and numbers to it.
        let _ = serde_json::to_writer(&mut self.told, shown);
        self.told.push(b'\n');
    }
}

/// What stands between the quotes of a JSON string.
fn inside(json: &RawValue) -> Option<&str> {
    json.get().strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests;
