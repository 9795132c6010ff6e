//! Searching a log for a text.
//!
//! A record is parsed if it has a trace of the text, a colour, which may split the text, or a flag.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use memchr::memmem::Finder;

use super::Logs;
use super::records::{Candidates, FLAG, Stored, Traces};
use super::scan::{MAX_FOUND, Scan, Scanning};
use crate::output::colours;
use crate::output::colours::Colours;
use crate::spool::JobId;
use crate::spool::log::{LogReader, Record, RecordKind};

impl Logs {
    /// Searches the log of a job, if there is one, for at most so long: a JSON line for each match, with the number of
    /// its first record as `recno`, and then one that says how it went.
    #[must_use]
    pub fn search(
        self: &Arc<Self>,
        id: JobId,
        needle: Needle,
        include_sensitive: bool,
        time_limit: Duration,
    ) -> Scanning<Search> {
        let search = Search::new(needle, include_sensitive);
        let directory = self.spool.job(id);
        Scanning::new(Arc::clone(self), time_limit, move || Ok((LogReader::open(&directory)?, search)))
    }
}

/// A search, and how far it is.
pub struct Search {
    needle: Needle,
    /// None if a line with the text need not have a trace.
    traces: Option<Traces>,
    include_sensitive: bool,
    /// The number of the last record that was looked at.
    records: u64,
    line: Line,
    /// The numbers that were found and not taken yet.
    found: Vec<u64>,
    /// How many lines were left out because they are sensitive.
    hidden: u64,
    /// How many matches were taken.
    matches: usize,
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

impl Search {
    /// From the beginning of a log.
    #[must_use]
    pub fn new(needle: Needle, include_sensitive: bool) -> Self {
        let traces = needle.trace().map(|trace| Traces::new([trace, colours::STORED, FLAG]));
        Self {
            needle,
            traces,
            include_sensitive,
            records: 0,
            line: Line::default(),
            found: Vec::new(),
            hidden: 0,
            matches: 0,
        }
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

impl Scan for Search {
    fn portion(&mut self, before: u64, lines: &[u8]) {
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

    fn end(&mut self) {
        self.end_line();
    }

    fn is_full(&self) -> bool {
        self.matches + self.found.len() >= MAX_FOUND
    }

    fn take(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let count = self.found.len().min(MAX_FOUND - self.matches);
        for recno in self.found.drain(..count) {
            // Writing to memory cannot fail.
            let _ = writeln!(text, r#"{{"type":"match","recno":{recno}}}"#);
        }
        self.matches += count;
        text
    }

    fn summary(&self, is_at_end: bool) -> String {
        let Self { matches, records, hidden, .. } = self;
        let is_complete = is_at_end && self.found.is_empty();
        format!(
            r#"{{"type":"end","matches":{matches},"searched":{records},"hidden":{hidden},"complete":{is_complete}}}"#
        )
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

/// A text, to be found in whatever case, and in spite of colours.
#[derive(Debug)]
pub struct Needle {
    text: Finder<'static>,
    /// Something that stands in every stored record with the text, once [`str::make_ascii_lowercase`] was applied to it.
    trace: Option<String>,
}

impl Needle {
    /// A text that is not empty.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = fold(text);
        Self { text: Finder::new(&text).into_owned(), trace: trace(&text) }
    }

    /// The length of the text, in bytes.
    fn length(&self) -> usize {
        self.text.needle().len()
    }

    /// Whether the text is in one that was [folded](fold).
    fn is_in(&self, folded: &str) -> bool {
        self.text.find(folded.as_bytes()).is_some()
    }

    /// What can be found in stored records without looking into them; `None` if the text has nothing of this kind.
    fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }
}

/// A text without the difference between upper and lower case.
fn fold(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().flat_map(char::to_lowercase).collect() }
}

/// The longest part of a folded text that is stored in one way only, but for ASCII's upper case; as it is stored.
fn trace(folded: &str) -> Option<String> {
    let has_one_case = |c: char| c.is_ascii() || c.to_uppercase().eq([c]);
    let part = folded.split(|c| !has_one_case(c)).max_by_key(|part| part.len())?;
    let json = serde_json::to_string(part).ok()?;
    let escaped = json.strip_prefix('"')?.strip_suffix('"')?;
    (!escaped.is_empty()).then(|| escaped.to_owned())
}

#[cfg(test)]
mod tests;
