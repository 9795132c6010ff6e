//! Going through the records of a log.
//!
//! A record is looked into if it has what one with the text must contain, a colour, which may hide the text, or a flag.

pub mod needle;

use self::needle::{Needle, fold};
use super::candidates::{Candidates, FLAG, Traces};
use super::stored::Stored;
use crate::output::colours;
use crate::output::colours::Colours;
use crate::spool::log::{Record, RecordKind};

/// A search through a log.
pub struct Scan {
    needle: Needle,
    /// None if a line with the text can look like any other.
    traces: Option<Traces>,
    include_sensitive: bool,
    /// The number of the last record that was looked at.
    records: u64,
    line: Line,
    found: Vec<u64>,
    /// How many lines were left out because they are sensitive.
    hidden: u64,
}

/// The line of output that is being put together.
#[derive(Default)]
struct Line {
    /// The number of its first record. None if there is no such line.
    first: Option<u64>,
    sensitive: bool,
    is_match: bool,
    colours: Colours,
    /// The end of its text, folded: a match may begin there.
    text: String,
}

impl Scan {
    /// From the beginning of a log.
    #[must_use]
    pub fn new(needle: Needle, include_sensitive: bool) -> Self {
        let traces = needle.trace().map(|trace| Traces::new([trace, colours::STORED, FLAG]));
        Self { needle, traces, include_sensitive, records: 0, line: Line::default(), found: Vec::new(), hidden: 0 }
    }

    /// How many records were searched.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many lines were left out because they are sensitive.
    #[must_use]
    pub fn hidden(&self) -> u64 {
        self.hidden
    }

    /// The numbers that were found and not taken.
    #[must_use]
    pub fn found(&self) -> &[u64] {
        &self.found
    }

    /// Takes what was found first, at most so many.
    pub fn take(&mut self, count: usize) -> Vec<u64> {
        let count = count.min(self.found.len());
        self.found.drain(..count).collect()
    }

    /// The log is complete.
    pub fn end(&mut self) {
        self.end_line();
    }

    /// Searches the next lines of the log, behind so many records.
    pub fn portion(&mut self, before: u64, lines: &[u8]) {
        let places = self.traces.as_mut().map(|traces| traces.places(lines));
        let is_any = places.is_none();
        let mut candidates = Candidates::new(before, lines, places.unwrap_or_default());
        // A line that has begun goes on in the next record.
        while let Some(record) = candidates.next(is_any || self.line.first.is_some()) {
            self.records = candidates.number();
            self.record(record);
        }
        self.records = candidates.number();
    }

    fn record(&mut self, record: &[u8]) {
        let Some(stored) = Stored::parse(record) else { return };
        if stored.kind == "line" {
            self.line(&stored);
        } else if let Ok(record) = serde_json::from_slice::<Record>(record)
            && texts_of(&record.kind).into_iter().any(|text| self.needle.is_in(&fold(text)))
        {
            self.found.push(self.records);
        }
    }

    fn line(&mut self, stored: &Stored) {
        let Some(text) = stored.text() else { return };
        if !stored.continues && !stored.rewrites {
            self.end_line();
        }
        let line = &mut self.line;
        line.first.get_or_insert(self.records);
        line.sensitive |= stored.sensitive;
        if stored.rewrites {
            line.is_match = false;
            line.colours = Colours::default();
            line.text.clear();
        }
        if !line.is_match {
            let mut shown = String::new();
            line.colours.strip(&text, &mut shown);
            line.text.push_str(&fold(&shown));
            line.is_match = self.needle.is_in(&line.text);
            line.forget_all_but(self.needle.length() - 1);
        }
        if !stored.continued && !stored.partial {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let Some(first) = line.first else { return };
        if line.sensitive && !self.include_sensitive {
            self.hidden += 1;
        } else if line.is_match {
            self.found.push(first);
        }
    }
}

impl Line {
    /// Keeps so many bytes of the end, or a little more.
    fn forget_all_but(&mut self, bytes: usize) {
        let mut place = self.text.len().saturating_sub(bytes);
        while !self.text.is_char_boundary(place) {
            place -= 1;
        }
        self.text.drain(..place);
    }
}

/// What a person sees of a record that is no line of output.
fn texts_of(kind: &RecordKind) -> Vec<&str> {
    match kind {
        RecordKind::Status { status } => status.as_deref().into_iter().collect(),
        RecordKind::Interaction { prompt, .. } => vec![prompt],
        RecordKind::Response { user, response, .. } => vec![user, response],
        RecordKind::Signal { user, signal } => vec![user, signal],
        RecordKind::Note { note, .. } => vec![note],
        RecordKind::Line(_) | RecordKind::Progress { .. } | RecordKind::Exit(_) => Vec::new(),
    }
}
